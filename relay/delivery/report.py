"""Report: tells the operator how targets and subscriptions fare, a line for each change and never one for each attempt.

It is told of what was recorded, after the commit. Each line names the target's host (its path is a secret), the ids to
look up, the reason in the words of the delivery log, and the next step. However many targets are in trouble, a minute
has a bounded number of lines; what is left out is added up and said at its end.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

import structlog

from relay.core.errors import StoreBusy, StoreFull, StoreReadOnly, TargetError
from relay.core.model import DeadReason, ErrorCode, Outcome, Subscription, SubscriptionState
from relay.core.tally import Tally
from relay.core.wire import Wire
from relay.delivery.jobs import Chore
from relay.delivery.settle import Recorded, Settled, Turn, Turned
from relay.outbound.target import parse_target

MINUTE_S = 60.0
TELL_S = 5.0
LINES_A_MINUTE = 200
"""How often one sentence is said at most."""
WORKSPACE_LINES_A_MINUTE = 40
"""And of one workspace: whoever lets a target come and go must not hide the others'."""
SUMS_A_MINUTE = 20
SUMMED_LIMIT = 2_000
"""How many pairs of target and reason are told apart."""
DETAIL_LIMIT = 200

UNKNOWN_HOST = "(no valid URL)"

log = structlog.get_logger("relay.delivery")


class Numbers(Protocol):
    """Who counts for Prometheus."""

    def published(self, by: str, events: int) -> None: ...

    def died(self, api: str, reason: str, deliveries: int) -> None: ...

    def chore_ran(self, chore: str, *, failed: bool) -> None: ...


class _Death(NamedTuple):
    """The newest death of a target for a reason."""

    subscription: Subscription
    delivery_id: str | None
    """None when it died with its subscription."""
    outcome: Outcome | None


class Report:
    """Speaks on the event loop; its chore says what has gathered."""

    def __init__(
        self,
        clock: Callable[[], int],
        monotonic: Callable[[], float],
        wires: Mapping[str, Wire],
        numbers: Numbers,
    ) -> None:
        """`clock` gives Unix milliseconds, `monotonic` seconds that never go back."""
        self._clock = clock
        self._monotonic = monotonic
        self._wires = wires
        self._numbers = numbers
        self._deaths: Tally[tuple[str, DeadReason], _Death] = Tally(SUMMED_LIMIT)
        self._said: Counter[tuple[str, str]] = Counter()
        self._left_out: Counter[str] = Counter()
        self._minute_began_s = self._summed_at_s = -math.inf
        self._failing_chores: set[str] = set()
        self.chore = Chore("say-sums", TELL_S, self._tell_now_and_then)

    # What the engine tells.

    def published(self, by: str, events: int) -> None:
        """So many events are committed."""
        self._numbers.published(by, events)

    def recorded(self, recorded: Recorded) -> None:
        """A batch of attempts is committed."""
        for turned in recorded.turned:
            self._turned(turned)
        for one in recorded.died:
            self._died(one)

    def ended(self, subscription: Subscription, reason: DeadReason, deliveries: int) -> None:
        """So many deliveries died because their subscription gets nothing more."""
        if deliveries:
            self._numbers.died(subscription.api, reason.value, deliveries)
            self._deaths.add((host_of(subscription.target_url), reason), deliveries, _Death(subscription, None, None))

    def switched(self, subscription: Subscription, api_key_id: str) -> None:
        """Somebody paused or resumed it, with that key."""
        if subscription.state is SubscriptionState.ACTIVE:
            self._say("info", "a subscription was resumed by a person", subscription, api_key_id=api_key_id)
            return
        words = f"a subscription was {subscription.state} by a person"
        self._say("info", words, subscription, api_key_id=api_key_id, next=self._revive(subscription))

    def chore_ran(self, chore: str, error: Exception | None) -> None:
        """A chore has run, and failed if there is an error. Said when it begins to fail, and when it works again."""
        self._numbers.chore_ran(chore, failed=error is not None)
        if isinstance(error, (StoreBusy, StoreFull, StoreReadOnly)):
            return  # one condition says that for all of them
        if error is None:
            if chore in self._failing_chores:
                self._failing_chores.discard(chore)
                log.info("a chore works again", chore=chore)
        elif chore not in self._failing_chores:
            self._failing_chores.add(chore)
            next_step = "report it with this line; the chore is tried again"
            log.error("a chore failed", chore=chore, reason=type(error).__name__, next=next_step, exc_info=error)

    # What is said.

    def tell(self, *, at_once: bool = False) -> None:
        """Say what has gathered, if a minute has passed since that was done, or `at_once`."""
        now_s = self._monotonic()
        if self._said and (at_once or now_s - self._minute_began_s >= MINUTE_S):
            self._said.clear()
            for words, count in self._left_out.items():
                log.warning("more of the same", of=words, lines=count, next=_LOOK)
            self._left_out.clear()
        if self._deaths and (at_once or now_s - self._summed_at_s >= MINUTE_S):
            self._summed_at_s = now_s
            sums, rest = self._deaths.take(SUMS_A_MINUTE)
            for (host, reason), count, newest in sums:
                self._tell_deaths(host, reason, count, newest)
            if rest.times:
                log.warning("deliveries to other targets died", deliveries=rest.times, targets=rest.keys, next=_LOOK)

    async def _tell_now_and_then(self) -> None:
        self.tell()

    def _turned(self, turned: Turned) -> None:
        subscription, by = turned.subscription, turned.by
        reason, ids = reason_of(by.outcome), {"delivery_id": by.claimed.id}
        match turned.turn:
            case Turn.FAILS:
                about = {"reason": reason, "detail": by.outcome.detail, "next": next_step(by.outcome)}
                self._say("warning", "a target began to fail", subscription, **ids, **about)
            case Turn.ANSWERS:
                since_ms = subscription.failing_since_ms
                failing_s = 0 if since_ms is None else max(0, self._clock() - since_ms) // 1000
                failures = subscription.consecutive_failures
                self._say("info", "a target answers again", subscription, **ids, failures=failures, failing_s=failing_s)
            case Turn.OFF:
                words = f"a subscription was {by.policy.switch_off_to}"
                why = f"{subscription.consecutive_failures} failures in a row, the last: {reason}"
                mend = f"mend the receiver, then {self._revive(subscription)}"
                self._say("warning", words, subscription, **ids, reason=why, next=mend)
            case Turn.GONE:
                words = "a subscription was ended by its receiver"
                mend = f"nothing, if it is not wanted any more; else {self._revive(subscription)}"
                self._say("warning", words, subscription, **ids, reason=reason, next=mend)

    def _died(self, one: Settled) -> None:
        subscription, reason = one.claimed.subscription, one.verdict.dead_reason
        if reason is not None:
            self._numbers.died(subscription.api, reason.value, 1)
            self._deaths.add(
                (host_of(subscription.target_url), reason), 1, _Death(subscription, one.claimed.id, one.outcome)
            )

    def _tell_deaths(self, host: str, reason: DeadReason, count: int, newest: _Death) -> None:
        subscription, outcome = newest.subscription, newest.outcome
        ids = {"subscription_id": subscription.id, "delivery_id": newest.delivery_id}
        last = None if outcome is None else reason_of(outcome)
        fields = {
            "host": host,
            "deliveries": count,
            "reason": reason.value,
            "last": last,
            "api": subscription.api,
            "workspace_id": subscription.workspace_id,
            **ids,
            "next": self._after_death(reason, subscription, newest.delivery_id),
        }
        log.warning("deliveries died", **_given(fields))

    def _say(self, level: str, words: str, subscription: Subscription, **fields: object) -> None:
        of_all, of_workspace = (words, ""), (words, subscription.workspace_id)
        if self._said[of_all] >= LINES_A_MINUTE or self._said[of_workspace] >= WORKSPACE_LINES_A_MINUTE:
            self._left_out[words] += 1
            return
        if not self._said:
            self._minute_began_s = self._monotonic()
        self._said.update((of_all, of_workspace))
        about = {
            "host": host_of(subscription.target_url),
            "api": subscription.api,
            "workspace_id": subscription.workspace_id,
            "subscription_id": subscription.id,
            **fields,
        }
        getattr(log, level)(words, **_given(about))

    # The next step.

    def _revive(self, subscription: Subscription) -> str:
        return self._wires[subscription.api].when_off.format(subscription=subscription.id)

    def _after_death(self, reason: DeadReason, subscription: Subscription, delivery_id: str | None) -> str:
        again = self._wires[subscription.api].when_dead.format(
            subscription=subscription.id, delivery=delivery_id or "ID"
        )
        match reason:
            case DeadReason.EXHAUSTED:
                return f"mend the receiver, then {again}"
            case DeadReason.REFUSED:
                return f"read in the delivery what the receiver answered; {again}"
            case DeadReason.TOO_LARGE:
                return "let the receiver take larger requests, or publish smaller events"
            case DeadReason.TARGET_REFUSED:
                return f"{_ALLOW}; then {again}"
            case DeadReason.PAUSED | DeadReason.DISABLED:
                return self._revive(subscription)
            case DeadReason.GONE | DeadReason.UNSUBSCRIBED:
                return "nothing: nobody wants them any more"


