"""What is our own fault: it is never charged to a receiver, never lost, never hidden, and never a hot loop.

The engine is the real one, from the file to the file; only the far end of the wire is the test's.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sqlite3
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from relay.apis.webhook_relay.wire import NAME, WIRE
from relay.core import ids
from relay.core.conditions import Change, Condition, Conditions
from relay.core.errors import NotSent
from relay.core.model import ErrorCode, Event, Outcome, SignedRequest, Subscription
from relay.core.signing import new_secret
from relay.delivery import drain as draining
from relay.delivery import hindrances
from relay.delivery.clocks import TrustedClock, uptime_s
from relay.delivery.engine import Engine
from relay.delivery.faults import Where
from relay.delivery.report import Report
from relay.delivery.settle import Settled
from relay.outbound.guard import Allowed, Guard
from relay.outbound.post import Poster
from relay.outbound.tls import ResumingContext
from relay.store import subscriptions, workspaces
from relay.store.secrets import Secrets
from relay.store.sqlite import SqliteDatabase, open_sqlite
from relay.web.metrics import Metrics

WELL = Outcome(200, None, 1)
NO_DESCRIPTORS = NotSent("Too many open files", condition=Condition.DESCRIPTORS_SHORT)
LARGE = '{"a":"' + "x" * 20_000 + '"}'
"""Read when it is sent, and not before."""
KEEPER, STRANGER = Secrets(["the key"]), Secrets(["a key that is gone"])
UNUSED = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)


def clock() -> int:
    return time.time_ns() // 1_000_000


class FarEnd(Poster):
    """Answers each request at once with the next of what the test has for its target; then well."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(Guard(Allowed()), ssl_context=UNUSED, conditions=conditions)
        self.requests: list[tuple[float, SignedRequest]] = []
        self.answers: dict[str, list[Outcome | NotSent]] = {}
        self.always: Outcome | NotSent = WELL

    async def post(self, request: SignedRequest) -> Outcome:
        self.requests.append((time.monotonic(), request))
        answers = self.answers.get(request.target_url)
        answer = answers.pop(0) if answers else self.always
        if isinstance(answer, Outcome):
            return answer
        self._shortage.met(answer)
        raise answer

    def of(self, target_url: str) -> list[float]:
        """When it was asked."""
        return [at_s for at_s, request in self.requests if request.target_url == target_url]


class World:
    """An engine that runs on a file, and what it tells."""

    def __init__(self, database: SqliteDatabase, workspace_id: str) -> None:
        self.database = database
        self.workspace_id = workspace_id
        self.told: list[Change] = []
        self.conditions = Conditions(time.monotonic, self.told.append)
        self.far_end = FarEnd(self.conditions)
        self.faults: list[Where] = []
        self.engine = Engine(
            database,
            clock,
            KEEPER,
            self.far_end,
            {NAME: replace(WIRE, retry=replace(WIRE.retry, schedule_s=(30, 60)))},
            timeout_s=5,
            concurrency=64,
            retention_days=30,
            conditions=self.conditions,
            trusted=TrustedClock(clock, uptime_s, self.conditions),
            report=Report(clock, time.monotonic, {NAME: WIRE}, Metrics()),
        )
        self.engine.on_fault(self.faults.append)
        self._numbers = itertools.count()

    async def subscribe(self, secrets: Secrets = KEEPER) -> Subscription:
        now_ms, number = clock(), next(self._numbers)
        subscription = Subscription(
            id=ids.ulid(now_ms),
            workspace_id=self.workspace_id,
            api=NAME,
            target_url=f"https://hooks.example.com/{number}",
            event_filter=(f"order.number{number}",),
            secret=secrets.seal(new_secret()),
            created_at_ms=now_ms,
            updated_at_ms=now_ms,
        )
        await self.database.write(subscriptions.add(subscription))
        return subscription

    async def publish(self, to: Subscription, payload: str = "{}") -> str:
        """The id of the delivery."""
        now_ms = clock()
        event = Event(ids.ulid(now_ms), self.workspace_id, to.event_filter[0], payload, now_ms)
        published = await self.database.write(self.engine.publish(event))
        self.engine.send(published.deliveries)
        return published.deliveries[0].id

    async def execute(self, sql: str, **parameters: Any) -> None:
        """Change the file as the operator would, with another program."""

        def change() -> None:
            with contextlib.closing(sqlite3.connect(self.database.path)) as other, other:
                other.execute(sql, parameters)

        await asyncio.to_thread(change)

    def rows(self, sql: str, *parameters: Any) -> list[sqlite3.Row]:
        with contextlib.closing(sqlite3.connect(f"{self.database.path.as_uri()}?mode=ro", uri=True)) as other:
            other.row_factory = sqlite3.Row
            return other.execute(sql, parameters).fetchall()

    def delivery(self, delivery_id: str) -> sqlite3.Row:
        [row] = self.rows("SELECT * FROM deliveries WHERE id = ?", delivery_id)
        return row

    def attempts(self) -> int:
        return int(self.rows("SELECT COUNT(*) AS n FROM attempts")[0]["n"])

    async def until_success(self, *delivery_ids: str, timeout_s: float = 15) -> None:
        async with asyncio.timeout(timeout_s):
            while any(self.delivery(one)["state"] != "success" for one in delivery_ids):
                await asyncio.sleep(0.05)

    async def until_asked(self, target_url: str, count: int, timeout_s: float = 15) -> list[float]:
        async with asyncio.timeout(timeout_s):
            while len(found := self.far_end.of(target_url)) < count:
                await asyncio.sleep(0.02)
        return found

    def nothing_was_charged(self, subscription: Subscription) -> None:
        [row] = self.rows("SELECT * FROM subscriptions WHERE id = ?", subscription.id)
        assert (row["consecutive_failures"], row["paused_at"], row["disabled_at"]) == (0, None, None)

    @property
    def begun_and_ended(self) -> list[tuple[Condition, bool]]:
        return [(change.condition, change.lasted_s is not None) for change in self.told]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_sqlite(tmp_path / "relay.db", serve=True) as database:
        workspace, _ = await database.write(workspaces.ensure("default", clock()))
        world = World(database, workspace.id)
        await world.engine.start()
        try:
            yield world
        finally:
            await world.engine.stop(grace_s=0.1)


