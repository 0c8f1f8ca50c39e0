"""What Make's app does, done to a real `relay serve`: its requests, its forms, its bundles and its errors."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from integrations.generate import make, source
from tests.conftest import KEY
from tests.integrations.conftest import INTEGRATIONS, key_for
from tests.integrations.make_app import MakeApp, MakeError
from tests.integrations.make_shapes import mismatches
from tests.receiver import Receiver
from tests.whole.process import Serve, free_port, serve

APP = INTEGRATIONS / "make" / "src"
SAMPLES = INTEGRATIONS.parent / "sample_events"
EVENT_TYPES = source.from_files()
STORE = {"store": "apple", "app_id": "999000111"}
FORMS: dict[str, dict[str, Any]] = {
    "review.created": {**STORE, "min_stars": 1, "max_stars": 3},
    "rating.dropped": {"store": "google", "app_id": "com.acme.notes", "threshold": 4.5},
}
"""What the webhook dialogs are filled in with so that the samples pass."""
CUSTOMER = {"customer_email": "dana@example.com", "customer_name": "Dana Whitlock"}


@pytest.fixture
async def app(relay_process: Serve) -> AsyncIterator[MakeApp]:
    """With a connection; when all is over, nothing secret may stand in what Make has logged."""
    connected = MakeApp(APP, relay_process.session)
    await connected.connect(baseUrl=relay_process.url, apiKey=KEY)
    yield connected
    assert connected.log
    assert not [entry for entry in connected.log if re.search(rf"{KEY}|whsec_|/catch/|/r/\w+\.(?!sample)", entry)]


async def _hooks(app: MakeApp) -> list[dict[str, Any]]:
    [answer] = await app.run("makeApiCall", path="api/v1/hooks", method="GET")
    hooks: list[dict[str, Any]] = answer["body"]
    return hooks


async def _publish(app: MakeApp, event_type: str, key: str = "first") -> dict[str, Any]:
    """Publish the catalogue's sample; the answer is the event."""
    [file] = SAMPLES.glob(f"*/{event_type}.json")
    payload = json.dumps(json.loads(file.read_text())["payload"])
    [event] = await app.run("publishEvent", event_type=event_type, payload=payload, idempotency_key=key)
    assert isinstance(event, dict)
    return event


async def _delivered(app: MakeApp, event: dict[str, Any]) -> dict[str, Any]:
    """The one delivery of an event, once it has succeeded."""
    async with asyncio.timeout(10):
        while not (found := await app.run("searchDeliveries", event_id=event["id"], status="success")):
            await asyncio.sleep(0.05)
    [delivery] = found
    assert isinstance(delivery, dict)
    return delivery


def _fits(app: MakeApp, module: str, bundle: Any) -> None:
    assert list(mismatches(app.code("module", module, "interface"), bundle)) == []


# --- connection


async def test_a_connection_shows_where_it_leads(relay_process: Serve) -> None:
    app = MakeApp(APP, relay_process.session)
    host = relay_process.url.removeprefix("http://")

    assert await app.connect(baseUrl=relay_process.url, apiKey=KEY) == f"default on {host}"
    assert app.connection == {"baseUrl": relay_process.url, "apiKey": KEY}
    assert KEY not in app.log[0]


async def test_a_connection_shows_that_its_key_may_not_subscribe(relay_process: Serve, tmp_path: Path) -> None:
    app = MakeApp(APP, relay_process.session)
    key = await key_for("submissions", tmp_path / "relay")

    label = await app.connect(baseUrl=relay_process.url, apiKey=key)

    assert label.startswith("default (this key lacks the hooks scope) on 127.0.0.1:")


async def test_a_wrong_key_is_told_when_the_connection_is_saved(relay_process: Serve) -> None:
    app = MakeApp(APP, relay_process.session)

    with pytest.raises(MakeError, match=r"^\[401\] .+ Check API Key") as refused:
        await app.connect(baseUrl=relay_process.url, apiKey="rp_live_" + "x" * 32)
    assert refused.value.kind == "InvalidAccessTokenError"
    assert "xxxx" not in refused.value.message


async def test_another_server_is_no_relay(relay_process: Serve, receiver: Receiver) -> None:
    app = MakeApp(APP, relay_process.session)

    with pytest.raises(MakeError, match="it is not Relay"):
        await app.connect(baseUrl=receiver.url(""), apiKey=KEY)
    with pytest.raises(MakeError, match=r"^\[404\] .+ Check Relay Address"):
        await app.connect(baseUrl=receiver.url("/status/404?"), apiKey=KEY)


