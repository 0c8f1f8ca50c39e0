"""createEvent, createEventBatch, listEvents, getEvent."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from multidict import CIMultiDict
from yarl import URL

from tests.apis.webhook_relay.client import UNKNOWN, delivery_in, fields_of, pages, publish, start_ms, subscribe
from tests.conftest import KEY, Relay, StartRelay
from tests.receiver import Receiver

RAW = {"Content-Type": "application/json"}


async def test_an_accepted_event_is_told_back_with_its_payload_untouched(relay: Relay) -> None:
    """Numbers, key order and blanks of the payload are the client's, also in the list and in the delivery."""
    payload = '{"z": 9007199254740993, "a":[1.10, 1E400, "\\u00e9"],  "big":123456789012345678901234567890}'
    text = f'{{"payload": {payload.replace("1E400", "1e3")} , "type":"order.created"}}'
    kept = payload.replace("1E400", "1e3")
    answer = await relay.call("POST", "/v1/events", data=text, headers=RAW)
    assert answer.status == 202
    assert f'"payload":{kept}' in await answer.text()
    made = await answer.json()
    assert made["type"] == "order.created"
    assert made["source_ip"] == "127.0.0.1"
    assert made["idempotency_key"] is None
    assert made["deliveries_summary"] == {"total": 0, "succeeded": 0, "failed": 0, "pending": 0}
    assert made["created_at"].endswith("Z")
    for path in ("/v1/events", f"/v1/events/{made['id']}"):
        assert f'"payload":{kept}' in await (await relay.call("GET", path)).text()


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"type", "payload"}),
        ({"type": "Order.Created", "payload": {}}, {"type"}),
        ({"type": "a" * 129, "payload": {}}, {"type"}),
        ({"type": 5, "payload": {}}, {"type"}),
        ({"type": "a.b", "payload": []}, {"payload"}),
        ({"type": "a.b", "payload": None}, {"payload"}),
        ({"type": "a.b", "payload": {"x": "y" * 262_144}}, {"payload"}),
        ([], set()),
        ("text", set()),
    ],
)
async def test_what_is_wrong_with_an_event_is_said_by_field(relay: Relay, body: Any, fields: set[str]) -> None:
    answer = await relay.call("POST", "/v1/events", body)
    assert answer.status == 400
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert fields_of(json.loads(await answer.text())) == fields


@pytest.mark.parametrize("text", ['{"type":"a","payload":{"x":NaN}}', '{"type":"a","type":"b","payload":{}}', "{", ""])
async def test_a_body_that_is_no_strict_json_is_refused(relay: Relay, text: str) -> None:
    assert (await relay.call("POST", "/v1/events", data=text, headers=RAW)).status == 400


async def test_a_payload_of_256_kb_is_taken_and_a_body_beyond_is_413(relay: Relay) -> None:
    await publish(relay, payload={"x": "y" * (262_144 - 8)})
    answer = await relay.call("POST", "/v1/events", {"type": "a", "payload": {"x": "y" * 400_000}})
    assert answer.status == 413
    assert json.loads(await answer.text())["title"] == "Payload too large"


@pytest.mark.parametrize("key", ["a b", "caf\u00e9", "a\tb", "\u20ac \U0001f600", "\u00e9" * 255, "a" * 255])
async def test_an_idempotency_key_is_any_text(relay: Relay, key: str) -> None:
    """In the header and in a batch it is the same key."""
    body = {"type": "a.b", "payload": {}}
    first = await relay.json("POST", "/v1/events", body, headers={"Idempotency-Key": key}, status=202)
    assert first["idempotency_key"] == key
    assert await relay.json("POST", "/v1/events", body, headers={"Idempotency-Key": key}, status=202) == first
    batch = {"events": [{**body, "idempotency_key": key}, {**body, "idempotency_key": key[1:]}]}
    same, other = (await relay.json("POST", "/v1/events/batch", batch, status=202))["data"]
    assert same["event"] == first
    assert other["event"]["id"] != first["id"]


