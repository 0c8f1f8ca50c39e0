"""Identifiers: in order where they are listed, unguessable where they are handed out."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from relay.core.ids import UlidClock, prefixed, token, ulid, ulid_floor

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NOW_MS = 1_800_000_000_123


def time_of(one: str) -> int:
    value = 0
    for character in one[:10]:
        value = value * 32 + CROCKFORD.index(character)
    return value


@given(st.integers(0, 2**48 - 1))
def test_a_ulid_holds_its_time(now_ms: int) -> None:
    """26 characters of Crockford's base 32, the first ten of which are the millisecond."""
    one = UlidClock().next(now_ms)
    assert re.fullmatch(rf"[0-7][{CROCKFORD}]{{25}}", one)
    assert time_of(one) == now_ms


@given(st.lists(st.integers(0, 2**48 - 1), min_size=2, max_size=50))
def test_ulids_never_go_down_whatever_the_wall_clock_does(times: list[int]) -> None:
    """Also within one millisecond, and when the clock steps back: a reader that pages by id must miss nothing."""
    clock = UlidClock()
    made = [clock.next(now_ms) for now_ms in times]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_ulids_of_one_millisecond_are_strictly_rising() -> None:
    made = [ulid(NOW_MS) for _ in range(5_000)]
    assert all(one < other for one, other in pairwise(made))


def test_threads_never_share_a_ulid() -> None:
    """The writer thread and the event loop both make them."""
    clock = UlidClock()
    with ThreadPoolExecutor(4) as pool:
        batches = list(pool.map(lambda _: [clock.next(NOW_MS) for _ in range(500)], range(4)))
    assert all(batch == sorted(batch) for batch in batches)
    assert len({one for batch in batches for one in batch}) == 2_000


def test_two_processes_differ_within_a_millisecond() -> None:
    """What follows the time is random."""
    assert len({UlidClock().next(NOW_MS) for _ in range(200)}) == 200


def test_a_token_is_lower_case_base_32() -> None:
    made = {token() for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(r"[a-z2-7]{12}", one) for one in made)


def test_a_prefixed_id_says_what_it_names() -> None:
    assert re.fullmatch(r"sub_[a-z2-7]{16}", prefixed("sub"))
    assert len(prefixed("clip", 20)) == len("clip_") + 20


@given(st.integers(-(2**63), 2**63), st.integers(0, 2**48 - 1))
def test_the_floor_of_any_time_is_below_what_is_made_after_it_and_above_what_was_made_before(
    floor_ms: int, made_ms: int
) -> None:
    """Also of a time before 1970, as a retention of a hundred years asks for, and of one no ULID can hold."""
    floor, made = ulid_floor(floor_ms), UlidClock().next(made_ms)
    assert re.fullmatch(rf"[0-7][{CROCKFORD}]{{25}}", floor)
    assert (made < floor) == (made_ms < min(floor_ms, 2**48 - 1))


@given(st.one_of(st.integers(-(2**63), -1), st.integers(2**48, 2**63)))
def test_a_clock_that_no_ulid_can_hold_still_makes_ids_that_rise(now_ms: int) -> None:
    clock = UlidClock()
    made = [clock.next(at_ms) for at_ms in (now_ms, now_ms + 1, now_ms - 1)]
    assert made == sorted(set(made))
    assert all(re.fullmatch(rf"[0-7][{CROCKFORD}]{{25}}", one) for one in made)
