"""Drain: claim what the schedule says, send it, and say how long it may sleep.

One loop on the event loop does it, so nothing here needs a lock. What is chosen, and why, is in `schedule`.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence

import orjson
import structlog

from relay.core.conditions import Condition, Conditions
from relay.core.errors import NotSent, RelayError, StoreError
from relay.core.model import Attempt, Claimed, DeadReason, DeliveryState, Outcome, SignedRequest, Subscription
from relay.core.retry import judge
from relay.core.wire import Wire
from relay.delivery.bodies import Bodies
from relay.delivery.claim import Wanted, claim
from relay.delivery.faults import Faults, Where
from relay.delivery.hindrances import PAUSE_S, Hindrances
from relay.delivery.lanes import Lane
from relay.delivery.schedule import LANES_PER_CLAIM, Schedule
from relay.delivery.settle import Recorded, Settled, Settler
from relay.delivery.sign import Signer
from relay.outbound.post import Poster
from relay.store import deliveries, subscriptions
from relay.store.database import Database
from relay.store.failpoint import failpoint

STORE_RETRY_S = 1.0
"""How long to wait when the database cannot say what is due, or an error of our own kept us from asking."""
FAULT_PAUSE_S = 2.0
"""How long a delivery waits after an error of our own. It may have arrived: twice as long with every further one."""
FAULT_PAUSE_LIMIT_S = 6 * 3600.0
FAULTS_REMEMBERED = 1_000
WINDOW_MS = 2_000
"""For how long at most what is sent is put off by a clock that was set back already: a little more than a sleep."""

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
        *,
        conditions: Conditions,
        faults: Faults,
        monotonic: Callable[[], float] = time.monotonic,
        on_ended: Callable[[Subscription, DeadReason, int], None] = lambda *_: None,
    ) -> None:
        """`clock` gives Unix milliseconds, `monotonic` seconds that never go back.

        `on_ended` is told how many deliveries died with their subscription, which gets nothing more.
        """
        self._database = database
        self._clock = clock
        self._wires = wires
        self._signer = signer
        self._poster = poster
        self._settler = settler
        self._on_ended = on_ended
        self._bodies = Bodies(database)
        self._faults = faults
        self._schedule = Schedule(concurrency, clock, monotonic)
        self._hindrances = Hindrances(conditions, monotonic)
        self._set_back_ms = 0
        """By how much the clock was set back, until the database knows."""
        self._faulty: OrderedDict[str, int] = OrderedDict()
        """How many errors of our own a delivery has met, by its id."""
        self._versions: dict[str, int] = {}
        self._requests: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self.is_failing = False
        """Whether the newest step ended in an error of our own."""

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
            except Exception as error:
                self.is_failing = True
                self._faults.happened(Where.CLAIMING, error)
                await asyncio.sleep(STORE_RETRY_S)
                continue
            self.is_failing = False
            if failing:
                log.info("deliveries are claimed again")
                failing = False
            alarm = loop.call_later(sleep_s, self._woken.set)
            await self._woken.wait()
            alarm.cancel()

    async def step(self) -> float:
        """Claim and send what can be; how many seconds it may sleep unless it is woken."""
        loop = asyncio.get_running_loop()
        await self._obey_the_clock()
        self._schedule.tick(loop.time())
        wanted = self._schedule.next_claims()
        if wanted:
            await self._claim(wanted)
        while self._hindrances.may_send():
            if (chosen := self._schedule.next_request(loop.time())) is None:
                break
            self._hindrances.sent()
            failpoint("after-claim")
            self._start(self._request(*chosen))
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

    def unrecorded(self, settled: Settled) -> None:
        """This attempt cannot be recorded, whatever the state of the database."""
        claimed = settled.claimed
        lane = self._schedule.lane_of(claimed.subscription.id)
        if lane is not None:  # it is held, so there is one
            self._start(self._put_off(lane, claimed))

    def _start(self, steps: Coroutine[None, None, None]) -> None:
        request = asyncio.create_task(steps)
        self._requests.add(request)
        request.add_done_callback(self._ended)

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
            if self._hindrances.any_subscription and not one.claimed and one.due_at_ms is None and not lane.held:
                self._hindrances.freed(lane.subscription_id)

    async def _obey_the_clock(self) -> None:
        """When the wall clock was set back, what waits is put off by its time: else it would wait for longer."""
        by_ms = self._schedule.behind_ms()
        if by_ms:
            log.warning("the clock was set back", by_s=by_ms // 1000)
            self._set_back_ms += by_ms
            self._schedule.set_back(by_ms)
            self._settler.set_back(by_ms)
        if self._set_back_ms:
            now_ms = self._schedule.now()
            await self._database.write(deliveries.set_back(now_ms, self._set_back_ms, now_ms - WINDOW_MS))
            self._set_back_ms = 0

    async def _request(self, lane: Lane, claimed: Claimed) -> None:
        try:
            await self._send(lane, claimed)
        except Exception as error:
            # Whether it has arrived is not known, and it is not the receiver's fault: it stays pending and comes again.
            self._faults.happened(Where.SENDING, error, delivery_id=claimed.id)
            await self._put_off(lane, claimed)

    async def _send(self, lane: Lane, claimed: Claimed) -> None:
        loop = asyncio.get_running_loop()
        started_s, met = loop.time(), self._hindrances.met
        attempted_at_ms = self._clock()
        try:
            signed = await self._sign(lane, claimed, attempted_at_ms)
            if signed is None:
                return
            request, signature = signed
            outcome = await self._poster.post(request)
        except NotSent as hindered:
            if hindered.condition.not_ready:
                self._hindrances.all_held_up()
                self._schedule.put_back(lane, claimed, self._schedule.now() + round(PAUSE_S * 1000))
            else:  # it lies in the way to this target alone: its name, its address
                self._schedule.hindered(lane, claimed)
            return
        finally:
            self._schedule.ended(lane, claimed)
            self._bodies.release(claimed)
        self._hindrances.got_through(met)
        lane.hindered = 0
        failpoint("before-record")
        policy = self._wires[claimed.subscription.api].retry
        number = claimed.attempts_made + 1
        spread = random.uniform(-1, 1)  # noqa: S311 - jitter is no secret
        now_ms = self._schedule.now()
        verdict = judge(outcome, policy, attempt=number - claimed.schedule_base, now_ms=now_ms, spread=spread)
        counts = recovers = False
        if verdict.state is DeliveryState.SUCCESS:
            recovers = self._schedule.succeeded(lane) or claimed.subscription.consecutive_failures > 0
        else:
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

    async def _sign(self, lane: Lane, claimed: Claimed, now_ms: int) -> tuple[SignedRequest, str] | None:
        """The request; None when there is none for a reason of our own. Then the lane waits, and nothing else."""
        condition = Condition.UNREADABLE
        try:
            body = await self._bodies.take(claimed)
            condition = Condition.SECRET_UNREADABLE
            signed = self._signer.sign(claimed, body, now_ms)
        except RelayError as error:
            self._hindrances.held_up(lane.subscription_id, condition, f"{lane.subscription_id}: {error.message}")
            self._schedule.hindered(lane, claimed)
            return None
        if self._hindrances.any_subscription:
            self._hindrances.freed(lane.subscription_id)
        return signed

    async def _put_off(self, lane: Lane, claimed: Claimed) -> None:
        """Put a delivery back for later, and each time for longer. It is held until the database has it so."""
        met = self._faulty.pop(claimed.id, 0)
        self._faulty[claimed.id] = met + 1
        if len(self._faulty) > FAULTS_REMEMBERED:
            self._faulty.popitem(last=False)
        pause_s = min(FAULT_PAUSE_S * 2.0 ** min(met, 20), FAULT_PAUSE_LIMIT_S)
        until_ms = self._schedule.now() + round(pause_s * 1000)
        while True:
            try:
                await self._database.write(deliveries.put_off(claimed.subscription.workspace_id, claimed.id, until_ms))
            except StoreError:
                await asyncio.sleep(STORE_RETRY_S)
            else:
                break
        self._schedule.put_back(lane, claimed, until_ms)


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
