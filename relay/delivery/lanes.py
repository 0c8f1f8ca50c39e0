"""Lanes: what the engine holds in memory of each subscription that something waits for, and whose turn it is.

A lane is one subscription's queue as far as it has been claimed. Turns go round the workspaces and, within one, round
its lanes, so that neither a workspace nor a subscription with a long queue stands in front of another.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from relay.core.model import Claimed
from relay.delivery.pace import Pace
from relay.delivery.slots import Standing

NEVER_MS = 2**62
SPARE_TIMERS = 64
"""How many timers nobody waits for any more are not worth taking out."""


@dataclass(slots=True, eq=False)
class Lane:
    """One subscription's claimed deliveries. `eq=False`: a lane is itself, whatever it holds."""

    subscription_id: str
    limit: int
    """How many requests it may have under way while its target answers."""
    workspace_id: str = ""
    """Known from the first claim on; until then the lane takes its turns with the others that are new."""
    target_url: str = ""
    waiting: deque[Claimed] = field(default_factory=deque)
    held: set[str] = field(default_factory=set)
    """Ids of the deliveries in `waiting`, under way, or answered but not settled: they must not be claimed again."""
    under_way: int = 0
    due_at_ms: int = 0
    """When the database may have something due that is not held."""
    not_before_ms: int = 0
    """A target that failed, or that we cannot send to for a reason of our own, is left alone until then."""
    hindered: int = 0
    """How many times in a row nothing could be sent to it, for a reason of our own."""
    failures: int = 0
    """Failed requests in a row; from the first on, the target is asked one request at a time."""
    counted: bool = False
    """Whether the database may count failures since the newest success; `failures` can be forgiven before that."""
    failed_at_s: float = -1.0
    """Monotonic time of the newest counted failure."""
    proven: bool = False
    """Whether the target has answered well before. Until then it is asked one request at a time."""
    standing: Standing = Standing.NEW
    """What follows from `failures` and `proven`; it is asked for more often than they change."""
    counted_as: Standing = Standing.NEW
    """The standing that `waiting` is counted with in the room for what is held."""
    pace: Pace | None = None
    promised: tuple[str, Standing, int] | None = None
    """The room that is kept for the claim that is under way."""
    timer_at_ms: int = NEVER_MS

    def stand(self, *, failures: int, proven: bool) -> None:
        """What is known of its target."""
        self.failures, self.proven = failures, proven
        self.standing = Standing.FAILING if failures else Standing.PROVEN if proven else Standing.NEW

    @property
    def claiming(self) -> bool:
        return self.promised is not None

    @property
    def capacity(self) -> int:
        return self.limit if self.standing is Standing.PROVEN else 1

    @property
    def rested_at_ms(self) -> int:
        """The earliest time for the next request."""
        return max(self.not_before_ms, self.pace.next_at_ms() if self.pace else 0)

    def forget_waiting(self) -> None:
        """Let go of what is claimed but not sent: it stays pending in the database and is claimed again."""
        for claimed in self.waiting:
            self.held.discard(claimed.id)
        self.waiting.clear()
        self.due_at_ms = 0

    def set_back(self, by_ms: int) -> None:
        """The wall clock was set back: what was put off is put off by its time."""
        if self.due_at_ms < NEVER_MS:
            self.due_at_ms -= by_ms
        self.not_before_ms -= by_ms
        if self.pace:
            self.pace.set_back(by_ms)

    def is_idle(self) -> bool:
        return not self.held and not self.claiming and self.due_at_ms == NEVER_MS


class Turns:
    """Lanes in the order of their turns: proven targets first, then round the workspaces, round the lanes of each."""

    def __init__(self) -> None:
        self._rings: dict[Standing, OrderedDict[str, OrderedDict[str, Lane]]] = {
            standing: OrderedDict() for standing in Standing
        }

    def __bool__(self) -> bool:
        return any(self._rings.values())

    def add(self, lane: Lane) -> None:
        """Give a lane a turn, unless it has one."""
        rings = self._rings[lane.standing]
        # One that was let go while it had a turn gives it to the lane that took its place.
        rings.setdefault(lane.workspace_id, OrderedDict())[lane.subscription_id] = lane

    def take(self, has_room: Callable[[Lane], bool]) -> Lane | None:
        """The lane whose turn it is, of the first workspace whose next lane finds room; add it again for another."""
        for rings in self._rings.values():
            for workspace_id, ring in rings.items():
                subscription_id, lane = next(iter(ring.items()))
                if not has_room(lane):
                    continue
                del ring[subscription_id]
                if ring:
                    rings.move_to_end(workspace_id)
                else:
                    del rings[workspace_id]
                return lane
        return None


class Timers:
    """When to look at which lane again: at most one live time for each lane, the earliest it was given.

    A time that an earlier one has replaced stays in the heap until its turn comes, or until such times are the greater
    part of it: then all of them are taken out at once, which costs less than to look for each.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Lane]] = []
        self._live = 0
        self._number = count()
        """Orders what falls due together: lanes themselves have no order."""

    def __len__(self) -> int:
        return len(self._heap)

    def at(self, lane: Lane, at_ms: int) -> None:
        if at_ms >= lane.timer_at_ms:
            return
        if lane.timer_at_ms == NEVER_MS:
            self._live += 1
        lane.timer_at_ms = at_ms
        heapq.heappush(self._heap, (at_ms, next(self._number), lane))
        if len(self._heap) > 2 * self._live + SPARE_TIMERS:
            self._take_out_the_replaced()

    def next_at_ms(self) -> int:
        return self._heap[0][0] if self._heap else NEVER_MS

    def take_due(self, now_ms: int) -> list[Lane]:
        """The lanes whose time has come."""
        due = []
        while self._heap and self._heap[0][0] <= now_ms:
            at_ms, _, lane = heapq.heappop(self._heap)
            if lane.timer_at_ms == at_ms:  # else it was given an earlier time since, and has been looked at
                lane.timer_at_ms = NEVER_MS
                self._live -= 1
                due.append(lane)
        return due

    def forget(self, lane: Lane) -> None:
        """Nobody waits for a lane any more."""
        if lane.timer_at_ms < NEVER_MS:
            lane.timer_at_ms = NEVER_MS
            self._live -= 1

    def clear(self) -> None:
        """Nobody waits for any lane any more."""
        for lane in self._waiting():
            lane.timer_at_ms = NEVER_MS
        self._heap.clear()
        self._live = 0

    def _take_out_the_replaced(self) -> None:
        self._heap = [(lane.timer_at_ms, next(self._number), lane) for lane in self._waiting()]
        heapq.heapify(self._heap)

    def _waiting(self) -> list[Lane]:
        return list(dict.fromkeys(lane for at_ms, _, lane in self._heap if lane.timer_at_ms == at_ms))