@pytest.mark.parametrize(
    ("address", "taken"),
    [
        ("https://relay.example.com", True),
        ("https://example.com:8443/relay", True),
        ("https://relay.example.com/", False),
        ("http://relay.example.com", False),
        ("relay.example.com", False),
        ("https://relay.example.com?x=1", False),
    ],
)
def test_the_form_asks_for_an_address_that_paths_can_follow(address: str, taken: bool) -> None:
    [parameter, _] = json.loads((APP / "connections" / "relay" / "relay.params.iml.json").read_text())

    assert bool(re.search(parameter["validate"]["pattern"], address)) == taken


# --- drop-downs and fields


async def test_every_event_type_is_in_the_drop_down(app: MakeApp) -> None:
    assert await app.rpc("eventTypes") == [{"label": one["label"], "value": one["id"]} for one in EVENT_TYPES]


async def test_watch_events_shows_what_the_named_triggers_show(app: MakeApp) -> None:
    """The one asks the server, the others were generated."""
    for event_type in (one["id"] for one in EVENT_TYPES):
        name = make.component_name(event_type)
        interface = app.code("module", name, "interface")
        generated = [{key: value for key, value in one.items() if key != "spec"} for one in interface]
        sample = app.code("module", name, "samples")

        assert await app.rpc("eventInputs", {"event_type": event_type}) == app.code("webhook", name, "params")
        assert await app.rpc("eventFields", event_type=event_type) == generated
        assert await app.rpc("eventSample", event_type=event_type, **FORMS.get(event_type, {})) == [sample]


async def test_watch_events_shows_the_newest_event_that_its_webhook_would_get(app: MakeApp, receiver: Receiver) -> None:
    kept = await app.attach("events", receiver.url(), {"event_type": "review.created", **STORE, "max_stars": 4})
    for stars, key in [(4, "match"), (5, "too many stars")]:
        payload = json.dumps({**STORE, "rating": stars, "title": key})
        await app.run("publishEvent", event_type="review.created", payload=payload, idempotency_key=str(stars))

    [sample] = await app.rpc("eventSample", **kept)

    assert (sample["rating"], sample["title"]) == (4, "match")


async def test_an_app_is_offered_once_a_hook_is_for_it(app: MakeApp, receiver: Receiver) -> None:
    assert await app.rpc("apps") == []

    await app.attach("onReviewCreated", receiver.url("/catch/1"), FORMS["review.created"])

    assert await app.rpc("apps") == [{"label": "999000111 (apple, us)", "value": "999000111"}]


# --- instant triggers


@pytest.mark.parametrize("named", [True, False], ids=["named", "watch-events"])
async def test_an_event_of_any_type_starts_a_scenario(app: MakeApp, receiver: Receiver, named: bool) -> None:
    for event_type in (one["id"] for one in EVENT_TYPES):
        name, path = make.component_name(event_type), f"/catch/{event_type}"
        webhook, trigger = (name, name) if named else ("events", "watchEvents")
        form = FORMS.get(event_type, {}) | ({} if named else {"event_type": event_type})

        kept = await app.attach(webhook, receiver.url(path), form)

        [hook] = await _hooks(app)
        assert hook["id"] == kept["externalHookId"]
        assert hook["id"].startswith("make-")
        assert hook["external_ref"] == "4711"
        assert (hook["event_type"], hook["target_url"]) == (event_type, receiver.url(path))

        await _publish(app, event_type, key=event_type)
        [request] = await receiver.wait_for(1, path)
        bundle = app.receive(trigger, request.body, form)
        _fits(app, name, bundle)
        assert bundle["event_type"] == event_type
        # Make hands the parsed body to an app, so this is not checked there; what the app keeps would be enough.
        digest = hmac.new(kept["secret"].encode(), request.body, hashlib.sha256).hexdigest()
        assert request.header("x-radar-signature") == f"sha256={digest}"

        await app.detach(webhook, kept)
        assert await _hooks(app) == []


