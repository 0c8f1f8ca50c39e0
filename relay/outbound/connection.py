"""One connection to a receiver: a request goes out, and at most 4 KB of the body of its answer is kept.

An asyncio Protocol in place of a full HTTP client: it has no redirects, proxies, cookies or decompression to switch
off, and it decides what is read. A connection carries one exchange at a time.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import cast

from relay.core.model import ErrorCode
from relay.outbound.answer import Answer, AnswerReader, NotHttp
from relay.outbound.tls import LookedAt

BODY_WAIT_S = 2.0
"""How long the rest of a snippet may take once the headers are in: the status has decided by then."""
JOINED = 16 * 1024
"""A body of at most so many bytes goes out in one write with its head. A larger one is not copied, but lent."""
MAX_AGE_S = 600.0
"""However busy it is: its address was looked up and judged, and its certificate looked at, when it was made."""
PIECE = 64 * 1024
"""In pieces of so many bytes: the next follows when the receiver has taken most of the one before."""


class ExchangeFailed(Exception):
    """No usable answer came. `unanswered` is true when not one byte of an answer was seen."""

    def __init__(self, error_code: ErrorCode, detail: str, *, unanswered: bool = False) -> None:
        super().__init__(detail)
        self.error_code = error_code
        self.detail = detail
        self.unanswered = unanswered


class Connection(asyncio.Protocol):
    """Made by `loop.create_connection`; `on_lost` is called when it ends while it is idle."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_lost: Callable[[Connection], None]) -> None:
        self._loop = loop
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self.tls: LookedAt | None = None
        self._readable = select.poll()
        self._waiter: asyncio.Future[Answer] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = self._due = 0.0
        self._deadline = 0.0
        self._unsent = memoryview(b"")
        self._paused = False
        self._reader: AnswerReader | None = None
        """None while not one byte of an answer has come."""
        self._body_waits = False
        self.reusable = True
        """Whether another exchange may follow; False once the connection is, or must be, closed."""
        self.idle_since = 0.0
        self.good_until = loop.time() + MAX_AGE_S

    @property
    def is_quiet(self) -> bool:
        """Whether nothing has come since the newest exchange, not even what the event loop has yet to read.

        Whatever is there, an end or bytes that nobody asked for, could be taken for the next answer.
        """
        return self.reusable and not self._readable.poll(0)

    async def exchange(self, head: bytes, body: bytes, deadline: float) -> Answer:
        """Send a request and return its answer by `deadline` (loop time). Raises `ExchangeFailed`."""
        if self._transport is None or not self.reusable:
            raise ExchangeFailed(ErrorCode.CONNECTION_ERROR, "the connection was closed", unanswered=True)
        self._reader = None
        self._body_waits = False
        self._deadline = deadline
        self._waiter = self._loop.create_future()
        self._set_timer(deadline)
        if len(body) <= JOINED:
            self._transport.write(head + body)
        else:
            self._transport.set_write_buffer_limits(PIECE)
            self._transport.write(head)
            self._unsent = memoryview(body)
            self._send_on()
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
        self._unsent = memoryview(b"")
        if self._transport is not None:
            self._transport.abort()

    # --- asyncio.Protocol. Both event loops set TCP_NODELAY by themselves.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast and no isinstance: uvloop's transports are none of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)
        self.tls = transport.get_extra_info("ssl_object")
        self._readable.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        if self._waiter is None or self._waiter.done():
            # Bytes nobody asked for could be taken for the next answer.
            self.abort()
            return
        reader = self._reader
        if reader is None:
            reader = self._reader = AnswerReader()
            if self._unsent or (self._transport is not None and self._transport.get_write_buffer_size()):
                # The receiver answers before it has the whole request: what it reads next is not ours to guess.
                self.reusable = False
        try:
            reader.feed(data)
        except NotHttp as error:
            self._fail(ErrorCode.BAD_RESPONSE, f"not an HTTP answer: {error}")
            return
        if reader.complete:
            self._finish(reader)
        elif reader.answer.status and not self._body_waits:
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

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._send_on()

    def _send_on(self) -> None:
        while self._unsent and not self._paused and self._transport is not None:
            piece, self._unsent = self._unsent[:PIECE], self._unsent[PIECE:]
            self._transport.write(piece)

    # --- the end of an exchange

    def _end(self, how: str) -> None:
        """The receiver ended the connection."""
        self.reusable = False
        reader = self._reader
        if self._waiter is None:
            self._on_lost(self)
        elif reader is None:
            self._fail(ErrorCode.CONNECTION_ERROR, f"the connection was {how} before an answer", unanswered=True)
        elif reader.answer.status or (how == "closed" and reader.ended()):
            self._finish(reader)
        else:
            self._fail(ErrorCode.BAD_RESPONSE, f"the connection was {how} within the headers of the answer")

    def _finish(self, reader: AnswerReader) -> None:
        if not reader.exact or not reader.complete:
            self.reusable = False
        if not self.reusable:
            self.abort()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(reader.answer)

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
        if self._reader is not None and self._reader.answer.status:
            self._finish(self._reader)
        else:
            self._fail(ErrorCode.TIMEOUT, "no answer within the time limit")