_LOOK = "relay doctor shows every subscription"
_ALLOW = "list its host in RELAY_ALLOW_TARGETS, if a private target is meant"
_NO_ANSWER = {
    ErrorCode.TIMEOUT: "see why it does not answer within RELAY_DELIVERY_TIMEOUT; it is tried again",
    ErrorCode.CONNECTION_ERROR: "see that it is up and can be reached from this machine; it is tried again",
    ErrorCode.TLS_ERROR: "look at its certificate; it is tried again",
    ErrorCode.DNS_ERROR: "see that the name is right, and that this machine can look names up; it is tried again",
    ErrorCode.BAD_RESPONSE: "see that a web server answers there; it is tried again",
    ErrorCode.TARGET_REFUSED: _ALLOW,
}


def next_step(outcome: Outcome) -> str:
    """What an operator does about a target that failed like this."""
    if outcome.error_code is not None:
        return _NO_ANSWER.get(outcome.error_code, "nothing; it is tried again")
    status = outcome.status or 0
    if status == 429:
        return "nothing, unless it stays: the receiver wants fewer requests"
    if 300 <= status < 400:
        return "subscribe the URL that it leads to: redirects are not followed"
    if status in (401, 403, 404, 405):
        return "see that the URL is still the receiver's, and that it lets requests in"
    if 400 <= status < 500:
        return "read in the delivery what the receiver answered"
    return "look at the receiver's own log; it is tried again"


def reason_of(outcome: Outcome) -> str:
    """Why a request failed, as the delivery log says it."""
    return outcome.error_code.value if outcome.error_code is not None else f"status {outcome.status}"


def host_of(target_url: str) -> str:
    """The host of a target: the one part of a catch URL that is no secret."""
    try:
        return parse_target(target_url).host
    except TargetError:
        return UNKNOWN_HOST


def _given(fields: Mapping[str, object]) -> dict[str, object]:
    return {
        name: value[:DETAIL_LIMIT] if name == "detail" and isinstance(value, str) else value
        for name, value in fields.items()
        if value is not None
    }
