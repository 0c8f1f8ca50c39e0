"""The bench's receiver: answers 200 to every POST and notes when each event came, and how often.

An event carries the text `bench-<number>-<nanoseconds>` somewhere: its number, and the monotonic time at which it was
handed in. Every path is a subscription of its own. Under `/close/` each answer ends its connection.
"""

from __future__ import annotations

import asyncio
import re
import resource
import ssl
import sys
import time
from typing import Any, cast

import httptools

from relay.bench.child import answer_questions, run_child
from relay.bench.measure import spread

_MARK = re.compile(rb"bench-(\d+)-(\d+)")
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_LAST_ANSWER = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


class Arrivals:
    """What came since the last reset."""

    def __init__(self) -> None:
        self.connections = 0
        self.resumed = 0
        self.reset()

    def reset(self) -> None:
        self.took_ms: dict[tuple[bytes, bytes], float] = {}
        self.duplicates = 0
        self.last_at_ns = 0
        self.connections_before, self.resumed_before = self.connections, self.resumed

    def add(self, path: bytes, body: bytes) -> None:
        mark = _MARK.search(body)
        if mark is None:
            return
        now_ns = time.monotonic_ns()
        if (path, mark[1]) in self.took_ms:
            self.duplicates += 1
            return
        self.last_at_ns = now_ns
        self.took_ms[path, mark[1]] = (now_ns - int(mark[2])) / 1e6

    async def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """`reset` forgets what came, `latencies` adds how long deliveries took; either way the counts."""
        if question.get("reset"):
            self.reset()
        counts: dict[str, Any] = {
            "deliveries": len(self.took_ms),
            "duplicates": self.duplicates,
            "last_at_ns": self.last_at_ns,
            "connections": self.connections - self.connections_before,
            "resumed": self.resumed - self.resumed_before,
        }
        if question.get("latencies"):
            counts["e2e_ms"] = spread(list(self.took_ms.values()))
        return counts


class _Connection(asyncio.Protocol):
    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._parser = httptools.HttpRequestParser(self)
        self._path = b""
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._arrivals.connections += 1
        secure = self._transport.get_extra_info("ssl_object")
        if secure is not None and secure.session_reused:
            self._arrivals.resumed += 1

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def on_url(self, url: bytes) -> None:
        self._path = url

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._arrivals.add(self._path, b"".join(self._body))
        self._body.clear()
        if self._path.startswith(b"/close/"):
            self._transport.write(_LAST_ANSWER)
            self._transport.close()
        else:
            self._transport.write(_ANSWER)


async def main() -> None:
    """Listen on a free port of loopback, with the TLS certificate that the first argument names if there is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    context = None
    if len(sys.argv) > 1:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(sys.argv[1])
    arrivals = Arrivals()
    server = await asyncio.get_running_loop().create_server(
        lambda: _Connection(arrivals), "127.0.0.1", 0, ssl=context, backlog=1024
    )
    port = server.sockets[0].getsockname()[1]

    async def answer(question: dict[str, Any]) -> dict[str, Any]:
        return {"port": port, **await arrivals.answer(question)}

    await answer_questions(answer)


if __name__ == "__main__":
    run_child(main)