async def test_bytes_of_an_idempotency_key_that_are_no_utf_8_are_latin_1(relay: Relay) -> None:
    """What is in a header has no encoding of its own: `curl` and `requests` differ."""
    body = b'{"type":"a.b","payload":{}}'
    head = f"POST /v1/events HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\nContent-Length: {len(body)}\r\n".encode()
    url = URL(relay.url)
    made = set()
    for value in (b"caf\xe9", "caf\u00e9".encode(), b"  caf\xe9\t"):
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(head + b"Idempotency-Key: " + value + b"\r\nConnection: close\r\n\r\n" + body)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        event = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert event["idempotency_key"] == "caf\u00e9"
        made.add(event["id"])
    assert len(made) == 1


@pytest.mark.parametrize("key", ["a" * 256, "\U0001f600" * 256])
async def test_an_idempotency_key_has_at_most_255_characters(relay: Relay, key: str) -> None:
    body = {"type": "a.b", "payload": {}}
    answer = await relay.call("POST", "/v1/events", body, headers={"Idempotency-Key": key})
    assert answer.status == 400
    assert fields_of(json.loads(await answer.text())) == {"Idempotency-Key"}
    batch = {"events": [{**body, "idempotency_key": one} for one in (key, "a\0b", 7)]}
    for one in (await relay.json("POST", "/v1/events/batch", batch, status=202))["data"]:
        assert fields_of(one["problem"]) == {"idempotency_key"}


async def test_an_idempotency_key_that_is_given_twice_is_none(relay: Relay) -> None:
    headers = CIMultiDict([("Idempotency-Key", "a"), ("Idempotency-Key", "b"), ("Authorization", f"Bearer {KEY}")])
    url = f"{relay.url}/v1/events"
    async with relay.session.post(url, json={"type": "a.b", "payload": {}}, headers=headers) as answer:
        assert answer.status == 400
        assert fields_of(await answer.json(content_type=None)) == {"Idempotency-Key"}


async def test_an_empty_idempotency_key_is_not_given(relay: Relay) -> None:
    made = [await publish(relay, headers={"Idempotency-Key": key}) for key in ("", " ", "")]
    assert len({event["id"] for event in made}) == 3
    assert {event["idempotency_key"] for event in made} == {None}


async def test_fifty_equal_requests_at_once_make_one_event_and_get_equal_answers(
    relay: Relay, receiver: Receiver
) -> None:
    await subscribe(relay, receiver.url("/hook"))
    headers = {"Idempotency-Key": "order-42"}
    body = {"type": "order.created", "payload": {"n": 1}}
    answers = await asyncio.gather(*[relay.call("POST", "/v1/events", body, headers=headers) for _ in range(50)])
    assert {answer.status for answer in answers} == {202}
    assert len({await answer.text() for answer in answers}) == 1
    assert (await answers[0].json())["deliveries_summary"]["pending"] == 1
    await delivery_in(relay, "success")
    # The answer stays what it was, although the delivery has moved on; blanks and order of the payload do not count.
    again = await relay.call(
        "POST", "/v1/events", data='{"payload":{ "n" : 1 },"type":"order.created"}', headers=headers | RAW
    )
    assert await again.text() == await answers[0].text()
    assert len(receiver.received("/hook")) == 1
    assert len((await pages(relay, "/v1/events"))[0]) == 1


async def test_of_fifty_requests_with_two_payloads_one_payload_wins(relay: Relay) -> None:
    headers = {"Idempotency-Key": "contested"}

    async def send(number: int) -> tuple[int, int]:
        body = {"type": "order.created", "payload": {"n": number % 2}}
        return number % 2, (await relay.call("POST", "/v1/events", body, headers=headers)).status

    results = await asyncio.gather(*map(send, range(50)))
    accepted = {number for number, status in results if status == 202}
    refused = {number for number, status in results if status == 409}
    assert len(accepted) == len(refused) == 1
    assert accepted != refused
    body = {"type": "order.created", "payload": {"n": refused.pop()}}
    problem = await relay.json("POST", "/v1/events", body, status=409, headers=headers)
    assert problem["title"] == "Conflict"


