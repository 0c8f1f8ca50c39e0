"""The newest events as a hook would have got them: what an editor shows while a flow is built."""

from __future__ import annotations

import json
from typing import Any

import pytest

from relay.apis.rest_hooks import recent
from relay.catalogue import Catalogue
from tests.apis.rest_hooks.platform import publish, subscribe
from tests.apis.rest_hooks.test_checklist_lists import shape
from tests.conftest import Relay
from tests.receiver import Receiver

APP = {"store": "apple", "app_id": "284882215"}
OTHER_APP = {"store": "google", "app_id": "com.acme.notes"}
FALL = {**APP, "previous_rating": 4.6, "current_rating": 4.2, "rating_count": 10}


async def recents(relay: Relay, event_type: str | None, **query: Any) -> list[dict[str, Any]]:
    params = {key: str(value) for key, value in {"event_type": event_type, **query}.items() if value is not None}
    found: list[dict[str, Any]] = await relay.json("GET", "/api/v1/events", params=params)
    return found


async def sample(relay: Relay, event_type: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await relay.json("GET", f"/api/v1/sample?event_type={event_type}")
    return found


async def refusal(relay: Relay, **query: Any) -> str:
    params = {key: str(value) for key, value in query.items()}
    text: str = (await relay.json("GET", "/api/v1/events", params=params, status=400))["error"]
    return text


async def reviews(relay: Relay, *given: dict[str, Any]) -> None:
    """Publish reviews of the app, in this order."""
    for number, one in enumerate(given):
        await publish(relay, {**APP, "review_id": f"r{number}", **one}, "review.created")


async def test_the_newest_events_of_the_type_come_first(relay: Relay) -> None:
    """Three of them, unless another number is asked for."""
    for number in range(12):
        await publish(relay, {"clip_id": f"clip_{number}"})
        await publish(relay, {"number": number}, "render.succeeded")
    clips = [f"clip_{number}" for number in reversed(range(12))]
    assert [one["clip_id"] for one in await recents(relay, "clip.approved")] == clips[:3]
    assert [one["clip_id"] for one in await recents(relay, "clip.approved", limit="")] == clips[:3]
    for limit in (1, 7, 10):
        assert [one["clip_id"] for one in await recents(relay, "clip.approved", limit=limit)] == clips[:limit]


@pytest.mark.parametrize("event_type", Catalogue.load().ids())
async def test_without_an_event_the_sample_is_shown(relay: Relay, event_type: str) -> None:
    """An editor that is shown nothing has no fields to offer."""
    await publish(relay, {}, "another.type")
    await publish(relay, {**APP, **FALL}, event_type, workspace="another")
    assert await recents(relay, event_type) == await sample(relay, event_type)


@pytest.mark.parametrize("event_type", Catalogue.load().ids())
async def test_an_event_is_shown_as_a_hook_gets_it(relay: Relay, receiver: Receiver, event_type: str) -> None:
    """The very body, but for what a store event says about the hook itself; with the keys and types of the sample."""
    known = Catalogue.load().get(event_type)
    assert known is not None
    [made_up] = await sample(relay, event_type)
    inputs: dict[str, Any] = {key: made_up[key] for key in ("store", "app_id", "country") if key in made_up}
    inputs |= {"threshold": 4.5} if event_type == "rating.dropped" else {}
    await subscribe(relay, receiver.url("/hook"), event_type=event_type, **inputs)
    await publish(relay, json.loads(known.sample.payload), event_type)
    [request] = await receiver.wait_for(1, "/hook")
    [shown] = await recents(relay, event_type, **inputs)
    assert shape(shown) == shape(made_up)
    got = json.loads(request.body)
    of_the_hook = {"id", "event_id", "subscriber_id"} if "subscriber_id" in got else set()
    assert {key: shown[key] for key in shown if key not in of_the_hook} == {
        key: got[key] for key in got if key not in of_the_hook
    }
    assert list(shown) == list(got)


async def test_it_is_the_same_event_on_every_call(relay: Relay) -> None:
    """Platforms tell records apart by their `id`."""
    await reviews(relay, {"rating": 5}, {"rating": 4})
    first = await recents(relay, "review.created", **APP)
    assert len({one["id"] for one in first}) == 2
    assert await recents(relay, "review.created", **APP) == first


async def test_the_inputs_choose_as_a_hooks_do(relay: Relay) -> None:
    await reviews(
        relay,
        {"rating": 1, "country": "us"},
        {"rating": 3, "country": "de"},
        {"rating": 4},
        {"rating": 5, "country": "us"},
        {**OTHER_APP, "rating": 2},
    )

    async def ratings(**query: Any) -> list[int]:
        return [one["rating"] for one in await recents(relay, "review.created", limit=10, **query)]

    assert await ratings(**APP) == [5, 4, 1]
    assert await ratings(**APP, country="DE") == [4, 3]
    assert await ratings(**APP, min_stars=2) == [5, 4]
    assert await ratings(**APP, max_stars=4, threshold="99", crumb="x") == [4, 1]
    assert await ratings(**OTHER_APP) == [2]
    assert await recents(relay, "review.created", **APP, min_stars=2, max_stars=3) == await sample(
        relay, "review.created"
    )


async def test_a_rating_is_shown_to_the_rule_it_meets(relay: Relay) -> None:
    """With the trigger and the threshold of that rule."""
    await publish(relay, FALL, "rating.dropped")
    [below] = await recents(relay, "rating.dropped", **APP, threshold=4.5, delta=0.3)
    assert (below["trigger"], below["threshold"]) == ("threshold", 4.5)
    [by] = await recents(relay, "rating.dropped", **APP, delta="0.4")
    assert (by["trigger"], by["threshold"]) == ("delta", None)
    for rule in ({"threshold": 4.1}, {"delta": 0.5}):
        assert await recents(relay, "rating.dropped", **APP, **rule) == await sample(relay, "rating.dropped")


async def test_a_form_may_be_half_filled_in(relay: Relay) -> None:
    """What the form still lacks chooses nothing; what it has counts."""
    await reviews(relay, {"rating": 1}, {"rating": 5}, {**OTHER_APP, "rating": 4})
    await publish(relay, FALL, "rating.dropped")

    async def ratings(**query: Any) -> list[int]:
        return [one["rating"] for one in await recents(relay, None, **query)]

    assert await ratings() == [4, 5, 1]
    blank = dict.fromkeys(("store", "app_id", "country", "min_stars", "max_stars", "limit"), "")
    assert await recents(relay, "", **blank) == await recents(relay, None)
    assert await ratings(store="apple") == [5, 1]
    assert await ratings(min_stars=2, max_stars=4) == [4]
    for query in ({}, {"store": "apple"}, APP, {"delta": 0.4}):
        assert [one["current_rating"] for one in await recents(relay, "rating.dropped", **query)] == [4.2]
    assert await recents(relay, "rating.dropped", delta=1) == await sample(relay, "rating.dropped")


async def test_each_mistake_has_the_text_of_subscribe(relay: Relay) -> None:
    """Of the fields that the event type has a use for."""
    mistakes: list[tuple[dict[str, Any], str]] = [
        ({"store": "amazon"}, "store must be apple or google"),
        ({"app_id": "284882215"}, "store must be apple or google"),
        ({"store": "apple", "app_id": "com.acme.notes"}, "app_id must be digits for apple"),
        ({"store": "google", "app_id": "1"}, "app_id must be a package name for google"),
        ({"country": "usa"}, "country must be a two-letter storefront code"),
        ({"min_stars": 0}, "min_stars must be between 1 and 5"),
        ({"max_stars": "many"}, "max_stars must be between 1 and 5"),
        ({"min_stars": 4, "max_stars": 3}, "min_stars must not be greater than max_stars"),
        ({"event_type": "rating.dropped", "threshold": 6}, "threshold must be between 1 and 5"),
        ({"event_type": "rating.dropped", "delta": -1}, "delta must be between 0 and 4"),
    ]
    for query, text in mistakes:
        assert await refusal(relay, **query) == text
        target = {"target_url": "https://hooks.example.com/x"}
        whole = {"event_type": "review.created", **APP, **query} if "app_id" not in query else {**query}
        body = {**target, "event_type": "review.created", **whole}
        assert (await relay.json("POST", "/api/v1/hooks", body, status=400))["error"] == text
    for limit in (0, 11, -1, "x", "2.5", "1e9"):
        assert await refusal(relay, event_type="clip.approved", limit=limit) == "limit must be between 1 and 10"
    for event_type in ("review.deleted", "*", "a" * 5000):
        assert "/api/v1/event-types" in await refusal(relay, event_type=event_type)
    assert await recents(relay, "clip.approved", store="amazon", min_stars=99) == await sample(relay, "clip.approved")


async def test_only_so_many_of_the_newest_are_looked_at(relay: Relay) -> None:
    """The one that matches is found while it is among them, over page after page, and not beyond."""
    others = [{"type": "review.created", "payload": {**OTHER_APP, "rating": 5}}] * (recent.LOOKED_AT - 1)
    await reviews(relay, {"rating": 3})
    await relay.json("POST", "/v1/events/batch", {"events": others}, status=202)
    assert [one["rating"] for one in await recents(relay, "review.created", **APP)] == [3]
    await publish(relay, {**OTHER_APP, "rating": 5}, "review.created")
    assert await recents(relay, "review.created", **APP) == await sample(relay, "review.created")


async def test_a_workspace_sees_its_own_events_only(relay: Relay) -> None:
    await publish(relay, {"clip_id": "theirs"}, workspace="another")
    await publish(relay, {"clip_id": "mine"})
    assert [one["clip_id"] for one in await recents(relay, "clip.approved")] == ["mine"]


async def test_it_takes_the_scope_of_a_hook(relay: Relay) -> None:
    """What it shows is what a hook gets, personal links and all: a key that may not subscribe may not look either."""
    key = await relay.new_key(scopes=["events", "webhooks"])
    assert (await relay.call("GET", "/api/v1/events?event_type=invitation.created", key=key)).status == 403
    assert (await relay.call("GET", "/api/v1/events", key=None)).status == 401
