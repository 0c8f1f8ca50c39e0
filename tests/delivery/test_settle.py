"""What a batch of attempts came to, beside the attempts: each change once, also of those that ended together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from relay.apis.webhook_relay.wire import NAME, WIRE
from relay.core import ids
from relay.core.model import Attempt, Claimed, DeadReason, Event, Outcome, Subscription, SubscriptionState
from relay.core.retry import judge
from relay.delivery.publish import Publisher
from relay.delivery.settle import Recorded, Settled, Turn, settle
from relay.store import deliveries, subscriptions, workspaces
from relay.store.sqlite import SqliteDatabase, open_sqlite

NOW_MS = 1_600_000_000_000


class Queue:
    """A subscription with deliveries whose requests end as told."""

    def __init__(self, database: SqliteDatabase, subscription: Subscription) -> None:
        self.database = database
        self.subscription = subscription
        self.publisher = Publisher({NAME: WIRE})

    async def publish(self, count: int) -> list[Claimed]:
        made: list[Claimed] = []
        for _ in range(count):
            event = Event(ids.ulid(NOW_MS), self.subscription.workspace_id, "a.b", "{}", NOW_MS)
            made += (await self.database.write(self.publisher.publish(event))).deliveries
        return made

    async def settle(self, claimed: Sequence[Claimed], status: int, *, number: int = 1) -> Recorded:
        outcome = Outcome(status=status, error_code=None, latency_ms=1)
        verdict = judge(outcome, WIRE.retry, attempt=number, now_ms=NOW_MS, spread=0)
        batch = [
            Settled(
                one,
                Attempt(one.id, number, NOW_MS, "", status, None, None, 1, None),
                outcome,
                verdict,
                WIRE.retry,
                counts=status >= 300,
                recovers=status < 300,
            )
            for one in claimed
        ]
        return await self.database.write(settle(batch, NOW_MS, NOW_MS))

    def turns(self, recorded: Recorded) -> list[Turn]:
        return [one.turn for one in recorded.turned]


@pytest.fixture
async def queue(tmp_path: Path) -> AsyncIterator[Queue]:
    async with open_sqlite(tmp_path / "relay.db", serve=True) as database:
        workspace, _ = await database.write(workspaces.ensure("default", NOW_MS))
        url = "https://hooks.example.com/"
        one = Subscription(ids.ulid(NOW_MS), workspace.id, NAME, url, ("*",), "sealed", NOW_MS, NOW_MS)
        await database.write(subscriptions.add(one))
        yield Queue(database, one)


async def test_of_many_410_the_first_ends_the_subscription(queue: Queue) -> None:
    claimed = await queue.publish(5)
    first = await queue.settle(claimed[:3], 410)
    assert queue.turns(first) == [Turn.GONE]
    assert len(first.died) == 3
    later = await queue.settle(claimed[3:], 410)
    assert queue.turns(later) == []
    assert len(later.died) == 2
    assert set(first.switched_off) == set(later.switched_off) == {queue.subscription.id}


async def test_a_row_of_failures_turns_once_to_failing_and_once_to_off(queue: Queue) -> None:
    turns = [queue.turns(await queue.settle([one], 500)) for one in await queue.publish(12)]
    assert turns == [[Turn.FAILS], [], [], [], [], [], [], [Turn.OFF], [], [], [], []]


async def test_a_recovery_has_the_failures_before_it_and_a_first_success_is_none(queue: Queue) -> None:
    claimed = await queue.publish(5)
    assert queue.turns(await queue.settle(claimed[:1], 200)) == []
    await queue.settle(claimed[1:4], 500)
    recorded = await queue.settle(claimed[4:], 200)
    assert queue.turns(recorded) == [Turn.ANSWERS]
    assert recorded.turned[0].subscription.consecutive_failures == 3
    assert recorded.turned[0].subscription.failing_since_ms == NOW_MS


async def test_what_had_ended_before_does_not_die_again(queue: Queue) -> None:
    claimed = await queue.publish(4)
    await queue.database.write(deliveries.bury(queue.subscription.id, DeadReason.DISABLED, NOW_MS, limit=2))
    assert len((await queue.settle(claimed, 404)).died) == 2


@pytest.mark.parametrize("how", ["paused", "removed"])
async def test_a_failure_of_a_subscription_that_somebody_ended_is_no_news(queue: Queue, how: str) -> None:
    claimed, one = await queue.publish(1), queue.subscription
    if how == "paused":
        await queue.database.write(subscriptions.switch_off(one.id, SubscriptionState.PAUSED, "asked", NOW_MS))
    else:
        await queue.database.write(subscriptions.remove(one.workspace_id, one.id, NAME, NOW_MS))
    assert queue.turns(await queue.settle(claimed, 500)) == []