async def test_an_idempotency_key_is_free_again_after_24_hours_and_its_own_in_each_workspace(
    start_relay: StartRelay,
) -> None:
    now_ms = start_ms()
    async with start_relay(clock=lambda: now_ms) as relay:
        headers = {"Idempotency-Key": "k"}
        first = await publish(relay, payload={"n": 1}, headers=headers)
        other = await relay.new_key("other", "whk_live_")
        foreign = await publish(relay, payload={"n": 2}, headers=headers, key=other)
        now_ms += 24 * 3600 * 1000 - 1
        assert (await publish(relay, payload={"n": 1}, headers=headers))["id"] == first["id"]
        now_ms += 1
        second = await publish(relay, payload={"n": 3}, headers=headers)
        assert len({first["id"], second["id"], foreign["id"]}) == 3


async def test_a_repeated_request_gets_its_answer_after_a_restart(start_relay: StartRelay) -> None:
    headers, body = {"Idempotency-Key": "once"}, {"type": "a.b", "payload": {"x": 1}}
    async with start_relay() as relay:
        await subscribe(relay, "https://hooks.example.com/x", event_filter="a.*")
        first = await (await relay.call("POST", "/v1/events", body, headers=headers)).text()
    async with start_relay() as relay:
        assert await (await relay.call("POST", "/v1/events", body, headers=headers)).text() == first


async def test_events_are_listed_newest_first_by_type_and_time_in_pages(relay: Relay) -> None:
    made = [await publish(relay, f"order.{'a' if n % 2 else 'b'}", {"n": n}) for n in range(7)]
    ids = [event["id"] for event in made]
    found = await pages(relay, "/v1/events", limit="3")
    assert [len(page) for page in found] == [3, 3, 1]
    assert [event["id"] for page in found for event in page] == ids[::-1]
    found = await pages(relay, "/v1/events", limit="2", type="order.a")
    assert [event["payload"]["n"] for page in found for event in page] == [5, 3, 1]
    after = await relay.json("GET", "/v1/events", params={"created_after": made[3]["created_at"]})
    assert [event["id"] for event in after["data"]] == [
        event["id"] for event in made[::-1] if event["created_at"] > made[3]["created_at"]
    ]
    assert (await relay.json("GET", "/v1/events", params={"type": "No Such"}))["data"] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "101"),
        ("limit", "ten"),
        ("limit", "\u0665"),
        ("cursor", "nonsense"),
        ("cursor", "WyIwMUEiLDBd.AAAA"),
        ("created_after", "yesterday"),
        ("created_after", "2026-13-01T00:00:00Z"),
    ],
)
async def test_a_bad_query_is_a_400_that_names_the_parameter(relay: Relay, name: str, value: str) -> None:
    assert fields_of(await relay.json("GET", "/v1/events", params={name: value}, status=400)) == {name}


async def test_a_cursor_is_good_for_its_own_list_alone(relay: Relay) -> None:
    """Not with other filters, not on another list, not for another workspace."""
    for n in range(3):
        await publish(relay, "order.a", {"n": n})
    first = await relay.json("GET", "/v1/events", params={"limit": "1", "type": "order.a"})
    cursor = first["next_cursor"]
    other = await relay.new_key("other", "whk_live_")
    assert (await relay.json("GET", "/v1/events", params={"type": "order.a", "cursor": cursor}))["data"]
    await relay.json("GET", "/v1/events", params={"cursor": cursor}, status=400)
    await relay.json("GET", "/v1/deliveries", params={"cursor": cursor}, status=400)
    await relay.json("GET", "/v1/events", params={"type": "order.a", "cursor": cursor}, key=other, status=400)


async def test_an_event_is_read_with_how_its_deliveries_stand(relay: Relay, receiver: Receiver) -> None:
    good = await subscribe(relay, receiver.url("/ok"))
    bad = await subscribe(relay, receiver.url("/status/404"))
    made = await publish(relay)
    assert made["deliveries_summary"] == {"total": 2, "succeeded": 0, "failed": 0, "pending": 2}
    await delivery_in(relay, "success", event_id=made["id"], subscription_id=good["id"])
    await delivery_in(relay, "dead", event_id=made["id"], subscription_id=bad["id"])
    found = await relay.json("GET", f"/v1/events/{made['id']}")
    assert found["deliveries_summary"] == {"total": 2, "succeeded": 1, "failed": 1, "pending": 0}
    assert (await relay.json("GET", "/v1/events"))["data"] == [found]


