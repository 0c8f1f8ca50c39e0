"""What follows from a receiver's answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from relay.core.model import DeadReason, DeliveryState, ErrorCode, Outcome, Subscription, SubscriptionState, Verdict
from relay.core.retry import RETRY_AFTER_CAP_S, RetryPolicy, judge, probe_after_ms, retry_after_s, switched_off

NOW_MS = 1_800_000_000_000
DAY_MS = 24 * 3600 * 1000
STRICT = RetryPolicy((30, 120, 600, 3600, 21600), True, 8, SubscriptionState.PAUSED)
"""As the Webhook Relay API has it: a 4xx is final."""
LENIENT = RetryPolicy((30, 120, 600, 3600, 21600), False, 25, SubscriptionState.DISABLED, 5 * 24 * 3600)
"""As the hooks have it."""
RETRY, SUCCESS = "retry", "success"


def answer(
    status: int | None, *, error: ErrorCode | None = None, snippet: str = "", retry_after: str | None = None
) -> Outcome:
    return Outcome(status, error, latency_ms=5, snippet=snippet, retry_after=retry_after)


def word(verdict: Verdict) -> str:
    if verdict.state is DeliveryState.PENDING:
        return RETRY
    return SUCCESS if verdict.dead_reason is None else verdict.dead_reason.value


@pytest.mark.parametrize(
    ("outcome", "strict", "lenient"),
    [
        *[(answer(status, snippet="<html>no JSON"), SUCCESS, SUCCESS) for status in (200, 201, 202, 204, 226, 299)],
        *[(answer(status), RETRY, RETRY) for status in (408, 425, 429)],
        *[(answer(status), RETRY, RETRY) for status in (500, 502, 503, 504, 599, 999)],
        *[(answer(status), RETRY, RETRY) for status in (101, 300, 301, 302, 303, 304, 307, 308)],
        (answer(None, error=ErrorCode.TIMEOUT), RETRY, RETRY),
        (answer(None, error=ErrorCode.CONNECTION_ERROR), RETRY, RETRY),
        (answer(None, error=ErrorCode.TLS_ERROR), RETRY, RETRY),
        (answer(None, error=ErrorCode.DNS_ERROR), RETRY, RETRY),
        (answer(None, error=ErrorCode.BAD_RESPONSE), RETRY, RETRY),
        (answer(400, snippet="Queue is full."), RETRY, RETRY),
        (answer(400, snippet="QUEUE IS FULL"), RETRY, RETRY),
        (answer(403, snippet="Queue is full."), "refused", RETRY),
        (answer(410), "gone", "gone"),
        (answer(413), "too_large", "too_large"),
        *[(answer(status), "refused", RETRY) for status in (400, 401, 403, 404, 405, 422, 451, 499)],
        (answer(None, error=ErrorCode.TARGET_REFUSED), "target_refused", "target_refused"),
    ],
)
def test_each_answer_has_one_consequence(outcome: Outcome, strict: str, lenient: str) -> None:
    """The table of receiver answers, for an API that takes a 4xx as final and for one that does not."""
    assert word(judge(outcome, STRICT, attempt=1, now_ms=NOW_MS, spread=0)) == strict
    assert word(judge(outcome, LENIENT, attempt=1, now_ms=NOW_MS, spread=0)) == lenient


@pytest.mark.parametrize(("attempt", "delay_s"), [(1, 30), (2, 120), (3, 600), (4, 3600), (5, 21600)])
def test_the_delays_follow_the_schedule(attempt: int, delay_s: int) -> None:
    """Each try has its own delay, spread by a tenth to both sides."""
    for spread, factor in ((-1.0, 0.9), (0.0, 1.0), (1.0, 1.1)):
        verdict = judge(answer(500), LENIENT, attempt=attempt, now_ms=NOW_MS, spread=spread)
        assert verdict.retry_at_ms == NOW_MS + round(delay_s * factor * 1000)


def test_the_sixth_failure_is_the_last() -> None:
    """Five delays are six tries, and also a seventh, asked for by hand, ends."""
    for attempt in (6, 7):
        verdict = judge(answer(500), LENIENT, attempt=attempt, now_ms=NOW_MS, spread=0)
        assert verdict == Verdict(DeliveryState.DEAD, dead_reason=DeadReason.EXHAUSTED)


def test_a_retry_by_hand_can_still_succeed() -> None:
    """A success is a success at any number."""
    assert word(judge(answer(200), LENIENT, attempt=9, now_ms=NOW_MS, spread=0)) == SUCCESS


def test_an_empty_schedule_is_one_try() -> None:
    once = replace(LENIENT, schedule_s=())
    assert word(judge(answer(500), once, attempt=1, now_ms=NOW_MS, spread=0)) == "exhausted"


def at(seconds_from_now: int) -> str:
    return format_datetime(datetime.fromtimestamp(NOW_MS / 1000 + seconds_from_now, UTC), usegmt=True)


@pytest.mark.parametrize(
    ("header", "expected_s"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("1e9", None),
        ("5, 10", None),
        ("٥", None),
        ("0x10", None),
        ("Fri, 99 Foo 2026 00:00:00 GMT", None),
        ("0", 0),
        ("2", 2),
        (" 120 ", 120),
        ("0000000000000000000120", 120),
        ("9999999999", 9_999_999_999),
        ("99999999999", 99_999_999_999),
        ("9" * 300, float("9" * 300)),
        ("9" * 5000, float("inf")),
        ("Fri, 15 Jan 2027 08:01:30 GMT", 90),
        ("Friday, 15-Jan-27 08:01:30 GMT", 90),
        ("Fri Jan 15 08:01:30 2027", 90),
        ("Fri Jan  1 08:00:00 2027", 0),
        ("Fri, 15 Jan 2027 08:00:60 GMT", 59),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 251_602_300_799),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 251_602_300_799 + 23 * 3600 + 59 * 60),
        (at(90), 90),
        (at(-90), 0),
        (at(90).replace("GMT", "-0000"), 90),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, expected_s: float | None) -> None:
    """What is neither says nothing."""
    assert retry_after_s(header, NOW_MS) == expected_s


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        (None, 30),
        ("soon", 30),
        ("-5", 30),
        ("0", 30),
        ("2", 30),
        ("31", 31),
        ("600", 600),
        ("9999999999", RETRY_AFTER_CAP_S),
        ("99999999999", RETRY_AFTER_CAP_S),
        ("9" * 5000, RETRY_AFTER_CAP_S),
        ("0" * 300 + "600", 600),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 30),
        ("Sun Nov  6 08:49:37 2094", RETRY_AFTER_CAP_S),
        (at(600), 600),
        (at(10 * 24 * 3600), RETRY_AFTER_CAP_S),
    ],
)
def test_retry_after_only_lengthens_a_wait_and_not_for_ever(header: str | None, wait_s: int) -> None:
    """A receiver cannot make Relay hurry, nor wait for more than six hours."""
    verdict = judge(answer(503, retry_after=header), LENIENT, attempt=1, now_ms=NOW_MS, spread=0)
    assert verdict.retry_at_ms == NOW_MS + wait_s * 1000


def test_retry_after_does_not_shorten_a_delay_beyond_the_cap() -> None:
    """The cap is on what the receiver asks, not on the schedule."""
    slow = replace(LENIENT, schedule_s=(48 * 3600,))
    verdict = judge(answer(503, retry_after="9999999"), slow, attempt=1, now_ms=NOW_MS, spread=0)
    assert verdict.retry_at_ms == NOW_MS + 48 * 3600 * 1000


@pytest.mark.parametrize(
    ("failures", "pause_s"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 30), (60, 30), (10**6, 30)]
)
def test_probes_of_a_failing_target_slow_down(failures: int, pause_s: int) -> None:
    """The pause doubles from a second up to the first delay of the schedule."""
    assert probe_after_ms(LENIENT, failures, NOW_MS) == NOW_MS + pause_s * 1000


def test_probes_follow_a_shorter_schedule() -> None:
    """With delays of a tenth of a second, as tests use, a target is asked again as soon."""
    assert probe_after_ms(replace(LENIENT, schedule_s=(0.1, 0.1)), 5, NOW_MS) == NOW_MS + 100
    assert probe_after_ms(replace(LENIENT, schedule_s=()), 5, NOW_MS) == NOW_MS + 1000


def failing(count: int, for_ms: int) -> Subscription:
    return Subscription(
        id="s",
        workspace_id="w",
        api="any",
        target_url="https://example.com/",
        event_filter=("*",),
        secret="",
        created_at_ms=0,
        updated_at_ms=0,
        consecutive_failures=count,
        failing_since_ms=NOW_MS - for_ms if count else None,
    )


@pytest.mark.parametrize(
    ("policy", "count", "for_ms", "expected"),
    [
        (STRICT, 0, 0, None),
        (STRICT, 7, 10 * DAY_MS, None),
        (STRICT, 8, 0, SubscriptionState.PAUSED),
        (STRICT, 9, DAY_MS, SubscriptionState.PAUSED),
        (LENIENT, 24, 30 * DAY_MS, None),
        (LENIENT, 25, 5 * DAY_MS - 1, None),
        (LENIENT, 1_000, DAY_MS, None),
        (LENIENT, 25, 5 * DAY_MS, SubscriptionState.DISABLED),
    ],
)
def test_nothing_but_failures_switches_a_subscription_off(
    policy: RetryPolicy, count: int, for_ms: int, expected: SubscriptionState | None
) -> None:
    """So many in a row and, where the policy says so, over so long a time: both must be true."""
    assert switched_off(failing(count, for_ms), policy, NOW_MS) is expected
