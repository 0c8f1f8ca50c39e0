"""createSubscription, listSubscriptions, getSubscription, updateSubscription, deleteSubscription, pauseSubscription,
resumeSubscription, rotateSubscriptionSecret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.apis.webhook_relay.client import (
    UNKNOWN,
    deliveries,
    delivery_in,
    expected,
    fields_of,
    pages,
    publish,
    signatures,
    start_ms,
    subscribe,
    until,
    verify,
)
from tests.conftest import Relay, StartRelay
from tests.receiver import Receiver


async def test_the_signing_secret_is_shown_once(relay: Relay) -> None:
    made = await subscribe(relay, "https://hooks.example.com/a", name="Orders", event_filter="order.*")
    assert made["signing_secret"].startswith("whsec_")
    assert (made["name"], made["url"], made["event_filter"]) == ("Orders", "https://hooks.example.com/a", "order.*")
    assert (made["state"], made["consecutive_failures"], made["paused_at"]) == ("active", 0, None)
    found = await relay.json("GET", f"/v1/subscriptions/{made['id']}")
    assert found == {key: value for key, value in made.items() if key != "signing_secret"}
    assert (await relay.json("GET", "/v1/subscriptions"))["data"] == [found]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"url"}),
        ({"url": None}, {"url"}),
        ({"url": "http://hooks.example.com/a"}, {"url"}),
        ({"url": "https://10.0.0.1/a"}, {"url"}),
        ({"url": "https://localhost.localdomain:1/a"}, {"url"}),
        ({"url": "https://u:p@hooks.example.com/"}, {"url"}),
        ({"url": "ftp://hooks.example.com/", "event_filter": "A", "name": 5}, {"url", "event_filter", "name"}),
        ({"url": "https://hooks.example.com/", "event_filter": "Order *"}, {"event_filter"}),
        ({"url": "https://hooks.example.com/", "event_filter": None}, {"event_filter"}),
        ({"url": "https://hooks.example.com/", "name": "x" * 256}, {"name"}),
    ],
)
async def test_everything_that_is_wrong_with_a_subscription_is_said(
    relay: Relay, body: dict[str, Any], fields: set[str]
) -> None:
    assert fields_of(await relay.json("POST", "/v1/subscriptions", body, status=400)) == fields
    if body:
        made = await subscribe(relay)
        path = f"/v1/subscriptions/{made['id']}"
        assert fields_of(await relay.json("PATCH", path, body, status=400)) == fields
        assert (await relay.json("GET", path))["url"] == made["url"]


async def test_subscriptions_are_listed_by_state_in_pages_and_those_of_other_apis_are_not(relay: Relay) -> None:
    made = [await subscribe(relay, f"https://hooks.example.com/{n}") for n in range(5)]
    await relay.json("POST", "/v1/webhooks", {"url": "https://hooks.example.com/w", "events": ["*"]})
    await relay.json("POST", f"/v1/subscriptions/{made[2]['id']}/pause")
    found = await pages(relay, "/v1/subscriptions", limit="2")
    assert [[one["url"][-1] for one in page] for page in found] == [["4", "3"], ["2", "1"], ["0"]]
    active = await pages(relay, "/v1/subscriptions", limit="2", state="active")
    assert [one["url"][-1] for page in active for one in page] == ["4", "3", "1", "0"]
    paused = await relay.json("GET", "/v1/subscriptions", params={"state": "paused"})
    assert [one["id"] for one in paused["data"]] == [made[2]["id"]]
    assert (await relay.json("GET", "/v1/subscriptions", params={"state": "disabled"}))["data"] == []
    problem = await relay.json("GET", "/v1/subscriptions", params={"state": "asleep"}, status=400)
    assert fields_of(problem) == {"state"}


async def test_a_change_holds_for_what_is_published_next(relay: Relay, receiver: Receiver) -> None:
    made = await subscribe(relay, receiver.url("/old"), name="Old", event_filter="order.*")
    await publish(relay, "order.created")
    await receiver.wait_for(1, "/old")
    path = f"/v1/subscriptions/{made['id']}"
    changed = await relay.json("PATCH", path, {"url": receiver.url("/new"), "event_filter": "user.*"})
    assert (changed["url"], changed["event_filter"], changed["name"]) == (receiver.url("/new"), "user.*", "Old")
    await publish(relay, "order.created")
    await publish(relay, "user.created")
    (request,) = await receiver.wait_for(1, "/new")
    assert verify(request, made["signing_secret"])["type"] == "user.created"
    assert len(receiver.requests) == 2
    assert (await relay.json("PATCH", path, {"name": None}))["name"] is None
    assert (await relay.json("PATCH", path, {}))["url"] == receiver.url("/new")


async def test_a_deleted_subscription_leaves_its_deliveries(relay: Relay, receiver: Receiver) -> None:
    made = await subscribe(relay, receiver.url("/ok"))
    await publish(relay)
    sent = await delivery_in(relay, "success")
    path = f"/v1/subscriptions/{made['id']}"
    assert (await relay.call("DELETE", path)).status == 204
    for method in ("DELETE", "GET"):
        await relay.json(method, path, status=404)
    assert (await relay.json("GET", f"/v1/deliveries/{sent['id']}"))["status"] == "success"
    assert [one["id"] for one in await deliveries(relay, subscription_id=made["id"])] == [sent["id"]]
    await publish(relay)
    assert len(await deliveries(relay)) == 1


async def test_what_waits_for_a_deleted_subscription_ends_dead(start_relay: StartRelay, receiver: Receiver) -> None:
    async with start_relay(retry_delays="3600") as relay:
        made = await subscribe(relay, receiver.url("/status/503"))
        await publish(relay)

        async def attempted() -> bool:
            found = await deliveries(relay)
            return bool(found) and found[0]["attempts_made"] == 1

        await until(attempted)
        await relay.call("DELETE", f"/v1/subscriptions/{made['id']}")
        assert (await delivery_in(relay, "dead"))["dead_reason"] == "unsubscribed"


async def test_nothing_published_while_paused_is_delivered(relay: Relay, receiver: Receiver) -> None:
    made = await subscribe(relay, receiver.url("/hook"))
    path = f"/v1/subscriptions/{made['id']}"
    paused = await relay.json("POST", f"{path}/pause")
    assert paused["state"] == "paused"
    assert paused["paused_at"]
    assert (await relay.json("POST", f"{path}/pause"))["paused_at"] == paused["paused_at"]
    missed = await publish(relay, payload={"n": 1})
    assert missed["deliveries_summary"]["total"] == 0
    resumed = await relay.json("POST", f"{path}/resume")
    assert (resumed["state"], resumed["paused_at"]) == ("active", None)
    await publish(relay, payload={"n": 2})
    (request,) = await receiver.wait_for(1, "/hook")
    assert json.loads(request.body)["data"] == {"n": 2}


async def test_what_was_missed_while_paused_is_delivered_when_asked_for(relay: Relay, receiver: Receiver) -> None:
    """Once, and only what matches."""
    made = await subscribe(relay, receiver.url("/hook"), event_filter="order.*")
    path = f"/v1/subscriptions/{made['id']}"
    await publish(relay, payload={"n": 0})
    await receiver.wait_for(1, "/hook")
    await relay.json("POST", f"{path}/pause")
    for n in (1, 2, 3):
        await publish(relay, payload={"n": n})
    await publish(relay, "user.created")
    await relay.json("POST", f"{path}/resume", {"replay_missed": True})
    await relay.json("POST", f"{path}/resume", {"replay_missed": True})
    found = await receiver.wait_for(4, "/hook")
    assert sorted(verify(request, made["signing_secret"])["data"]["n"] for request in found) == [0, 1, 2, 3]
    await publish(relay, payload={"n": 4})
    await receiver.wait_for(5, "/hook")
    assert len(receiver.received("/hook")) == 5
    problem = await relay.json("POST", f"{path}/resume", {"replay_missed": "yes"}, status=400)
    assert fields_of(problem) == {"replay_missed"}


async def test_eight_failures_in_a_row_pause_a_subscription_and_resume_forgives_them(
    start_relay: StartRelay, receiver: Receiver
) -> None:
    async with start_relay(retry_delays="0,0,0,0,0,0,0,0,0,0") as relay:
        receiver.script("/hook", *["/status/500"] * 8, "/ok")
        made = await subscribe(relay, receiver.url("/hook"))
        await publish(relay)
        path = f"/v1/subscriptions/{made['id']}"

        async def paused() -> Any:
            found = await relay.json("GET", path)
            return found["state"] == "paused" and found

        assert (await until(paused))["consecutive_failures"] == 8
        resumed = await relay.json("POST", f"{path}/resume")
        assert (resumed["state"], resumed["consecutive_failures"]) == ("active", 0)
        await publish(relay, payload={"n": 2})
        await receiver.wait_for(9, "/hook")


async def test_a_receiver_that_is_gone_disables_and_resume_brings_it_back(relay: Relay, receiver: Receiver) -> None:
    receiver.script("/hook", "/gone", "/ok")
    made = await subscribe(relay, receiver.url("/hook"))
    path = f"/v1/subscriptions/{made['id']}"
    await publish(relay)
    assert (await delivery_in(relay, "dead"))["dead_reason"] == "gone"
    assert (await relay.json("GET", path))["state"] == "disabled"
    assert (await relay.json("POST", f"{path}/resume"))["state"] == "active"
    await publish(relay)
    await receiver.wait_for(2, "/hook")


async def test_for_48_hours_after_a_rotation_both_secrets_sign_and_the_new_one_last(
    start_relay: StartRelay, receiver: Receiver
) -> None:
    now_ms = start_ms()
    async with start_relay(clock=lambda: now_ms) as relay:
        made = await subscribe(relay, receiver.url("/hook"))
        path = f"/v1/subscriptions/{made['id']}/rotate-secret"
        rotated = await relay.json("POST", path)
        assert rotated["secret_rotated_at"]
        old, new = made["signing_secret"], rotated["signing_secret"]
        assert old != new
        await publish(relay)
        (request,) = await receiver.wait_for(1, "/hook")
        timestamp, found = signatures(request.header("X-Webhook-Signature") or "")
        assert found == [expected(old, timestamp, request.body), expected(new, timestamp, request.body)]
        whole = await delivery_in(relay, "success")
        logged = whole["attempts"][0]["request_signature"]
        assert logged == f"t={timestamp},v1={expected(new, timestamp, request.body)}"
        now_ms += 48 * 3600 * 1000
        await publish(relay)
        verify((await receiver.wait_for(2, "/hook"))[1], new)


@pytest.mark.parametrize(
    ("method", "tail", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"name": "x"}),
        ("DELETE", "", None),
        ("POST", "/pause", None),
        ("POST", "/resume", None),
        ("POST", "/rotate-secret", None),
        ("POST", "/recover", {"since": "2026-01-01T00:00:00Z"}),
    ],
)
async def test_a_subscription_of_another_workspace_or_api_is_as_unknown_as_none(
    relay: Relay, method: str, tail: str, body: Any
) -> None:
    made = await subscribe(relay)
    webhook = await relay.json("POST", "/v1/webhooks", {"url": "https://hooks.example.com/w", "events": ["*"]})
    other = await relay.new_key("other", "whk_live_")
    path = f"/v1/subscriptions/{made['id']}"
    unknown = await relay.json(method, f"/v1/subscriptions/{UNKNOWN}{tail}", body, status=404)
    assert unknown["detail"] == "No subscription with that id exists in this workspace."
    assert await relay.json(method, f"{path}{tail}", body, key=other, status=404) == unknown
    assert await relay.json(method, f"/v1/subscriptions/{webhook['id']}{tail}", body, status=404) == unknown
    assert await relay.json(method, f"/v1/subscriptions/%00{tail}", body, status=404) == unknown
    assert (await relay.json("GET", path))["updated_at"] == made["updated_at"]
    no_scope = await relay.new_key(prefix="rsk_")
    await relay.json(method, f"{path}{tail}", body, key=no_scope, status=403)
    await relay.json(method, f"{path}{tail}", body, key=None, status=401)