async def test_a_hook_is_only_for_what_its_form_says(app: MakeApp, receiver: Receiver) -> None:
    await app.attach("onReviewCreated", receiver.url("/catch/few"), {**STORE, "max_stars": 2})
    await app.attach("onReviewCreated", receiver.url("/catch/many"), {**STORE, "min_stars": 4})

    event = await _publish(app, "review.created")  # two stars

    await _delivered(app, event)
    assert [request.path for request in receiver.requests] == ["/catch/few"]


@pytest.mark.parametrize("body", [b"{}", b'{"event_type": "clip.rejected"}', b'["clip.approved"]', b'"clip.approved"'])
def test_what_others_post_to_the_address_starts_nothing(body: bytes) -> None:
    app = MakeApp(APP, None)  # type: ignore[arg-type]  # what is received needs no client

    assert app.receive("onClipApproved", body, {}) is None
    assert app.receive("watchEvents", body, {"event_type": "clip.approved"}) is None


@pytest.mark.parametrize(
    ("webhook", "form", "message"),
    [
        ("onReviewCreated", {"store": "apple"}, r"^App is required"),
        ("onReviewCreated", {**STORE, "store": "amazon"}, r"^Store is not one of the options"),
        ("onReviewCreated", {**STORE, "min_stars": 9}, r"^\[400\] min_stars must be between 1 and 5$"),
        ("onRatingDropped", STORE, r"^\[400\] rating.dropped needs threshold or delta$"),
        ("events", {}, r"^Event Type is required"),
    ],
)
async def test_a_form_that_is_wrong_says_what_to_fix(
    app: MakeApp, receiver: Receiver, webhook: str, form: dict[str, Any], message: str
) -> None:
    with pytest.raises(MakeError, match=message):
        await app.attach(webhook, receiver.url("/catch/1"), form)
    assert await _hooks(app) == []


async def test_a_hook_that_make_has_dropped_is_ended_and_can_still_be_detached(
    app: MakeApp, receiver: Receiver
) -> None:
    """Make answers 410 once its webhook has had no scenario for five days."""
    receiver.script("/catch/1", "/status/410")
    kept = await app.attach("onClipApproved", receiver.url("/catch/1"), {})

    await _publish(app, "clip.approved")

    async with asyncio.timeout(10):
        while await _hooks(app):
            await asyncio.sleep(0.05)
    await app.detach("onClipApproved", kept)
    with pytest.raises(MakeError, match=r"^\[404\] no hook with that id") as gone:
        await app.detach("onClipApproved", kept)
    assert gone.value.kind == "DataError"


# --- actions and searches


@pytest.mark.parametrize("module", ["createInvitation", "createMagicLink"])
async def test_a_customer_gets_one_link(app: MakeApp, module: str) -> None:
    [first] = await app.run(module, **CUSTOMER)
    [second] = await app.run(module, **CUSTOMER)

    _fits(app, module, first)
    assert (first["reused"], second["reused"]) == (False, True)
    assert first["link"] == second["link"]
    assert first["submission"]["customer_name"] == "Dana Whitlock"


async def test_submissions_are_found(app: MakeApp) -> None:
    for name in ("ann", "bob", "cem"):
        await app.run("createMagicLink", customer_email=f"{name}@example.com")

    found = await app.run("searchSubmissions", limit=2)
    rest = await app.run("searchSubmissions", status="in_progress", offset=2)

    assert [one["customer_email"] for one in [*found, *rest]] == [
        "cem@example.com",
        "bob@example.com",
        "ann@example.com",
    ]
    _fits(app, "searchSubmissions", found[0])
    assert await app.run("searchSubmissions", status="paid") == []
    assert await app.run("searchSubmissions", customer_email="Bob@example.com") == [found[1]]
    assert await app.run("searchSubmissions", customer_email="bob@example.com", status="paid") == []
    assert await app.run("searchSubmissions", customer_email="nobody@example.com") == []
    [whole] = await app.run("getSubmission", id=found[0]["id"])
    _fits(app, "getSubmission", whole)
    assert whole["submission"] == found[0]


async def test_an_event_is_published_once(app: MakeApp) -> None:
    first, second = await _publish(app, "clip.approved"), await _publish(app, "clip.approved")

    _fits(app, "publishEvent", first)
    assert first["id"] == second["id"]
    with pytest.raises(MakeError, match=r"^\[409\] ") as conflict:
        await _publish(app, "clip.rejected")
    assert conflict.value.kind == "DataError"