# A6: nothing was sent.


async def test_while_nothing_can_be_sent_nothing_counts_and_then_all_is_sent(world: World) -> None:
    """As with no descriptors left: every request meets it, and no more than one a second is tried."""
    hooks = [await world.subscribe() for _ in range(3)]
    first = [await world.publish(one) for one in hooks]
    await world.until_success(*first)
    recorded, asked = world.attempts(), len(world.far_end.requests)
    world.far_end.always = NO_DESCRIPTORS
    waiting = [await world.publish(one) for one in hooks for _ in range(20)]
    await asyncio.sleep(3.5)

    assert world.conditions.current == (Condition.DESCRIPTORS_SHORT,)
    tried = len(world.far_end.requests) - asked
    assert 2 <= tried <= 60 + 5, "those that were on their way together, then one a second"
    assert world.attempts() == recorded
    assert {world.delivery(one)["attempts_made"] for one in waiting} == {0}
    world.far_end.always = WELL
    await world.until_success(*waiting)
    for one in hooks:
        world.nothing_was_charged(one)
    assert {world.delivery(one)["attempts_made"] for one in waiting} == {1}
    async with asyncio.timeout(20):
        while world.conditions.current:
            await asyncio.sleep(0.1)
    assert world.begun_and_ended == [(Condition.DESCRIPTORS_SHORT, False), (Condition.DESCRIPTORS_SHORT, True)]
    assert world.faults == []


@pytest.mark.parametrize("condition", [Condition.LOOKUPS_BUSY, Condition.PORTS_SHORT])
async def test_what_only_some_targets_meet_holds_up_nobody_else(
    world: World, monkeypatch: pytest.MonkeyPatch, condition: Condition
) -> None:
    """Names that hang take the threads for look-ups: what needs none goes out as ever."""
    monkeypatch.setattr(hindrances, "PAUSE_S", 60.0)
    hook, other = await world.subscribe(), await world.subscribe()
    await world.until_success(await world.publish(hook), await world.publish(other))
    world.far_end.answers[hook.target_url] = [NotSent("all threads are taken", condition=condition)]
    waiting = await world.publish(hook)
    await world.until_asked(hook.target_url, 2)
    await world.until_success(await world.publish(other), waiting, timeout_s=5)
    assert world.delivery(waiting)["attempts_made"] == 1
    world.nothing_was_charged(hook)


async def test_what_meets_it_now_and_then_is_told_once(world: World) -> None:
    """A shortage that comes and goes within seconds is one."""
    hook = await world.subscribe()
    world.far_end.answers[hook.target_url] = [WELL, NO_DESCRIPTORS, WELL, NO_DESCRIPTORS, WELL, NO_DESCRIPTORS]
    sent = []
    for _ in range(6):
        sent.append(await world.publish(hook))
        await asyncio.sleep(0.3)
    await world.until_success(*sent)
    assert world.begun_and_ended == [(Condition.DESCRIPTORS_SHORT, False)]
    world.nothing_was_charged(hook)


