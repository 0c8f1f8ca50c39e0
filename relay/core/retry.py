"""When a failed delivery is tried again, when it is given up, and when its subscription is switched off."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from relay.core.model import (
    DeadReason,
    DeliveryState,
    ErrorCode,
    Outcome,
    Subscription,
    SubscriptionState,
    Verdict,
)

JITTER = 0.10
"""Every delay is spread by this share to both sides, so that what failed together does not return together."""
RETRY_AFTER_CAP_S = 6 * 3600
"""A receiver may lengthen a wait, but at most to this."""
PROBE_FIRST_S = 1.0
"""The first pause of a target that failed; it doubles with every further failure."""

_TRANSIENT_4XX = frozenset({408, 425, 429})
_QUEUE_FULL = re.compile(r"queue is full", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How an API treats failures. `schedule_s` has one delay for each retry: five delays are six tries."""

    schedule_s: tuple[float, ...]
    client_errors_are_final: bool
    """Whether a 4xx that is not transient ends the delivery at once."""
    switch_off_after: int
    """How many requests in a row must fail before the subscription is switched off."""
    switch_off_to: SubscriptionState
    """PAUSED can be resumed, DISABLED cannot."""
    switch_off_not_before_s: float = 0.0
    """And for how long nothing but failures must have come."""

    @property
    def longest_wait_ms(self) -> int:
        """How long a delivery waits for its next attempt at most."""
        return round(max(RETRY_AFTER_CAP_S, *self.schedule_s) * (1 + JITTER) * 1000)


def judge(outcome: Outcome, policy: RetryPolicy, *, attempt: int, now_ms: int, spread: float) -> Verdict:
    """What an outcome means for its delivery.

    `attempt` is the number of the try that just ended; `spread` is a random number from -1 to 1 for the jitter.
    """
    status = outcome.status
    if outcome.error_code is None and status is not None and 200 <= status < 300:
        return Verdict(DeliveryState.SUCCESS)
    if outcome.error_code is ErrorCode.TARGET_REFUSED:
        return _dead(DeadReason.TARGET_REFUSED)
    if status == 410:
        return _dead(DeadReason.GONE)
    if status == 413:
        return _dead(DeadReason.TOO_LARGE)
    if policy.client_errors_are_final and _is_refusal(outcome):
        return _dead(DeadReason.REFUSED)
    if attempt > len(policy.schedule_s):
        return _dead(DeadReason.EXHAUSTED)
    wait_s = policy.schedule_s[attempt - 1] * (1 + JITTER * spread)
    asked_s = retry_after_s(outcome.retry_after, now_ms)
    if asked_s is not None:
        wait_s = max(wait_s, min(asked_s, RETRY_AFTER_CAP_S))
    return Verdict(DeliveryState.PENDING, retry_at_ms=now_ms + round(wait_s * 1000))


def _dead(reason: DeadReason) -> Verdict:
    return Verdict(DeliveryState.DEAD, dead_reason=reason)


def _is_refusal(outcome: Outcome) -> bool:
    status = outcome.status
    return status is not None and 400 <= status < 500 and status not in _TRANSIENT_4XX and not _is_queue_full(outcome)


def _is_queue_full(outcome: Outcome) -> bool:
    # Make answers 400 when its queue has no room: back-pressure in the clothes of a rejection.
    return outcome.status == 400 and outcome.snippet is not None and bool(_QUEUE_FULL.search(outcome.snippet))


def retry_after_s(value: str | None, now_ms: int) -> float | None:
    """The wait a Retry-After header asks for, in seconds; None when it says nothing usable."""
    if value is None:
        return None
    value = value.strip()
    if re.fullmatch(r"[0-9]+", value):
        return float(value)  # infinite when it has hundreds of digits: a wait is capped anyway
    try:
        # All three forms of RFC 9110, 5.6.7. A leap second is in them, and not in a datetime.
        at = parsedate_to_datetime(re.sub(r":60\b", ":59", value))
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        return max(0.0, at.timestamp() - now_ms / 1000)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def probe_after_ms(policy: RetryPolicy, consecutive_failures: int, now_ms: int) -> int:
    """When a target that has failed so many times in a row may be asked again.

    It doubles from one second up to the first delay of the schedule: a burst of queued deliveries can then not use up
    the failures that switch a subscription off, and a target that comes back is noticed within that delay.
    """
    cap_s = policy.schedule_s[0] if policy.schedule_s else PROBE_FIRST_S
    doublings = min(consecutive_failures - 1, 20)
    return now_ms + round(min(PROBE_FIRST_S * 2.0**doublings, cap_s) * 1000)


def switched_off(subscription: Subscription, policy: RetryPolicy, now_ms: int) -> SubscriptionState | None:
    """The state a failing subscription falls into now, or None. Its counters include the newest failure."""
    since_ms = subscription.failing_since_ms
    if subscription.consecutive_failures < policy.switch_off_after or since_ms is None:
        return None
    if now_ms - since_ms < policy.switch_off_not_before_s * 1000:
        return None
    return policy.switch_off_to
