"""What was promised before a kill holds after it: the same answer to the same key, and a recovery that goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.conftest import KEY
from tests.receiver import Receiver
from tests.whole.load import arrivals, stored_events
from tests.whole.process import Serve, free_port, serve

MISSED = 500
"""More than two pages of a recovery."""


async def publish(server: Serve, payload: str) -> tuple[int, bytes]:
    headers = {"X-API-Key": KEY, "Idempotency-Key": "order-42"}
    body = f'{{"type": "order.created", "payload": {payload}}}'.encode()
    async with server.session.post(f"{server.url}/v1/events", data=body, headers=headers) as response:
        return response.status, await response.read()


@pytest.mark.timeout(60)
async def test_the_same_key_gets_the_same_answer_after_a_kill(tmp_path: Path, receiver: Receiver) -> None:
    """Killed between an answer and the client's next try, which must not make a second event or tell another story."""
    port = free_port()
    async with serve(tmp_path, port) as server:
        assert (await server.post("/v1/subscriptions", {"url": receiver.url("/ok")}))[0] == 201
        first = await publish(server, '{"total": 10.50}')
        await server.kill()
    async with serve(tmp_path, port) as server:
        assert await publish(server, '{"total": 10.50}') == first
        assert (await publish(server, '{"total": 11.00}'))[0] == 409
        assert len(await stored_events(server.url)) == 1
        assert await server.stop() == 0
    assert first[0] == 202
    assert b'"payload":{"total": 10.50}' in first[1]
    [delivery_ids] = arrivals(receiver).values()
    assert len(set(delivery_ids)) == 1


@pytest.mark.timeout(90)
async def test_a_recovery_goes_on_after_a_kill(tmp_path: Path, receiver: Receiver) -> None:
    """Killed when its first page has begun to arrive, it brings everything that was missed, each event once."""
    port = free_port()
    async with serve(tmp_path, port, rate_limit="0") as server:
        status, made = await server.post("/v1/subscriptions", {"url": receiver.url("/ok")})
        assert status == 201
        path = f"/v1/subscriptions/{made['id']}"
        await server.post(f"{path}/pause", {})
        batch = {"events": [{"type": "order.created", "payload": {}}] * MISSED}
        assert (await server.post("/v1/events/batch", batch))[0] == 202
        span = {"since": made["created_at"], "dry_run": True}
        counted = await server.post(f"{path}/recover", span)
        assert (counted[0], counted[1]["missed"], counted[1]["dead"]) == (200, MISSED, 0)
        await server.post(f"{path}/resume", {})
        assert (await server.post(f"{path}/recover", {**span, "dry_run": False}))[0] == 202
        await receiver.wait_for(1)
        await server.kill()
    assert len(arrivals(receiver)) < MISSED

    async with serve(tmp_path, port, rate_limit="0") as server:
        expected = {("/ok", event_id) for event_id in await stored_events(server.url)}
        async with asyncio.timeout(40):
            while arrivals(receiver).keys() != expected:
                await asyncio.sleep(0.1)
        assert await server.stop() == 0
    assert len(expected) == MISSED
    assert {pair: ids for pair, ids in arrivals(receiver).items() if len(set(ids)) > 1} == {}