async def test_an_event_of_another_workspace_is_as_unknown_as_none(relay: Relay) -> None:
    made = await publish(relay)
    other = await relay.new_key("other", "whk_live_")
    foreign = await relay.json("GET", f"/v1/events/{made['id']}", key=other, status=404)
    assert foreign == await relay.json("GET", f"/v1/events/{UNKNOWN}", key=other, status=404)
    assert (await relay.json("GET", "/v1/events", key=other))["data"] == []
    await relay.json("GET", "/v1/events/%00", status=404)


async def test_events_of_other_producers_are_listed_too(relay: Relay) -> None:
    """One bus: an invitation is an event like any other."""
    await relay.json("POST", "/v1/invitations", {"customer_email": "ada@example.com", "send_email": False})
    found = await relay.json("GET", "/v1/events", params={"type": "invitation.created"})
    assert len(found["data"]) == 1


async def test_a_batch_is_answered_event_by_event(relay: Relay, receiver: Receiver) -> None:
    await subscribe(relay, receiver.url("/hook"), event_filter="order.*")
    text = (
        '{ "events" : [ {"type":"order.a","payload":{"n": 1.50}} , {"type":"BAD","payload":{}},\n'
        '{"type":"order.b","payload":{"n":2},"idempotency_key":"k"}, {"payload":{"n":3},"type":"order.b",'
        '"idempotency_key":"k"}, {"type":"order.b","payload":{"n":2},"idempotency_key":"k"}, 7 ] }'
    )
    answer = await relay.call("POST", "/v1/events/batch", data=text, headers=RAW)
    assert answer.status == 202
    results = (await answer.json())["data"]
    assert [result["status"] for result in results] == [202, 400, 202, 409, 202, 400]
    assert '"payload":{"n": 1.50}' in await answer.text()
    assert results[2]["event"] == results[4]["event"]
    assert results[1]["problem"]["errors"].keys() == {"type"}
    bodies = [json.loads(request.body) for request in await receiver.wait_for(2, "/hook")]
    assert sorted(body["type"] for body in bodies) == ["order.a", "order.b"]
    assert len((await pages(relay, "/v1/events"))[0]) == 2


@pytest.mark.parametrize("events", [None, [], {}, [{"type": "a.b", "payload": {}}] * 1001])
async def test_a_batch_has_1_to_1000_events(relay: Relay, events: Any) -> None:
    problem = await relay.json("POST", "/v1/events/batch", {"events": events}, status=400)
    assert fields_of(problem) == {"events"}


async def test_a_batch_of_1000_events_is_one_answer_of_1000(relay: Relay) -> None:
    events = [{"type": "a.b", "payload": {"n": n}} for n in range(1000)]
    results = (await relay.json("POST", "/v1/events/batch", {"events": events}, status=202))["data"]
    assert [result["event"]["payload"]["n"] for result in results] == list(range(1000))
    found = await pages(relay, "/v1/events", limit="100")
    assert [event["payload"]["n"] for page in found for event in page] == list(range(999, -1, -1))


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/events"), ("POST", "/v1/events"), ("POST", "/v1/events/batch")]
)
async def test_events_need_a_key_with_their_scope(relay: Relay, method: str, path: str) -> None:
    hooks_only = await relay.new_key(prefix="rsk_")
    for key, status in [(None, 401), ("whk_live_" + "x" * 32, 401), ("nonsense", 401), (hooks_only, 403)]:
        answer = await relay.call(method, path, key=key)
        assert answer.status == status
        assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert (await relay.call("GET", "/v1/events", key=None, headers={"X-API-Key": KEY})).status == 200


async def test_a_path_or_method_that_is_not_there_is_told_as_a_problem_too(relay: Relay) -> None:
    assert (await relay.json("PUT", "/v1/events", status=405))["title"] == "Method not allowed"
    assert (await relay.json("GET", "/v1/events/a/b", status=404))["title"] == "Not found"
    assert (await relay.json("GET", "/v1/healthz", key=None))["status"] == "healthy"
