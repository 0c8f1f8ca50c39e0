"""Reads what a client sends, strictly, and writes JSON answers."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from relay.core.errors import InputError, TooLarge
from relay.web.auth import CACHE_MS, reauthorize

MAX_BODY_BYTES = 320 * 1024
"""A payload of 256 KB, what is around it, and room for escapes."""
MAX_DEPTH = 100

_BLANKS = " \t\n\r"
_SPACE = re.compile(r"[ \t\n\r]*")
_DIGITS = re.compile(r"-?[0-9]{1,15}")
_VALUE = json.JSONDecoder()


async def read_body(request: web.Request, limit: int = MAX_BODY_BYTES) -> bytes:
    """The body, decompressed if it came compressed. Raises TooLarge before more than `limit` bytes are held."""
    content = request.content
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    try:
        # Nearly always the whole body came with the headers, and nothing has to be waited for.
        body = content.read_nowait() if content.is_eof() else b""
        if not content.at_eof():
            parts, began_s = bytearray(body), time.monotonic()
            while chunk := await content.readany():
                parts += chunk
                if len(parts) > limit:
                    raise _too_large(limit)
            body = bytes(parts)
            # A body may take its time; a key that was revoked meanwhile does nothing any more.
            if time.monotonic() - began_s >= CACHE_MS / 1000:
                await reauthorize(request)
    except web.RequestPayloadError as error:
        raise InputError("the body could not be read: its encoding or its chunks are broken") from error
    if len(body) > limit:
        raise _too_large(limit)
    return body


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is larger than {limit // 1024} KB")


async def json_object(request: web.Request) -> dict[str, Any]:
    """The JSON object in the body. Raises InputError that says what to fix, or TooLarge."""
    return parse_object(await read_body(request))


async def json_object_and_text(request: web.Request) -> tuple[dict[str, Any], str]:
    """The JSON object and its source, for `member_text`."""
    body = await read_body(request)
    return parse_object(body), body.decode()


def parse_object(data: bytes) -> dict[str, Any]:
    """Strict JSON: UTF-8 without a byte order mark, an object, no key twice, numbers that fit a double, no lone
    surrogates, at most `MAX_DEPTH` deep. Raises InputError.

    Integers beyond 64 bits become floats here; `member_text` gives them as they were written.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InputError(f"body must be a JSON object: {error.msg}" if data else "body must be a JSON object") from None
    if type(value) is not dict:
        raise InputError("body must be a JSON object")
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH and not _is_shallow(value):
        raise InputError(f"body is nested more than {MAX_DEPTH} levels deep")
    # A key that came twice has lost its first value, and with it at least one colon: writing the value again and
    # counting is ten times as fast as having every object checked. Only an escaped colon could make up for the loss.
    if orjson.dumps(value).count(b":") != data.count(b":") or b"\\u003" in data:
        json.loads(data, object_pairs_hook=_each_key_once)
    return value


def _is_shallow(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return True
    return False


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise InputError(f"body has the key {json.dumps(key[:100])} twice in one object")
            seen.add(key)
    return members


def member_text(text: str, members: dict[str, Any], key: str) -> str:
    """The source of one top-level member, exactly as it was written; `members` is what `parse_object` made of `text`.

    Raises KeyError when there is no such member.
    """
    if key not in members:
        raise KeyError(key)
    is_last = next(reversed(members)) == key
    at = _skip(text, 0)
    while True:
        name, at = _VALUE.raw_decode(text, _skip(text, at + 1))  # after the brace or the comma
        start = _skip(text, _skip(text, at) + 1)
        if name == key and is_last:
            return text[start:].rstrip(_BLANKS)[:-1].rstrip(_BLANKS)  # no need to look for the end
        at = _VALUE.raw_decode(text, start)[1]
        if name == key:
            return text[start:at]
        at = _skip(text, at)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer with `value` as its JSON body."""
    return web.Response(body=orjson.dumps(value), status=status, headers=headers, content_type="application/json")


def whole_number(request: web.Request, name: str, default: int, low: int, high: int, *, clamp: bool = False) -> int:
    """A whole number of the query string, ASCII digits only. Out of range it is clamped or refused (InputError)."""
    text = request.query.get(name)
    if text is None:
        return default
    problem = f"must be a whole number from {low} to {high}"
    if not _DIGITS.fullmatch(text):
        raise InputError(f"{name} {problem}", fields={name: [problem]})
    number = int(text)
    if low <= number <= high:
        return number
    if clamp:
        return min(max(number, low), high)
    raise InputError(f"{name} {problem}", fields={name: [problem]})
