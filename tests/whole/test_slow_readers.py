"""Readers of the live stream that never read: on a real process, with the event loop and the buffers it really has."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.delivery.live import WORKSPACE_LIMIT
from tests.conftest import KEY
from tests.receiver import Receiver
from tests.whole.process import Serve, free_port, serve

BATCHES, BATCH = 8, 250
ROOM_MB = 128
"""How far the memory may grow, with 200 buffers of up to 64 KB and what the database remembers."""


def memory_mb(server: Serve) -> float:
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


def listen(port: int) -> socket.socket:
    """A stream that was asked for and answered, and of which nothing more is read."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect(("127.0.0.1", port))
    reader.sendall(f"GET /v1/echo/stream?key={KEY} HTTP/1.1\r\nHost: relay\r\n\r\n".encode())
    return reader


@contextlib.contextmanager
def readers(port: int, count: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(listen(port)) for _ in range(count)]


def let_go(listening: list[socket.socket]) -> int:
    """How many of them the server has cut off."""
    poll = select.poll()
    for reader in listening:
        poll.register(reader, 0)
    return sum(bool(happened & (select.POLLHUP | select.POLLERR)) for _, happened in poll.poll(0))


@pytest.mark.timeout(120)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
async def test_readers_that_never_read_hold_up_nothing_and_are_let_go(tmp_path: Path, receiver: Receiver) -> None:
    """Events are taken and delivered meanwhile, memory stays where it was, and every one of the streams is cut off."""
    port = free_port()
    async with serve(tmp_path, port, rate_limit="0") as server:
        assert (await server.post("/v1/subscriptions", {"url": receiver.url("/ok")}))[0] == 201
        with readers(port, WORKSPACE_LIMIT) as listening:
            for reader in listening:
                assert (await asyncio.to_thread(reader.recv, 12)) == b"HTTP/1.1 200"
            before_mb = memory_mb(server)
            events = {"events": [{"type": "a.b", "payload": {}}] * BATCH}
            for number in range(1, BATCHES + 1):
                assert (await server.post("/v1/events/batch", events))[0] == 202
                await receiver.wait_for(number * BATCH, "/ok", timeout_s=30)
                assert memory_mb(server) - before_mb < ROOM_MB
            async with asyncio.timeout(30):
                while let_go(listening) < WORKSPACE_LIMIT:
                    await asyncio.sleep(0.1)
        assert await server.stop() == 0
