"""Drain: send what is due, fairly, and say how long it may sleep.

One loop on the event loop does the choosing, so nothing here needs a lock. It claims a page for each lane whose turn
it is, starts a request wherever there is a free slot, and sleeps until the next lane falls due or somebody wakes it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence

import orjson
import structlog

from relay.core.errors import RelayError, StoreError
from relay.core.model import Attempt, Claimed, DeliveryState, ErrorCode, Outcome
from relay.core.retry import judge, probe_after_ms
from relay.core.wire import Wire
from relay.delivery.claim import Found, Wanted, claim
from relay.delivery.lanes import IN_FLIGHT, NEVER_MS, Lane, Timers, Turns
from relay.delivery.pace import pace_of
from relay.delivery.post import Poster
from relay.delivery.settle import Settled, Settler
from relay.delivery.sign import Signer
from relay.delivery.slots import Share, Slots
from relay.store import deliveries, events
from relay.store.database import Database
from relay.store.failpoint import failpoint

PAGE = 64
"""How many deliveries of one lane are claimed at once."""
HELD_LIMIT = 2_000
"""How many deliveries are held in memory in all."""
LANES_PER_CLAIM = 64
SLEEP_LIMIT_S = 1.0
"""The longest sleep: wall clocks jump, and a due time must not be slept past."""
STORE_RETRY_S = 1.0

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
    ) -> None:
        self._database = database
        self._clock = clock
        self._wall_ms = 0
        self._ahead_ms = 0
        self._wires = wires
        self._signer = signer
        self._poster = poster
        self._settler = settler
        self._slots = Slots(concurrency)
        self._lane_limit = max(1, min(IN_FLIGHT, concurrency // 4))
        self._lanes: dict[str, Lane] = {}
        self._hungry = Turns()
        self._ready = Turns()
        self._timers = Timers()
        self._held = Share(HELD_LIMIT)
        self._requests: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._stopping = False

    # What others may say to it.

    def wake(self, subscription_ids: Iterable[str]) -> None:
        """Something may be due for these."""
        for subscription_id in subscription_ids:
            lane = self._lanes.get(subscription_id)
            if lane is None:
                lane = self._lanes[subscription_id] = Lane(subscription_id, self._lane_limit)
            lane.due_at_ms = 0
            self._consider(lane)
        self._woken.set()

    def forget(self, subscription_id: str) -> None:
        """A subscription has changed: what is claimed of it but not sent is claimed again as it now is."""
        lane = self._lanes.get(subscription_id)
        if lane is not None:
            self._let_go(lane)
            lane.failures = 0
            lane.not_before_ms = 0
        self.wake([subscription_id])

    async def look(self) -> int:
        """Look in the database for what waits: at the start, and because another process may have put it there.

        Returns how many subscriptions something waits for.
        """
        waiting = await self._database.read(deliveries.waiting())
        for subscription_id, due_at_ms in waiting:
            lane = self._lanes.get(subscription_id)
            if lane is None:
                lane = self._lanes[subscription_id] = Lane(subscription_id, self._lane_limit, due_at_ms=due_at_ms)
            elif not lane.held:
                lane.due_at_ms = min(lane.due_at_ms, due_at_ms)
            self._consider(lane)
        self._woken.set()
        return len(waiting)

    @property
    def under_way(self) -> int:
        """How many requests are on the wire."""
        return len(self._requests)

    # The loop.

    async def run(self) -> None:
        """Drain for ever."""
        while True:
            self._woken.clear()
            try:
                sleep_s = await self.step()
            except StoreError as error:
                log.error("deliveries cannot be claimed", error=error.message)
                sleep_s = STORE_RETRY_S
                await asyncio.sleep(sleep_s)
            try:
                async with asyncio.timeout(sleep_s):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def step(self) -> float:
        """Claim and send what can be; how many seconds it may sleep unless it is woken."""
        now_ms = self._now()
        if self._slots.move_slow(asyncio.get_running_loop().time()):
            self._woken.set()
        for lane in self._timers.take_due(now_ms):
            self._consider(lane)
        wanted = self._next_claims(now_ms)
        if wanted:
            await self._claim(wanted, now_ms)
        self._start_requests(self._now())
        if self._hungry and len(wanted) == LANES_PER_CLAIM:
            return 0.0
        return min(SLEEP_LIMIT_S, max(0.0, (self._timers.next_at_ms() - self._now()) / 1000))

    async def stop(self, grace_s: float) -> None:
        """Start nothing more and give what is under way some time. What is cut off is sent again at the next start."""
        self._stopping = True
        if self._requests:
            await asyncio.wait(self._requests, timeout=grace_s)
        for request in self._requests:
            request.cancel()
        await asyncio.gather(*self._requests, return_exceptions=True)

    # Choosing.

    def _now(self) -> int:
        # When the wall clock steps back, the engine's time goes on from where it was: what was due stays due, and what
        # falls due in a minute does so in a minute.
        wall_ms = self._clock()
        if wall_ms < self._wall_ms:
            self._ahead_ms += self._wall_ms - wall_ms
        self._wall_ms = wall_ms
        return wall_ms + self._ahead_ms

    def _consider(self, lane: Lane) -> None:
        """Put a lane where it belongs now: in turn to send, in turn to claim, or on a timer."""
        now_ms = self._now()
        if lane.waiting and lane.under_way < lane.capacity:
            at_ms = lane.rested_at_ms
            if at_ms > now_ms:
                self._timers.at(lane, at_ms)
            else:
                self._ready.add(lane)
        if not lane.claiming and len(lane.waiting) * 2 <= lane.capacity:
            at_ms = max(lane.due_at_ms, lane.not_before_ms)
            if at_ms <= now_ms:
                if lane.under_way < lane.capacity:
                    self._hungry.add(lane)
            elif at_ms < NEVER_MS:
                self._timers.at(lane, at_ms)
        if lane.is_idle():
            # What it remembers of its target's pace and pause has to outlast an empty queue.
            rested_at_ms = lane.rested_at_ms
            if rested_at_ms > now_ms:
                self._timers.at(lane, rested_at_ms)
            else:
                self._lanes.pop(lane.subscription_id, None)

    def _next_claims(self, now_ms: int) -> list[tuple[Lane, Wanted]]:
        wanted: list[tuple[Lane, Wanted]] = []
        promised = Share(HELD_LIMIT - self._held.taken)
        while len(wanted) < LANES_PER_CLAIM:
            lane = self._hungry.take(
                lambda lane: self._held.room(lane.workspace_id) > 0 and promised.room(lane.workspace_id) > 0
            )
            if lane is None:
                break
            room = min(self._held.room(lane.workspace_id), promised.room(lane.workspace_id))
            limit = min(room, 1 if lane.failures else PAGE - len(lane.waiting))
            if lane.claiming or lane.not_before_ms > now_ms:
                continue
            lane.claiming = True
            lane.due_at_ms = NEVER_MS  # whoever wakes it while it is being claimed lowers this again
            promised.take(lane.workspace_id, limit)
            wanted.append((lane, Wanted(lane.subscription_id, limit, frozenset(lane.held))))
        return wanted

    async def _claim(self, wanted: Sequence[tuple[Lane, Wanted]], now_ms: int) -> None:
        try:
            found = await self._database.write(claim([want for _, want in wanted], now_ms))
        except BaseException:
            for lane, _ in wanted:
                lane.claiming = False
                lane.due_at_ms = 0
                self._timers.at(lane, now_ms + round(STORE_RETRY_S * 1000))
            raise
        failpoint("after-claim")
        for (lane, _), one in zip(wanted, found, strict=True):
            self._take_in(lane, one)

    def _take_in(self, lane: Lane, found: Found) -> None:
        lane.claiming = False
        if found.due_at_ms is not None:
            lane.due_at_ms = min(lane.due_at_ms, found.due_at_ms)
        subscription = found.subscription
        if subscription is not None and found.claimed:
            if not lane.workspace_id:
                lane.workspace_id = subscription.workspace_id
                lane.failures = subscription.consecutive_failures
            if lane.target_url != subscription.target_url:
                lane.target_url = subscription.target_url
                lane.pace = pace_of(subscription.target_url)
            lane.waiting.extend(found.claimed)
            lane.held.update(claimed.id for claimed in found.claimed)
            self._held.take(lane.workspace_id, len(found.claimed))
        self._consider(lane)

    def _start_requests(self, now_ms: int) -> None:
        loop_s = asyncio.get_running_loop().time()
        while not self._stopping:
            lane = self._ready.take(lambda lane: self._slots.has_room(lane.workspace_id, slow=lane.failures > 0))
            if lane is None:
                return
            if lane.waiting and lane.under_way < lane.capacity and lane.rested_at_ms <= now_ms:
                claimed = lane.waiting.popleft()
                lane.under_way += 1
                if lane.pace:
                    lane.pace.step(now_ms)
                self._slots.take(claimed.id, lane.workspace_id, loop_s, slow=lane.failures > 0)
                request = asyncio.create_task(self._request(lane, claimed))
                self._requests.add(request)
                request.add_done_callback(self._requests.discard)
            self._consider(lane)

    def _let_go(self, lane: Lane) -> None:
        self._held.release(lane.workspace_id, len(lane.waiting))
        lane.forget_waiting()

    # Sending.

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
        except RelayError as error:
            # Nothing was sent. It is recorded as a failure, so that it is seen and comes again at its time.
            log.error("a delivery cannot be signed", delivery_id=claimed.id, error=error.message)
            outcome = Outcome(status=None, error_code=ErrorCode.SIGNING_ERROR, latency_ms=0)
        finally:
            self._slots.release(claimed.id, lane.workspace_id)
            lane.under_way -= 1
            self._woken.set()
        failpoint("before-record")
        policy = self._wires[claimed.subscription.api].retry
        number = claimed.attempts_made + 1
        now_ms = self._now()
        spread = random.uniform(-1, 1)  # noqa: S311 - jitter is no secret
        verdict = judge(outcome, policy, attempt=number - claimed.schedule_base, now_ms=now_ms, spread=spread)
        succeeded = verdict.state is DeliveryState.SUCCESS
        counts = not succeeded and started_s > lane.failed_at_s
        recovers = succeeded and (lane.failures > 0 or claimed.subscription.consecutive_failures > 0)
        if succeeded:
            lane.failures = 0
            lane.not_before_ms = 0
        elif counts:
            # Requests that were under way together when the first of them failed are one failure, not many.
            lane.failed_at_s = loop.time()
            lane.failures += 1
            lane.not_before_ms = probe_after_ms(policy, lane.failures, now_ms)
            self._let_go(lane)
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
        self._consider(lane)

    def settled(self, batch: Sequence[Settled], switched_off: Iterable[str]) -> None:
        """These attempts are recorded: their deliveries are no longer held."""
        lanes = set()
        for one in batch:
            lane = self._lanes.get(one.claimed.subscription.id)
            if lane is None:
                continue
            if one.claimed.id in lane.held:
                lane.held.discard(one.claimed.id)
                self._held.release(lane.workspace_id)
            if one.verdict.retry_at_ms is not None:
                lane.due_at_ms = min(lane.due_at_ms, one.verdict.retry_at_ms)
            lanes.add(lane)
        for lane in lanes:
            self._consider(lane)
        for subscription_id in switched_off:
            self.forget(subscription_id)
        self._woken.set()


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
