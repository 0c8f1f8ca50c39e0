"""The REST Hook conformance checklist, points 21 to 33: unsubscribing, lists and samples."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Any

from relay.catalogue import Catalogue
from tests.apis.rest_hooks.platform import REVIEW, publish, subscribe
from tests.conftest import Relay
from tests.receiver import Receiver

EVENT_TYPES = Catalogue.load().ids()


async def test_unsubscribe_answers_204_without_a_body(relay: Relay) -> None:
    """21: and the hook is gone from the list."""
    hook = await subscribe(relay)
    response = await relay.call("DELETE", f"/api/v1/hooks/{hook['id']}")
    assert (response.status, await response.text()) == (204, "")
    assert await relay.json("GET", "/api/v1/hooks") == []


async def test_a_second_delete_and_a_strangers_look_the_same(relay: Relay) -> None:
    """22: the same 404, byte for byte, also for ids that cannot be; and the stranger removes nothing."""
    mine, removed = (await subscribe(relay))["id"], (await subscribe(relay))["id"]
    await relay.call("DELETE", f"/api/v1/hooks/{removed}")
    stranger = await relay.new_key("another")
    answers = [
        await relay.call("DELETE", f"/api/v1/hooks/{removed}"),
        await relay.call("DELETE", f"/api/v1/hooks/{mine}", key=stranger),
        *[await relay.call("DELETE", f"/api/v1/hooks/{one}") for one in ("x", "api-0", "%00", "%ff", "a" * 3000, "é")],
    ]
    assert {answer.status for answer in answers} == {404}
    assert {await answer.text() for answer in answers} == {'{"error":"no hook with that id"}'}
    assert [row["id"] for row in await relay.json("GET", "/api/v1/hooks")] == [mine]


async def test_a_delete_with_a_body_is_accepted(relay: Relay) -> None:
    """23: platforms send one with every request, or at least its content type."""
    extras: list[dict[str, Any]] = [{"json": {"id": "x"}}, {"data": b"{"}, {"data": b"[]"}, {"data": b""}]
    for extra in extras:
        hook = await subscribe(relay)
        headers = {"Content-Type": "application/json"}
        assert (await relay.call("DELETE", f"/api/v1/hooks/{hook['id']}", headers=headers, **extra)).status == 204


async def test_an_app_is_listed_while_a_hook_is_for_it(relay: Relay) -> None:
    """25: it goes with the last of them."""
    first, second = [await subscribe(relay, **REVIEW) for _ in range(2)]
    await relay.call("DELETE", f"/api/v1/hooks/{first['id']}")
    assert len(await relay.json("GET", "/api/v1/apps")) == 1
    await relay.call("DELETE", f"/api/v1/hooks/{second['id']}")
    assert await relay.json("GET", "/api/v1/apps") == []


async def test_a_hook_finds_itself_in_the_list(relay: Relay) -> None:
    """26: n8n looks for its id and its target when it starts."""
    hook = await subscribe(relay, "https://n8n.example.com/webhook/1", source="n8n", external_ref="workflow:7")
    [row] = await relay.json("GET", "/api/v1/hooks")
    assert {key: row[key] for key in ("id", "source", "target_url", "external_ref", "event_type")} == {
        "id": hook["id"],
        "source": "n8n",
        "target_url": "https://n8n.example.com/webhook/1",
        "external_ref": "workflow:7",
        "event_type": "clip.approved",
    }


async def test_the_list_is_oldest_first(relay: Relay) -> None:
    """26: in the order of subscribing, as far as a millisecond tells them apart."""
    made = []
    for _ in range(5):
        made.append((await subscribe(relay, **REVIEW))["id"])
        await asyncio.sleep(0.002)
    assert [row["id"] for row in await relay.json("GET", "/api/v1/hooks")] == made


async def test_the_apps_fill_a_drop_down(relay: Relay) -> None:
    """27: flat objects with an id and a label, each app once."""
    await subscribe(relay)
    for country in ("us", "de", "us"):
        await subscribe(relay, **REVIEW, country=country)
    await subscribe(relay, **REVIEW | {"store": "google", "app_id": "com.acme.notes"})
    apps = await relay.json("GET", "/api/v1/apps")
    assert [app["id"] for app in apps] == [
        "apple:284882215:de",
        "apple:284882215:us",
        "google:com.acme.notes:us",
    ]
    for app in apps:
        assert app["id"] == f"{app['store']}:{app['app_id']}:{app['country']}"
        assert app["label"]
        assert app["name"] is None


async def test_a_key_sees_only_the_hooks_of_its_workspace(relay: Relay, receiver: Receiver) -> None:
    """28: neither in the lists nor by their events."""
    await subscribe(relay, receiver.url("/mine"), **REVIEW)
    stranger = await relay.new_key("another")
    assert await relay.json("GET", "/api/v1/hooks", key=stranger) == []
    assert await relay.json("GET", "/api/v1/apps", key=stranger) == []
    payload = {"store": "apple", "app_id": "284882215", "rating": 1}
    await publish(relay, payload | {"review_id": "theirs"}, "review.created", workspace="another")
    await publish(relay, payload | {"review_id": "mine"}, "review.created")
    [request] = await receiver.wait_for(1, "/mine")
    assert json.loads(request.body)["review_id"] == "mine"


async def test_the_sample_is_one_review_by_default(relay: Relay) -> None:
    """29: in an array, for an empty event_type too."""
    default = await relay.json("GET", "/api/v1/sample")
    assert [sample["event_type"] for sample in default] == ["review.created"]
    assert await relay.json("GET", "/api/v1/sample?event_type=") == default
    assert await relay.json("GET", "/api/v1/sample?event_type=review.created&x=1") == default


async def test_the_sample_of_an_unknown_type_is_a_400(relay: Relay) -> None:
    """29: the text says where the known ones are."""
    for event_type in ("review.deleted", "*", "%00", "review.created%20", "a" * 5000, "../../etc"):
        answer = await relay.json("GET", f"/api/v1/sample?event_type={event_type}", status=400)
        assert answer["error"].startswith("event_type must be review.created or rating.dropped")
        assert "/api/v1/event-types" in answer["error"]


async def test_a_sample_has_a_stable_id(relay: Relay) -> None:
    """30: at the top level, the same on every call."""
    for event_type in EVENT_TYPES:
        [sample] = await relay.json("GET", f"/api/v1/sample?event_type={event_type}")
        assert sample["id"]
        assert isinstance(sample["id"], str)
        assert await relay.json("GET", f"/api/v1/sample?event_type={event_type}") == [sample]


def shape(value: Any) -> Any:
    """The keys and types of a JSON value."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shape(one) for one in value[:1]]
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


