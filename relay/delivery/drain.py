"""Drain: claim what the schedule says, send it, and say how long it may sleep.

One loop on the event loop does it, so nothing here needs a lock. What is chosen, and why, is in `schedule`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence

import orjson
import structlog

from relay.core.errors import StoreError
from relay.core.model import Attempt, Claimed, DeadReason, DeliveryState, ErrorCode, Outcome, Subscription
from relay.core.retry import judge
from relay.core.wire import Wire
from relay.delivery.claim import Wanted, claim
from relay.delivery.lanes import Lane
from relay.delivery.post import Poster
from relay.delivery.schedule import LANES_PER_CLAIM, Schedule
from relay.delivery.settle import Recorded, Settled, Settler
from relay.delivery.sign import Signer
from relay.store import deliveries, events, subscriptions
from relay.store.database import Database
from relay.store.failpoint import failpoint

STORE_RETRY_S = 1.0
"""How long to wait when the database cannot say what is due."""

log = structlog.get_logger()


class Drain:
    """The loop that empties the queue."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], int],
        wires: Mapping[str, Wire],
        signer: Signer,
        poster: Poster,
        settler: Settler,
        concurrency: int,
        on_ended: Callable[[Subscription, DeadReason, int], None] = lambda *_: None,
    ) -> None:
        """`on_ended` is told how many deliveries died with their subscription, which gets nothing more."""
        self._database = database
        self._clock = clock
        self._wires = wires
        self._signer = signer
        self._poster = poster
        self._settler = settler
        self._on_ended = on_ended
        self._schedule = Schedule(concurrency, clock)
        self._versions: dict[str, int] = {}
        self._requests: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()

    def wake(self, subscription_ids: Iterable[str]) -> None:
        """Something may be due for these."""
        for subscription_id in subscription_ids:
            self._schedule.due(subscription_id, 0)
        self._woken.set()

    def send(self, published: Iterable[Claimed]) -> None:
        """These have just been committed."""
        for claimed in published:
            self._schedule.published(claimed)
        self._stir()

    def forget(self, subscription_id: str) -> None:
        """A subscription has changed: nothing more is sent as it was before."""
        self._schedule.forget(subscription_id)
        self._woken.set()

    async def look(self) -> int:
        """Look in the database for what waits: at the start, and because another process may have put it there.

        Returns how many subscriptions something waits for.
        """
        waiting = await self._database.read(deliveries.waiting())
        for one in waiting:
            self._schedule.seen(one)
        await self._look_for_changes()
        self._woken.set()
        return len(waiting)

    async def _look_for_changes(self) -> None:
        # The command line may have ended a subscription: what of it is in memory must not go out.
        versions = {}
        for workspace_id in self._schedule.workspaces:
            versions[workspace_id] = await self._database.read(subscriptions.version(workspace_id))
            # Also at the first look: what was claimed before it may be of any version.
            if self._versions.get(workspace_id) != versions[workspace_id]:
                self._schedule.reclaim(workspace_id)
        self._versions = versions

    @property
    def under_way(self) -> int:
        """How many requests are on the wire."""
        return len(self._requests)

    async def run(self) -> None:
        """Drain for ever."""
        loop, failing = asyncio.get_running_loop(), False
        while True:
            self._woken.clear()
            try:
                sleep_s = await self.step()
            except StoreError as error:
                if not failing:
                    log.error("deliveries cannot be claimed", reason=error.message, next="they wait; it is tried again")
                failing = True
                await asyncio.sleep(STORE_RETRY_S)
                continue
            if failing:
                log.info("deliveries are claimed again")
                failing = False
            alarm = loop.call_later(sleep_s, self._woken.set)
            await self._woken.wait()
            alarm.cancel()

    async def step(self) -> float:
        """Claim and send what can be; how many seconds it may sleep unless it is woken."""
        loop = asyncio.get_running_loop()
        self._schedule.tick(loop.time())
        wanted = self._schedule.next_claims()
        if wanted:
            await self._claim(wanted)
        while (chosen := self._schedule.next_request(loop.time())) is not None:
            failpoint("after-claim")
            request = asyncio.create_task(self._request(*chosen))
            self._requests.add(request)
            request.add_done_callback(self._ended)
        if self._schedule.is_hungry and len(wanted) == LANES_PER_CLAIM:
            return 0.0
        return self._schedule.tick(loop.time())

    async def stop(self, grace_s: float) -> int:
        """Give what is under way some time, when `run` has ended. What is cut off is sent again at the next start.

        Returns how many requests were cut off.
        """
        if self._requests:
            await asyncio.wait(self._requests, timeout=grace_s)
        cut_off = len(self._requests)
        for request in self._requests:
            request.cancel()
        await asyncio.gather(*self._requests, return_exceptions=True)
        return cut_off

    def settled(self, batch: Sequence[Settled], recorded: Recorded) -> None:
        """These attempts are recorded."""
        self._schedule.settled(batch, recorded.switched_off)
        self._stir()

    def _ended(self, request: asyncio.Task[None]) -> None:
        self._requests.discard(request)
        self._stir()

    def _stir(self) -> None:
        # A step costs as much as signing does, and after most answers there is nothing for it to do.
        if self._schedule.has_work:
            self._woken.set()

    async def _claim(self, wanted: Sequence[tuple[Lane, Wanted]]) -> None:
        now_ms = self._schedule.now()
        try:
            found = await self._database.write(claim([want for _, want in wanted], now_ms))
        except BaseException:
            for lane, _ in wanted:
                self._schedule.claim_failed(lane, now_ms)
            raise
        for (lane, _), one in zip(wanted, found, strict=True):
            self._schedule.take_in(lane, one)
            if one.ended and one.subscription is not None:
                self._on_ended(one.subscription, one.ended_why, one.ended)

    async def _request(self, lane: Lane, claimed: Claimed) -> None:
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        attempted_at_ms = self._clock()
        signature = ""
        try:
            body = claimed.body
            if body is None:
                body = await self._database.read(events.body(claimed.event_id, claimed.body_number))
            request, signature = self._signer.sign(claimed, body, attempted_at_ms)
            outcome = await self._poster.post(request)
        except StoreError as error:
            # The body could not be read: nothing was tried, so nothing is recorded.
            log.error("a body cannot be read", delivery_id=claimed.id, error=error.message)
            self._schedule.put_back(lane, claimed)
            return
        except Exception as error:
            # Nothing was sent, and it is not the receiver's fault. It is recorded, so that it is seen and comes again.
            log.error("a delivery cannot be signed", delivery_id=claimed.id, error=str(error))
            outcome = Outcome(status=None, error_code=ErrorCode.SIGNING_ERROR, latency_ms=0)
        finally:
            self._schedule.ended(lane, claimed)
        failpoint("before-record")
        policy = self._wires[claimed.subscription.api].retry
        number = claimed.attempts_made + 1
        spread = random.uniform(-1, 1)  # noqa: S311 - jitter is no secret
        now_ms = self._schedule.now()
        verdict = judge(outcome, policy, attempt=number - claimed.schedule_base, now_ms=now_ms, spread=spread)
        counts = recovers = False
        if verdict.state is DeliveryState.SUCCESS:
            recovers = self._schedule.succeeded(lane) or claimed.subscription.consecutive_failures > 0
        elif outcome.error_code is not ErrorCode.SIGNING_ERROR:
            counts = self._schedule.failed(lane, policy, started_s, loop.time())
        self._settler.add(
            Settled(
                claimed=claimed,
                attempt=_attempt(claimed.id, number, attempted_at_ms, signature, outcome),
                outcome=outcome,
                verdict=verdict,
                policy=policy,
                counts=counts,
                recovers=recovers,
            )
        )


def _attempt(delivery_id: str, number: int, at_ms: int, signature: str, outcome: Outcome) -> Attempt:
    return Attempt(
        delivery_id=delivery_id,
        number=number,
        attempted_at_ms=at_ms,
        signature=signature,
        status=outcome.status,
        headers=orjson.dumps(dict(outcome.headers)).decode() if outcome.headers else None,
        snippet=outcome.snippet,
        latency_ms=outcome.latency_ms,
        error_code=outcome.error_code.value if outcome.error_code else None,
    )
