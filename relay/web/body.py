"""Reads what a client sends, strictly, and writes JSON answers."""

from __future__ import annotations

import json
import re
import time
import zlib
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from relay.core.errors import InputError, TooLarge
from relay.web.auth import CACHE_MS, reauthorize
from relay.web.ignored import look_at_body, look_at_unread_body

MAX_BODY_BYTES = 320 * 1024
"""A payload of 256 KB, what is around it, and room for escapes."""
MAX_DEPTH = 100

_BROKEN = "the body could not be read: its encoding or its chunks are broken"
_CODINGS = {"gzip", "x-gzip", "deflate"}
_BLANKS = " \t\n\r"
_MEMBER = re.compile(r'[ \t\n\r]*+[{,][ \t\n\r]*+"((?:[^"\\]|\\.)*+)"[ \t\n\r]*+:[ \t\n\r]*+')
"""From the brace or the comma before a member to its value."""
_VALUE = json.JSONDecoder()


async def read_body(request: web.Request, limit: int = MAX_BODY_BYTES) -> bytes:
    """The body, inflated if it came compressed. Raises TooLarge before more than `limit` bytes are held, InputError for
    one that is broken, and the 415 or 501 of a coding that is not known."""
    content, encoding = request.content, _encoding(request)
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
        raise InputError(_BROKEN) from error
    if len(body) > limit:
        raise _too_large(limit)
    return inflated(body, encoding, limit) if encoding else body


def _encoding(request: web.Request) -> str:
    """How the body is compressed; empty for not at all."""
    headers = request.headers
    if headers.get("Transfer-Encoding", "chunked").lower() != "chunked":
        raise web.HTTPNotImplemented
    if "Content-Encoding" not in headers:
        return ""
    named = [one.strip().lower() for one in ",".join(headers.getall("Content-Encoding")).split(",")]
    codings = [one for one in named if one not in ("", "identity")]
    if len(codings) > 1 or not set(codings) <= _CODINGS:
        raise web.HTTPUnsupportedMediaType
    return codings[0].removeprefix("x-") if codings else ""


def inflated(data: bytes, encoding: str, limit: int) -> bytes:
    """What `gzip` or `deflate` has made of a body. Raises InputError, or TooLarge once there is more than `limit`."""
    body = bytearray()
    # Zeros may follow the members of gzip; what deflate is depends on the library that made it.
    while data and not (encoding == "gzip" and not data.strip(b"\0")):
        window = zlib.MAX_WBITS if data[0] & 0x0F == 8 else -zlib.MAX_WBITS
        if encoding == "gzip":
            window = 16 + zlib.MAX_WBITS
        inflater = zlib.decompressobj(window)
        try:
            body += inflater.decompress(data, limit + 1 - len(body))
        except zlib.error as error:
            raise InputError(_BROKEN) from error
        if len(body) > limit:
            raise _too_large(limit)
        data = inflater.unused_data
        if not inflater.eof or (data and encoding == "deflate"):
            raise InputError(_BROKEN)
    return bytes(body)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is larger than {limit // 1024} KB")


async def json_object(request: web.Request) -> dict[str, Any]:
    """The JSON object in the body. Raises InputError that says what to fix, or TooLarge."""
    members = parse_object(await read_body(request))
    look_at_body(request, members)
    return members


async def optional_json_object(request: web.Request) -> dict[str, Any]:
    """The same of a body that may be left out."""
    data = await read_body(request)
    members = parse_object(data) if data.strip() else {}
    look_at_body(request, members)
    return members


async def json_object_and_text(request: web.Request) -> tuple[dict[str, Any], str]:
    """The JSON object and its source, for `member_text`."""
    body = await read_body(request)
    members = parse_object(body)
    look_at_body(request, members)
    return members, body.decode()


async def pass_over_body(request: web.Request) -> None:
    """Read a body that nothing here has a use for, whatever it is. Raises InputError when the client prefers that."""
    if not request.can_read_body:
        return
    value: Any = None
    try:
        value = data = await read_body(request)
        value = orjson.loads(data) if data.strip() else None
    except TooLarge:
        value = b"too large"
    except orjson.JSONDecodeError:
        pass
    look_at_unread_body(request, value)


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
    at = 0
    while (member := _MEMBER.match(text, at)) is not None:
        name = member[1] if "\\" not in member[1] else json.loads(f'"{member[1]}"')
        start = member.end()
        if name == key and is_last:
            return text[start:].rstrip(_BLANKS)[:-1].rstrip(_BLANKS)  # no need to look for the end
        at = _VALUE.raw_decode(text, start)[1]
        if name == key:
            return text[start:at]
    raise KeyError(key)


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer with `value` as its JSON body."""
    return web.Response(body=orjson.dumps(value), status=status, headers=headers, content_type="application/json")
