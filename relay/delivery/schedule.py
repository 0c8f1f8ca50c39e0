"""Schedule: which subscription is claimed for next, and which of the claimed deliveries is sent next.

All of it is memory and arithmetic: nothing here waits, reads or sends. The drain asks it and does what it says.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from relay.core.model import Claimed, Subscription
from relay.core.retry import RetryPolicy, probe_after_ms
from relay.delivery.claim import Found, Wanted
from relay.delivery.clocks import LEAST_STEP_MS
from relay.delivery.lanes import NEVER_MS, Lane, Timers, Turns
from relay.delivery.pace import pace_of
from relay.delivery.settle import Settled
from relay.delivery.slots import Room, Slots, Standing, slots_for
from relay.store.deliveries import Waiting

IN_FLIGHT = 32
"""How many requests one target may have under way, where the limit for all leaves room for more than one target."""
PAGE = 64
"""How many deliveries of one lane are claimed at once."""
HELD_LIMIT = 2_000
"""How many claimed deliveries may wait in memory in all."""
LANES_PER_CLAIM = 64
HINDERED_MS = 1_000
"""How long a lane is left alone that nothing could be sent of, for a reason of our own: twice as long each time."""
HINDERED_LIMIT_MS = 60_000
PROVEN_LIMIT = 50_000
"""How many targets are remembered to be answering while nothing waits for them."""
SLEEP_LIMIT_S = 1.0
"""The longest sleep: wall clocks jump, and a due time must not be slept past."""


class Schedule:
    """The lanes of everything that waits, and the order in which they are served."""

    def __init__(self, concurrency: int, clock: Callable[[], int], monotonic: Callable[[], float]) -> None:
        """`clock` gives Unix milliseconds and may be set forth and back, `monotonic` seconds that never go back."""
        self._clock = clock
        self._monotonic = monotonic
        self._newest_ms = 0
        self._begin_time()
        self._lane_limit = max(1, min(IN_FLIGHT, concurrency // 4))
        self._lanes: dict[str, Lane] = {}
        self._hungry = Turns()
        self._ready = Turns()
        self._timers = Timers()
        self._next_look_ms = NEVER_MS
        self._waiting = Room(HELD_LIMIT)
        self._slots = Slots(concurrency)
        self._proven: OrderedDict[str, None] = OrderedDict()

    def _begin_time(self) -> None:
        self._began_at_ms = self._newest_ms = self._clock()
        self._began_at_s = self._monotonic()

    def now(self) -> int:
        """The engine's time: the wall clock's, but never behind what has passed. When the wall clock is set back it
        goes on from where it was, so that what falls due in a minute does so in a minute, until `set_back`."""
        now_ms = self._clock()
        if now_ms >= self._newest_ms:  # it runs on, so far as `tick` has seen it, which looks every second
            self._newest_ms = now_ms
            return now_ms
        return self._caught_up(now_ms)

    def _caught_up(self, now_ms: int) -> int:
        passed_ms = self._began_at_ms + int((self._monotonic() - self._began_at_s) * 1000)
        if passed_ms - now_ms >= LEAST_STEP_MS:
            now_ms = passed_ms
        if now_ms > self._newest_ms:
            self._newest_ms = now_ms
        return now_ms

    def behind_ms(self) -> int:
        """By how much the wall clock is behind the newest time that was the engine's; 0 unless it was set back."""
        by_ms = self._newest_ms - self._clock()
        return by_ms if by_ms >= LEAST_STEP_MS else 0

    def set_back(self, by_ms: int) -> None:
        """From now on the engine's time is the wall clock's again. What waits here is put off by its time."""
        self._begin_time()
        self._timers.clear()
        for lane in list(self._lanes.values()):
            lane.set_back(by_ms)
            self._consider(lane)

    # What becomes known.

    def due(self, subscription_id: str, at_ms: int) -> None:
        """Something waits for a subscription and falls due at that time; 0 for now."""
        lane = self._lanes.get(subscription_id) or self._lane(subscription_id)
        lane.due_at_ms = min(lane.due_at_ms, at_ms)
        self._consider(lane)

    def published(self, claimed: Claimed) -> None:
        """A delivery was stored just now. If nothing of its lane waits in the database, it is as good as claimed.

        Not for a target that is not known to answer: how it has been doing is read with a claim.
        """
        subscription = claimed.subscription
        lane = self._lanes.get(subscription.id) or self._lane(subscription.id)
        if claimed.id in lane.held:
            return  # a claim was quicker
        caught_up = lane.due_at_ms > self.now() and not lane.claiming and len(lane.waiting) < PAGE
        answers = lane.standing is Standing.PROVEN and not lane.counted
        if caught_up and answers and self._waiting.room(subscription.workspace_id, lane.standing) > 0:
            self._hold(lane, subscription, [claimed])
            self._consider(lane)
        else:
            self.due(subscription.id, 0)

    def seen(self, waiting: Waiting) -> None:
        """As `due`, by somebody who looked at the database and cannot know what is held of it already."""
        lane = self._lanes.get(waiting.subscription_id)
        if lane is None:
            lane = self._lane(waiting.subscription_id)
            lane.workspace_id = waiting.workspace_id
            lane.stand(failures=waiting.consecutive_failures, proven=lane.proven or waiting.is_answering)
        elif lane.held:
            return
        self.due(waiting.subscription_id, waiting.due_at_ms)

    def _lane(self, subscription_id: str) -> Lane:
        lane = self._lanes[subscription_id] = Lane(subscription_id, self._lane_limit)
        lane.stand(failures=0, proven=subscription_id in self._proven)
        lane.due_at_ms = NEVER_MS
        return lane

    def forget(self, subscription_id: str) -> None:
        """A subscription has changed: what is claimed of it but not sent has to be claimed again as it now is."""
        lane = self._lanes.get(subscription_id)
        if lane is not None:
            self._let_go(lane)
            lane.stand(failures=0, proven=lane.proven)
            lane.hindered = 0
            lane.not_before_ms = 0
        self.due(subscription_id, 0)

    def lane_of(self, subscription_id: str) -> Lane | None:
        """The lane of a subscription that something waits for."""
        return self._lanes.get(subscription_id)

    @property
    def workspaces(self) -> set[str]:
        """Those that have something claimed that is not sent yet."""
        return {lane.workspace_id for lane in self._lanes.values() if lane.waiting}

    def reclaim(self, workspace_id: str) -> None:
        """Some subscription of a workspace has changed elsewhere: what is claimed but not sent is claimed again."""
        for lane in [lane for lane in self._lanes.values() if lane.workspace_id == workspace_id and lane.waiting]:
            self._let_go(lane)
            self._consider(lane)

    def tick(self, now_s: float) -> float:
        """Take up what the passing of time brings; how many seconds it can be slept unless something else happens."""
        look_again_s = self._slots.move_slow(now_s)
        now_ms = self._caught_up(self._clock())
        for lane in self._timers.take_due(now_ms):
            self._consider(lane)
        self._next_look_ms = self._timers.next_at_ms()
        sleep_s = min(SLEEP_LIMIT_S, (self._next_look_ms - now_ms) / 1000)
        return max(0.0, sleep_s if look_again_s is None else min(sleep_s, look_again_s))

    @property
    def has_work(self) -> bool:
        """Whether a lane has a turn, or a timer rings earlier than the newest `tick` said."""
        return bool(self._ready) or bool(self._hungry) or self._timers.next_at_ms() < self._next_look_ms

    # Claiming.

    def next_claims(self) -> list[tuple[Lane, Wanted]]:
        """The lanes whose turn it is to be claimed for; each has to be handed to `take_in` or `claim_failed`."""
        wanted: list[tuple[Lane, Wanted]] = []
        while len(wanted) < LANES_PER_CLAIM:
            lane = self._hungry.take(lambda lane: self._waiting.room(lane.workspace_id, lane.standing) > 0)
            if lane is None:
                break
            if self._lanes.get(lane.subscription_id) is not lane:
                continue  # it was let go while it had a turn of an earlier standing; another may have taken its place
            if lane.claiming or lane.not_before_ms > self.now():
                continue
            room = self._waiting.room(lane.workspace_id, lane.standing)
            limit = min(room, PAGE - len(lane.waiting) if lane.standing is Standing.PROVEN else 1)
            lane.promised = (lane.workspace_id, lane.standing, limit)
            self._waiting.take(*lane.promised)
            lane.due_at_ms = NEVER_MS  # whoever says it is due while it is being claimed lowers this again
            wanted.append((lane, Wanted(lane.subscription_id, limit, frozenset(lane.held))))
        return wanted

    @property
    def is_hungry(self) -> bool:
        """Whether more lanes want to be claimed for."""
        return bool(self._hungry)

    def take_in(self, lane: Lane, found: Found) -> None:
        """Here is what a claim brought."""
        self._claim_ended(lane)
        if found.due_at_ms is not None:
            lane.due_at_ms = min(lane.due_at_ms, found.due_at_ms)
        subscription = found.subscription
        if subscription is not None and found.claimed:
            if not lane.workspace_id:
                proven = lane.proven or subscription.answering_since_ms is not None
                lane.stand(failures=subscription.consecutive_failures, proven=proven)
            self._hold(lane, subscription, found.claimed)
        self._consider(lane)

    def _hold(self, lane: Lane, subscription: Subscription, claimed: list[Claimed]) -> None:
        lane.workspace_id = subscription.workspace_id
        if lane.target_url != subscription.target_url:
            lane.target_url = subscription.target_url
            lane.pace = pace_of(subscription.target_url)
        self._recount(lane)
        self._waiting.take(lane.workspace_id, lane.counted_as, len(claimed))
        lane.waiting.extend(claimed)
        lane.held.update(one.id for one in claimed)

    def claim_failed(self, lane: Lane, retry_at_ms: int) -> None:
        """The database could not say what is due."""
        self._claim_ended(lane)
        lane.due_at_ms = min(lane.due_at_ms, retry_at_ms)
        self._consider(lane)

    def _claim_ended(self, lane: Lane) -> None:
        if lane.promised is not None:
            self._waiting.release(*lane.promised)
            lane.promised = None

    # Sending.

    def next_request(self, now_s: float) -> tuple[Lane, Claimed] | None:
        """The delivery that is to be sent now; None when nothing can be. It has to be handed to `ended`."""
        while lane := self._ready.take(lambda lane: self._slots.has_room(lane.workspace_id, lane.standing)):
            now_ms = self.now()
            if not lane.waiting or lane.under_way >= lane.capacity or lane.rested_at_ms > now_ms:
                self._consider(lane)
                continue
            claimed = lane.waiting.popleft()
            self._waiting.release(lane.workspace_id, lane.counted_as)
            lane.under_way += 1
            if lane.pace:
                lane.pace.step(now_ms)
            count = slots_for(claimed.body_chars)
            self._slots.take(claimed.id, lane.workspace_id, lane.standing, now_s, count)
            self._consider(lane)
            return lane, claimed
        return None

    def ended(self, lane: Lane, claimed: Claimed) -> None:
        """A request is no longer on the wire; its delivery is held until it is settled."""
        self._slots.release(claimed.id, lane.workspace_id, slots_for(claimed.body_chars))
        lane.under_way -= 1

    def put_back(self, lane: Lane, claimed: Claimed, at_ms: int) -> None:
        """Nothing came of it: it is claimed again then."""
        lane.held.discard(claimed.id)
        lane.due_at_ms = min(lane.due_at_ms, at_ms)
        self._consider(lane)

    def hindered(self, lane: Lane, claimed: Claimed) -> None:
        """Nothing can be sent of this lane, for a reason of our own: it is left alone for a while."""
        now_ms = self.now()
        if lane.not_before_ms <= now_ms:  # else this was under way together with one that met the same
            lane.not_before_ms = now_ms + min(HINDERED_MS * 2**lane.hindered, HINDERED_LIMIT_MS)
            lane.hindered = min(lane.hindered + 1, 20)
        self._let_go(lane)
        self.put_back(lane, claimed, lane.not_before_ms)

    def succeeded(self, lane: Lane) -> bool:
        """The target answered well; whether that ends a row of failures, or was not known of it yet."""
        recovers = lane.counted or lane.standing is not Standing.PROVEN
        lane.counted = False
        lane.not_before_ms = 0
        if lane.standing is not Standing.PROVEN:
            lane.stand(failures=0, proven=True)
            self._proven[lane.subscription_id] = None
            if len(self._proven) > PROVEN_LIMIT:
                self._proven.popitem(last=False)
        self._recount(lane)
        self._consider(lane)
        return recovers

    def failed(self, lane: Lane, policy: RetryPolicy, started_s: float, now_s: float) -> bool:
        """A request that began at `started_s` failed; whether that counts against the target.

        Requests that were under way together when the first of them failed are one failure, not many.
        """
        lane.counted = True
        counts = started_s > lane.failed_at_s
        if counts:
            lane.failed_at_s = now_s
            lane.stand(failures=lane.failures + 1, proven=False)
            lane.not_before_ms = probe_after_ms(policy, lane.failures, self.now())
            self._proven.pop(lane.subscription_id, None)
            self._let_go(lane)
        self._consider(lane)
        return counts

    def settled(self, batch: Sequence[Settled], switched_off: Iterable[str]) -> None:
        """These attempts are recorded: their deliveries are no longer held."""
        lanes: dict[str, Lane] = {}
        for one in batch:
            lane = self._lanes.get(one.claimed.subscription.id)
            if lane is None:
                continue
            lane.held.discard(one.claimed.id)
            if one.verdict.retry_at_ms is not None:
                lane.due_at_ms = min(lane.due_at_ms, one.verdict.retry_at_ms)
            lanes[lane.subscription_id] = lane
        for lane in lanes.values():
            self._consider(lane)
        for subscription_id in switched_off:
            self.forget(subscription_id)

    # Keeping order.

    def _consider(self, lane: Lane) -> None:
        """Put a lane where it belongs now: in turn to send, in turn to be claimed for, or on a timer."""
        now_ms = self.now()
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
            elif self._lanes.get(lane.subscription_id) is lane:
                del self._lanes[lane.subscription_id]
                self._timers.forget(lane)

    def _let_go(self, lane: Lane) -> None:
        self._waiting.release(lane.workspace_id, lane.counted_as, len(lane.waiting))
        lane.forget_waiting()
        lane.counted_as = lane.standing

    def _recount(self, lane: Lane) -> None:
        """A lane's standing may have changed: count what waits in it as what it now is."""
        if lane.counted_as is not lane.standing:
            self._waiting.release(lane.workspace_id, lane.counted_as, len(lane.waiting))
            lane.counted_as = lane.standing
            self._waiting.take(lane.workspace_id, lane.counted_as, len(lane.waiting))
