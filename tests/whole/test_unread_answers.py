"""Clients that ask for large pages and read none of them: on a real process, with the buffers it really has."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from pathlib import Path

import aiohttp
import pytest

from tests.conftest import KEY
from tests.whole.process import Serve, free_port, serve
from tests.whole.test_slow_readers import memory_mb

EVENTS, EVENT_BYTES = 100, 250_000
CLIENTS = 150
ROOM_MB = 160
"""64 MB of answers under way, what a page takes while it is made, and what the allocator keeps."""
SHARED = 8
"""At least so many pages fit into the share of one workspace."""
STOPPED_S = 40.0
"""An answer may lie unread for half a minute."""


def ask(port: int, path: str) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: relay\r\nX-API-Key: {KEY}\r\n\r\n".encode())
    return client


def is_ended(client: socket.socket) -> bool:
    """Whether the server has ended the connection; what it had sent before that is read."""
    client.setblocking(False)
    try:
        while client.recv(1 << 20):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return True


@pytest.mark.timeout(150)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
async def test_pages_that_nobody_reads_take_bounded_memory_and_are_cut_off(tmp_path: Path) -> None:
    """Meanwhile somebody else is answered at once."""
    port = free_port()
    async with serve(tmp_path, port, rate_limit="0") as server:
        body = json.dumps({"type": "order.created", "payload": {"text": "x" * (EVENT_BYTES - 12)}})
        for _ in range(EVENTS):
            assert (await post(server, body)) == 202
        before_mb = memory_mb(server)
        with contextlib.ExitStack() as stack:
            paths = ["/v1/events?limit=100", "/api/v1/events?event_type=order.created&limit=10"]
            clients = [
                stack.enter_context(contextlib.closing(ask(port, paths[number % 2]))) for number in range(CLIENTS)
            ]
            most_mb, began_s = 0.0, time.monotonic()
            while time.monotonic() - began_s < 5:
                async with asyncio.timeout(5), server.session.get(f"{server.url}/readyz") as answer:
                    assert answer.status == 200
                most_mb = max(most_mb, memory_mb(server) - before_mb)
                await asyncio.sleep(0.1)
            assert most_mb < ROOM_MB
            await asyncio.sleep(max(0.0, STOPPED_S - (time.monotonic() - began_s)))
            # A refusal is small and arrives; its connection is one like any other. What was large has been cut off.
            assert memory_mb(server) - before_mb < ROOM_MB
            ended = [is_ended(client) for client in clients]
            assert sum(ended) >= SHARED
        async with server.session.get(
            f"{server.url}/v1/events?limit=100", headers={"X-API-Key": KEY}, timeout=aiohttp.ClientTimeout(20)
        ) as answer:
            assert answer.status == 200
            assert len((await answer.json())["data"]) > 1
        assert await server.stop() == 0


async def post(server: Serve, body: str) -> int:
    async with server.session.post(f"{server.url}/v1/events", data=body, headers={"X-API-Key": KEY}) as answer:
        return answer.status
