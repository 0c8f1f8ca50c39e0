"""The queue under everything that can happen to it, in any order: the real engine and file against a model of both.

The clock and the wire are the machine's: it decides when time passes and what a receiver answers. All between, from
publishing to recording, is what runs in production. Several crashes are among the rules.
"""

from __future__ import annotations

import asyncio
import hmac
import sqlite3
import ssl
import tempfile
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from aiohttp import web
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from relay.apis.webhook_relay import recovery
from relay.apis.webhook_relay.recovery import OPEN_LIMIT
from relay.apis.webhook_relay.subscriptions import _resume
from relay.apis.webhook_relay.wire import NAME, WIRE
from relay.core import ids
from relay.core.conditions import Conditions
from relay.core.model import Claimed, Event, Outcome, SignedRequest, Subscription
from relay.core.moments import iso
from relay.core.signing import new_secret
from relay.delivery.drain import Drain
from relay.delivery.faults import Faults, Where
from relay.delivery.publish import Publisher
from relay.delivery.settle import Settler
from relay.delivery.sign import Signer
from relay.outbound.guard import Allowed, Guard
from relay.outbound.post import Poster
from relay.outbound.tls import ResumingContext
from relay.store import deliveries, subscriptions, workspaces
from relay.store.database import Steps, work
from relay.store.secrets import Secrets
from relay.store.sqlite import open_sqlite
from relay.web.wiring import CLOCK, DATABASE, ENGINE
from tests.store.relations import orphans
from tests.whole.queue_model import (
    ANSWERS,
    FAILURES,
    SCHEDULE_S,
    SWITCH_OFF_AFTER,
    Model,
    Pair,
    Recovery,
    Request,
    Subscriber,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from relay.delivery.engine import Engine

START_MS = 1_600_000_000_000
"""In the past: ids never go down within a process, and other tests must not get theirs from a future."""
PAYLOAD = '{"b": 1.10,"a":"\\u00df"}'
"""What would look different if it were read and written again."""
SUBSCRIBERS = 3
CONCURRENCY = 400
"""Room for the most that three targets may have on the wire: sharing what is short is other tests' matter."""
WAITS_S = (1, 5, 31, 150, 400, 49 * 3600)

WIRES = {NAME: replace(WIRE, retry=replace(WIRE.retry, schedule_s=SCHEDULE_S, switch_off_after=SWITCH_OFF_AFTER))}
KEEPER = Secrets(["a key of this test"])
UNUSED = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
some = st.integers(0, 99)
"""Picks one of however many there are."""


@work
def _rotate(workspace_id: str, subscription_id: str, sealed: str, now_ms: int) -> Steps[None]:
    found = yield from subscriptions.get(workspace_id, subscription_id)
    assert found is not None
    yield from subscriptions.rotate(found, sealed, now_ms)


class Wire(Poster):
    """The sending end of the wire, in the machine's hands: a request stays on it until it is answered."""

    def __init__(self) -> None:
        super().__init__(Guard(Allowed()), ssl_context=UNUSED)
        self.sent: list[SignedRequest] = []
        self.answers: dict[str, asyncio.Future[Outcome]] = {}
        """By the delivery's id."""

    async def post(self, request: SignedRequest) -> Outcome:
        delivery_id = dict(request.headers)["webhook-id"]
        self.sent.append(request)
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.answers[delivery_id] = answer
        return await answer

    def answer(self, delivery_id: str, outcome: Outcome) -> None:
        self.answers.pop(delivery_id).set_result(outcome)


class Queue(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.now_ms = START_MS
        self.requests: list[Request] = []
        self.faults: list[Where] = []
        """Errors of our own: there must be none."""
        self.sound = True
        """False from the beginning of what then failed."""
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.opened = AsyncExitStack()
        self.run(self.open())

    def run(self, steps: Coroutine[Any, Any, None]) -> None:
        async def limited() -> None:
            async with asyncio.timeout(20):
                await steps

        self.sound = False
        self.now_ms += 1
        self.runner.run(limited())
        self.sound = True

    def clock(self) -> int:
        return self.now_ms

    def uptime(self) -> float:
        return self.now_ms / 1000

    async def open(self) -> None:
        path = Path(self.folder.name) / "relay.db"
        self.database = await self.opened.enter_async_context(open_sqlite(path, serve=True))
        self.file = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        self.file.row_factory = sqlite3.Row
        workspace, _ = await self.database.write(workspaces.ensure("default", self.now_ms))
        self.workspace_id = workspace.id
        self.remember_nothing()

    def remember_nothing(self) -> None:
        """What a process has in memory when it starts."""
        self.wire = Wire()
        self.publisher = Publisher(WIRES)
        faults = Faults(self.uptime)
        faults.on_fault(lambda where: self.faults.append(where))
        self.settler = Settler(
            self.database,
            self.clock,
            lambda batch, off: self.drain.settled(batch, off),
            trusted=self.clock,
            on_unrecorded=lambda one: self.drain.unrecorded(one),
            faults=faults,
        )
        signer = Signer(WIRES, KEEPER, timeout_s=30)
        self.drain = Drain(
            self.database,
            self.clock,
            WIRES,
            signer,
            self.wire,
            self.settler,
            CONCURRENCY,
            conditions=Conditions(self.uptime, lambda change: None),
            faults=faults,
            monotonic=self.uptime,
        )
        self.requests = []

    # What runs by itself in production.

    async def work(self) -> None:
        """Claim and send all that may be sent now, and check each request."""
        idle = 0
        while idle < 2:
            known = len(self.wire.sent)
            await self.drain.step()
            await self.until_on_the_wire()
            idle = idle + 1 if len(self.wire.sent) == known else 0
        for request in self.wire.sent:
            self.check_request(request)
        self.wire.sent.clear()

    async def until_on_the_wire(self) -> None:
        """Until every request has come to the wire, and what was answered has been taken from it."""
        for _ in range(50):
            if self.drain.under_way == len(self.wire.answers):
                return
            await asyncio.sleep(0)
        raise AssertionError("a delivery is sent twice at a time, or a request never came to the wire")

    def check_request(self, request: SignedRequest) -> None:
        headers = dict(request.headers)
        pair = self.model.pairs[headers["webhook-id"]]
        assert not pair.on_wire
        assert pair.state == "pending", f"a delivery that is {pair.state} is sent"
        assert pair.due_ms[0] <= self.now_ms, "a delivery is sent before it is due"
        assert pair.subscriber.end is None, f"a delivery is sent to a subscriber that is {pair.subscriber.end}"
        assert headers["X-Webhook-Attempt"] == str(len(pair.tries) + 1)
        assert request.body == pair.body.encode()
        at, *signatures = headers["X-Webhook-Signature"].split(",")
        signed = at.removeprefix("t=").encode() + b"." + request.body
        valid = pair.subscriber.valid_secrets(self.now_ms)
        assert signatures == ["v1=" + hmac.digest(one.encode(), signed, "sha256").hex() for one in valid]
        self.requests.append(self.model.sent(pair))

    async def crash(self) -> None:
        old = self.drain
        self.remember_nothing()
        await old.stop(0)
        self.model.crashed()
        await self.drain.look()
        await self.work()

    # Who may be meant.

    def live(self) -> list[Subscriber]:
        return [one for one in self.model.subscribers.values() if not one.removed]

    def a_live(self, number: int) -> Subscriber:
        return self.live()[number % len(self.live())]

    def has_live(self) -> bool:
        return bool(self.live())

    # The rules.

    @initialize(event_filter=st.sampled_from(["*", "order.*"]))
    def first_subscriber(self, event_filter: str) -> None:
        self.run(self._subscribe(event_filter))

    @precondition(lambda self: len(self.model.subscribers) < SUBSCRIBERS)
    @rule(event_filter=st.sampled_from(["*", "order.*", "invoice.paid"]))
    def subscribe(self, event_filter: str) -> None:
        self.run(self._subscribe(event_filter))

    async def _subscribe(self, event_filter: str) -> None:
        secret = new_secret()
        subscription = Subscription(
            id=ids.ulid(self.now_ms),
            workspace_id=self.workspace_id,
            api=NAME,
            target_url="https://hooks.example.com/",
            event_filter=(event_filter,),
            secret=KEEPER.seal(secret),
            created_at_ms=self.now_ms,
            updated_at_ms=self.now_ms,
        )
        await self.database.write(subscriptions.add(subscription))
        self.model.subscribers[subscription.id] = Subscriber(subscription.id, event_filter, self.now_ms, [secret])

    @rule(event_type=st.sampled_from(["order.created", "invoice.paid"]), times=st.sampled_from([1, 2, 5, 40]))
    def publish(self, event_type: str, times: int) -> None:
        async def steps() -> None:
            for _ in range(times):
                self.drain.send(await self._publish(event_type))
            await self.work()

        self.run(steps())

    @precondition(lambda self: not self.requests)
    @rule(event_type=st.sampled_from(["order.created", "invoice.paid"]))
    def publish_from_another_process(self, event_type: str) -> None:
        """Nobody wakes the queue; it looks from time to time."""

        async def steps() -> None:
            await self._publish(event_type)
            await self.drain.look()
            await self.work()

        self.run(steps())

    @rule(event_type=st.sampled_from(["order.created", "invoice.paid"]))
    def publish_and_crash(self, event_type: str) -> None:
        """After the commit, before anybody is woken."""

        async def steps() -> None:
            await self._publish(event_type)
            await self.crash()

        self.run(steps())

    async def _publish(self, event_type: str) -> tuple[Claimed, ...]:
        self.now_ms += 1
        event = Event(ids.ulid(self.now_ms), self.workspace_id, event_type, PAYLOAD, self.now_ms)
        published = await self.database.write(self.publisher.publish(event))
        self.model.events.append(event)
        wanted = [one for one in self.model.subscribers.values() if one.end is None and one.wants(event)]
        assert sorted(one.subscription.id for one in published.deliveries) == sorted(one.id for one in wanted)
        for subscriber in wanted:
            self.learn(event, subscriber)
        return published.deliveries

    def learn(self, event: Event, subscriber: Subscriber) -> None:
        """Take the id of a new delivery into the model; there must be exactly one of the pair."""
        query = "SELECT id FROM deliveries WHERE event_id = ? AND subscription_id = ?"
        [row] = self.file.execute(query, (event.id, subscriber.id)).fetchall()
        body = (
            f'{{"id":"{event.id}","type":"{event.type}","created_at":"{iso(event.created_at_ms)}",'
            f'"data":{event.payload}}}'
        )
        now_ms = self.now_ms
        self.model.pairs[row["id"]] = Pair(row["id"], event, subscriber, body, now_ms, (now_ms, now_ms))

    @precondition(lambda self: self.requests)
    @rule(number=some)
    def succeed(self, number: int) -> None:
        self.run(self._answer([(number, "ok")]))

    @precondition(lambda self: self.requests)
    @rule(number=some, answer=st.sampled_from(["fail", "later", "timeout"]))
    def fail(self, number: int, answer: str) -> None:
        self.run(self._answer([(number, answer)]))

    @precondition(lambda self: self.requests)
    @rule(number=some, answer=st.sampled_from(["refuse", "too_large"]))
    def refuse(self, number: int, answer: str) -> None:
        self.run(self._answer([(number, answer)]))

    @precondition(lambda self: self.requests)
    @rule(number=some)
    def gone(self, number: int) -> None:
        self.run(self._answer([(number, "gone")]))

    @precondition(lambda self: len(self.requests) > 1)
    @rule(answers=st.lists(st.tuples(some, st.sampled_from(["ok", "ok", *FAILURES])), min_size=2, max_size=6))
    def answer_together(self, answers: list[tuple[int, str]]) -> None:
        """Recorded in one commit."""
        self.run(self._answer(answers))

    async def _answer(self, answers: list[tuple[int, str]]) -> None:
        for number, answer in answers:
            if self.requests:
                request = self.requests.pop(number % len(self.requests))
                self.model.answered(request, answer, self.now_ms)
                self.wire.answer(request.pair.id, ANSWERS[answer])
                await self.until_on_the_wire()
        await self.settler.flush()
        await self.work()

    @rule()
    def crash_at_rest(self) -> None:
        self.run(self.crash())

    @precondition(lambda self: self.requests)
    @rule(number=some, answer=st.sampled_from(list(ANSWERS)))
    def crash_before_an_answer_is_recorded(self, number: int, answer: str) -> None:
        async def steps() -> None:
            self.wire.answer(self.requests[number % len(self.requests)].pair.id, ANSWERS[answer])
            await self.until_on_the_wire()
            await self.crash()

        self.run(steps())

    @rule(seconds=st.sampled_from(WAITS_S))
    def advance(self, seconds: int) -> None:
        self.now_ms += seconds * 1000
        self.run(self.work())

    @precondition(has_live)
    @rule(number=some)
    def pause(self, number: int) -> None:
        async def steps() -> None:
            one = self.a_live(number)
            await self.database.write(subscriptions.pause(self.workspace_id, one.id, self.now_ms))
            one.paused_at_ms = one.paused_at_ms or self.now_ms
            await self.changed(one)

        self.run(steps())

    @precondition(has_live)
    @rule(number=some, replay_missed=st.booleans())
    def resume(self, number: int, replay_missed: bool) -> None:
        self.run(self._resume(self.a_live(number), replay_missed))

    async def _resume(self, one: Subscriber, replay_missed: bool) -> None:
        subscription = await self.database.read(subscriptions.get_of_api(self.workspace_id, one.id, NAME))
        assert subscription is not None
        await self.database.write(_resume(subscription, now_ms=self.now_ms, replay_missed=replay_missed))
        stopped = [at_ms for at_ms in (one.paused_at_ms, one.disabled_at_ms) if at_ms is not None]
        if replay_missed and stopped:
            self.model.recoveries.append(Recovery(one, min(stopped), self.now_ms))
        one.paused_at_ms = one.disabled_at_ms = None
        one.failures = 0
        await self.changed(one)

    @precondition(has_live)
    @rule(number=some)
    def delete(self, number: int) -> None:
        async def steps() -> None:
            one = self.a_live(number)
            assert await self.database.write(subscriptions.remove(self.workspace_id, one.id, NAME, self.now_ms))
            one.removed = True
            for pair in self.model.of(one, "pending"):
                pair.die("unsubscribed")
            await self.changed(one)

        self.run(steps())

    @precondition(has_live)
    @rule(number=some)
    def rotate_secret(self, number: int) -> None:
        async def steps() -> None:
            one, secret, now_ms = self.a_live(number), new_secret(), self.now_ms
            await self.database.write(_rotate(self.workspace_id, one.id, KEEPER.seal(secret), now_ms))
            one.secrets.append(secret)
            one.rotated_at_ms.append(now_ms)
            await self.changed(one)

        self.run(steps())

    async def changed(self, one: Subscriber) -> None:
        self.drain.forget(one.id)
        one.failed_at_ms = 0  # the pause that its target was given is over
        await self.work()

    @precondition(lambda self: self.model.pairs)
    @rule(number=some, only_dead=st.booleans())
    def put_back(self, number: int, only_dead: bool) -> None:
        """Retry takes a delivery in any state, replay a dead one."""

        async def steps() -> None:
            pair = list(self.model.pairs.values())[number % len(self.model.pairs)]
            work = deliveries.put_back(self.workspace_id, pair.id, self.now_ms, only_dead=only_dead)
            done, found = await self.database.write(work)
            assert found is not None
            assert done == (not only_dead or pair.state == "dead")
            if done:
                pair.put_back(self.now_ms)
                await self.changed(pair.subscriber)

        self.run(steps())

    @precondition(has_live)
    @rule(number=some, back_s=st.sampled_from([10, 600, 72 * 3600]))
    def recover(self, number: int, back_s: int) -> None:
        one = self.a_live(number)
        under_way = sum(begun.subscriber is one for begun in self.model.recoveries)
        # So many may be open, and the end of the run needs one.
        if under_way == OPEN_LIMIT - 1:
            return

        async def steps() -> None:
            await self.begin_recovery(one, self.now_ms - back_s * 1000)
            await self.chore()

        self.run(steps())

    async def begin_recovery(self, one: Subscriber, since_ms: int) -> None:
        subscription = await self.database.read(subscriptions.get_of_api(self.workspace_id, one.id, NAME))
        assert subscription is not None
        span = recovery.Span.of(subscription, since_ms, self.now_ms)
        await self.database.write(recovery.begin(span, self.now_ms))
        self.model.recoveries.append(Recovery(one, max(since_ms, one.created_at_ms), self.now_ms))

    @rule()
    def go_on_recovering(self) -> None:
        self.run(self.chore())

    async def chore(self) -> None:
        app = web.Application()
        app[DATABASE], app[CLOCK] = self.database, self.clock
        app[ENGINE] = cast("Engine", self.drain)  # all that a recovery wants of it is to be woken
        new = self.model.recovered(self.now_ms)
        await recovery.advance(app)
        for event in self.model.events:
            for subscriber in self.model.subscribers.values():
                if (event.id, subscriber.id) in new:
                    self.learn(event, subscriber)
        await self.work()

    # What always holds.

    @invariant()
    def the_file_is_as_the_model(self) -> None:
        self.sound = False
        rows = self.file.execute("""
            SELECT d.*, b.body FROM deliveries d
            LEFT JOIN bodies b ON b.event_id = d.event_id AND b.number = d.body_number
        """).fetchall()
        assert {row["id"] for row in rows} == self.model.pairs.keys(), "a delivery was lost or made twice"
        tries: dict[str, list[tuple[Any, ...]]] = {}
        for number in self.file.execute("SELECT * FROM attempts ORDER BY delivery_id, number"):
            tries.setdefault(number["delivery_id"], []).append(
                (number["number"], number["status"], number["error_code"])
            )
        for row in rows:
            pair = self.model.pairs[row["id"]]
            self.ended_while_stopped(pair, row)
            assert (row["state"], row["dead_reason"]) == (pair.state, pair.reason)
            assert (row["event_id"], row["subscription_id"]) == (pair.event.id, pair.subscriber.id)
            assert row["body"] == pair.body
            assert (row["attempts_made"], row["schedule_base"]) == (len(pair.tries), pair.schedule_base)
            assert tries.get(pair.id, []) == pair.tries
            assert [one.number for one in pair.tries] == list(range(1, len(pair.tries) + 1))
            if pair.state == "pending":
                assert pair.due_ms[0] - 1 <= row["next_attempt_at"] <= pair.due_ms[1] + 1
                pair.due_ms = (row["next_attempt_at"], row["next_attempt_at"])
            else:
                assert row["next_attempt_at"] is None
        assert orphans(self.file) == []
        for row in self.file.execute("SELECT * FROM subscriptions"):
            one = self.model.subscribers[row["id"]]
            assert row["consecutive_failures"] == one.failures
            assert (row["paused_at"], row["disabled_at"]) == (one.paused_at_ms, one.disabled_at_ms)
            assert (row["removed_at"] is not None) == one.removed
        self.nothing_stands_still()
        assert self.faults == []
        self.sound = True

    def ended_while_stopped(self, pair: Pair, row: sqlite3.Row) -> None:
        """What waits for a subscriber that is stopped is ended when the engine comes to it, and may be until then."""
        end = pair.subscriber.end
        if pair.state == "pending" and row["state"] == "dead" and end is not None:
            assert end != "paused" or pair.due_ms[0] <= self.now_ms, "ended by a pause before it was due"
            pair.die(end)

    def nothing_stands_still(self) -> None:
        """With nothing on the wire, what is due has left or was ended, unless its target was given a pause."""
        on_wire = {request.pair.subscriber.id for request in self.requests}
        for one in self.model.subscribers.values():
            paused_until_ms = one.failed_at_ms + SCHEDULE_S[0] * 1000
            if one.id not in on_wire and paused_until_ms <= self.now_ms:
                due = [pair for pair in self.model.of(one, "pending") if pair.due_ms[0] <= self.now_ms]
                assert due == []

    def teardown(self) -> None:
        try:
            if self.sound:
                self.everything_arrives_in_the_end()
        finally:
            self.runner.run(self.close())
            self.runner.close()
            self.folder.cleanup()

    def everything_arrives_in_the_end(self) -> None:
        """Once all are resumed and recovered and every target answers, every pair of a live subscriber succeeds."""
        for one in self.live():
            self.run(self._resume(one, replay_missed=False))
            self.run(self.begin_recovery(one, 0))
        for _ in range(300):
            if not (self.model.recoveries or self.requests or self.waiting()):
                break
            self.run(self._answer([(0, "ok")] * 9))
            self.run(self.chore())
            self.the_file_is_as_the_model()
            self.advance(60)
        states = {(pair.event.id, pair.subscriber.id): pair.state for pair in self.model.pairs.values()}
        for one in self.live():
            for event in self.model.events:
                if one.wants(event) and event.created_at_ms >= one.created_at_ms:
                    assert states[event.id, one.id] == "success"

    def waiting(self) -> list[Pair]:
        return [pair for pair in self.model.pairs.values() if pair.state == "pending"]

    async def close(self) -> None:
        await self.drain.stop(0)
        self.file.close()
        await self.opened.aclose()


@pytest.fixture
def queue() -> Iterator[Queue]:
    queue = Queue()
    try:
        queue.first_subscriber("*")
        yield queue
    finally:
        queue.teardown()


def test_what_fails_is_sent_again_at_its_time_until_its_schedule_ends(queue: Queue) -> None:
    queue.publish("order.created", 1)
    for wait_s in (40, 150):
        queue.fail(0, "fail")
        queue.the_file_is_as_the_model()
        assert queue.requests == []
        queue.advance(wait_s)
        assert len(queue.requests) == 1
    queue.resume(0, replay_missed=False)
    queue.fail(0, "fail")
    queue.the_file_is_as_the_model()

    [pair] = queue.model.pairs.values()
    assert (pair.state, pair.reason, len(pair.tries)) == ("dead", "exhausted", 3)


def test_what_was_on_the_wire_at_a_crash_is_sent_again_under_its_id(queue: Queue) -> None:
    queue.publish("order.created", 2)
    before = [request.pair for request in queue.requests]
    queue.crash_at_rest()

    assert [request.pair for request in queue.requests] == before


def test_a_timer_of_a_queue_that_was_emptied_does_not_send_what_is_on_the_wire_again(queue: Queue) -> None:
    """Found by the machine: the timer of a retry that was made by hand in the meantime."""
    queue.publish("order.created", 1)
    queue.fail(0, "fail")
    queue.put_back(0, only_dead=False)
    queue.succeed(0)
    queue.publish("order.created", 1)
    queue.advance(31)
    queue.publish("order.created", 1)

    assert len(queue.requests) == 2
    queue.the_file_is_as_the_model()


def test_what_is_on_the_wire_is_not_sent_again_when_its_subscription_is_claimed_for(queue: Queue) -> None:
    """Published deliveries need no claim, so that takes something else that is due beside what is on the wire."""
    queue.publish("order.created", 1)
    queue.succeed(0)
    queue.publish("order.created", 2)
    queue.put_back(0, only_dead=False)

    assert len(queue.requests) == 3
    queue.rotate_secret(0)
    assert len(queue.requests) == 3
    queue.the_file_is_as_the_model()


def test_a_success_ends_the_row_of_failures_whatever_changed_while_it_was_on_the_wire(queue: Queue) -> None:
    """Found by the machine: a changed subscription forgives a failure in memory that the file still counts."""
    queue.publish("order.created", 2)
    queue.fail(0, "fail")
    queue.rotate_secret(0)
    queue.succeed(0)
    queue.the_file_is_as_the_model()


Queue.TestCase.settings = settings(
    max_examples=50,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
TestQueue = pytest.mark.timeout(180)(Queue.TestCase)
