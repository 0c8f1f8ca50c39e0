"""createWebhook, listWebhooks, deleteWebhook, listWebhookDeliveries and what a webhook receives, over HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.apis.ravepilot.client import Relay
from tests.receiver import Receiver

URL = "https://hooks.example.com/ravepilot"


async def test_a_webhook_is_made_with_a_secret_that_is_shown_once(relay: Relay) -> None:
    made = await relay.client.post("/v1/webhooks", {"url": URL, "events": ["clip.approved", "clip.approved"]})
    assert made.status == 200
    assert set(made.body) == {"ok", "id", "url", "events", "secret"}
    assert made.body["id"].startswith("wh_")
    assert len(made.body["id"]) == 19
    assert made.body["secret"].startswith("whsec_")
    assert (made.body["url"], made.body["events"]) == (URL, ["clip.approved"])

    listed = (await relay.client.get("/v1/webhooks")).body
    (webhook,) = listed["webhooks"]
    assert isinstance(webhook.pop("created_at"), int)
    assert webhook == {
        "id": made.body["id"],
        "url": URL,
        "events": ["clip.approved"],
        "active": True,
        "disabled_at": None,
    }
    assert listed["events"] == sorted(listed["events"])
    assert "payout.failed" in listed["events"]
    assert made.body["secret"] not in json.dumps(listed)


@pytest.mark.parametrize(
    ("events", "stored"),
    [
        ("*", ["*"]),
        (["*"], ["*"]),
        (["clip.approved", "*"], ["*"]),
        (None, ["*"]),
        ("", ["*"]),
        (["payout.sent", "clip.approved"], ["payout.sent", "clip.approved"]),
        (["review.created"], ["review.created"]),
    ],
)
async def test_events_are_a_list_or_a_star(relay: Relay, events: Any, stored: list[str]) -> None:
    made = await relay.client.post("/v1/webhooks", {"url": URL, "events": events})
    assert made.body["events"] == stored
    assert (await relay.client.get("/v1/webhooks")).body["webhooks"][0]["events"] == stored


HTTPS = "url must be an https:// address"
PRIVATE = "url must not point to a private network"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, HTTPS),
        ({"url": None}, HTTPS),
        ({"url": ""}, HTTPS),
        ({"url": 5}, HTTPS),
        ({"url": "hooks.example.com"}, HTTPS),
        ({"url": "http://hooks.example.com/"}, HTTPS),
        ({"url": "ftp://hooks.example.com/"}, HTTPS),
        ({"url": "https://10.0.0.1/"}, PRIVATE),
        ({"url": "https://router.lan/"}, PRIVATE),
        ({"url": "https://[::ffff:169.254.169.254]/"}, PRIVATE),
        ({"url": "https://user:pw@hooks.example.com/"}, None),
        ({"url": URL + "x" * 2048}, "url must be at most 2048 characters"),
        ({"url": URL, "events": []}, "events must name at least one event"),
        ({"url": URL, "events": "clip.approved"}, 'events must be an array of event names, or "*"'),
        ({"url": URL, "events": [1]}, 'events must be an array of event names, or "*"'),
        ({"url": URL, "events": {"a": 1}}, 'events must be an array of event names, or "*"'),
    ],
)
async def test_a_bad_webhook_is_refused(relay: Relay, body: dict[str, Any], error: str | None) -> None:
    answer = await relay.client.post("/v1/webhooks", body)
    assert answer.status == 400
    assert answer.body["status"] == 400
    assert error is None or answer.body["error"] == error
    assert (await relay.client.get("/v1/webhooks")).body["webhooks"] == []


async def test_an_unknown_event_is_refused_with_the_valid_ones(relay: Relay) -> None:
    answer = await relay.client.post("/v1/webhooks", {"url": URL, "events": ["clip.approved", "clip.deleted"]})
    valid = (await relay.client.get("/v1/webhooks")).body["events"]
    assert answer.status == 400
    assert answer.body["error"] == f'unknown event "clip.deleted"; valid events: {", ".join(valid)}'


async def test_deleting_says_whether_there_was_something(relay: Relay) -> None:
    made = await relay.client.post("/v1/webhooks", {"url": URL})
    path = f"/v1/webhooks/{made.body['id']}"
    assert (await relay.client.delete(path)).body == {"ok": True, "deleted": True}
    again = await relay.client.delete(path)
    assert (again.status, again.body) == (200, {"ok": True, "deleted": False})
    assert (await relay.client.get("/v1/webhooks")).body["webhooks"] == []


async def _invite(relay: Relay, email: str = "dana@example.com") -> None:
    answer = await relay.client.post("/v1/magic-link", {"customer_email": email})
    assert answer.status == 200


async def _deliveries(relay: Relay, **wanted: Any) -> list[Any]:
    """The delivery log, as soon as its newest entry looks like that."""
    deadline = time.monotonic() + 20
    while True:
        log: list[Any] = (await relay.client.get("/v1/webhook-deliveries")).body["deliveries"]
        if log and log[0] | wanted == log[0]:
            return log
        assert time.monotonic() < deadline, log
        await asyncio.sleep(0.02)


async def test_a_delivery_is_signed_as_the_guide_verifies_it(relay: Relay) -> None:
    async with Receiver() as receiver:
        made = await relay.client.post("/v1/webhooks", {"url": receiver.url("/hook")})
        await _invite(relay)
        (received,) = await receiver.wait_for(1, "/hook")
        (delivery,) = await _deliveries(relay, status="delivered")
        assert received.header("X-RavePilot-Event") == "invitation.created"
        assert received.header("X-RavePilot-Delivery") == delivery["id"]
        parts = dict(part.split("=", 1) for part in (received.header("X-RavePilot-Signature") or "").split(","))
        secret = made.body["secret"]
        expected = hmac.new(secret.encode(), parts["t"].encode() + b"." + received.body, hashlib.sha256).hexdigest()
        assert hmac.compare_digest(expected, parts["v1"])
        assert abs(time.time() - int(parts["t"])) < 300
        Webhook(secret).verify(received.body, {name.lower(): value for name, value in received.headers})


async def test_the_log_shows_what_became_of_a_delivery(relay: Relay) -> None:
    async with Receiver() as receiver:
        made = await relay.client.post("/v1/webhooks", {"url": receiver.url("/fail-then-ok/1/503")})
        await _invite(relay)
        (delivery,) = await _deliveries(relay, status="delivered")
        assert isinstance(delivery.pop("created_at"), int)
        assert isinstance(delivery.pop("delivered_at"), int)
        assert delivery.pop("id")
        assert delivery == {
            "webhook_id": made.body["id"],
            "event": "invitation.created",
            "status": "delivered",
            "attempts": 2,
            "response_status": 200,
        }
        first, second = await receiver.wait_for(2, "/fail-then-ok/1/503")
        assert first.header("X-RavePilot-Delivery") == second.header("X-RavePilot-Delivery")
        assert first.body == second.body


async def test_a_delivery_that_is_given_up_is_shown_as_failed(relay: Relay) -> None:
    """A 404 is tried again too: only the schedule's end is final."""
    async with Receiver() as receiver:
        made = await relay.client.post("/v1/webhooks", {"url": receiver.url("/status/404")})
        await _invite(relay)
        (delivery,) = await _deliveries(relay, status="failed")
        assert (delivery["attempts"], delivery["response_status"], delivery["delivered_at"]) == (3, 404, None)
        # The log keeps the deliveries of a webhook that was deleted.
        await relay.client.delete(f"/v1/webhooks/{made.body['id']}")
        assert await _deliveries(relay, status="failed") == [delivery]


async def test_a_receiver_that_is_gone_is_disabled_and_still_listed(relay: Relay) -> None:
    async with Receiver() as receiver:
        made = await relay.client.post("/v1/webhooks", {"url": receiver.url("/status/410")})
        await _invite(relay)
        await _deliveries(relay, status="failed", attempts=1, response_status=410)
        (webhook,) = (await relay.client.get("/v1/webhooks")).body["webhooks"]
        assert (webhook["id"], webhook["active"]) == (made.body["id"], False)
        assert isinstance(webhook["disabled_at"], int)
        await _invite(relay, "eve@example.com")
        assert len((await relay.client.get("/v1/webhook-deliveries")).body["deliveries"]) == 1


async def test_the_log_holds_the_newest_fifty(relay: Relay) -> None:
    async with Receiver() as receiver:
        await relay.client.post("/v1/webhooks", {"url": receiver.url("/hook")})
        for number in range(52):
            await _invite(relay, f"c{number}@example.com")
        await receiver.wait_for(52, "/hook")
        log = (await relay.client.get("/v1/webhook-deliveries")).body["deliveries"]
        assert len(log) == 50
        assert [one["id"] for one in log] == sorted((one["id"] for one in log), reverse=True)
