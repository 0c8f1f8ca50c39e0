"""Which events a subscription wants."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.errors import InputError
from relay.core.matching import check_filter, fall, matches_type, meets


@pytest.mark.parametrize(
    ("glob", "event_type", "expected"),
    [
        ("*", "order", True),
        ("*", "order.created.late", True),
        ("order.created", "order.created", True),
        ("order.created", "order.updated", False),
        ("order.*", "order.created", True),
        ("order.*", "order.created.late", True),
        ("order.*", "order", False),
        ("order.*", "orders.created", False),
        ("*.created", "order.created", True),
        ("*.created", "shop.order.created", False),
        ("*.created", "created", False),
        ("*.*", "order.created", True),
        ("*.*", "shop.order.created", True),
        ("*.*", "order", False),
        ("shop.*.created", "shop.order.created", True),
        ("shop.*.created", "shop.created", False),
        ("shop.*.created", "shop.order.line.created", False),
        ("order-*.created", "order-eu.created", True),
        ("order-*.created", "order-.created", True),
        ("order-*.created", "order-eu.late.created", False),
        ("ord*", "order", True),
        ("ord*", "order.created", False),
        ("o*d*r.*", "order.created", True),
        ("o*rr", "or", False),
        ("ab*ba", "aba", False),
        ("order.cr*", "order.created", True),
        ("order.cr*", "order.created.late", False),
        ("order?created", "order.created", False),
    ],
)
def test_a_glob_is_compared_segment_by_segment(glob: str, event_type: str, expected: bool) -> None:
    """An asterisk stays in its segment, except that a whole last one stands for one or more."""
    assert matches_type((glob,), event_type) is expected


def test_any_glob_of_a_filter_suffices() -> None:
    """A filter is a list of alternatives, and an empty one wants nothing."""
    assert matches_type(("clip.*", "order.created"), "order.created")
    assert not matches_type(("clip.*", "order.created"), "order.updated")
    assert not matches_type((), "order.created")


@given(st.from_regex(r"[a-z0-9._-]{1,128}", fullmatch=True))
def test_every_event_type_is_a_filter_for_itself(event_type: str) -> None:
    """What can be published can be subscribed to by its exact name."""
    check_filter(event_type)
    assert matches_type((event_type,), event_type)
    assert matches_type(("*",), event_type)


@settings(max_examples=50)
@given(st.text("a*.", min_size=1, max_size=128), st.text("a.", min_size=1, max_size=128))
def test_a_hostile_glob_gives_an_answer(glob: str, event_type: str) -> None:
    """Sixty asterisks against a hundred letters would keep a backtracking matcher busy for ever."""
    assert matches_type((glob,), event_type) in (True, False)
    assert not matches_type(("a*" * 63 + "b",), "a" * 128)


@pytest.mark.parametrize("text", ["*", "order.*", "order.created", "a*b", "a_b-c.1", "x" * 128])
def test_a_good_filter_passes(text: str) -> None:
    check_filter(text)


@pytest.mark.parametrize("text", ["", " ", "Order.*", "order.?", "order.[ab]", "order created", "x" * 129, "a\n", "ä"])
def test_a_bad_filter_is_refused_with_what_to_fix(text: str) -> None:
    with pytest.raises(InputError, match=r"order\.\*"):
        check_filter(text)


@pytest.mark.parametrize(
    ("conditions", "payload", "expected"),
    [
        ({}, {}, True),
        ({"equals": {"store": "apple"}}, {"store": "apple"}, True),
        ({"equals": {"store": "apple"}}, {"store": "google"}, False),
        ({"equals": {"store": "apple"}}, {"store": None}, False),
        ({"equals": {"store": "apple"}}, {}, False),
        ({"equals": {"store": "apple", "app_id": "1"}}, {"store": "apple", "app_id": "2"}, False),
        ({"equals": {"app_id": "1"}}, {"app_id": 1}, False),
        ({"equals": {"count": 1}}, {"count": True}, False),
        ({"equals": {"paid": True}}, {"paid": 1}, False),
        ({"equals": {"paid": True}}, {"paid": True}, True),
        ({"equals": {"note": None}}, {}, False),
        ({"equals_if_present": {"country": "us"}}, {"country": "us"}, True),
        ({"equals_if_present": {"country": "us"}}, {"country": "de"}, False),
        ({"equals_if_present": {"country": "us"}}, {"country": None}, True),
        ({"equals_if_present": {"country": "us"}}, {}, True),
        ({"between": {"rating": [1, 3]}}, {"rating": 1}, True),
        ({"between": {"rating": [1, 3]}}, {"rating": 3.0}, True),
        ({"between": {"rating": [1, 3]}}, {"rating": 3.01}, False),
        ({"between": {"rating": [1, 3]}}, {"rating": 0}, False),
        ({"between": {"rating": [1, 3]}}, {"rating": "2"}, False),
        ({"between": {"rating": [0, 1]}}, {"rating": True}, False),
        ({"between": {"rating": [1, 3]}}, {"rating": None}, False),
        ({"between": {"rating": [1, 3]}}, {}, False),
        ({"equals": {"store": "apple"}, "between": {"rating": [1, 3]}}, {"store": "apple", "rating": 2}, True),
        ({"equals": {"store": "apple"}, "between": {"rating": [1, 3]}}, {"store": "apple", "rating": 5}, False),
    ],
)
def test_all_the_conditions_must_hold(conditions: dict[str, Any], payload: dict[str, Any], expected: bool) -> None:
    """Missing, null and values of another type never hold, except where absence is allowed."""
    assert meets(conditions, payload) is expected


@pytest.mark.parametrize(
    "conditions",
    [
        {"matches": {"store": "a.*"}},
        {"equals": {"store": "apple"}, "matches": {}},
        {"equals": ["store"]},
        {"equals": None},
        {"between": {"rating": 3}},
        {"between": {"rating": [1]}},
        {"between": {"rating": [1, None]}},
        {"falls": None},
        {"falls": {}},
    ],
)
def test_conditions_that_are_not_understood_are_never_met(conditions: dict[str, Any]) -> None:
    """A newer or damaged rule must not open the gate."""
    assert not meets(conditions, {"store": "apple", "rating": 3})


@pytest.mark.parametrize(
    ("rule", "before", "after", "expected"),
    [
        ({"below": 4.5}, 4.5, 4.49, "below"),
        ({"below": 4.5}, 4.7, 4.5, None),
        ({"below": 4.5}, 4.4, 4.2, None),
        ({"below": 4.5}, 4.4, 4.6, None),
        ({"by": 0.3}, 4.5, 4.2, "by"),
        ({"by": 0.3}, 4.5, 4.21, None),
        ({"by": 0.1}, 0.3, 0.2, "by"),
        ({"by": 0}, 4.5, 4.49, "by"),
        ({"by": 0}, 4.5, 4.5, None),
        ({"by": 0}, 4.5, 4.6, None),
        ({"below": 4.5, "by": 0.1}, 4.6, 4.4, "below"),
        ({"below": 4.5, "by": 0.1}, 4.4, 4.3, "by"),
        ({"below": 4.5, "by": 0.1}, 4.9, 4.85, None),
        ({"below": None, "by": 0.1}, 4.9, 4.8, "by"),
        ({}, 4.9, 1.0, None),
        ({"by": 0}, None, 4.0, None),
        ({"by": 0}, 4.0, None, None),
        ({"by": 0}, "4.0", 3.0, None),
        ({"by": 0}, True, 0, None),
        ({"by": 0}, float("inf"), 4.0, None),
        pytest.param({"by": 1}, 10**5000, 1, "by", id="five thousand digits"),
    ],
)
def test_a_fall_is_judged_in_decimals(
    rule: dict[str, Any], before: object, after: object, expected: str | None
) -> None:
    """4.5 to 4.2 is a fall of 0.3, which floats deny; either rule suffices, and the threshold is named first."""
    whole = {"from": "previous_rating", "to": "current_rating", **rule}
    payload = {"previous_rating": before, "current_rating": after}
    assert fall(whole, payload) == expected
    assert meets({"falls": whole}, payload) is (expected is not None)
