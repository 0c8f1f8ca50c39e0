"""How this API says that something went wrong: problem details (RFC 7807), with what is wrong with which field."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from relay.web.api import Problem

MEDIA_TYPE = "application/problem+json"

_TITLES = {
    400: "Invalid request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Payload too large",
    414: "URI too long",
    415: "Unsupported media type",
    417: "Expectation failed",
    429: "Too many requests",
    431: "Request header fields too large",
    500: "Internal server error",
    501: "Not implemented",
    503: "Service unavailable",
    505: "HTTP version not supported",
}


def details(problem: Problem) -> dict[str, Any]:
    """The members of a problem: the status says all there is to say of its type, so that is `about:blank`."""
    found: dict[str, Any] = {
        "type": "about:blank",
        "title": _TITLES.get(problem.status, "Error"),
        "status": problem.status,
        "detail": problem.message,
    }
    if problem.fields:
        found["errors"] = dict(problem.fields)
    return found


def answer(problem: Problem) -> web.Response:
    return web.Response(
        body=orjson.dumps(details(problem)), status=problem.status, headers=problem.headers, content_type=MEDIA_TYPE
    )
