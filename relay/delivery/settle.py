"""Settle: what came of each request is recorded, many in one commit, and nothing is sent again before it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import structlog

from relay.core.errors import StoreBusy, StoreCorrupt, StoreFull, StoreReadOnly
from relay.core.model import Attempt, Claimed, DeadReason, DeliveryState, Outcome, SubscriptionState, Verdict
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


@work
def settle(batch: Sequence[Settled], now_ms: int, trusted_ms: int) -> Steps[list[str]]:
    """Record a batch; the ids of the subscriptions that were switched off by it.

    `trusted_ms` is the time that a clock which has jumped does not tell: by it a subscription has failed for so long.
    """
    off = []
    for one in batch:
        yield from deliveries.settle(one.claimed, one.attempt, one.verdict, now_ms)
        subscription_id = one.claimed.subscription.id
        if one.verdict.state is DeliveryState.SUCCESS:
            if one.recovers:
                yield from subscriptions.answers(subscription_id, now_ms)
            continue
        if one.verdict.dead_reason is DeadReason.GONE:
            yield from subscriptions.failed(subscription_id, now_ms)
            yield from subscriptions.switch_off(subscription_id, SubscriptionState.DISABLED, "gone", now_ms)
            off.append(subscription_id)
        elif one.counts:
            subscription = yield from subscriptions.failed(subscription_id, now_ms)
            state = switched_off(subscription, one.policy, trusted_ms) if subscription else None
            if state is not None:
                yield from subscriptions.switch_off(subscription_id, state, "failing", now_ms)
                off.append(subscription_id)
    return off


def bare(one: Settled) -> Settled:
    """What can be recorded whatever was answered: nothing of it is in the hands of the receiver."""
    return one._replace(attempt=replace(one.attempt, signature="", headers=None, snippet=None))


class Settler:
    """Gathers ended attempts and commits them together."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], int],
        on_settled: Callable[[Sequence[Settled], Sequence[str]], None],
        *,
        trusted: Callable[[], int],
        on_unrecorded: Callable[[Settled], None],
        faults: Faults,
    ) -> None:
        """`clock` gives Unix milliseconds, `trusted` those that a clock which has jumped does not tell.

        `on_settled` is told of each committed batch and of the subscriptions it switched off, `on_unrecorded` of what
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
                self._gathered[number] = one._replace(verdict=replace(one.verdict, retry_at_ms=at_ms - by_ms))

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
                off = await self._database.write(settle(batch, self._clock(), self._trusted()))
            except UNABLE as error:
                if not failing:
                    log.error("attempts cannot be recorded, keeping them", error=error.message, attempts=len(batch))
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
                self._tell(batch, off)

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

    def _tell(self, batch: list[Settled], off: list[str]) -> None:
        try:
            self._on_settled(batch, off)
        except Exception as error:
            self._faults.happened(Where.TELLING, error)
