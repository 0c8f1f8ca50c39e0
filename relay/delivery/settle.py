"""Settle: what came of each request is recorded, many in one commit, and nothing is sent again before it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple

import structlog

from relay.core.errors import StoreBusy, StoreCorrupt, StoreFull, StoreReadOnly
from relay.core.model import (
    Attempt,
    Claimed,
    DeadReason,
    DeliveryState,
    Outcome,
    Subscription,
    SubscriptionState,
    Verdict,
)
from relay.core.retry import RetryPolicy, switched_off
from relay.delivery.faults import Faults, Where
from relay.store import deliveries, subscriptions
from relay.store.database import Database, Steps, work

GATHER_S = 0.01
"""How long an outcome may wait for others to share its commit with."""
GATHER_LIMIT = 128
RETRY_S = 1.0
"""How long to wait when the database cannot record: full disk, lock. The outcomes are kept meanwhile."""

UNABLE = (StoreBusy, StoreFull, StoreReadOnly, StoreCorrupt)
"""What says of the database that it cannot record. Anything else says it of what is to be recorded."""

log = structlog.get_logger()


class Settled(NamedTuple):
    """An ended attempt with all that is known of it."""

    claimed: Claimed
    attempt: Attempt
    outcome: Outcome
    verdict: Verdict
    policy: RetryPolicy
    counts: bool
    """Whether a failure counts against the subscription; requests that were under way together count once."""
    recovers: bool
    """Whether a success ends a row of failures, or is the first that is known of the target."""


class Turn(Enum):
    """How a target's standing changed with an attempt."""

    FAILS = "fails"
    """It failed, and had not failed before."""
    ANSWERS = "answers"
    """It answered well after failures."""
    OFF = "off"
    """It failed too often: its subscription was paused or disabled."""
    GONE = "gone"
    """It answered 410: its subscription was disabled."""


class Turned(NamedTuple):
    """A subscription whose target's standing changed. When it answers again: as it was before, failures counted."""

    turn: Turn
    subscription: Subscription
    by: Settled


class Recorded(NamedTuple):
    """What a batch of attempts came to, beside the attempts themselves."""

    turned: list[Turned]
    died: list[Settled]
    """Those whose deliveries were given up. One that had been ended before is not among them."""
    switched_off: list[str]
    """The ids of the subscriptions that get nothing more."""


@work
def settle(batch: Sequence[Settled], now_ms: int, trusted_ms: int) -> Steps[Recorded]:
    """Record a batch.

    `trusted_ms` is the time that a clock which has jumped does not tell: by it a subscription has failed for so long.
    """
    recorded = Recorded([], [], [])
    for one in batch:
        is_first_end = yield from deliveries.settle(one.claimed, one.attempt, one.verdict, now_ms)
        subscription_id = one.claimed.subscription.id
        if one.verdict.state is DeliveryState.SUCCESS:
            if one.recovers:
                before = yield from subscriptions.answers(subscription_id, now_ms)
                if before is not None and before.consecutive_failures:
                    recorded.turned.append(Turned(Turn.ANSWERS, before, one))
            continue
        if one.verdict.state is DeliveryState.DEAD and is_first_end:
            recorded.died.append(one)
        if one.verdict.dead_reason is not DeadReason.GONE and not one.counts:
            continue
        subscription = yield from subscriptions.failed(subscription_id, now_ms)
        if subscription is None:
            continue
        turn, state = _failure(one, subscription, trusted_ms)
        if state is not None:
            reason = "gone" if turn is Turn.GONE else "failing"
            is_new = yield from subscriptions.switch_off(subscription_id, state, reason, now_ms)
            recorded.switched_off.append(subscription_id)
            turn = turn if is_new else None
        if turn is not None:
            recorded.turned.append(Turned(turn, subscription, one))
    return recorded