async def test_a_live_event_has_the_keys_and_types_of_the_sample(relay: Relay, receiver: Receiver) -> None:
    """31: recursively, for every type of the catalogue."""
    for known in Catalogue.load().types():
        [sample] = await relay.json("GET", f"/api/v1/sample?event_type={known.id}")
        app = {key: sample[key] for key in ("store", "app_id") if key in sample}
        rule = {"threshold": 4.5} if known.id == "rating.dropped" else {}
        await subscribe(relay, receiver.url(f"/{known.id}"), event_type=known.id, **app, **rule)
        await publish(relay, json.loads(known.sample.payload), known.id)
        [request] = await receiver.wait_for(1, f"/{known.id}")
        assert shape(json.loads(request.body)) == shape(sample)


async def test_a_sample_is_easy_to_map(relay: Relay) -> None:
    """32: dates are ISO 8601 with an offset, and no object is empty."""
    for event_type in EVENT_TYPES:
        [sample] = await relay.json("GET", f"/api/v1/sample?event_type={event_type}")
        dates = [value for key, value in sample.items() if key.endswith(("_iso", "occurred_at", "observed_at"))]
        assert all(datetime.fromisoformat(date).tzinfo is not None for date in dates if date is not None)
        assert {} not in sample.values()


async def test_the_sample_needs_a_key_and_nothing_else(relay: Relay) -> None:
    """33: any valid key, no data, and everybody sees the same."""
    key = await relay.new_key("empty", scopes=["invitations"])
    assert await relay.json("GET", "/api/v1/sample", key=key) == await relay.json("GET", "/api/v1/sample")
    await relay.json("GET", "/api/v1/sample", key=None, status=401)


async def test_the_event_types_fill_a_drop_down(relay: Relay) -> None:
    """33: those of the catalogue, with a label and what triggers them."""
    rows = await relay.json("GET", "/api/v1/event-types")
    assert tuple(row["id"] for row in rows) == EVENT_TYPES
    assert all(set(row) == {"id", "label", "description"} and all(row.values()) for row in rows)
