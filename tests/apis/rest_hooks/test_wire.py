"""The body and the headers a hook gets."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.apis.rest_hooks.members import members
from relay.apis.rest_hooks.wire import WIRE, body
from relay.core.model import Claimed, Event, Subscription, SubscriptionState
from relay.core.wire import Signing

AT_MS = 1_791_364_325_678
ENVELOPE = ["id", "event_id", "event_type", "occurred_at", "occurred_at_unix"]
HOOK = Subscription(
    id="zapier-1a2b3c4d5e6f7a8b",
    workspace_id="ws",
    api="rest_hooks",
    target_url="https://hooks.example.com/1",
    event_filter=("order.created",),
    secret="sealed",
    created_at_ms=0,
    updated_at_ms=0,
)
OTHER = replace(HOOK, id="make-0000000000000001")


def event(payload: str, event_type: str = "order.created") -> Event:
    return Event("01M4AT4QM8JER7KX7P94TCRYYM", "ws", event_type, payload, AT_MS)


def sent(payload: dict[str, Any], event_type: str, hook: Subscription = HOOK) -> dict[str, Any]:
    found = json.loads(body(event(json.dumps(payload), event_type), hook))
    assert isinstance(found, dict)
    return found


def test_the_body_is_flat() -> None:
    """What every event has comes first, then the payload in its own order."""
    found = sent({"total": 5, "customer": {"name": "Dana"}}, "order.created")
    assert list(found) == [*ENVELOPE, "total", "customer"]
    assert found["id"] == found["event_id"] == "01M4AT4QM8JER7KX7P94TCRYYM"
    assert found["event_type"] == "order.created"
    assert found["occurred_at"] == "2026-10-07T09:12:05Z"
    assert found["occurred_at_unix"] == 1_791_364_325


def test_the_members_of_the_payload_keep_their_text() -> None:
    """Numbers that no float can hold, escapes and blanks within a value arrive as they were written."""
    text = body(event('{ "price" : 1.50, "big":9007199254740993, "note":"\\u00fc\\/" , "list": [1.0, 2] }'), HOOK)
    assert text.endswith(',"price":1.50,"big":9007199254740993,"note":"\\u00fc\\/","list":[1.0, 2]}')


def test_an_empty_payload_leaves_the_envelope() -> None:
    assert list(json.loads(body(event(" { } "), HOOK))) == ENVELOPE


def test_a_colliding_member_is_renamed() -> None:
    """Also when its new name is taken, or when it was written with escapes."""
    text = body(event('{"id":1,"\\u0065vent_type":2,"payload_id":3,"occurred_at":null}'), HOOK)
    found = json.loads(text)
    assert text.count('"id"') == text.count('"event_type"') == 1
    assert found["event_type"] == "order.created"
    assert [found["payload_payload_id"], found["payload_event_type"], found["payload_id"]] == [1, 2, 3]
    assert found["payload_occurred_at"] is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
payloads = st.dictionaries(st.sampled_from([*ENVELOPE, "payload_id", "a", "b"]) | st.text(), json_values, max_size=8)


@given(payloads, st.sampled_from([None, 1]))
def test_taking_an_object_apart_gives_each_member_unchanged(payload: dict[str, Any], indent: int | None) -> None:
    found = members(json.dumps(payload, indent=indent))
    assert {key: json.loads(value) for key, value in found.items()} == payload
    assert list(found) == list(payload)


@given(payloads)
def test_no_member_is_lost_whatever_it_is_called(payload: dict[str, Any]) -> None:
    """The body has as many members more as the envelope has, and the envelope stands."""
    found = sent(payload, "order.created")
    assert list(found)[:5] == ENVELOPE
    assert found["id"] == "01M4AT4QM8JER7KX7P94TCRYYM"
    assert list(found.values())[5:] == list(payload.values())


REVIEW = {
    "store": "apple",
    "app_id": "284882215",
    "review_id": "118",
    "rating": 2,
    "title": "Crashes",
    "body": "On export.",
    "author": "dana",
    "app_version": "4.2",
    "country": "us",
}
FALL = {
    "store": "google",
    "app_id": "a.b",
    "previous_rating": 4.5,
    "current_rating": 4.2,
    "rating_count": 10,
    "country": "us",
}
REVIEW_KEYS = {
    *("event_id", "occurrence_id", "event_type", "store", "app_id", "subscriber_id", "occurred_at", "observed_at"),
    *("schema_version", "review_id", "fingerprint", "content_hash", "rating", "title", "body", "author"),
    *("app_version", "country"),
}
RATING_KEYS = {
    *("event_id", "occurrence_id", "event_type", "store", "app_id", "subscriber_id", "occurred_at", "observed_at"),
    *("schema_version", "transition_id", "previous_rating", "current_rating", "delta", "rating_count", "trigger"),
    "threshold",
}


@pytest.mark.parametrize(("event_type", "keys"), [("review.created", REVIEW_KEYS), ("rating.dropped", RATING_KEYS)])
@pytest.mark.parametrize("payload", [{}, REVIEW, FALL])
def test_the_members_of_a_store_event_never_disappear(event_type: str, keys: set[str], payload: dict[str, Any]) -> None:
    """What the producer left out is null."""
    found = sent(payload, event_type)
    assert keys <= found.keys()
    assert all(found[key] == value for key, value in payload.items())


def test_every_hook_gets_its_own_event_id_for_one_occurrence() -> None:
    """Always the same one for the same hook, so that a receiver can tell a repetition."""
    mine, again, other = (sent(REVIEW, "review.created", hook) for hook in (HOOK, HOOK, OTHER))
    assert mine == again
    assert mine["id"] == mine["event_id"] != other["event_id"]
    assert mine["occurrence_id"] == other["occurrence_id"] == mine["fingerprint"]
    assert (mine["subscriber_id"], other["subscriber_id"]) == (HOOK.id, OTHER.id)


def test_an_edited_review_is_the_same_occurrence_with_other_content() -> None:
    first, edited = (sent(REVIEW | {"rating": stars}, "review.created") for stars in (2, 5))
    assert first["occurrence_id"] == edited["occurrence_id"]
    assert first["content_hash"] != edited["content_hash"]


def test_a_fall_is_one_for_each_rating_and_country() -> None:
    changes: list[dict[str, Any]] = [{}, {"current_rating": 4.1}, {"rating_count": 11}, {"country": "de"}]
    assert len({sent(FALL | change, "rating.dropped")["occurrence_id"] for change in changes}) == 4


def test_occurrences_without_an_identity_are_told_apart() -> None:
    """Two events that do not say which review they are about must not look like one."""
    one = event('{"store":"apple"}', "review.created")
    two = one._replace(id="01M4AT4QM8JER7KX7P94TCRYYN")
    ids = {json.loads(body(each, HOOK))["occurrence_id"] for each in (one, two)}
    assert len(ids) == 2


def test_what_the_producer_knows_better_stands() -> None:
    """The time in the store, the time of the poll, and the identities it has computed itself."""
    known = {"occurrence_id": "o1", "content_hash": "c1"}
    known |= {"occurred_at": "2026-10-01T02:00:00+02:00", "observed_at": "x"}
    found = sent(REVIEW | known, "review.created")
    assert (found["occurrence_id"], found["fingerprint"], found["content_hash"]) == ("o1", "o1", "c1")
    assert (found["occurred_at"], found["occurred_at_unix"]) == ("2026-10-01T00:00:00Z", 1_790_812_800)
    assert found["observed_at"] == "2026-10-07T09:12:05Z"


@pytest.mark.parametrize(
    ("rule", "previous", "trigger", "threshold"),
    [
        ({"below": 4.5}, 4.5, "threshold", 4.5),
        ({"by": 0.3}, 4.5, "delta", None),
        ({"below": 4.3, "by": 0.1}, 4.5, "threshold", 4.3),
        ({"below": 4.6, "by": 0.1}, 4.5, "delta", 4.6),
    ],
)
def test_a_fall_is_told_by_the_rule_of_the_hook(
    rule: dict[str, float], previous: float, trigger: str, threshold: float | None
) -> None:
    """The producer knows the ratings; which rule fired depends on the hook, whatever the payload says."""
    hook = replace(HOOK, conditions={"falls": {"from": "previous_rating", "to": "current_rating", **rule}})
    said = {"trigger": "x", "threshold": 1, "delta": 7, "previous_rating": previous}
    found = sent(FALL | said, "rating.dropped", hook)
    assert (found["trigger"], found["threshold"]) == (trigger, threshold)
    assert found["delta"] == -0.3


def test_further_members_of_a_store_payload_follow() -> None:
    found = sent(REVIEW | {"language": "en", "event_id": "mine", "subscriber_id": "x"}, "review.created")
    assert (found["language"], found["payload_event_id"]) == ("en", "mine")
    assert found["subscriber_id"] == HOOK.id


@pytest.mark.parametrize("event_type", ["order.created", "review.created", "rating.dropped"])
def test_the_headers_repeat_the_id_and_sign_the_body(event_type: str) -> None:
    """The newest of two valid secrets makes the one digest; only the attempt's number changes between tries."""
    text = body(event(json.dumps(REVIEW), event_type), HOOK)
    claimed = Claimed(
        id="01D",
        event_id="01E",
        event_type=event_type,
        body=text,
        body_number=0,
        attempts_made=0,
        created_at_ms=AT_MS,
        subscription=HOOK,
    )
    signed = Signing(1_800_000_000, text.encode(), ("old", "new"))
    first, second = (dict(WIRE.headers(claimed, signed, attempt, WIRE.signature(signed))) for attempt in (1, 2))
    assert first["x-radar-event-id"] == json.loads(text)["event_id"]
    assert first["x-radar-signature"] == "sha256=" + hmac.new(b"new", text.encode(), hashlib.sha256).hexdigest()
    assert first | {"x-radar-attempt": "2"} == second


def test_hooks_are_retried_for_hours_and_switched_off_after_days() -> None:
    retry = WIRE.retry
    assert retry.schedule_s == (30, 120, 600, 3600, 21600)
    assert not retry.client_errors_are_final
    assert (retry.switch_off_after, retry.switch_off_not_before_s) == (25, 5 * 24 * 3600)
    assert retry.switch_off_to is SubscriptionState.DISABLED