def _failure(one: Settled, subscription: Subscription, trusted_ms: int) -> tuple[Turn | None, SubscriptionState | None]:
    """What a failure is to its subscription, whose counters include it, and the state it falls into."""
    if one.verdict.dead_reason is DeadReason.GONE:
        return Turn.GONE, SubscriptionState.DISABLED
    state = switched_off(subscription, one.policy, trusted_ms)
    if state is not None:
        return Turn.OFF, state
    # What was on the wire when somebody ended its subscription is no news of the target.
    is_wanted = subscription.state is SubscriptionState.ACTIVE and subscription.removed_at_ms is None
    return (Turn.FAILS if is_wanted and subscription.consecutive_failures == 1 else None), None


def bare(one: Settled) -> Settled:
    """What can be recorded whatever was answered: nothing of it is in the hands of the receiver."""
    return one._replace(attempt=one.attempt._replace(signature="", headers=None, snippet=None))


class Settler:
    """Gathers ended attempts and commits them together."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], int],
        on_settled: Callable[[Sequence[Settled], Recorded], None],
        *,
        trusted: Callable[[], int],
        on_unrecorded: Callable[[Settled], None],
        faults: Faults,
    ) -> None:
        """`clock` gives Unix milliseconds, `trusted` those that a clock which has jumped does not tell.

        `on_settled` is told of each committed batch and of what it came to, `on_unrecorded` of what
        can never be recorded.
        """
        self._database = database
        self._clock = clock
        self._trusted = trusted
        self._on_settled = on_settled
        self._on_unrecorded = on_unrecorded
        self._faults = faults
        self._gathered: list[Settled] = []
        self._apart = 0
        """How many of the first that are gathered are recorded one by one: one of them cannot be."""
        self._some = asyncio.Event()
        self._full = asyncio.Event()

    def add(self, settled: Settled) -> None:
        self._gathered.append(settled)
        self._some.set()
        if len(self._gathered) >= GATHER_LIMIT:
            self._full.set()

    def set_back(self, by_ms: int) -> None:
        """The clock was set back: what is gathered is tried again by its time."""
        for number, one in enumerate(self._gathered):
            at_ms = one.verdict.retry_at_ms
            if at_ms is not None:
                self._gathered[number] = one._replace(verdict=one.verdict._replace(retry_at_ms=at_ms - by_ms))

    async def run(self) -> None:
        """Commit what gathers, for ever."""
        while True:
            await self._some.wait()
            try:
                async with asyncio.timeout(GATHER_S):
                    await self._full.wait()
            except TimeoutError:
                pass
            try:
                await self.flush()
            except Exception as error:
                self._faults.happened(Where.RECORDING, error)
                await asyncio.sleep(RETRY_S)

    async def flush(self) -> None:
        """Commit everything gathered so far, however long the database cannot."""
        failing = False
        while self._gathered:
            size = 1 if self._apart else len(self._gathered)
            batch, self._gathered = self._gathered[:size], self._gathered[size:]
            self._some.clear()
            self._full.clear()
            try:
                recorded = await self._database.write(settle(batch, self._clock(), self._trusted()))
            except UNABLE as error:
                if not failing:
                    log.error(
                        "attempts cannot be recorded",
                        reason=error.message,
                        attempts=len(batch),
                        next="nothing is lost and nothing is sent again; they are kept until the database takes them",
                    )
                failing = True
                self._gathered = batch + self._gathered
                await asyncio.sleep(RETRY_S)
            except Exception as error:
                self._refused(batch, error)
            else:
                if failing:
                    log.info("attempts are recorded again", attempts=len(batch))
                failing = False
                self._apart = max(0, self._apart - size)
                self._tell(batch, recorded)

    def _refused(self, batch: list[Settled], error: Exception) -> None:
        """The database will never take a batch as it is: what it does not take of it is found out, and set aside."""
        if len(batch) > 1:
            self._gathered = batch + self._gathered
            self._apart = len(batch)
            return
        [one] = batch
        self._faults.happened(Where.RECORDING, error, delivery_id=one.claimed.id)
        if bare(one) != one:
            self._gathered.insert(0, bare(one))
            self._apart = max(1, self._apart)
            return
        self._apart = max(0, self._apart - 1)
        self._on_unrecorded(one)

    def _tell(self, batch: list[Settled], recorded: Recorded) -> None:
        try:
            self._on_settled(batch, recorded)
        except Exception as error:
            self._faults.happened(Where.TELLING, error)
