"""Headers of an answer that is not made yet."""

from __future__ import annotations

from aiohttp import web

_ANSWER_HEADERS: web.RequestKey[dict[str, str]] = web.RequestKey("relay.answer_headers")


def answer_headers(request: web.Request) -> dict[str, str]:
    """Headers the answer to this request will carry, whatever it becomes. Changing the dictionary changes them."""
    headers = request.get(_ANSWER_HEADERS)
    if headers is None:
        headers = request[_ANSWER_HEADERS] = {}
    return headers


def headers_put_off(request: web.Request) -> dict[str, str] | None:
    """The same when there are some."""
    return request.get(_ANSWER_HEADERS)
