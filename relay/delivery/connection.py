"""One connection to a receiver: a request goes out in one write, and at most 4 KB of the answer comes in.

An asyncio Protocol around httptools' response parser, in place of a full HTTP client: it has no redirects, proxies,
cookies or decompression to switch off, and it decides what is read. A connection carries one exchange at a time.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import httptools

from relay.core.model import ErrorCode

MAX_HEAD = 16 * 1024
"""Bytes of status lines and headers, interim answers included."""
MAX_HEADERS = 128
MAX_SNIPPET = 4096
MAX_ANSWER = 64 * 1024
"""Bytes of everything together: room for a snippet in one-byte chunks, none for endless trailers."""
BODY_WAIT_S = 2.0
"""How long the rest of a snippet may take once the headers are in: the status has decided by then."""

_KEPT = {
    name.encode("ascii"): name
    for name in (
        "cache-control",
        "content-length",
        "content-type",
        "date",
        "retry-after",
        "server",
        "x-correlation-id",
        "x-request-id",
    )
}


class ExchangeFailed(Exception):
    """No usable answer came. `unanswered` is true when not one byte of an answer was seen."""

    def __init__(self, error_code: ErrorCode, detail: str, *, unanswered: bool = False) -> None:
        super().__init__(detail)
        self.error_code = error_code
        self.detail = detail
        self.unanswered = unanswered


@dataclass(slots=True)
class Answer:
    """What was read of an answer, as raw bytes."""

    status: int = 0
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    """Those worth keeping, lower-case names."""
    body: bytes = b""


class Connection(asyncio.Protocol):
    """Made by `loop.create_connection`; `on_lost` is called when it ends while it is idle."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_lost: Callable[[Connection], None]) -> None:
        self._loop = loop
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self.tls: ssl.SSLObject | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[Answer] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = self._due = 0.0
        self._deadline = 0.0
        self._answer = Answer()
        self._bytes_in = 0
        self._header_bytes = 0
        self._header_count = 0
        self._headers_in = False
        self._complete = False
        self._body_waits = False
        self.reusable = True
        """Whether another exchange may follow; False once the connection is, or must be, closed."""
        self.idle_since = 0.0

    async def exchange(self, request: bytes, deadline: float) -> Answer:
        """Send a request and return its answer by `deadline` (loop time). Raises `ExchangeFailed`."""
        if self._transport is None or not self.reusable:
            raise ExchangeFailed(ErrorCode.CONNECTION_ERROR, "the connection was closed", unanswered=True)
        self._answer = Answer()
        self._bytes_in = self._header_bytes = self._header_count = 0
        self._headers_in = self._complete = self._body_waits = False
        self._deadline = deadline
        self._waiter = self._loop.create_future()
        self._set_timer(deadline)
        self._transport.write(request)
        try:
            return await self._waiter
        except asyncio.CancelledError:
            self.abort()
            raise
        finally:
            self._waiter = None

    def abort(self) -> None:
        """Close at once: nothing is owed to a receiver, and waiting for its good-bye would let it hold the socket."""
        self.reusable = False
        if self._transport is not None:
            self._transport.abort()

    # --- asyncio.Protocol. Both event loops set TCP_NODELAY by themselves.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast and no isinstance: uvloop's transports are none of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)
        self.tls = transport.get_extra_info("ssl_object")

    def data_received(self, data: bytes) -> None:
        if self._waiter is None or self._waiter.done():
            # Bytes nobody asked for could be taken for the next answer.
            self.abort()
            return
        self._bytes_in += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._complete, self.reusable = True, False
        except httptools.HttpParserError as error:
            if not self._headers_in:
                self._fail(ErrorCode.BAD_RESPONSE, f"not an HTTP answer: {error}")
                return
            self._complete, self.reusable = True, False
        if self._head_too_large():
            self._fail(ErrorCode.BAD_RESPONSE, "the headers of the answer are too large")
        elif self._complete:
            self._finish()
        elif self._bytes_in > MAX_ANSWER:
            self.reusable = False
            self._finish()
        elif self._headers_in and not self._body_waits:
            self._body_waits = True
            self._set_timer(min(self._deadline, self._loop.time() + BODY_WAIT_S))

    def eof_received(self) -> bool:
        self._end("closed")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._end("closed" if exc is None else "reset")

    # --- httptools. Nothing may be raised in these; they note what `data_received` then acts on.

    def on_message_begin(self) -> None:
        if self._complete:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._headers_in:
            return
        self._header_count += 1
        self._header_bytes += len(name) + len(value) + 4
        kept = _KEPT.get(name.lower())
        if kept is not None and len(self._answer.headers) < len(_KEPT):
            self._answer.headers.append((kept, value))

    def on_headers_complete(self) -> None:
        if self._headers_in:
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            self._answer.headers.clear()
            return
        self._answer.status = status
        self._headers_in = True

    def on_body(self, data: bytes) -> None:
        if self._complete:
            return
        room = MAX_SNIPPET - len(self._answer.body)
        self._answer.body += data[:room]
        if len(data) > room:
            self._complete, self.reusable = True, False

    def on_message_complete(self) -> None:
        if not self._headers_in or self._complete:
            return
        self._complete = True
        if not self._parser.should_keep_alive():
            self.reusable = False

    def _head_too_large(self) -> bool:
        if self._header_bytes > MAX_HEAD or self._header_count > MAX_HEADERS:
            return True
        return not self._headers_in and self._bytes_in > MAX_HEAD

    # --- the end of an exchange

    def _end(self, how: str) -> None:
        """The receiver ended the connection."""
        self.reusable = False
        if self._waiter is None:
            self._on_lost(self)
        elif self._headers_in:
            self._finish()
        elif self._bytes_in:
            self._fail(ErrorCode.BAD_RESPONSE, f"the connection was {how} within the headers of the answer")
        else:
            self._fail(ErrorCode.CONNECTION_ERROR, f"the connection was {how} before an answer", unanswered=True)

    def _finish(self) -> None:
        if self._transport is not None and self._transport.get_write_buffer_size():
            # The receiver answered before it had the whole request: what it reads next is not ours to guess.
            self.reusable = False
        if not self.reusable:
            self.abort()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(self._answer)

    def _fail(self, error_code: ErrorCode, detail: str, *, unanswered: bool = False) -> None:
        self.abort()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ExchangeFailed(error_code, detail, unanswered=unanswered))

    def _set_timer(self, at: float) -> None:
        self._due = at
        # One that is set for earlier looks again by itself: a busy connection so sets a timer now and then, not for
        # every exchange.
        if self._timer is None or at < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer, self._timer_at = self._loop.call_at(at, self._expire), at

    def _expire(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        if self._loop.time() < self._due:
            self._set_timer(self._due)
            return
        self.reusable = False
        if self._headers_in:
            self._finish()
        else:
            self._fail(ErrorCode.TIMEOUT, "no answer within the time limit")
