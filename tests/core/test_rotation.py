"""Which secrets sign beside a new one."""

from __future__ import annotations

from dataclasses import replace

from relay.core.model import PreviousSecret, Subscription
from relay.core.rotation import GRACE_MS, MOST, beside_the_next, still_valid

ONE = Subscription(
    id="s",
    workspace_id="w",
    api="a",
    target_url="https://example.com/",
    event_filter=("*",),
    secret="0",
    created_at_ms=0,
    updated_at_ms=0,
)


def rotated(one: Subscription, now_ms: int, *, at_once: bool = False) -> Subscription:
    beside = beside_the_next(one, now_ms, at_once=at_once)
    return replace(one, secret=str(int(one.secret) + 1), previous_secrets=beside)


def valid(one: Subscription, now_ms: int) -> list[str]:
    return [*[previous.secret for previous in still_valid(one.previous_secrets, now_ms)], one.secret]


def test_each_secret_signs_for_its_own_grace() -> None:
    one = rotated(rotated(rotated(ONE, 0), 10), GRACE_MS - 1)
    assert valid(one, GRACE_MS - 1) == ["0", "1", "2", "3"]
    assert valid(one, GRACE_MS) == ["1", "2", "3"]
    assert valid(one, GRACE_MS + 10) == ["2", "3"]
    assert valid(one, 2 * GRACE_MS - 2) == ["2", "3"]
    assert valid(one, 2 * GRACE_MS - 1) == ["3"]


def test_what_has_ended_is_not_kept_by_the_next_rotation() -> None:
    one = rotated(rotated(ONE, 0), GRACE_MS)
    assert one.previous_secrets == (PreviousSecret("1", 2 * GRACE_MS),)


def test_at_most_five_sign_and_the_oldest_falls_off() -> None:
    one = ONE
    for at_ms in range(8):
        one = rotated(one, at_ms)
    assert MOST == 5
    assert valid(one, 8) == ["4", "5", "6", "7", "8"]


def test_a_leak_ends_every_earlier_one() -> None:
    one = rotated(rotated(ONE, 0), 1)
    assert valid(rotated(one, 2, at_once=True), 2) == ["3"]
