from __future__ import annotations

from relay.core.conditions import Change, Condition, Conditions


def test_a_condition_is_told_once_when_it_begins_and_once_when_it_ends() -> None:
    told: list[Change] = []
    now_s = 10.0
    conditions = Conditions(lambda: now_s, told.append)
    conditions.begin(Condition.DISK_FULL, "database or disk is full")
    conditions.begin(Condition.DISK_FULL, "again")
    assert conditions.holds(Condition.DISK_FULL)
    assert list(conditions.current) == [Condition.DISK_FULL]
    now_s = 70.0
    conditions.end(Condition.DISK_FULL)
    conditions.end(Condition.DISK_FULL)
    assert not list(conditions.current)
    assert told == [
        Change(Condition.DISK_FULL, "database or disk is full", None),
        Change(Condition.DISK_FULL, "database or disk is full", 60.0),
    ]


def test_one_condition_says_nothing_of_another() -> None:
    told: list[Change] = []
    conditions = Conditions(lambda: 0.0, told.append)
    conditions.end(Condition.LOCKED)
    conditions.begin(Condition.LOCKED)
    conditions.begin(Condition.CLOCK_JUMPED)
    conditions.end(Condition.LOCKED)
    assert conditions.current == (Condition.CLOCK_JUMPED,)
    assert len(told) == 3
