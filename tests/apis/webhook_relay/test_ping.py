"""testWebhook."""

from __future__ import annotations

import errno
import json
from typing import Any

import pytest

from relay.core.conditions import Condition
from relay.outbound.resolve import Resolver
from relay.web.wiring import CONDITIONS
from tests.apis.webhook_relay.client import deliveries, fields_of, verify
from tests.conftest import Relay, StartRelay
from tests.receiver import Receiver


async def ping(relay: Relay, url: str, **body: Any) -> dict[str, Any]:
    answer: dict[str, Any] = await relay.json("POST", "/v1/webhooks/test", {"url": url, **body})
    return answer


async def test_a_ping_is_signed_and_its_answer_told(relay: Relay, receiver: Receiver) -> None:
    found = await ping(relay, receiver.url("/hook"))
    (request,) = receiver.requests
    body = verify(request, found["secret_used"])
    assert (body["type"], body["data"]) == ("test.ping", {"hello": "from-webhook-relay"})
    assert body["id"].startswith("01TESTEVENT")
    assert found["secret_used"].startswith("whsec_test_")
    assert found["signature_sent"] == request.header("X-Webhook-Signature")
    assert (found["ok"], found["status"], found["response_body_snippet"]) == (True, 200, "ok")
    assert found["latency_ms"] >= 0
    assert found["error_code"] is None


async def test_secret_type_and_payload_may_be_chosen(relay: Relay, receiver: Receiver) -> None:
    found = await ping(relay, receiver.url("/status/500"), secret="my-own-secret", event_type="a.b", payload={"x": 1})
    body = verify(receiver.requests[0], "my-own-secret")
    assert (body["type"], body["data"]) == ("a.b", {"x": 1})
    assert (found["ok"], found["status"], found["secret_used"]) == (False, 500, "my-own-secret")


async def test_no_answer_has_an_error_code_and_names_no_address(relay: Relay, receiver: Receiver) -> None:
    found = await ping(relay, receiver.url("/close"))
    assert (found["ok"], found["status"], found["error_code"]) == (False, None, "connection_error")
    assert "127.0.0.1" not in found["error_detail"]


async def test_nothing_of_a_ping_is_stored(relay: Relay, receiver: Receiver) -> None:
    await ping(relay, receiver.url("/hook"))
    assert await deliveries(relay) == []
    for path in ("/v1/events", "/v1/subscriptions"):
        assert (await relay.json("GET", path))["data"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": "http://hooks.example.com/"}, "url"),
        ({"url": "https://192.168.1.1/"}, "url"),
        ({"url": "https://169.254.169.254/latest"}, "url"),
        ({"url": 5}, "url"),
        ({"url": "https://h.example.com/", "secret": "short"}, "secret"),
        ({"url": "https://h.example.com/", "secret": "x" * 129}, "secret"),
        ({"url": "https://h.example.com/", "secret": None}, "secret"),
        ({"url": "https://h.example.com/", "secret": "caf\u00e9-caf\u00e9"}, "secret"),
        ({"url": "https://h.example.com/", "payload": {"x": "y" * 262_144}}, "payload"),
        ({"url": "https://h.example.com/", "event_type": "Bad Type"}, "event_type"),
        ({"url": "https://h.example.com/", "payload": [1]}, "payload"),
    ],
)
async def test_a_ping_that_must_not_be_sent_is_a_400(relay: Relay, body: dict[str, Any], field: str) -> None:
    assert fields_of(await relay.json("POST", "/v1/webhooks/test", body, status=400)) == {field}


async def test_pings_have_a_limit_of_their_own(start_relay: StartRelay, receiver: Receiver) -> None:
    async with start_relay(clock=lambda: 1_800_000_000_000) as relay:
        for _ in range(10):
            await ping(relay, receiver.url("/hook"))
        answer = await relay.call("POST", "/v1/webhooks/test", {"url": receiver.url("/hook")})
        assert answer.status == 429
        assert answer.headers["Retry-After"] == "6"
        assert answer.headers["X-RateLimit-Limit"] == "10"
        assert json.loads(await answer.text())["status"] == 429
        other = await relay.new_key("other", "whk_live_")
        await relay.json("POST", "/v1/webhooks/test", {"url": receiver.url("/hook")}, key=other)
    assert len(receiver.requests) == 11


async def test_a_ping_needs_a_key_with_the_events_scope(relay: Relay) -> None:
    body = {"url": "https://h.example.com/"}
    await relay.json("POST", "/v1/webhooks/test", body, key=None, status=401)
    await relay.json("POST", "/v1/webhooks/test", body, key=await relay.new_key(prefix="rsk_"), status=403)


async def test_a_ping_that_could_not_be_sent_is_no_answer_of_its_receiver(start_relay: StartRelay) -> None:
    """A 503 that says whose fault it is, and names nothing of the machine."""

    def lookup(host: str) -> list[str]:
        raise OSError(errno.EMFILE, "Too many open files")

    async with start_relay(resolver=Resolver(lookup)) as relay:
        answer = await relay.call("POST", "/v1/webhooks/test", {"url": "https://hooks.example.com/"})
        assert (answer.status, answer.content_type) == (503, "application/problem+json")
        assert "this server's own (descriptors short)" in await answer.text()
        assert "example.com" not in await answer.text()
        assert int(answer.headers["Retry-After"]) > 0
        assert relay.server.app[CONDITIONS].holds(Condition.DESCRIPTORS_SHORT)
