"""What receivers and clients do wrong, from the event to the log that the API shows."""

from __future__ import annotations

import datetime as dt
import json
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.apis.webhook_relay.client import delivery_in, expected, publish, signatures, subscribe
from tests.conftest import Relay, StartRelay
from tests.receiver import Receiver

AUTHORITY = trustme.CA()


def certificate(
    *names: str, authority: trustme.CA = AUTHORITY, from_day: int = -10, until_day: int = 10
) -> ssl.SSLContext:
    now = dt.datetime.now(dt.UTC)
    issued = authority.issue_cert(
        *names, not_before=now + dt.timedelta(days=from_day), not_after=now + dt.timedelta(days=until_day)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    return context


@pytest.mark.parametrize(
    ("context", "error_code"),
    [
        pytest.param(certificate("localhost", until_day=-1), "tls_error", id="expired"),
        pytest.param(certificate("localhost", from_day=5), "tls_error", id="not yet valid"),
        pytest.param(certificate("localhost", authority=trustme.CA()), "tls_error", id="unknown issuer"),
        pytest.param(certificate("elsewhere.example.com"), "tls_error", id="another host"),
        pytest.param(None, "tls_error", id="plain port"),
        pytest.param("silent", "timeout", id="handshake never ends"),
    ],
)
async def test_without_good_tls_nothing_is_sent_and_it_is_tried_again(
    start_relay: StartRelay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, context: Any, error_code: str
) -> None:
    trusted = tmp_path / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(trusted)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    silent = context == "silent"
    async with (
        Receiver(tls=None if silent else context, silent=silent) as receiver,
        start_relay(retry_delays="0.05", delivery_timeout=1) as relay,
    ):
        await subscribe(relay, f"https://localhost:{receiver.port}/ok")
        await publish(relay)
        whole = await delivery_in(relay, "dead")

    assert whole["dead_reason"] == "exhausted"
    assert [one["error_code"] for one in whole["attempts"]] == [error_code] * 2
    assert [one["response_status"] for one in whole["attempts"]] == [None] * 2
    assert receiver.received() == []


async def test_with_good_tls_it_arrives(
    start_relay: StartRelay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same as above but for the fault, so that the fault is what the others fail for."""
    trusted = tmp_path / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(trusted)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    async with Receiver(tls=certificate("localhost")) as receiver, start_relay() as relay:
        await subscribe(relay, f"https://localhost:{receiver.port}/ok")
        await publish(relay)
        await delivery_in(relay, "success")
    assert len(receiver.received()) == 1


async def test_an_answer_of_odd_bytes_is_recorded_and_can_be_read(relay: Relay, receiver: Receiver) -> None:
    """A receiver must not be able to make its own attempt unstorable: it would be sent for ever."""
    await subscribe(relay, receiver.url("/odd-bytes"))
    await publish(relay)
    whole = await delivery_in(relay, "success")

    [attempt] = whole["attempts"]
    assert attempt["response_status"] == 200
    assert attempt["response_headers"]["server"].startswith("caf\ufffd")
    assert attempt["response_body_snippet"] == "a\ufffdb\ufffd\ufffdc"
    assert len(receiver.received()) == 1


@pytest.mark.parametrize("bad", ["a\r\nX-Evil: 1", "a\nb", "a\0b", "a b", "a:b", "é.b", "\udc80", "a\tb"])
async def test_what_goes_into_a_header_is_refused_when_it_could_break_one(
    relay: Relay, receiver: Receiver, bad: str
) -> None:
    """The type of an event is a header of its deliveries; a hook's too."""
    await subscribe(relay, receiver.url("/ok"))
    refused = await relay.call("POST", "/v1/events", {"type": bad, "payload": {}})
    hook = {"target_url": receiver.url("/ok"), "event_type": bad}
    refused_hook = await relay.call("POST", "/api/v1/hooks", hook)
    await publish(relay)

    assert (refused.status, refused_hook.status) == (400, 400)
    await delivery_in(relay, "success")
    [request] = receiver.received()
    assert request.header("X-Evil") is None
    assert request.header("X-Webhook-Event-Type") == "order.created"


async def test_what_waits_is_signed_with_the_secrets_of_the_moment_it_is_sent(
    start_relay: StartRelay, receiver: Receiver
) -> None:
    """A rotation between two attempts: the second carries both signatures, over the same bytes, under the same id."""
    receiver.script("/hook", "/status/503", "/ok")
    async with start_relay(retry_delays="1") as relay:
        made = await subscribe(relay, receiver.url("/hook"))
        await publish(relay)
        await receiver.wait_for(1)
        rotated = await relay.json("POST", f"/v1/subscriptions/{made['id']}/rotate-secret")
        first, second = await receiver.wait_for(2)

    old, new = made["signing_secret"], rotated["signing_secret"]
    at, found = signatures(first.header("X-Webhook-Signature") or "")
    assert found == [expected(old, at, first.body)]
    at, found = signatures(second.header("X-Webhook-Signature") or "")
    assert found == [expected(old, at, second.body), expected(new, at, second.body)]
    assert first.body == second.body
    assert first.header("webhook-id") == second.header("webhook-id")


ODD_VALUES = (
    '{"nul":"a\\u0000b","big":9223372036854775808,"bigger":123456789012345678901234567890,"small":1e-400,'
    '"exact":0.10,"minus":-0.0,"exponent":1E5,"text":"\\ud83d\\ude00","":"empty name","zz":1,"aa":2}'
)


async def test_odd_numbers_and_texts_are_stored_shown_and_sent_as_they_came(relay: Relay, receiver: Receiver) -> None:
    """What a database or a JSON library would change in silence: NUL, 2^63 and beyond, -0.0, the order of members."""
    await subscribe(relay, receiver.url("/ok"))
    body = f'{{"type":"order.created","payload":{ODD_VALUES}}}'
    answer = await relay.call("POST", "/v1/events", data=body, headers={"Content-Type": "application/json"})
    assert answer.status == 202, await answer.text()
    made = json.loads(await answer.text())

    [request] = await receiver.wait_for(1)
    assert f'"data":{ODD_VALUES}' in request.body.decode()
    for path in ("/v1/events", f"/v1/events/{made['id']}"):
        assert f'"payload":{ODD_VALUES}' in await (await relay.call("GET", path)).text()
    for odd in ("NaN", "Infinity", "-Infinity"):
        body = f'{{"type":"order.created","payload":{{"x":{odd}}}}}'
        assert (await relay.call("POST", "/v1/events", data=body)).status == 400
    for limit in (2**63, 2**64, -(2**63), 10**30):
        assert (await relay.call("GET", "/v1/events", params={"limit": str(limit)})).status == 400
