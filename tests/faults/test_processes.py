"""A long queue at the start, and an operator who will not wait for the end."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from pathlib import Path

import aiohttp
import pytest

from tests.conftest import KEY
from tests.receiver import Receiver
from tests.whole.process import free_port, serve

PENDING = 50_000
MEMORY_LIMIT_MB = 200
"""Twice what a server at rest may use; holding the queue in memory would take more."""

_FILL = """
CREATE TEMP TABLE numbered AS
    WITH RECURSIVE counted (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM counted WHERE i < {count})
    SELECT i FROM counted;
INSERT INTO events (workspace_id, id, type, payload, created_at)
    SELECT s.workspace_id, printf('01JAB3%020d', i), 'order.created', '{{}}', 1 FROM numbered, subscriptions s;
INSERT INTO bodies (event_id, number, body)
    SELECT printf('01JAB3%020d', i), 0, printf('%.*c', 1000, 'x') FROM numbered;
INSERT INTO deliveries (workspace_id, id, event_id, event_type, subscription_id, body_number, state, next_attempt_at,
                        created_at)
    SELECT s.workspace_id, printf('01JAB4%020d', i), printf('01JAB3%020d', i), 'order.created', s.id, 0, 'pending', 1, 1
    FROM numbered, subscriptions s;
"""


def _fill(path: Path) -> None:
    """Put a long queue for its only subscription into a file that nobody serves."""
    connection = sqlite3.connect(path)
    connection.executescript(f"BEGIN; {_FILL.format(count=PENDING)} COMMIT")
    connection.close()


def _memory_mb(pid: int) -> float:
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


@pytest.mark.timeout(90)
async def test_a_long_queue_delays_neither_the_start_nor_another_target(tmp_path: Path, receiver: Receiver) -> None:
    """It is claimed page by page: memory stays flat, whatever waits. Relay's benchmark does the same with a million."""
    port = free_port()
    async with serve(tmp_path, port) as server:
        assert (await server.post("/v1/subscriptions", {"url": receiver.url("/hang")}))[0] == 201
        assert await server.stop() == 0
    await asyncio.to_thread(_fill, tmp_path / "relay.db")

    async with serve(tmp_path, port) as server:
        await receiver.wait_for(1, "/hang", timeout_s=15)
        assert (await server.post("/v1/subscriptions", {"url": receiver.url("/ok")}))[0] == 201
        assert (await server.post("/v1/events", {"type": "order.created", "payload": {}}))[0] == 202
        await receiver.wait_for(1, "/ok", timeout_s=15)
        assert _memory_mb(server.process.pid) < MEMORY_LIMIT_MB
        await server.kill()
    left = sqlite3.connect(tmp_path / "relay.db")
    assert left.execute("SELECT COUNT(*) FROM deliveries WHERE state = 'pending'").fetchone()[0] >= PENDING
    left.close()


async def test_a_second_sigterm_ends_the_process_on_the_spot(tmp_path: Path, receiver: Receiver) -> None:
    """The first waits for what is on the wire; the second does not, and the next start sends it again."""
    port = free_port()
    async with serve(tmp_path, port) as server:
        await server.post("/v1/subscriptions", {"url": receiver.url("/slow/9")})
        await server.post("/v1/events", {"type": "order.created", "payload": {}})
        await receiver.wait_for(1)
        server.process.send_signal(signal.SIGTERM)
        await _until_refused(server.url)
        assert server.process.returncode is None
        server.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(6):  # the first alone would take nine seconds
            assert await server.process.wait() == 1

    async with serve(tmp_path, port) as server:
        first, second = await receiver.wait_for(2, timeout_s=15)
        await server.kill()
    assert first.header("webhook-id") == second.header("webhook-id")


async def _until_refused(url: str) -> None:
    async with asyncio.timeout(5):
        while True:
            try:
                async with aiohttp.ClientSession(headers={"X-API-Key": KEY}) as session, session.get(url):
                    await asyncio.sleep(0.02)
            except aiohttp.ClientError:
                return
