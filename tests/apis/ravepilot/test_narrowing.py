"""Filters of submissions and of the delivery log: by time, and of the log by webhook, event and status too."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from relay.store import narrowing
from tests.apis.history import Past, write
from tests.apis.ravepilot.client import Relay
from tests.apis.webhook_relay.client import start_ms
from tests.conftest import StartRelay


async def test_submissions_are_narrowed_by_time(start_relay: StartRelay) -> None:
    now_ms = start_ms() // 1000 * 1000 + 1000
    async with start_relay(clock=lambda: now_ms) as relay:
        made = []
        for number in range(6):
            body = {"customer_email": f"c{number}@example.com", "send_email": False}
            made.append((await relay.json("POST", "/v1/invitations", body))["submission"])
            now_ms += 1000
        times = [one["created_at"] for one in made]
        for after, before in itertools.product((None, times[1]), (None, times[4])):
            for status in ("", "in_progress"):
                query = {"created_after": after or "", "created_before": before or "", "status": status}
                found = await relay.json("GET", "/v1/submissions", params=query)
                expected = [one for one in made if (after or 0) < one["created_at"] < (before or 2**40)]
                assert found["submissions"] == expected[::-1], query
        query = {"customer_email": "c0@example.com", "created_after": str(times[0] - 1)}
        assert len((await relay.json("GET", "/v1/submissions", params=query))["submissions"]) == 1
        query["created_after"] = str(times[0])
        assert (await relay.json("GET", "/v1/submissions", params=query))["submissions"] == []


async def test_the_delivery_log_is_narrowed(start_relay: StartRelay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(narrowing, "STEP", 4)
    async with start_relay() as relay:
        target = "https://hooks.example.com/x"
        webhooks = [(await relay.json("POST", "/v1/webhooks", {"url": target}))["id"] for _ in range(3)]
        # Of another API: none of its deliveries belong here.
        hook = (await relay.json("POST", "/api/v1/hooks", {"target_url": target, "event_type": "clip.approved"}))["id"]
        states = [*zip(webhooks, ("success", "dead", "pending"), strict=True), (hook, "success")]
        kinds = ("clip.approved", "clip.rejected")
        now_ms = start_ms() // 1000 * 1000 + 1000
        write(relay, [Past(now_ms + number * 1000, kinds[number % 2], states) for number in range(4)])
        log = (await relay.json("GET", "/v1/webhook-deliveries"))["deliveries"]
        assert len(log) == 12
        times = sorted({one["created_at"] for one in log})
        parts = itertools.product(
            ({}, {"webhook_id": webhooks[1]}, {"webhook_id": hook}),
            ({}, {"event": "clip.approved"}),
            ({}, {"status": "delivered"}, {"status": "failed"}, {"status": "pending"}),
            ({}, {"created_after": str(times[0])}, {"created_before": str(times[2])}),
        )
        for part in parts:
            query = dict(itertools.chain.from_iterable(one.items() for one in part))
            found = (await relay.json("GET", "/v1/webhook-deliveries", params=query))["deliveries"]
            assert [one["id"] for one in found] == [one["id"] for one in log if _meets(one, query)], query


def _meets(one: dict[str, Any], query: dict[str, str]) -> bool:
    time = one["created_at"]
    in_span = int(query.get("created_after", 0)) < time < int(query.get("created_before", 2**40))
    return in_span and all(query.get(name, one[name]) == one[name] for name in ("webhook_id", "event", "status"))


async def test_a_filter_that_is_none_is_a_400_in_this_apis_words(relay: Relay) -> None:
    for path in ("/v1/submissions", "/v1/webhook-deliveries"):
        for name in ("created_after", "created_before"):
            for bad in ("yesterday", "-1", "9" * 12, "9999-12-31T23:59:59-01:00"):
                answer = await relay.client.get(path, params={name: bad})
                assert answer.status == 400
                assert answer.body["error"].startswith(f"{name} must be Unix seconds")
            for good in ("", "0", "99999999999", "2026-01-01T00:00:00.1234567890123Z"):
                assert (await relay.client.get(path, params={name: good})).status == 200
    answer = await relay.client.get("/v1/webhook-deliveries?status=dead")
    assert answer.body == {"error": "status must be one of pending, delivered, failed", "status": 400}
    for query in ("webhook_id=%00", "webhook_id=wh_none", "event=%00", "status="):
        assert (await relay.client.get(f"/v1/webhook-deliveries?{query}")).body["deliveries"] == []
