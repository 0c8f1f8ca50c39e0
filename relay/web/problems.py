"""Which HTTP status each error means."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from relay.core import errors
from relay.web.api import Problem

_STATUSES: tuple[tuple[type[errors.RelayError], int], ...] = (
    (errors.TooLarge, 413),
    (errors.InputError, 400),
    (errors.Unauthorized, 401),
    (errors.Forbidden, 403),
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.RateLimited, 429),
    (errors.NotSent, 503),
    (errors.Overloaded, 503),
    (errors.StoreBusy, 503),
    (errors.StoreFull, 503),
    (errors.StoreReadOnly, 503),
)
_RETRY_AFTER_S = 5
"""A busy database is free again soon; a full disk is worth asking about only now and then, but costs little to ask."""

UNEXPECTED = Problem(500, "something went wrong here; it was logged, and trying again later may help")

_MESSAGES = {
    404: "there is nothing at this path",
    413: "the body is larger than what is accepted",
    415: "the Content-Encoding of a body must be gzip or deflate",
    417: "the only expectation that can be met is 100-continue",
    501: "the Transfer-Encoding of a body must be chunked",
    505: "the request is not of HTTP/1.0 or HTTP/1.1",
}


def problem_of(error: Exception) -> Problem | None:
    """The problem an error stands for, or None when it was not raised on purpose."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return Problem(405, f"this path takes {allowed}", headers={"Allow": allowed})
    if isinstance(error, web.HTTPException):
        headers = {"Accept-Encoding": "gzip, deflate"} if error.status == 415 else {}
        return Problem(error.status, _MESSAGES.get(error.status, error.reason), headers=headers)
    if not isinstance(error, errors.RelayError):
        return None
    for kind, status in _STATUSES:
        if isinstance(error, kind):
            fields = error.fields if isinstance(error, errors.InputError) else {}
            return Problem(status, _message(error), fields, _headers(error, status))
    return None


def _message(error: errors.RelayError) -> str:
    if isinstance(error, errors.NotSent):
        # Its own message is for the operator's log: it may name addresses.
        return f"nothing was sent, for a reason of this server's own ({error.condition.words}); try again later"
    return error.message


def _headers(error: errors.RelayError, status: int) -> Mapping[str, str]:
    if isinstance(error, errors.RateLimited):
        return {"Retry-After": str(error.retry_after_s)}
    if status == 503:
        return {"Retry-After": str(_RETRY_AFTER_S)}
    if status == 401:
        return {"WWW-Authenticate": "Bearer"}
    return {}
