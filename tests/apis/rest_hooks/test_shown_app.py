"""A hook of an event type that has no store, given an app all the same, as clients of the contract give one to each."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apis.rest_hooks.platform import publish, subscribe
from tests.conftest import Relay
from tests.receiver import Receiver

APP = {"store": "apple", "app_id": "284882215"}
SHOWN = {**APP, "country": "us"}


def app_in(view: dict[str, Any]) -> dict[str, Any]:
    return {name: view[name] for name in ("store", "app_id", "country") if name in view}


async def test_it_is_told_back_and_shown_in_lists(relay: Relay) -> None:
    made = await subscribe(relay, **APP)
    assert (app_in(made), made["event_type"]) == (SHOWN, "clip.approved")
    plain = await subscribe(relay)
    assert app_in(plain) == {}
    assert [app_in(one) for one in await relay.json("GET", "/api/v1/hooks")] == [SHOWN, {}]
    [app] = await relay.json("GET", "/api/v1/apps")
    assert app["id"] == "apple:284882215:us"
    google = {"store": "google", "app_id": "com.acme.notes", "country": "DE"}
    assert app_in(await subscribe(relay, **google)) == {**google, "country": "de"}


async def test_it_holds_back_no_event(relay: Relay, receiver: Receiver) -> None:
    await subscribe(relay, receiver.url("/hook"), **APP)
    for payload in ({}, {"store": "google", "app_id": "com.acme.notes"}, {"app_id": 7, "country": "de"}):
        await publish(relay, payload)
    await receiver.wait_for(3, "/hook")


@pytest.mark.parametrize(
    ("given", "ignored"),
    [
        ({}, None),
        (APP, None),
        ({"store": "apple"}, "store"),
        ({"app_id": "284882215", "country": "de"}, "app_id, country"),
        ({"store": "banana", "app_id": "284882215"}, "store, app_id"),
        ({"store": "apple", "app_id": "no digits"}, "store, app_id"),
        ({**APP, "country": "zz"}, "store, app_id, country"),
        ({**APP, "min_stars": 3, "delta": 0.1, "threshold": "", "max_stars": None}, "min_stars, delta"),
    ],
)
async def test_what_is_not_kept_is_said(relay: Relay, given: dict[str, Any], ignored: str | None) -> None:
    body = {"target_url": "https://hooks.example.com/a", "event_type": "clip.approved", **given}
    answer = await relay.call("POST", "/api/v1/hooks", body)
    assert answer.status == 200
    assert answer.headers.get("Relay-Ignored") == ignored
    answer = await relay.call("POST", "/api/v1/hooks", body, headers={"Prefer": "handling=strict"})
    assert answer.status == (200 if ignored is None else 400)
    assert len(await relay.json("GET", "/api/v1/hooks")) == (2 if ignored is None else 1)


async def test_a_rule_of_the_other_store_event_is_said_too(relay: Relay) -> None:
    review = {"event_type": "review.created", **APP, "threshold": 3}
    rating = {"event_type": "rating.dropped", **APP, "threshold": 3, "min_stars": 2}
    for body, ignored in ((review, "threshold"), (rating, "min_stars")):
        answer = await relay.call("POST", "/api/v1/hooks", {"target_url": "https://hooks.example.com/a", **body})
        assert (answer.status, answer.headers["Relay-Ignored"]) == (200, ignored)
