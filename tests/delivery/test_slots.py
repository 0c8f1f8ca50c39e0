"""Slots are for bytes as well as for requests, and a workspace that has its share is in nobody's way."""

from __future__ import annotations

import pytest

from relay.delivery.slots import QUICK_S, SLOT_CHARS, SLOW_FACTOR, Slots, Standing, slots_for


@pytest.mark.parametrize(
    ("body_chars", "slots"),
    [(0, 1), (1, 1), (SLOT_CHARS, 1), (SLOT_CHARS + 1, 2), (250_000, 16)],
)
def test_a_large_body_takes_as_many_slots_as_it_fills(body_chars: int, slots: int) -> None:
    assert slots_for(body_chars) == slots


@pytest.mark.parametrize("count", [1, 4, 16])
def test_the_slots_bound_what_is_under_way_whatever_each_request_takes(count: int) -> None:
    slots, taken = Slots(32), 0
    for second in range(1000):
        while slots.has_room("w", Standing.PROVEN):
            slots.take(f"{second}-{taken}", "w", Standing.PROVEN, second, count)
            taken += count
        slots.move_slow(second)
    assert 32 <= taken <= 32 * (1 + SLOW_FACTOR) + 2 * count
    assert not slots.has_room("w", Standing.PROVEN)


def test_one_that_takes_more_than_there_is_goes_alone_and_gives_all_of_it_back() -> None:
    slots = Slots(1)
    for _ in range(3):
        slots.take("a", "w", Standing.PROVEN, 0, 16)
        assert not slots.has_room("w", Standing.PROVEN)
        slots.release("a", "w", 16)
        assert slots.has_room("w", Standing.PROVEN)


def test_a_workspace_that_has_its_share_of_the_slow_slots_keeps_nobody_from_moving_over() -> None:
    """Its hanging requests stay on quick slots; those of another workspace that came later do not."""
    slots = Slots(16)
    now_s = 0.0
    for round_ in range(50):
        while slots.has_room("hog", Standing.PROVEN):
            slots.take(f"{round_}-{now_s}", "hog", Standing.PROVEN, now_s)
            now_s += 0.001
        now_s += QUICK_S
        slots.move_slow(now_s)
    assert not slots.has_room("hog", Standing.PROVEN)
    for number in range(20):
        assert slots.has_room("other", Standing.PROVEN)
        slots.take(f"other-{number}", "other", Standing.PROVEN, now_s)
        now_s += QUICK_S
        assert slots.move_slow(now_s) == QUICK_S
