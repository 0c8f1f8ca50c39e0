"""A client's connection: what aiohttp refuses by itself, before there is a request, is told in the API's shape as well.

aiohttp answers what it cannot parse with 400 and a line of plain text. Here it gets the status that says what was
wrong, in the shape of the API that owns the path, as far as the path had come. The answer is followed by the end of our
side of the connection: one that is closed while bytes still come in is reset, and its last answer may be lost.

What is overridden and read of aiohttp's connection is private; the tests show when that changes.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from typing import Any

from aiohttp import HttpVersion11, web
from aiohttp.http_exceptions import BadHttpMethod, HttpProcessingError, LineTooLong
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from relay.web.api import Problem
from relay.web.problems import problem_of

Answer = Callable[[str, str, Problem], web.StreamResponse]
"""(method, path, problem) → the answer in the shape of the API that owns the path."""

HEAD_BYTES = 16_384
"""How much of a request's beginning is kept until it is parsed."""
LAST_WORDS_S = 2.0
"""How long a client may take to close a connection on which something was sent that could not be read."""

_START = re.compile(rb"[\r\n]*([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([^\s]{1,8192})")
_VERSION = re.compile(_START.pattern + rb" HTTP/([0-9]\.[0-9])\r?\n")
_AUTHORITY = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#]*", re.IGNORECASE)


class Server(web.Server):
    """Makes the connections of an application."""

    def __init__(self, plain: web.Server, answer: Answer) -> None:
        """`plain` is the server that aiohttp would have used."""
        options = plain._kwargs  # noqa: SLF001
        super().__init__(plain.request_handler, request_factory=plain.request_factory, **options)
        self._answer = answer

    def __call__(self) -> RequestHandler:
        return Connection(self, self._answer, loop=self._loop, **self._kwargs)


class Connection(RequestHandler):
    """One connection."""

    __slots__ = ("_answer", "_ended", "_head", "_head_of", "_refused")

    def __init__(self, server: Server, answer: Answer, **options: Any) -> None:
        super().__init__(server, **options)
        self._answer = answer
        self._head = b""
        self._head_of = 0
        """How many requests there had been when the head began."""
        self._refused = False
        self._ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        request, before = self._current_request, self._request_count
        if request is None or request._payload.is_eof():  # noqa: SLF001 - else it is a part of a body
            if before != self._head_of or not self._head:
                self._head, self._head_of = data, before
            elif len(self._head) < HEAD_BYTES:
                self._head += data
        super().data_received(data)
        if self._request_count != before and self._messages and type(self._messages[-1][0]) is _ErrInfo:
            self._refused = True

    def connection_lost(self, exc: BaseException | None) -> None:
        self._ended.set()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if not isinstance(exc, HttpProcessingError) or request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        # What could not be read stands as a request of HTTP/1.0.
        request._version = HttpVersion11  # noqa: SLF001
        response = self._answer(*start_of(self._head), problem_of_head(exc, self._head))
        response.force_close()
        return response

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        if isinstance(resp, web.HTTPException) and resp.status >= 400:
            # Raised before the middleware had its turn: an expectation that cannot be met.
            problem = problem_of(resp)
            if problem is not None:
                resp = self._answer(request.method, request.path, problem)
                resp.force_close()
        finished = await super().finish_response(request, resp, start_time)
        if self._refused and self.transport is not None:
            with contextlib.suppress(OSError, RuntimeError, TimeoutError):
                self.transport.write_eof()
                async with asyncio.timeout(LAST_WORDS_S):
                    await self._ended.wait()
        return finished


def start_of(head: bytes) -> tuple[str, str]:
    """The method and the path with which a request begins, as far as they are there."""
    match = _START.match(head)
    if match is None:
        return "", ""
    target = _AUTHORITY.sub("", match[2].decode("latin-1"), count=1)
    return match[1].decode("latin-1"), target.partition("?")[0].partition("#")[0]


def problem_of_head(error: HttpProcessingError, head: bytes) -> Problem:
    """What is wrong with a request that could not be parsed. Its text is said by nobody: it may be anything."""
    first_line = head.lstrip(b"\r\n").partition(b"\n")[0]
    if isinstance(error, LineTooLong):
        if len(first_line) > 8190:
            return Problem(414, "the address of the request is longer than 8 KB")
        return Problem(431, "a header of the request is larger than 8 KB")
    if "'Host'" in error.message:
        return Problem(400, "the request needs a Host header, and only one")
    if error.message.startswith("Too many headers"):
        return Problem(431, "the request has more headers than are accepted")
    if line := _VERSION.match(head):
        if line[3] not in (b"1.0", b"1.1"):
            return Problem(505, "the request is not of HTTP/1.0 or HTTP/1.1")
        if isinstance(error, BadHttpMethod):
            return Problem(501, "there is no such method; the names of methods are written in upper case")
    return Problem(400, "the request could not be read: it breaks the rules of HTTP/1.1")
