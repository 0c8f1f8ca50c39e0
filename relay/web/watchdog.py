"""Closes connections that keep the server waiting: aiohttp limits neither how slowly a request may come, nor how slowly
its answer is read.

Once a second it looks at every connection from outside, so that a request costs nothing more. What it reads of
aiohttp's connection is private (`_request_count`, `_current_request`); the tests show when that changes.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import struct
import termios
from collections import Counter
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from typing import NamedTuple

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from relay.web.connection import Server
from relay.web.middleware import answer_outside
from relay.web.wiring import APIS

_log = structlog.get_logger("relay.web")

BODY_TIME_S: web.RequestKey[float] = web.RequestKey("relay.body_time_s")
"""A handler that takes large uploads stores under this key, in its request, how many seconds the body may take."""


_Wait = tuple[RequestHandler, int]
"""A connection and the number of the request it waits for."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a connection may take, and how many an address may hold."""

    headers_s: float = 10.0
    """From connecting to the end of the first request's headers."""
    body_s: float = 30.0
    idle_s: float = 75.0
    """Between requests, and for the headers of the later ones: longer than what proxies keep connections for."""
    linger_s: float = 5.0
    """For the rest of a body that was refused."""
    answer_s: float = 30.0
    """For an answer of which nothing is read, and for each `ANSWER_STEP_BYTES` of one that is read slowly."""
    per_address: int = 1024
    """Loopback is exempt: there it is the reverse proxy that connects, for everybody."""
    loopback_exempt: bool = True
    look_every_s: float = 1.0


ANSWER_STEP_BYTES = 32 * 1024


class _Unread(NamedTuple):
    """An answer that was not read to its end."""

    transport: asyncio.WriteTransport
    """Kept here, because aiohttp forgets it when it closes a connection, which then goes on trying to send."""
    bytes: int
    since_s: float
    """Since when no step of it was read."""


def watched_runner(app: web.Application, patience: Patience = Patience()) -> web.AppRunner:
    """The runner to serve `app` with; the watch begins with its `setup` and ends with its `cleanup`."""
    return _WatchedRunner(app, patience)


class _WatchedRunner(web.AppRunner):
    def __init__(self, app: web.Application, patience: Patience) -> None:
        super().__init__(
            app,
            access_log=None,
            keepalive_timeout=patience.idle_s,
            lingering_time=patience.linger_s,
            shutdown_timeout=3.0,
            # A body is inflated where it is read, within its limit, and not before anybody knows who sends it.
            auto_decompress=False,
        )
        self._patience = patience
        self._watch: asyncio.Task[None] | None = None

    async def _make_server(self) -> web.Server:
        apis = self.app.get(APIS, ())
        return Server(await super()._make_server(), partial(answer_outside, apis))

    async def setup(self) -> None:
        await super().setup()
        self._watch = asyncio.create_task(self._look(), name="relay-watchdog")

    async def cleanup(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        await super().cleanup()

    async def _look(self) -> None:
        waiting: dict[_Wait, float] = {}
        unread: dict[RequestHandler, _Unread] = {}
        while self.server is not None:
            await asyncio.sleep(self._patience.look_every_s)
            try:
                waiting = self._close_the_slow(waiting)
                unread = self._cut_off_the_unread(unread)
                self._close_the_many()
            except Exception:
                _log.exception(
                    "looking for slow clients failed", next="report it with this line"
                )  # it must not end: nothing else limits slow clients

    def _close_the_slow(self, before: dict[_Wait, float]) -> dict[_Wait, float]:
        now_s = asyncio.get_running_loop().time()
        waiting: dict[_Wait, float] = {}
        for connection in self._connections():
            allowed_s = _allowed_s(connection, self._patience)
            if allowed_s is None:
                continue
            wait = (connection, connection._request_count)  # noqa: SLF001
            waiting[wait] = before.get(wait, now_s)
            if now_s - waiting[wait] >= allowed_s:
                connection.force_close()
        return waiting

    def _cut_off_the_unread(self, before: dict[RequestHandler, _Unread]) -> dict[RequestHandler, _Unread]:
        now_s = asyncio.get_running_loop().time()
        unread: dict[RequestHandler, _Unread] = {}
        for connection in self._connections():
            known = before.get(connection)
            transport = connection.transport if known is None else known.transport
            left = 0 if transport is None else unread_bytes(transport)
            if transport is None or left == 0:
                continue
            if known is None or left <= known.bytes - min(known.bytes, ANSWER_STEP_BYTES):
                unread[connection] = _Unread(transport, left, now_s)
            elif now_s - known.since_s < self._patience.answer_s:
                unread[connection] = known._replace(bytes=max(known.bytes, left))
            else:
                cut_off(transport)
        return unread

    def _close_the_many(self) -> None:
        held: Counter[str] = Counter()
        for connection in self._connections():  # oldest first, so that it is the newest that go
            address = _address(connection)
            if address is None or (self._patience.loopback_exempt and ip_address(address).is_loopback):
                continue
            held[address] += 1
            if held[address] > self._patience.per_address:
                connection.force_close()

    def _connections(self) -> list[RequestHandler]:
        return self.server.connections if self.server is not None else []


def _allowed_s(connection: RequestHandler, patience: Patience) -> float | None:
    """How long what this connection waits for may take; None when it does not wait for its client."""
    if connection._request_count == 0:  # noqa: SLF001
        return patience.headers_s
    request: web.BaseRequest | None = connection._current_request  # noqa: SLF001
    if request is None or request.content.is_eof():
        return None
    allowed_s: float = request.get(BODY_TIME_S, patience.body_s)
    return allowed_s


def _address(connection: RequestHandler) -> str | None:
    peer = connection.peername
    return peer[0].partition("%")[0] if isinstance(peer, tuple) else None


def unread_bytes(transport: asyncio.WriteTransport) -> int:
    """How much was written to a connection and has not reached the other end, here and in the system."""
    in_system = 0
    connection = transport.get_extra_info("socket")
    with contextlib.suppress(OSError, ValueError):  # it may be gone this moment, or the system does not say
        if connection is not None:
            (in_system,) = struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4)))
    return transport.get_write_buffer_size() + in_system


def cut_off(transport: asyncio.WriteTransport) -> None:
    """End a connection at once, and have the system forget what was not sent: else it goes on trying for minutes."""
    connection = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
