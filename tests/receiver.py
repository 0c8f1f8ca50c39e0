"""The receiver every test posts to: real sockets on loopback, and each misbehaviour is a path.

    async with Receiver() as receiver:
        receiver.script("/hook", "/status/503", "/ok")   # what /hook does: once 503, from then on 200
        ... post to receiver.url("/hook") ...
        first, second = await receiver.wait_for(2, "/hook")

`receiver.say("/odd", b"HTTP/1.1 204 …", b"more")` makes requests to that path be answered with these very bytes.
`/fail-then-ok/2/503` is the behaviour `fail-then-ok` with the arguments 2 and 503; the methods named `_on_…` are all
there are, and any other path answers 200. `Receiver(tls=context)` speaks TLS, `Receiver(silent=True)` says nothing.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import ssl
import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Received:
    """One request, as it came."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    at_s: float
    """On the monotonic clock."""
    connection: int
    """The first connection of a receiver is 1."""

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Hangup(Exception):
    """Raised by a behaviour to end the connection."""


@dataclass
class Call:
    """A request on its connection: what a behaviour answers."""

    request: Received
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int
    """The first request of a connection is 1."""
    earlier: int
    """How many requests this path had before."""

    async def raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, status: int = 200, body: bytes = b"ok", *headers: str) -> None:
        lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(body)}", *headers]
        await self.raw("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    async def drip(self, data: bytes, every_s: float) -> None:
        for index in range(len(data)):
            await self.raw(data[index : index + 1])
            await asyncio.sleep(every_s)


class Receiver:
    """A hostile HTTP server; see the module for how to use it."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, silent: bool = False) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self.pushed = 0
        """Bytes of endless answers that the operating system took from us."""
        self._tls = tls
        self._silent = silent
        self._scripts: dict[str, list[str]] = {}
        self._said: dict[str, tuple[bytes, ...]] = {}
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        await asyncio.sleep(0)

    @property
    def open_connections(self) -> int:
        return len(self._tasks)

    def url(self, path: str = "/ok", host: str = "127.0.0.1") -> str:
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    def script(self, path: str, *behaviours: str) -> None:
        """Make requests to `path` behave like these paths in turn; the last one stays."""
        self._scripts[path] = list(behaviours)

    def say(self, path: str, *pieces: bytes) -> None:
        """Answer requests to `path` with these bytes, with a moment between the pieces."""
        self._said[path] = pieces

    def received(self, path: str | None = None) -> list[Received]:
        return [request for request in self.requests if path in (None, request.path)]

    async def wait_for(self, count: int, path: str | None = None, timeout_s: float = 5.0) -> list[Received]:
        """The requests to `path` once there are `count` of them; TimeoutError when they do not come."""
        async with asyncio.timeout(timeout_s):
            while len(found := self.received(path)) < count:
                self._changed.clear()
                await self._changed.wait()
        return found

    # --- one connection

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        connection, number = self.connections, 0
        try:
            while True:
                number += 1
                await self._one(reader, writer, connection, number)
        except (Hangup, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            # Cancelled only by __aexit__; ending quietly keeps asyncio from reporting it.
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort() if self._tls else writer.close()

    async def _one(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int, number: int
    ) -> None:
        if self._silent:
            await asyncio.Event().wait()
        first = await reader.readexactly(1)
        if first == b"\x16":  # a TLS hello on a plain port
            writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            raise Hangup
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request_line, *lines = head[:-4].split("\r\n")
        method, path, _ = request_line.split(" ")
        headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        behaviour = self._behaviour(path)
        unread = behaviour.startswith(("/early", "/never-read"))
        body = b"" if unread else await reader.readexactly(length)
        request = Received(method, path, headers, body, time.monotonic(), connection)
        call = Call(request, reader, writer, number, len(self.received(path)))
        self.requests.append(request)
        self._changed.set()
        if behaviour in self._said:
            await self._say(call, *self._said[behaviour])
            return
        name, *arguments = behaviour.partition("?")[0].strip("/").split("/")
        act: Callable[..., Awaitable[None]] = getattr(self, "_on_" + name.replace("-", "_"), self._on_ok)
        await act(call, *arguments)

    def _behaviour(self, path: str) -> str:
        script = self._scripts.get(path)
        if not script:
            return path
        return script.pop(0) if len(script) > 1 else script[0]

    async def _say(self, call: Call, first: bytes, *later: bytes) -> None:
        await call.raw(first)
        for piece in later:
            await asyncio.sleep(0.05)
            await call.raw(piece)

    # --- honest answers

    async def _on_ok(self, call: Call, *_: str) -> None:
        await call.answer()

    async def _on_status(self, call: Call, status: str, *_: str) -> None:
        bodiless = status in ("204", "304")
        await (call.raw(f"HTTP/1.1 {status} Status\r\n\r\n".encode()) if bodiless else call.answer(int(status)))

    async def _on_gone(self, call: Call) -> None:
        await call.answer(410, b"gone")

    async def _on_queue_full(self, call: Call) -> None:
        await call.answer(400, b"Queue is full.", "Content-Type: text/plain")

    async def _on_html(self, call: Call) -> None:
        await call.answer(200, b"<html><script>alert(1)</script></html>", "Content-Type: text/html")

    async def _on_fail_then_ok(self, call: Call, failures: str, status: str) -> None:
        await call.answer(int(status) if call.earlier < int(failures) else 200)

    async def _on_retry_after(self, call: Call, value: str, status: str = "429") -> None:
        await call.answer(int(status), b"slow down", f"Retry-After: {value.replace('%20', ' ')}")

    async def _on_redirect(self, call: Call, status: str) -> None:
        await call.answer(int(status), b"", f"Location: {self.url('/redirected')}")

    async def _on_interim(self, call: Call) -> None:
        await call.raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nServer: interim\r\n\r\n")
        await call.answer(200, b"ok", "Server: final")

    async def _on_chunked(self, call: Call) -> None:
        await call.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")

    async def _on_until_close(self, call: Call) -> None:
        await call.raw(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
        raise Hangup

    async def _on_http10(self, call: Call) -> None:
        await call.raw(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async def _on_connection_close(self, call: Call) -> None:
        await call.answer(200, b"ok", "Connection: close")

    async def _on_echo_signature(self, call: Call) -> None:
        found = {name.lower(): value for name, value in call.request.headers if "signature" in name.lower()}
        await call.answer(200, json.dumps(found).encode(), "Content-Type: application/json")

    # --- slow, silent, broken off

    async def _on_slow(self, call: Call, seconds: str) -> None:
        await asyncio.sleep(float(seconds))
        await call.answer()

    async def _on_hang(self, call: Call) -> None:
        await call.reader.read()
        raise Hangup

    async def _on_never_read(self, call: Call) -> None:
        await asyncio.Event().wait()

    async def _on_early(self, call: Call, status: str) -> None:
        await call.answer(int(status))
        await asyncio.Event().wait()

    async def _on_early_and_read(self, call: Call) -> None:
        await call.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
        length = int(call.request.header("content-length") or 0)
        await call.reader.readexactly(length)
        await call.raw(b"k")

    async def _on_drip(self, call: Call, every_s: str = "1") -> None:
        await call.drip(b"HTTP/1.1 200 OK\r\nServer: " + b"x" * 1000, float(every_s))

    async def _on_drip_body(self, call: Call, every_s: str = "1") -> None:
        await call.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        await call.drip(b"x" * 1000, float(every_s))

    async def _on_reset(self, call: Call) -> None:
        linger = struct.pack("ii", 1, 0)
        call.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        call.writer.transport.abort()
        raise Hangup

    async def _on_close(self, call: Call) -> None:
        raise Hangup

    async def _on_close_after(self, call: Call) -> None:
        await call.answer()
        raise Hangup

    async def _on_close_on_reuse(self, call: Call) -> None:
        """Answer the first request of each connection, and hang up on the second without a word."""
        if call.number > 1:
            raise Hangup
        await call.answer()

    async def _on_short_body(self, call: Call) -> None:
        await call.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")
        raise Hangup

    async def _on_reset_body(self, call: Call) -> None:
        await call.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")
        await asyncio.sleep(0.05)
        await self._on_reset(call)

    async def _on_cut_headers(self, call: Call, how: str = "close") -> None:
        await call.raw(b"HTTP/1.1 200 OK\r\nServer: x")
        await asyncio.sleep(0.05)
        if how == "reset":
            await self._on_reset(call)
        raise Hangup

    async def _on_cut_status(self, call: Call) -> None:
        await call.raw(b"HTTP/1.1 200 O")
        raise Hangup

    # --- too much, or not HTTP

    async def _endless(self, call: Call, head: bytes, piece: bytes) -> None:
        await call.raw(head)
        while True:
            await call.raw(piece)
            self.pushed += len(piece)

    async def _on_huge(self, call: Call) -> None:
        await self._endless(call, b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536)

    async def _on_endless_trailer(self, call: Call) -> None:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Trailer: "
        await self._endless(call, head, b"x" * 65536)

    async def _on_big_header(self, call: Call) -> None:
        await self._endless(call, b"HTTP/1.1 200 OK\r\nX-Big: ", b"x" * 1024)

    async def _on_header_of(self, call: Call, size: str) -> None:
        await call.answer(200, b"ok", "X-Big: " + "x" * int(size))

    async def _on_many_headers(self, call: Call, count: str = "500") -> None:
        await call.answer(200, b"ok", *[f"X-{index}: y" for index in range(int(count))])

    async def _on_1xx_flood(self, call: Call, every_s: str = "0") -> None:
        while True:
            await call.raw(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
            await asyncio.sleep(float(every_s))

    async def _on_switch(self, call: Call) -> None:
        await call.raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nhello")

    async def _on_gzip_bomb(self, call: Call) -> None:
        await call.answer(200, gzip.compress(bytes(20_000_000)), "Content-Encoding: gzip")

    async def _on_bad_status_line(self, call: Call) -> None:
        await call.raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")

    async def _on_odd_bytes(self, call: Call) -> None:
        head = b"HTTP/1.1 200 OK\r\nServer: caf\xff\xed\xa0\x80\r\nContent-Length: 6\r\n\r\n"
        await call.raw(head + b"a\x00b\xff\xfec")

    async def _on_junk_after(self, call: Call) -> None:
        """An answer with a second one glued to it, which must not be taken for that of the next request."""
        await call.raw(
            b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno" + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        )
