"""Settle: what came of each request is recorded, many in one commit, and nothing is sent again before it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

import structlog

from relay.core.errors import StoreError
from relay.core.model import Attempt, Claimed, DeadReason, DeliveryState, Outcome, SubscriptionState, Verdict
from relay.core.retry import RetryPolicy, switched_off
from relay.store import deliveries, subscriptions
from relay.store.database import Database, Steps, work

GATHER_S = 0.01
"""How long an outcome may wait for others to share its commit with."""
GATHER_LIMIT = 128
RETRY_S = 1.0
"""How long to wait when the database cannot record: full disk, lock. The outcomes are kept meanwhile."""

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
def settle(batch: Sequence[Settled], now_ms: int) -> Steps[list[str]]:
    """Record a batch; the ids of the subscriptions that were switched off by it."""
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
            state = switched_off(subscription, one.policy, now_ms) if subscription else None
            if state is not None:
                yield from subscriptions.switch_off(subscription_id, state, "failing", now_ms)
                off.append(subscription_id)
    return off


class Settler:
    """Gathers ended attempts and commits them together."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], int],
        on_settled: Callable[[Sequence[Settled], Sequence[str]], None],
    ) -> None:
        """`on_settled` is told of each committed batch and of the subscriptions it switched off."""
        self._database = database
        self._clock = clock
        self._on_settled = on_settled
        self._gathered: list[Settled] = []
        self._some = asyncio.Event()
        self._full = asyncio.Event()

    def add(self, settled: Settled) -> None:
        self._gathered.append(settled)
        self._some.set()
        if len(self._gathered) >= GATHER_LIMIT:
            self._full.set()

    async def run(self) -> None:
        """Commit what gathers, for ever."""
        while True:
            await self._some.wait()
            try:
                async with asyncio.timeout(GATHER_S):
                    await self._full.wait()
            except TimeoutError:
                pass
            await self.flush()

    async def flush(self) -> None:
        """Commit everything gathered so far, however long the database cannot."""
        failing = False
        while self._gathered:
            batch, self._gathered = self._gathered, []
            self._some.clear()
            self._full.clear()
            try:
                off = await self._database.write(settle(batch, self._clock()))
            except StoreError as error:
                if not failing:
                    log.error("attempts cannot be recorded, keeping them", error=error.message, attempts=len(batch))
                failing = True
                self._gathered = batch + self._gathered
                await asyncio.sleep(RETRY_S)
            else:
                if failing:
                    log.info("attempts are recorded again", attempts=len(batch))
                self._on_settled(batch, off)
