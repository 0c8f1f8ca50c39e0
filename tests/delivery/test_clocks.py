"""Clocks by themselves: what is believed of a wall clock that is set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.conditions import Change, Condition, Conditions
from relay.delivery.clocks import StepBack, TrustedClock

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
YEAR_MS = 365 * DAY_MS
START_MS = 1_800_000_000_000


class Hand:
    """A machine's clocks, and what is told of them."""

    def __init__(self) -> None:
        self.wall_ms = START_MS
        self.up_s = 0.0
        self.told: list[Change] = []
        self.conditions = Conditions(lambda: self.up_s, self.told.append)
        self.trusted = self.start()

    def start(self) -> TrustedClock:
        """A server starts."""
        return TrustedClock(lambda: self.wall_ms, lambda: self.up_s, self.conditions)

    def wait(self, ms: int) -> None:
        """Time passes, and somebody looks every hour."""
        for _ in range(ms // HOUR_MS):
            self.wall_ms += HOUR_MS
            self.up_s += 3600
            self.trusted()
        self.wall_ms += ms % HOUR_MS
        self.up_s += ms % HOUR_MS / 1000

    @property
    def jumped(self) -> bool:
        return self.conditions.current == (Condition.CLOCK_JUMPED,)


def test_a_clock_that_runs_is_believed() -> None:
    hand = Hand()
    for _ in range(30):
        hand.wait(DAY_MS)
        assert hand.trusted() == hand.wall_ms
    assert hand.told == []


@pytest.mark.parametrize("step_ms", [HOUR_MS, -HOUR_MS, 23 * HOUR_MS, -23 * HOUR_MS])
def test_a_small_step_is_believed(step_ms: int) -> None:
    hand = Hand()
    hand.wall_ms += step_ms
    assert hand.trusted() == hand.wall_ms
    assert not hand.jumped


@pytest.mark.parametrize("jump_ms", [2 * DAY_MS, YEAR_MS, 50 * YEAR_MS])
def test_a_jump_forth_is_believed_when_it_has_stood_for_a_day(jump_ms: int) -> None:
    """Meanwhile the time that was goes on."""
    hand = Hand()
    hand.wall_ms += jump_ms
    assert hand.trusted() == START_MS
    assert hand.jumped
    hand.wait(23 * HOUR_MS)
    assert hand.trusted() == START_MS + 23 * HOUR_MS
    hand.wait(HOUR_MS)
    assert hand.trusted() == hand.wall_ms
    assert [change.lasted_s for change in hand.told] == [None, 86_400]
    hand.wait(DAY_MS)
    assert hand.trusted() == hand.wall_ms


def test_a_jump_that_is_taken_back_was_nothing() -> None:
    hand = Hand()
    for jump_ms in (YEAR_MS, -2 * YEAR_MS):
        hand.wall_ms += jump_ms
        hand.wait(5 * HOUR_MS)
        assert hand.trusted() <= START_MS + 10 * HOUR_MS
        hand.wall_ms -= jump_ms
        assert hand.trusted() == hand.wall_ms
        assert not hand.jumped
    assert len(hand.told) == 4


def test_nothing_is_deleted_by_a_time_later_than_the_wall_clock() -> None:
    """Of a clock that was set back the earlier time holds, which deletes less."""
    hand = Hand()
    hand.wall_ms -= YEAR_MS
    assert hand.trusted() == hand.wall_ms
    assert hand.jumped
    assert hand.trusted.newest_ms == START_MS


def test_a_clock_that_jumps_again_has_not_stood() -> None:
    hand = Hand()
    for _ in range(5):
        hand.wall_ms += 3 * DAY_MS
        hand.wait(20 * HOUR_MS)
        assert hand.trusted() <= START_MS + 100 * HOUR_MS
    hand.wait(5 * HOUR_MS)
    assert hand.trusted() == hand.wall_ms


def test_steps_of_less_than_a_day_add_up() -> None:
    hand = Hand()
    hand.wall_ms += 20 * HOUR_MS
    assert not hand.jumped
    hand.wait(HOUR_MS)
    hand.wall_ms += 20 * HOUR_MS
    assert hand.trusted() == START_MS + HOUR_MS
    assert hand.jumped


@pytest.mark.parametrize("seen_ms", [START_MS - YEAR_MS, START_MS + YEAR_MS])
def test_a_start_far_from_what_was_seen_last_is_a_jump(seen_ms: int) -> None:
    """Whether the clock is wrong or the server was off cannot be told apart."""
    hand = Hand()
    hand.trusted.seen(seen_ms)
    assert hand.trusted() == min(seen_ms, START_MS)
    assert hand.jumped
    hand.wait(DAY_MS)
    assert hand.trusted() == hand.wall_ms
    assert not hand.jumped


def test_starts_again_and_again_do_not_make_a_jump_stand() -> None:
    hand = Hand()
    seen_ms = hand.trusted.newest_ms
    hand.wall_ms += YEAR_MS
    for _ in range(10):
        hand.trusted = hand.start()
        hand.trusted.seen(seen_ms)
        hand.wait(10 * HOUR_MS)
        seen_ms = hand.trusted.newest_ms
    assert hand.trusted() == START_MS + 100 * HOUR_MS


@given(st.lists(st.tuples(st.integers(-2 * YEAR_MS, 2 * YEAR_MS), st.integers(0, 23)), max_size=30))
def test_whatever_the_clock_does_no_more_than_a_day_a_day_is_believed(steps: list[tuple[int, int]]) -> None:
    """As long as no time stands for a day."""
    hand = Hand()
    passed_ms = 0
    for step_ms, hours in steps:
        hand.wall_ms += step_ms if abs(step_ms) > 2 * HOUR_MS else 3 * HOUR_MS
        hand.wait(hours * HOUR_MS)
        passed_ms += hours * HOUR_MS
        assert hand.trusted() <= START_MS + 2 * passed_ms + DAY_MS


def test_a_step_back_is_noticed_once_and_by_how_much() -> None:
    now_ms = START_MS
    step_back = StepBack(lambda: now_ms)
    seen = []
    for step_ms in (5_000, -HOUR_MS, 1_000, -400, 1_000, HOUR_MS, -2 * HOUR_MS):
        now_ms += step_ms
        seen.append(step_back.look())
    assert seen == [0, HOUR_MS, 0, 0, 0, 0, 2 * HOUR_MS]