async def test_a_secret_that_cannot_be_opened_holds_up_its_own_subscription_alone(world: World) -> None:
    sealed_by_another, good = await world.subscribe(STRANGER), await world.subscribe()
    waiting = [await world.publish(sealed_by_another) for _ in range(5)]
    sent = [await world.publish(good) for _ in range(20)]
    await world.until_success(*sent)
    await asyncio.sleep(2.5)
    sent = [await world.publish(good) for _ in range(20)]
    await world.until_success(*sent)

    assert world.far_end.of(sealed_by_another.target_url) == []
    assert {world.delivery(one)["attempts_made"] for one in waiting} == {0}
    assert world.attempts() == 40
    world.nothing_was_charged(sealed_by_another)
    assert world.conditions.current == (Condition.SECRET_UNREADABLE,)
    assert sealed_by_another.id in world.told[0].detail
    # It is mended as rotating does.
    await world.execute(
        "UPDATE subscriptions SET secret = :secret WHERE id = :id",
        secret=KEEPER.seal(new_secret()),
        id=sealed_by_another.id,
    )
    world.engine.forget(sealed_by_another.id)
    await world.until_success(*waiting)
    assert world.begun_and_ended == [(Condition.SECRET_UNREADABLE, False), (Condition.SECRET_UNREADABLE, True)]
    assert world.faults == []


async def test_a_secret_in_its_grace_that_cannot_be_opened_is_treated_the_same(world: World) -> None:
    hook = await world.subscribe()
    await world.execute(
        "UPDATE subscriptions SET previous_secrets = :secrets WHERE id = :id",
        secrets=json.dumps([[STRANGER.seal(new_secret()), clock() + 3_600_000]]),
        id=hook.id,
    )
    delivery_id = await world.publish(hook)
    async with asyncio.timeout(5):
        while not world.conditions.current:
            await asyncio.sleep(0.02)
    assert world.far_end.requests == []
    assert world.delivery(delivery_id)["attempts_made"] == 0


async def test_it_is_over_when_nothing_waits_for_that_subscription_any_more(world: World) -> None:
    hook = await world.subscribe(STRANGER)
    delivery_id = await world.publish(hook)
    async with asyncio.timeout(5):
        while not world.conditions.current:
            await asyncio.sleep(0.02)
    await world.database.write(subscriptions.remove(world.workspace_id, hook.id, NAME, clock()))
    world.engine.forget(hook.id)
    async with asyncio.timeout(5):
        while world.conditions.current:
            await asyncio.sleep(0.02)
    assert world.delivery(delivery_id)["dead_reason"] == "unsubscribed"


async def test_a_body_that_cannot_be_read_is_our_own_matter(world: World) -> None:
    hook = await world.subscribe()
    await world.until_success(await world.publish(hook))
    now_ms = clock()
    event = Event(ids.ulid(now_ms), world.workspace_id, hook.event_filter[0], LARGE, now_ms)
    published = await world.database.write(world.engine.publish(event))
    await world.execute("ALTER TABLE bodies RENAME TO elsewhere")
    world.engine.send(published.deliveries)
    async with asyncio.timeout(5):
        while not world.conditions.current:
            await asyncio.sleep(0.02)
    await world.execute("ALTER TABLE elsewhere RENAME TO bodies")
    await world.until_success(published.deliveries[0].id)

    assert world.delivery(published.deliveries[0].id)["attempts_made"] == 1
    world.nothing_was_charged(hook)
    assert world.begun_and_ended == [(Condition.UNREADABLE, False), (Condition.UNREADABLE, True)]


# A11: it was sent.


async def test_what_raises_after_the_post_is_told_counted_and_put_back(world: World) -> None:
    """A lone surrogate in a header cannot be written as JSON."""
    hook, other = await world.subscribe(), await world.subscribe()
    world.far_end.answers[hook.target_url] = [Outcome(200, None, 1, headers=(("x-odd", "\udcff"),))] * 2
    with structlog.testing.capture_logs() as lines:
        delivery_id = await world.publish(hook)
        asked = await world.until_asked(hook.target_url, 3)
        await world.until_success(delivery_id)

    assert world.faults == [Where.SENDING, Where.SENDING]
    [line] = [line for line in lines if "exc_info" in line]
    assert (line["at"], line["delivery_id"]) == ("sending", delivery_id)
    first, second = asked[1] - asked[0], asked[2] - asked[1]
    assert first >= draining.FAULT_PAUSE_S - 0.1, "it was sent: it must not be sent again at once"
    assert second >= 2 * draining.FAULT_PAUSE_S - 0.1, "and each time later"
    world.nothing_was_charged(hook)
    await world.until_success(await world.publish(other))


