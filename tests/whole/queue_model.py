"""What the queue must be after all that was done to it: its rules told a second time, in memory and without SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from relay.core.model import ErrorCode, Event, Outcome

SCHEDULE_S = (30, 120)
"""The delays of the machine's queue: short, so that a short run reaches the end of them."""
SWITCH_OFF_AFTER = 3
GRACE_MS = 48 * 3600 * 1000
LATER_S = 300
"""What a receiver asks for in its Retry-After."""

ANSWERS: Mapping[str, Outcome] = {
    "ok": Outcome(200, None, 1),
    "fail": Outcome(503, None, 1),
    "later": Outcome(503, None, 1, retry_after=str(LATER_S)),
    "timeout": Outcome(None, ErrorCode.TIMEOUT, 1),
    "refuse": Outcome(404, None, 1),
    "too_large": Outcome(413, None, 1),
    "gone": Outcome(410, None, 1),
}
FAILURES = tuple(name for name in ANSWERS if name != "ok")
FINAL = {"refuse": "refused", "too_large": "too_large", "gone": "gone"}


@dataclass
class Subscriber:
    id: str
    event_filter: str
    created_at_ms: int
    secrets: list[str]
    """The newest last."""
    rotated_at_ms: list[int] = field(default_factory=list)
    """When each secret but the newest was rotated."""
    paused_at_ms: int | None = None
    disabled_at_ms: int | None = None
    removed: bool = False
    failures: int = 0
    newest_failure: int = 0
    """When, in the order of what happened, a failure was counted last."""
    failed_at_ms: int = 0

    @property
    def end(self) -> str | None:
        """Why nothing is sent; None while it is active."""
        if self.removed:
            return "unsubscribed"
        if self.disabled_at_ms is not None:
            return "disabled"
        return None if self.paused_at_ms is None else "paused"

    def wants(self, event: Event) -> bool:
        return self.event_filter == "*" or event.type.startswith(self.event_filter.removesuffix("*"))

    def valid_secrets(self, now_ms: int) -> list[str]:
        """Those that were current within the grace, and of these the newest five."""
        ended = sum(at_ms + GRACE_MS <= now_ms for at_ms in self.rotated_at_ms)
        return self.secrets[ended:][-5:]


class Try(NamedTuple):
    number: int
    status: int | None
    error_code: str | None


@dataclass
class Pair:
    """An event for a subscriber, which is one delivery for ever."""

    id: str
    event: Event
    subscriber: Subscriber
    body: str
    created_at_ms: int
    due_ms: tuple[int, int]
    """When it is due, at the earliest and at the latest."""
    state: str = "pending"
    reason: str | None = None
    schedule_base: int = 0
    tries: list[Try] = field(default_factory=list)
    on_wire: bool = False

    def die(self, reason: str) -> None:
        self.state, self.reason = "dead", reason

    def put_back(self, now_ms: int) -> None:
        self.state, self.reason, self.due_ms = "pending", None, (now_ms, now_ms)


class Request(NamedTuple):
    """A request on the wire; `started` orders it among the failures."""

    pair: Pair
    number: int
    schedule_base: int
    started: int


class Recovery(NamedTuple):
    subscriber: Subscriber
    since_ms: int
    until_ms: int


class Model:
    def __init__(self) -> None:
        self.subscribers: dict[str, Subscriber] = {}
        self.events: list[Event] = []
        self.pairs: dict[str, Pair] = {}
        self.recoveries: list[Recovery] = []
        self._happened = 0

    def happens(self) -> int:
        self._happened += 1
        return self._happened

    def of(self, subscriber: Subscriber, state: str | None = None) -> list[Pair]:
        mine = [pair for pair in self.pairs.values() if pair.subscriber is subscriber]
        return [pair for pair in mine if state is None or pair.state == state]

    def sent(self, pair: Pair) -> Request:
        pair.on_wire = True
        return Request(pair, len(pair.tries) + 1, pair.schedule_base, self.happens())

    def answered(self, request: Request, answer: str, now_ms: int) -> None:
        """An answer came and was recorded."""
        pair, subscriber, outcome = request.pair, request.pair.subscriber, ANSWERS[answer]
        pair.on_wire = False
        pair.tries.append(Try(request.number, outcome.status, outcome.error_code and outcome.error_code.value))
        if answer == "ok":
            # However the delivery was ended meanwhile: the receiver has it.
            pair.state, pair.reason = "success", None
            subscriber.failures = 0
            return
        if pair.state == "pending":
            self._failed(pair, answer, request.number - request.schedule_base, now_ms)
        counts = request.started > subscriber.newest_failure
        if counts:
            subscriber.newest_failure, subscriber.failed_at_ms = self.happens(), now_ms
        if answer == "gone":
            subscriber.failures += 1
            if not subscriber.removed and subscriber.disabled_at_ms is None:
                subscriber.disabled_at_ms = now_ms
        elif counts:
            subscriber.failures += 1
            off = subscriber.failures >= SWITCH_OFF_AFTER
            if off and not subscriber.removed and subscriber.paused_at_ms is None:
                subscriber.paused_at_ms = now_ms

    def _failed(self, pair: Pair, answer: str, tries_of_schedule: int, now_ms: int) -> None:
        if answer in FINAL:
            pair.die(FINAL[answer])
        elif tries_of_schedule > len(SCHEDULE_S):
            pair.die("exhausted")
        else:
            wait_ms = SCHEDULE_S[tries_of_schedule - 1] * 1000
            least_ms = LATER_S * 1000 if answer == "later" else 0
            pair.due_ms = (now_ms + max(least_ms, wait_ms * 9 // 10), now_ms + max(least_ms, wait_ms * 11 // 10))

    def crashed(self) -> None:
        """What was on the wire is not known any more, nor when the newest failure was."""
        for pair in self.pairs.values():
            pair.on_wire = False
        for subscriber in self.subscribers.values():
            subscriber.newest_failure = subscriber.failed_at_ms = 0

    def recovered(self, now_ms: int) -> set[tuple[str, str]]:
        """Take every recovery on; the pairs of ids for which there must be a new delivery now."""
        new: set[tuple[str, str]] = set()
        waiting = []
        for recovery in self.recoveries:
            subscriber = recovery.subscriber
            mine = {pair.event.id: pair for pair in self.of(subscriber)}
            busy = any(pair.state == "pending" and pair.due_ms[0] <= now_ms for pair in mine.values())
            if not subscriber.removed and (
                subscriber.end is not None or busy or any(one == subscriber.id for _, one in new)
            ):
                waiting.append(recovery)
            elif not subscriber.removed:
                for event in self.events:
                    if not recovery.since_ms <= event.created_at_ms <= recovery.until_ms:
                        continue
                    if event.id not in mine:
                        if subscriber.wants(event):
                            new.add((event.id, subscriber.id))
                    elif mine[event.id].state == "dead":
                        mine[event.id].put_back(now_ms)
                        mine[event.id].schedule_base = len(mine[event.id].tries)
        self.recoveries = waiting
        return new
