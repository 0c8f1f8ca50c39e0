"""What happens often is added up: nothing is lost in it, and it has a bound."""

from __future__ import annotations

from relay.core.tally import Rest, Sum, Tally


def test_sums_are_by_key_and_have_the_newest() -> None:
    tally: Tally[str, int] = Tally(10)
    tally.add("a", 1, 1)
    tally.add("b", 5, 2)
    tally.add("a", 2, 3)
    assert tally.take(10) == ([Sum("b", 5, 2), Sum("a", 3, 3)], Rest(0, 0))
    assert not tally
    assert tally.take(10) == ([], Rest(0, 0))


def test_what_is_not_among_the_largest_is_one_sum() -> None:
    tally: Tally[int, None] = Tally(1_000)
    for key in range(500):
        tally.add(key, 1, None)
    tally.add(7, 1, None)
    sums, rest = tally.take(20)
    assert sums[0] == Sum(7, 2, None)
    assert len(sums) == 20
    assert rest == Rest(480, 480)
    assert sum(one.times for one in sums) + rest.times == 501


def test_however_many_keys_there_are_it_keeps_few_and_counts_all() -> None:
    tally: Tally[int, None] = Tally(100)
    for key in range(10_000):
        tally.add(key, 3, None)
    assert len(tally._sums) == 100
    sums, rest = tally.take(20)
    assert len(sums) == 20
    assert sum(one.times for one in sums) + rest.times == 30_000
