"""One API as an OpenAPI 3.1 document."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from relay.catalogue import EventType
from relay.web.api import Api
from relay.web.openapi.answers import Answers
from relay.web.openapi.schemas import Schemas
from relay.web.openapi.webhooks import webhooks
from relay.web.operation import PUBLIC, Operation

Document = dict[str, Any]

_PARAMETER = re.compile(r"{(\w+)(:[^}]*)?}")
_SECURITY_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key of a workspace; `relay keys create` makes one. It works where its scopes allow.",
    },
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key in a header."},
}

_PREFER = (
    "What has no effect in a request (a member, a parameter, a header) is named in the answer header `Relay-Ignored`. "
    "With `Prefer: handling=strict` such a request is refused with 400 and changes nothing."
)


def document(api: Api, url: str, event_types: Sequence[EventType] = ()) -> Document:
    """The OpenAPI 3.1 document of an API as it is served at `url`, which tells of a delivery of each event type."""
    schemas = Schemas(api)
    answers = Answers(api, schemas)
    paths: dict[str, Document] = {}
    for operation in api.operations:
        path = _PARAMETER.sub(r"{\1}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _operation(api, operation, schemas, answers)
    found: Document = {
        "openapi": "3.1.0",
        "info": {
            "title": api.title,
            "version": api.version,
            "description": f"{api.description}\n\n{_PREFER}",
            "contact": {"name": "Whoever runs this server", "url": url},
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": url, "description": "This Relay."}],
        "tags": _tags(api),
        "security": [{"bearer": []}, {"apiKey": []}],
        "paths": paths,
    }
    if sent := webhooks(api, schemas, event_types):
        found["webhooks"] = sent
    found["components"] = {"securitySchemes": _SECURITY_SCHEMES, **answers.components(), "schemas": schemas.of_bodies()}
    return found


def _tags(api: Api) -> list[Document]:
    named = dict.fromkeys([*api.tags, *(operation.tag for operation in api.operations if operation.tag)])
    return [{"name": tag, "description": api.tags[tag]} if tag in api.tags else {"name": tag} for tag in named]


def _operation(api: Api, operation: Operation, schemas: Schemas, answers: Answers) -> Document:
    described: Document = {"operationId": operation.operation_id, "summary": operation.summary}
    if operation.description:
        described["description"] = operation.description
    if operation.tag:
        described["tags"] = [operation.tag]
    if operation.scope == PUBLIC:
        described["security"] = []
    else:
        described["x-scope"] = operation.scope
    parameters = [
        {"name": match[1], "in": "path", "required": True, **_of_path(api, operation), "schema": {"type": "string"}}
        for match in _PARAMETER.finditer(operation.path)
    ]
    parameters += schemas.parameters("query", operation.query)
    parameters += schemas.parameters("header", operation.headers)
    if parameters:
        described["parameters"] = parameters
    if operation.request is not None:
        described["requestBody"] = {
            "required": not operation.body_is_optional,
            "content": {"application/json": schemas.content(operation.request)},
        }
    described["responses"] = answers.of(operation)
    return described


def _of_path(api: Api, operation: Operation) -> Document:
    """What is said of the id in a path: where it is found."""
    collection = operation.path.partition("/{")[0]
    if any((one.method, one.path) == ("GET", collection) for one in api.operations):
        return {"description": f"An id, as `GET {collection}` lists it."}
    return {}
