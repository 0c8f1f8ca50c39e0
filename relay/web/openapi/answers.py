"""What an operation can answer: each status with its meaning, its headers and its body."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, get_args, get_origin

import orjson
from pydantic import BaseModel

from relay.web.api import Api, Problem
from relay.web.openapi.schemas import Schemas
from relay.web.operation import PUBLIC, Operation
from relay.web.problems import UNEXPECTED

Response = dict[str, Any]

_ERRORS: dict[int, tuple[str, str, str]] = {
    400: ("BadInput", "Something in the request cannot be taken. The body says what to fix; nothing was changed.", ""),
    401: ("Unauthorized", "No API key came along, or one that is not valid any more.", "missing or malformed API key"),
    403: (
        "Forbidden",
        "The API key is good but lacks the scope `x-scope`.",
        "this key lacks the hooks scope",
    ),
    404: ("NotFound", "Nothing of the key's workspace has this id.", "there is nothing with that id"),
    409: ("Conflict", "As things stand this cannot be done; the body says why.", "it has ended"),
    413: ("TooLarge", "The body is larger than what is accepted.", "the body is larger than 320 KB"),
    415: (
        "UnknownEncoding",
        "The body is compressed in a way that is not known.",
        "the Content-Encoding of a body must be gzip or deflate",
    ),
    429: ("TooManyRequests", "Too many requests; wait as long as `Retry-After` says.", "too many requests"),
    500: ("Unexpected", "Something went wrong in the server. It was logged; nothing was promised.", UNEXPECTED.message),
    503: (
        "Unavailable",
        "The database is busy, full or read-only. Nothing was changed: send the same again after `Retry-After`.",
        "the database is busy; try again in a moment",
    ),
}
"""Each error with its name among the components, what it means, and an example of its message."""
_HEADERS: dict[str, Response] = {
    "Retry-After": {
        "required": True,
        "description": "How many seconds to wait before the next try.",
        "schema": {"type": "integer", "minimum": 1, "examples": [5]},
    },
    "WWW-Authenticate": {
        "required": True,
        "description": "How to send a key.",
        "schema": {"type": "string", "examples": ["Bearer"]},
    },
}
_HEADERS_OF = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}


class Answers:
    """The answers of one API's operations. Errors that several share stand among the components, once."""

    def __init__(self, api: Api, schemas: Schemas) -> None:
        self._api = api
        self._schemas = schemas
        self._shared: dict[str, Response] = {}
        self._headers = {**_HEADERS, **schemas.headers(api.admission_headers)}
        self._used_headers: set[str] = set()

    def of(self, operation: Operation) -> dict[str, Response]:
        """By status."""
        found = {status: self._listed(operation, status, answer) for status, answer in operation.answers.items()}
        if operation.media_type != "application/json" and 200 not in found:
            content = {operation.media_type: {"schema": {"type": "string"}}}
            found[200] = {"description": _meaning(operation, 200, None), "content": content}
            self._add_headers(found[200], operation, 200)
        for status in _always(operation):
            if status not in found:
                found[status] = self._error(operation, status, _error_model(self._api))
        return {str(status): found[status] for status in sorted(found)}

    def components(self) -> dict[str, dict[str, Response]]:
        """What the answers given so far refer to."""
        headers = {name: header for name, header in self._headers.items() if name in self._used_headers}
        shared = {name: self._shared[name] for name in sorted(self._shared)}
        return {key: value for key, value in (("headers", headers), ("responses", shared)) if value}

    def _listed(self, operation: Operation, status: int, answer: Any) -> Response:
        if status >= 400:
            return self._error(operation, status, answer)
        response: Response = {"description": _meaning(operation, status, answer)}
        self._add_headers(response, operation, status)
        if own := self._schemas.headers(operation.answer_headers):
            response["headers"] = {**own, **response.get("headers", {})}
        if answer is not None:
            response["content"] = {operation.media_type: self._schemas.content(answer)}
        return response

    def _error(self, operation: Operation, status: int, model: type[BaseModel] | None) -> Response:
        name, meaning, message = _ERRORS.get(status, (f"Error{status}", HTTPStatus(status).phrase, ""))
        response: Response = {"description": operation.meanings.get(status, meaning)}
        self._add_headers(response, operation, status)
        if model is not None:
            response["content"] = {self._api.error_media_type: self._error_content(status, message, model)}
        is_own = status in operation.meanings or operation.scope == PUBLIC
        if is_own or self._shared.setdefault(name, response) != response:
            return response
        return {"$ref": f"#/components/responses/{name}"}

    def _error_content(self, status: int, message: str, model: type[BaseModel]) -> Response:
        """With an example that the API's own way of telling errors has made."""
        fields = {}
        if not message:
            message, fields = "limit must be a whole number from 1 to 100", {"limit": ["must be a whole number …"]}
        body = self._api.error(Problem(status, message, fields)).body
        example = orjson.loads(body) if isinstance(body, bytes) else None
        return {"schema": self._schemas.reference(model), "example": example}

    def _add_headers(self, response: Response, operation: Operation, status: int) -> None:
        names = list(_HEADERS_OF.get(status, ()))
        # Whoever can be told to wait has been counted, and is told on every answer how they stand.
        if 429 in (*operation.answers, *_always(operation)) and status != 401:
            names += self._schemas.headers(self._api.admission_headers)
        if names:
            self._used_headers.update(names)
            response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _meaning(operation: Operation, status: int, answer: Any) -> str:
    """What an operation says of this status, else what the body says of itself."""
    if status in operation.meanings:
        return operation.meanings[status]
    listed = get_origin(answer) is list
    model = get_args(answer)[0] if listed else answer
    doc = "" if model is None else " ".join((model.__dict__.get("__doc__") or "").split())
    if not doc:
        return "Done; there is no body." if answer is None and status == 204 else HTTPStatus(status).phrase
    return f"An array. Each element: {doc[0].lower()}{doc[1:]}" if listed else doc


def _always(operation: Operation) -> list[int]:
    """The errors every such operation can answer with, so that no API has to list them."""
    statuses = [] if operation.scope == PUBLIC else [401, 403, 429]
    if operation.request is not None:
        statuses += [400, 413, 415]
    return [*statuses, 500, 503]


def _error_model(api: Api) -> type[BaseModel] | None:
    listed = (answer for one in api.operations for status, answer in one.answers.items() if status >= 400)
    return api.error_model or next(listed, None)