async def test_what_was_put_back_after_a_fault_is_not_held_over_a_restart(world: World) -> None:
    hook = await world.subscribe()
    world.far_end.always = Outcome(200, None, 1, headers=(("x-odd", "\udcff"),))
    delivery_id = await world.publish(hook)
    await world.until_asked(hook.target_url, 1)
    async with asyncio.timeout(5):
        while world.delivery(delivery_id)["next_attempt_at"] <= clock():
            await asyncio.sleep(0.02)
    row = world.delivery(delivery_id)
    assert (row["state"], row["attempts_made"]) == ("pending", 0)


async def test_a_fault_of_one_delivery_leaves_the_others_of_its_target_alone(world: World) -> None:
    hook = await world.subscribe()
    await world.until_success(await world.publish(hook))
    world.far_end.answers[hook.target_url] = [Outcome(200, None, 1, headers=(("x-odd", "\udcff"),))]
    await world.publish(hook)
    sent = [await world.publish(hook) for _ in range(30)]
    await world.until_success(*sent, timeout_s=draining.FAULT_PAUSE_S - 0.5)


async def test_an_answer_that_no_database_takes_is_recorded_without_it_and_holds_up_nobody(world: World) -> None:
    hook, other = await world.subscribe(), await world.subscribe()
    world.far_end.answers[hook.target_url] = [Outcome(200, None, 1, snippet="\udcff")]
    sent = [await world.publish(hook), *[await world.publish(other) for _ in range(50)]]
    await world.until_success(*sent)

    [attempt] = world.rows("SELECT * FROM attempts WHERE delivery_id = ?", sent[0])
    assert (attempt["status"], attempt["snippet"]) == (200, None)
    assert len(world.far_end.of(hook.target_url)) == 1, "it has arrived, and is not sent again"
    assert world.faults == [Where.RECORDING]
    assert world.attempts() == 51


async def test_an_attempt_that_can_never_be_recorded_is_put_back_and_holds_up_nobody(world: World) -> None:
    hook, other = await world.subscribe(), await world.subscribe()
    world.far_end.answers[hook.target_url] = [Outcome(2**70, None, 1)]
    sent = [await world.publish(hook), *[await world.publish(other) for _ in range(50)]]
    await world.until_success(*sent[1:])
    asked = await world.until_asked(hook.target_url, 2)
    await world.until_success(sent[0])
    assert asked[1] - asked[0] >= draining.FAULT_PAUSE_S - 0.1
    assert set(world.faults) == {Where.RECORDING}


async def test_a_listener_that_raises_stops_nothing(world: World) -> None:
    def odd(batch: object) -> None:
        raise RuntimeError("odd")

    heard: list[Settled] = []
    world.engine.on_settled(odd)
    world.engine.on_settled(heard.extend)
    hook = await world.subscribe()
    sent = [await world.publish(hook) for _ in range(3)]
    await world.until_success(*sent)
    async with asyncio.timeout(5):
        while len(heard) < 3:
            await asyncio.sleep(0.02)
    assert set(world.faults) == {Where.TELLING}
    assert world.engine.running


async def test_an_engine_whose_claims_fail_says_that_nothing_is_sent_and_goes_on_by_itself(world: World) -> None:
    """A value in the file that no code of ours writes."""
    hook = await world.subscribe()
    await world.execute("UPDATE subscriptions SET conditions = 'no JSON' WHERE id = :id", id=hook.id)
    await world.execute(
        "INSERT INTO events (workspace_id, id, type, payload, created_at) VALUES (:ws, 'e', 't', '{}', 1)",
        ws=world.workspace_id,
    )
    await world.execute("INSERT INTO bodies (event_id, number, body) VALUES ('e', 0, '{}')")
    await world.execute(
        "INSERT INTO deliveries (workspace_id, id, event_id, event_type, subscription_id, body_number, state,"
        " next_attempt_at, created_at) VALUES (:ws, 'd', 'e', 't', :id, 0, 'pending', 1, 1)",
        ws=world.workspace_id,
        id=hook.id,
    )
    async with asyncio.timeout(10):
        while world.engine.running:
            await asyncio.sleep(0.02)
    assert Where.CLAIMING in world.faults
    await world.execute("UPDATE subscriptions SET conditions = '{}' WHERE id = :id", id=hook.id)
    await world.until_success("d")
    assert world.engine.running


async def test_a_failure_of_the_receiver_still_counts(world: World) -> None:
    hook = await world.subscribe()
    world.far_end.answers[hook.target_url] = [Outcome(None, ErrorCode.TIMEOUT, 1)]
    delivery_id = await world.publish(hook)
    async with asyncio.timeout(5):
        while world.delivery(delivery_id)["attempts_made"] == 0:
            await asyncio.sleep(0.02)
    [row] = world.rows("SELECT consecutive_failures FROM subscriptions")
    assert row["consecutive_failures"] == 1
