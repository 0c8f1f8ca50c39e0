"""Large bodies are read once for all deliveries that go out with them at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay.core.model import Claimed, Event, Subscription
from relay.delivery.bodies import Bodies
from relay.store import events, workspaces
from relay.store.sqlite import SqliteDatabase, open_sqlite

NOW_MS = 1_600_000_000_000
LARGE = '{"x":"' + "é" * 100_000 + '"}'


def claimed(delivery_id: str, event_id: str = "evt_1", body: str | None = None) -> Claimed:
    subscription = Subscription("sub_1", "wsp_1", "any", "https://example.com/", ("*",), "", 0, 0)
    return Claimed(delivery_id, event_id, "order.created", 0, body, 0, NOW_MS, subscription)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    async with open_sqlite(tmp_path / "relay.db", serve=True) as database:
        workspace, _ = await database.write(workspaces.ensure("default", NOW_MS))
        await database.write(events.add(Event("evt_1", workspace.id, "order.created", "{}", NOW_MS)))
        await database.write(events.add_bodies("evt_1", [LARGE]))
        yield database


async def test_deliveries_that_go_out_together_share_one_body(database: SqliteDatabase) -> None:
    bodies = Bodies(database)
    deliveries = [claimed(f"dlv_{number}") for number in range(5)]
    first, *others = await asyncio.gather(*[bodies.take(one) for one in deliveries])
    assert first == LARGE.encode()
    assert all(other is first for other in others)
    assert await bodies.take(claimed("later")) is first
    for one in (*deliveries, claimed("later")):
        bodies.release(one)
        bodies.release(one)
    assert not bodies._shared


async def test_a_small_body_is_at_hand(database: SqliteDatabase) -> None:
    bodies = Bodies(database)
    small = claimed("dlv_1", body='{"a":"é"}')
    assert await bodies.take(small) == '{"a":"é"}'.encode()
    bodies.release(small)


async def test_one_that_is_cancelled_does_not_take_the_body_from_the_others(database: SqliteDatabase) -> None:
    bodies = Bodies(database)
    waiting = [asyncio.create_task(bodies.take(claimed(f"dlv_{number}"))) for number in range(2)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    bodies.release(claimed("dlv_0"))
    assert await waiting[1] == LARGE.encode()
    bodies.release(claimed("dlv_1"))
    assert not bodies._shared


async def test_when_it_cannot_be_read_everybody_is_told_and_nothing_stays(database: SqliteDatabase) -> None:
    bodies = Bodies(database)
    deliveries = [claimed(f"dlv_{number}", "evt_gone") for number in range(3)]
    failures = await asyncio.gather(*[bodies.take(one) for one in deliveries], return_exceptions=True)
    assert all(isinstance(failure, Exception) for failure in failures)
    for one in deliveries:
        bodies.release(one)
    assert not bodies._shared
