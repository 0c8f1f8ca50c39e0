"""Writes the OpenAPI document of an API from its operations and models, so that it cannot drift from what is served."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, get_args, get_origin

import orjson
from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from relay.web.api import Api
from relay.web.operation import PUBLIC, Operation

_REF = "#/components/schemas/"
_PARAMETER = re.compile(r"{(\w+)(:[^}]*)?}")
_SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key of a workspace."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same, as a header."},
}


def operations(apis: Sequence[Api]) -> list[Operation]:
    """`/openapi/<api>.json` for each API."""
    return [
        Operation(
            "GET",
            f"/openapi/{api.name}.json",
            f"openapi_{api.name}",
            f"OpenAPI document of the {api.title}",
            partial(_answer, orjson.dumps(document(api))),
            PUBLIC,
        )
        for api in apis
    ]


async def _answer(body: bytes, request: web.Request) -> web.Response:
    return web.Response(body=body, content_type="application/json")


def document(api: Api) -> dict[str, Any]:
    """The OpenAPI 3.1 document of an API."""
    schemas = _Schemas(api)
    paths: dict[str, dict[str, Any]] = {}
    for operation in api.operations:
        path = _PARAMETER.sub(r"{\1}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _operation(api, operation, schemas)
    tags = dict.fromkeys(operation.tag for operation in api.operations if operation.tag)
    return {
        "openapi": "3.1.0",
        "info": {"title": api.title, "version": api.version, "description": api.description},
        "tags": [{"name": tag} for tag in tags],
        "security": [{"bearer": []}, {"apiKey": []}],
        "paths": paths,
        "components": {
            "securitySchemes": _SECURITY_SCHEMES,
            "schemas": schemas.of_bodies(),
        },
    }


class _Schemas:
    """The JSON schemas of the models an API documents itself with."""

    def __init__(self, api: Api) -> None:
        self._parameters = {model for one in api.operations for model in (one.query, one.headers) if model is not None}
        models = dict.fromkeys([*_models(api), *self._parameters])
        self._references, definitions = models_json_schema(
            [(model, "validation") for model in models], ref_template=f"{_REF}{{model}}"
        )
        self._all: dict[str, Any] = definitions.get("$defs", {})

    def of_bodies(self) -> dict[str, Any]:
        """Those of requests and answers, by name."""
        hidden = {self._name(model) for model in self._parameters}
        return {name: schema for name, schema in self._all.items() if name not in hidden}

    def parameters(self, place: str, model: type[BaseModel] | None) -> list[dict[str, Any]]:
        """A model of the query string or of the headers, as parameters."""
        if model is None:
            return []
        schema = self._all[self._name(model)]
        parameters = []
        for name, member in schema.get("properties", {}).items():
            inner = {key: value for key, value in member.items() if key not in ("title", "description")}
            parameter = {"name": name, "in": place, "required": name in schema.get("required", []), "schema": inner}
            if "description" in member:
                parameter["description"] = member["description"]
            parameters.append(parameter)
        return parameters

    def reference(self, answer: Any) -> dict[str, Any]:
        """The schema of a model or of `list[Model]`."""
        if get_origin(answer) is list:
            return {"type": "array", "items": self.reference(get_args(answer)[0])}
        return {"$ref": f"{_REF}{self._name(answer)}"}

    def _name(self, model: type[BaseModel]) -> str:
        return str(self._references[model, "validation"]["$ref"]).removeprefix(_REF)


def _models(api: Api) -> Iterator[type[BaseModel]]:
    if api.error_model is not None:
        yield api.error_model
    for operation in api.operations:
        for answer in (operation.request, *operation.answers.values()):
            model = get_args(answer)[0] if get_origin(answer) is list else answer
            if model is not None:
                yield model


def _operation(api: Api, operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    described: dict[str, Any] = {"operationId": operation.operation_id, "summary": operation.summary}
    if operation.description:
        described["description"] = operation.description
    if operation.tag:
        described["tags"] = [operation.tag]
    if operation.scope == PUBLIC:
        described["security"] = []
    else:
        described["x-scope"] = operation.scope
    parameters = [
        {"name": match[1], "in": "path", "required": True, "schema": {"type": "string"}}
        for match in _PARAMETER.finditer(operation.path)
    ]
    parameters += schemas.parameters("query", operation.query)
    parameters += schemas.parameters("header", operation.headers)
    if parameters:
        described["parameters"] = parameters
    if operation.request is not None:
        described["requestBody"] = {
            "required": not operation.body_is_optional,
            "content": {"application/json": {"schema": schemas.reference(operation.request)}},
        }
    described["responses"] = _responses(api, operation, schemas)
    return described


def _responses(api: Api, operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, answer in sorted(operation.answers.items()):
        response: dict[str, Any] = {"description": HTTPStatus(status).phrase}
        if answer is not None:
            media_type = operation.media_type if status < 400 else api.error_media_type
            response["content"] = {media_type: {"schema": schemas.reference(answer)}}
        responses[str(status)] = response
    if operation.media_type != "application/json" and "200" not in responses:
        responses["200"] = {"description": "OK", "content": {operation.media_type: {"schema": {"type": "string"}}}}
    for status in _always(operation):
        if str(status) not in responses:
            responses[str(status)] = _error(api, status, schemas)
    return responses


def _always(operation: Operation) -> list[int]:
    """The errors every such operation can answer with, so that no API has to list them."""
    statuses = [] if operation.scope == PUBLIC else [401, 403, 429]
    if operation.request is not None:
        statuses += [400, 413, 415]
    return [*statuses, 500, 503]


def _error_model(api: Api) -> type[BaseModel] | None:
    listed = (answer for one in api.operations for status, answer in one.answers.items() if status >= 400)
    return api.error_model or next(listed, None)


def _error(api: Api, status: int, schemas: _Schemas) -> dict[str, Any]:
    response: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if (model := _error_model(api)) is not None:
        response["content"] = {api.error_media_type: {"schema": schemas.reference(model)}}
    return response
