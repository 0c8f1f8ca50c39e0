"""The documents of each API: the one Relay serves, and the published one that it is held to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import ClientResponse
from jsonschema_rs import Draft202012Validator

from relay.app import APIS
from relay.web import openapi
from relay.web.api import Api

FOLDER = Path(__file__).parents[4] / "shared" / "specs"
SPECS = {
    "ravepilot": "ravepilot.openapi.json",
    "rest_hooks": "rustle.openapi.json",
    "webhook_relay": "webhook-relay.openapi.yaml",
}
"""The published contract of each API. One that is not mounted yet is held to its own from the day it is."""

EACH_API = pytest.mark.parametrize("api", APIS, ids=lambda api: api.name)

Document = dict[str, Any]


@dataclass(frozen=True)
class Described:
    """An operation as a document describes it, with every reference resolved."""

    method: str
    path: str
    described: Document

    @property
    def parameters(self) -> dict[tuple[str, str], Document]:
        """By name and place."""
        return {(one["name"], one["in"]): one for one in self.described.get("parameters", [])}

    @property
    def request(self) -> Document | None:
        """The schema of the JSON body."""
        body = self.described.get("requestBody")
        return body and body["content"]["application/json"]["schema"]

    @property
    def needs_body(self) -> bool:
        return bool(self.described.get("requestBody", {}).get("required"))

    @property
    def responses(self) -> dict[int, Document]:
        return {int(status): response for status, response in self.described["responses"].items()}

    @property
    def is_public(self) -> bool:
        return self.described.get("security") == []

    @property
    def streams(self) -> bool:
        return "text/event-stream" in self.responses.get(200, {}).get("content", {})


def served(api: Api) -> Document:
    return openapi.document(api)


def published(api: Api) -> Document:
    """The contract of an API, with `nullable` said as OpenAPI 3.1 says it; skips where there is none."""
    path = FOLDER / SPECS[api.name]
    if not path.is_file():
        pytest.skip(f"there are no published contracts in {FOLDER}")
    text = path.read_text("utf-8")
    document: Document = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    return _nullable(document)  # type: ignore[no-any-return]


def _nullable(node: Any) -> Any:
    if isinstance(node, list):
        return [_nullable(one) for one in node]
    if not isinstance(node, dict):
        return node
    node = {key: _nullable(value) for key, value in node.items()}
    if node.get("nullable") is True and isinstance(node.get("type"), str):
        del node["nullable"]
        node["type"] = [node["type"], "null"]
    return node


def operations_of(document: Document) -> dict[str, Described]:
    """By operationId."""
    found = {}
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            assert described["operationId"] not in found, "two operations share an id"
            found[described["operationId"]] = Described(method.upper(), path, _resolved(document, described))
    return found


def operations_served(api: Api) -> dict[str, Described]:
    return operations_of(served(api))


def _resolved(document: Document, node: Any) -> Any:
    if isinstance(node, list):
        return [_resolved(document, one) for one in node]
    if not isinstance(node, dict):
        return node
    if isinstance(reference := node.get("$ref"), str):
        target: Any = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
        return _resolved(document, target)
    return {key: _resolved(document, value) for key, value in node.items()}


def _parts(schema: Document) -> Iterator[Document]:
    """A schema and what it is put together from."""
    yield schema
    for part in (*schema.get("anyOf", []), *schema.get("allOf", [])):
        yield from _parts(part)
    if "items" in schema:
        yield from _parts(schema["items"])


def properties(schema: Document) -> dict[str, Document]:
    """The members of an object, of one that may be null, or of the elements of an array."""
    return {name: member for part in _parts(schema) for name, member in part.get("properties", {}).items()}


def enum(schema: Document) -> set[str] | None:
    """The values a schema allows, null left out; None when it does not list them."""
    parts = list(_parts(schema))
    listed = [part["enum"] for part in parts if "enum" in part] + [[part["const"]] for part in parts if "const" in part]
    return {value for values in listed for value in values if value is not None} if listed else None


async def faults(operation: Described, answer: ClientResponse) -> list[str]:
    """What is wrong with an answer that was read, held against what is described of it."""
    response = operation.responses.get(answer.status)
    if response is None:
        return [f"status {answer.status} is not described: {await answer.text()}"]
    content = response.get("content")
    if content is None:  # nothing is said of the body
        return ["204 has a body"] if answer.status == 204 and await answer.text() else []
    if answer.content_type not in content:
        return [f"content type {answer.content_type} is not one of {list(content)}"]
    schema = content[answer.content_type].get("schema", True)
    errors = Draft202012Validator(schema, validate_formats=True).iter_errors(await answer.json(content_type=None))
    return [f"{list(error.instance_path)}: {error.message}" for error in errors]