async def test_a_delivery_is_found_and_sent_again(app: MakeApp, receiver: Receiver) -> None:
    kept = await app.attach("onClipApproved", receiver.url("/catch/1"), {})
    delivery = await _delivered(app, await _publish(app, "clip.approved"))
    _fits(app, "searchDeliveries", delivery)
    assert delivery["subscription_id"] == kept["externalHookId"]

    [again] = await app.run("retryDelivery", id=delivery["id"])

    _fits(app, "retryDelivery", again)
    first, second = await receiver.wait_for(2, "/catch/1")
    assert first.body == second.body
    async with asyncio.timeout(10):
        while len((whole := (await app.run("getDelivery", id=delivery["id"]))[0])["attempts"]) < 2:
            await asyncio.sleep(0.05)
    _fits(app, "getDelivery", whole)


async def test_a_search_goes_on_over_pages(app: MakeApp, receiver: Receiver) -> None:
    await app.attach("onClipApproved", receiver.url("/catch/1"), {})
    events = json.dumps({"events": [{"type": "clip.approved", "payload": {"number": number}} for number in range(120)]})
    [batch] = await app.run("makeApiCall", path="v1/events/batch", method="POST", body=events)
    assert batch["statusCode"] == 202

    assert len(await app.run("searchDeliveries", limit=110)) == 110
    every = await app.run("searchDeliveries", limit=500)
    assert len({one["id"] for one in every}) == len(every) == 120


async def test_any_path_can_be_called(app: MakeApp) -> None:
    [answer] = await app.run("makeApiCall", path="v1/events", qs=[{"key": "limit", "value": "1"}])

    _fits(app, "makeApiCall", answer)
    assert (answer["statusCode"], answer["body"]["data"]) == (200, [])
    with pytest.raises(MakeError, match=r"^Path has the wrong form"):
        await app.run("makeApiCall", path="/v1/events")


# --- errors, in the three shapes of Relay's APIs


@pytest.mark.parametrize(
    ("module", "parameters", "message"),
    [
        ("createInvitation", {"customer_email": "nobody"}, r"^\[400\] customer_email "),
        ("searchSubmissions", {"customer_email": "nobody"}, r"^\[400\] customer_email "),
        ("getSubmission", {"id": "sub_unknown"}, r"^\[404\] [a-z]"),
        ("publishEvent", {"event_type": "a b", "payload": "{}", "idempotency_key": "1"}, r"^\[400\] type "),
        ("getDelivery", {"id": "01M4AT4QM8JER7KX7P94TCRYZA"}, r"^\[404\] \w"),
        ("retryDelivery", {"id": "01M4AT4QM8JER7KX7P94TCRYZA"}, r"^\[404\] \w"),
        ("getDelivery", {"id": "../events"}, r"^Delivery ID has the wrong form"),
    ],
)
async def test_an_error_says_its_status_and_its_reason(
    app: MakeApp, module: str, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(MakeError, match=message) as failed:
        await app.run(module, **parameters)
    assert failed.value.kind in ("DataError", "BundleValidationError")


@pytest.mark.parametrize(
    ("module", "parameters"),
    [("getSubmission", {"id": "sub_1"}), ("getDelivery", {"id": "1"}), ("searchDeliveries", {})],
)
async def test_a_key_that_was_revoked_stops_the_scenario(app: MakeApp, module: str, parameters: dict[str, Any]) -> None:
    app.connection["apiKey"] = "rp_live_" + "x" * 32

    with pytest.raises(MakeError, match=r"^\[401\] [^\.]+\. Edit the connection") as refused:
        await app.run(module, **parameters)
    assert refused.value.kind == "InvalidAccessTokenError"


async def test_a_key_without_the_scope_says_which_it_lacks(app: MakeApp, tmp_path: Path) -> None:
    app.connection["apiKey"] = await key_for("hooks", tmp_path / "relay")

    with pytest.raises(MakeError, match=r"^\[403\] .*deliveries"):
        await app.run("searchDeliveries")


async def test_too_many_calls_only_slow_the_scenario_down(tmp_path: Path) -> None:
    async with serve(tmp_path / "slow", free_port(), rate_limit="1") as process:
        app = MakeApp(APP, process.session)
        await app.connect(baseUrl=process.url, apiKey=KEY)
        await app.run("searchDeliveries")

        with pytest.raises(MakeError, match=r"^\[429\] \w") as limited:
            await app.run("searchDeliveries")
    assert limited.value.kind == "RateLimitError"
