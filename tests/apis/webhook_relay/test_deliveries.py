"""listDeliveries, getDelivery, retryDelivery, listDeadLetters, replayDeadLetter, recoverSubscription, and the wire."""

from __future__ import annotations

from typing import Any

import pytest

from relay.apis.webhook_relay.recovery import OPEN_LIMIT
from tests.apis.webhook_relay.client import (
    UNKNOWN,
    deliveries,
    delivery_in,
    fields_of,
    pages,
    publish,
    start_ms,
    subscribe,
    until,
    verify,
)
from tests.conftest import Relay, StartRelay
from tests.receiver import Receiver

LONG_AGO = "2020-01-01T00:00:00Z"


async def test_a_delivery_is_an_envelope_with_its_signature(relay: Relay, receiver: Receiver) -> None:
    made = await subscribe(relay, receiver.url("/hook"))
    event = await publish(relay, "order.created", {"id": 7, "total": 12.5})
    (request,) = await receiver.wait_for(1, "/hook")
    body = verify(request, made["signing_secret"])
    assert body == {
        "id": event["id"],
        "type": "order.created",
        "created_at": event["created_at"],
        "data": {"id": 7, "total": 12.5},
    }
    found = await delivery_in(relay, "success")
    assert request.header("X-Webhook-Event-Id") == event["id"]
    assert request.header("X-Webhook-Event-Type") == "order.created"
    assert request.header("X-Webhook-Delivery-Id") == request.header("webhook-id") == found["id"]
    assert request.header("X-Webhook-Attempt") == "1"
    assert request.header("Content-Type") == "application/json"


async def test_each_attempt_is_kept_with_what_came_of_it(relay: Relay, receiver: Receiver) -> None:
    receiver.script("/hook", "/status/503", "/ok")
    made = await subscribe(relay, receiver.url("/hook"))
    await publish(relay)
    found = await delivery_in(relay, "success")
    assert (found["attempts_made"], found["final_status_code"], found["next_attempt_at"]) == (2, 200, None)
    assert [attempt["attempt_number"] for attempt in found["attempts"]] == [1, 2]
    assert [attempt["response_status"] for attempt in found["attempts"]] == [503, 200]
    assert found["attempts"][1]["response_body_snippet"] == "ok"
    assert found["attempts"][1]["error_code"] is None
    sent = [request.header("X-Webhook-Signature") for request in receiver.received("/hook")]
    assert [attempt["request_signature"] for attempt in found["attempts"]] == sent
    assert {request.header("X-Webhook-Delivery-Id") for request in receiver.received("/hook")} == {found["id"]}
    (listed,) = await deliveries(relay, subscription_id=made["id"])
    assert "attempts" not in listed
    assert listed == {key: value for key, value in found.items() if key != "attempts"}


async def test_a_refused_connection_has_an_error_code_and_no_status(relay: Relay, receiver: Receiver) -> None:
    await subscribe(relay, receiver.url("/close"))
    await publish(relay)

    async def attempted() -> Any:
        return [one for one in await deliveries(relay) if one["attempts_made"]]

    (listed,) = await until(attempted)
    attempt = (await relay.json("GET", f"/v1/deliveries/{listed['id']}"))["attempts"][0]
    assert (attempt["response_status"], attempt["error_code"]) == (None, "connection_error")


async def test_deliveries_are_filtered_and_paged(relay: Relay, receiver: Receiver) -> None:
    good = await subscribe(relay, receiver.url("/ok"))
    bad = await subscribe(relay, receiver.url("/status/404"))
    events = [await publish(relay, payload={"n": n}) for n in range(5)]

    async def settled() -> bool:
        found = await relay.json("GET", "/v1/deliveries", params={"status": "pending"})
        return not found["data"]

    await until(settled)
    every = [one for page in await pages(relay, "/v1/deliveries", limit="3") for one in page]
    assert len({one["id"] for one in every}) == 10
    assert [one["id"] for one in every] == sorted((one["id"] for one in every), reverse=True)
    for query, count in [
        ({"status": "success"}, 5),
        ({"status": "dead"}, 5),
        ({"status": "failed"}, 0),
        ({"subscription_id": good["id"]}, 5),
        ({"subscription_id": good["id"], "status": "dead"}, 0),
        ({"subscription_id": bad["id"], "status": "dead"}, 5),
        ({"event_id": events[0]["id"]}, 2),
        ({"event_id": events[0]["id"], "subscription_id": bad["id"]}, 1),
        ({"event_id": events[0]["id"], "status": "success"}, 1),
        ({"event_id": UNKNOWN}, 0),
        ({"subscription_id": "\0"}, 0),
    ]:
        found = [one for page in await pages(relay, "/v1/deliveries", limit="2", **query) for one in page]
        assert len(found) == len({one["id"] for one in found}) == count, query
    assert fields_of(await relay.json("GET", "/v1/deliveries", params={"status": "lost"}, status=400)) == {"status"}


async def test_a_delivery_in_any_state_is_retried_at_once_and_goes_on_counting(
    relay: Relay, receiver: Receiver
) -> None:
    receiver.script("/hook", "/status/404", "/status/404", "/ok")
    await subscribe(relay, receiver.url("/hook"))
    await publish(relay)
    found = await delivery_in(relay, "dead")
    assert found["dead_reason"] == "refused"
    path = f"/v1/deliveries/{found['id']}"
    for count, status in [(2, "dead"), (3, "success"), (4, "success")]:
        retried = await relay.json("POST", f"{path}/retry")
        assert (retried["status"], retried["attempts_made"], retried["completed_at"]) == ("pending", count - 1, None)
        assert len(retried["attempts"]) == count - 1
        await receiver.wait_for(count, "/hook")
        found = await delivery_in(relay, status)
        assert found["attempts_made"] == count
        assert [attempt["attempt_number"] for attempt in found["attempts"]] == list(range(1, count + 1))


async def test_a_delivery_that_used_up_its_schedule_gets_one_attempt_more(
    start_relay: StartRelay, receiver: Receiver
) -> None:
    async with start_relay(retry_delays="0") as relay:
        await subscribe(relay, receiver.url("/status/500"))
        await publish(relay)
        found = await delivery_in(relay, "dead")
        assert (found["attempts_made"], found["dead_reason"]) == (2, "exhausted")
        await relay.json("POST", f"/v1/deliveries/{found['id']}/retry")
        await receiver.wait_for(3)
        assert (await delivery_in(relay, "dead"))["attempts_made"] == 3


async def test_dead_letters_are_listed_by_subscription_and_time(relay: Relay, receiver: Receiver) -> None:
    one = await subscribe(relay, receiver.url("/status/400"))
    two = await subscribe(relay, receiver.url("/status/422"))
    for n in range(3):
        await publish(relay, payload={"n": n})

    async def all_dead() -> bool:
        return len(await deliveries(relay, status="dead")) == 6

    await until(all_dead)
    every = [letter for page in await pages(relay, "/v1/dead-letters", limit="4") for letter in page]
    assert len({letter["id"] for letter in every}) == 6
    times = [letter["completed_at"] for letter in every]
    assert times == sorted(times, reverse=True)
    for subscription in (one, two):
        found = await pages(relay, "/v1/dead-letters", limit="2", subscription_id=subscription["id"])
        assert [letter["subscription_id"] for page in found for letter in page] == [subscription["id"]] * 3
    since = await relay.json("GET", "/v1/dead-letters", params={"since": times[0]})
    assert [letter["id"] for letter in since["data"]] == [
        letter["id"] for letter in every if letter["completed_at"] == times[0]
    ]
    assert (await relay.json("GET", "/v1/dead-letters", params={"since": "2100-01-01T00:00:00+02:00"}))["data"] == []
    assert fields_of(await relay.json("GET", "/v1/dead-letters", params={"since": "then"}, status=400)) == {"since"}


async def test_only_what_is_dead_is_replayed(relay: Relay, receiver: Receiver) -> None:
    receiver.script("/hook", "/status/400", "/ok")
    await subscribe(relay, receiver.url("/hook"))
    await publish(relay)
    found = await delivery_in(relay, "dead")
    path = f"/v1/dead-letters/{found['id']}/replay"
    replayed = await relay.json("POST", path)
    assert (replayed["status"], replayed["attempts_made"]) == ("pending", 1)
    found = await delivery_in(relay, "success")
    assert found["attempts_made"] == 2
    problem = await relay.json("POST", path, status=409)
    assert problem["title"] == "Conflict"


@pytest.mark.parametrize(
    ("method", "template"),
    [
        ("GET", "/v1/deliveries/{}"),
        ("POST", "/v1/deliveries/{}/retry"),
        ("POST", "/v1/dead-letters/{}/replay"),
    ],
)
async def test_a_delivery_of_another_workspace_is_as_unknown_as_none(
    relay: Relay, receiver: Receiver, method: str, template: str
) -> None:
    await subscribe(relay, receiver.url("/status/404"))
    await publish(relay)
    found = await delivery_in(relay, "dead")
    other = await relay.new_key("other", "whk_live_")
    path = template.format(found["id"])
    foreign = await relay.json(method, path, key=other, status=404)
    assert foreign == await relay.json(method, template.format(UNKNOWN), status=404)
    assert foreign == await relay.json(method, template.format("%00"), status=404)
    assert (await deliveries(relay))[0]["status"] == "dead"
    assert (await relay.json("GET", "/v1/dead-letters", key=other))["data"] == []
    assert (await relay.json("GET", "/v1/deliveries", key=other))["data"] == []
    no_scope = await relay.new_key(prefix="rsk_")
    for listing in ("/v1/deliveries", "/v1/dead-letters"):
        await relay.json("GET", listing, key=no_scope, status=403)
        await relay.json("GET", listing, key=None, status=401)
    await relay.json(method, path, key=no_scope, status=403)
    await relay.json(method, path, key=None, status=401)


async def test_a_recovery_counts_first_and_then_delivers_what_died_and_what_was_missed(
    relay: Relay, receiver: Receiver
) -> None:
    receiver.script("/hook", "/status/404", "/ok")
    made = await subscribe(relay, receiver.url("/hook"), event_filter="order.*")
    path = f"/v1/subscriptions/{made['id']}"
    await publish(relay, payload={"n": 0})
    await delivery_in(relay, "dead")
    await publish(relay, payload={"n": 1})
    await delivery_in(relay, "success")
    await relay.json("POST", f"{path}/pause")
    await publish(relay, payload={"n": 2})
    await publish(relay, "user.created")
    await relay.json("POST", f"{path}/resume")
    counted = await relay.json("POST", f"{path}/recover", {"since": LONG_AGO, "dry_run": True})
    assert (counted["dead"], counted["missed"], counted["dry_run"]) == (1, 1, True)
    begun = await relay.json("POST", f"{path}/recover", {"since": LONG_AGO}, status=202)
    assert (begun["dead"], begun["missed"], begun["dry_run"]) == (1, 1, False)
    found = await receiver.wait_for(4, "/hook")
    assert sorted(verify(one, made["signing_secret"])["data"].get("n") for one in found) == [0, 0, 1, 2]

    async def nothing_left() -> bool:
        left = await relay.json("POST", f"{path}/recover", {"since": LONG_AGO, "dry_run": True})
        return (left["dead"], left["missed"]) == (0, 0)

    await until(nothing_left)
    assert len(receiver.received("/hook")) == 4


async def test_what_is_recovered_has_its_full_schedule_again(start_relay: StartRelay, receiver: Receiver) -> None:
    """While its attempts go on being counted, and are all kept."""
    async with start_relay(retry_delays="0") as relay:
        made = await subscribe(relay, receiver.url("/status/500"))
        await publish(relay)
        found = await delivery_in(relay, "dead")
        assert found["attempts_made"] == 2
        path = f"/v1/subscriptions/{made['id']}/recover"
        await relay.json("POST", path, {"since": LONG_AGO}, status=202)
        await receiver.wait_for(4)
        found = await delivery_in(relay, "dead")
        assert (found["attempts_made"], found["dead_reason"]) == (4, "exhausted")
        assert [attempt["attempt_number"] for attempt in found["attempts"]] == [1, 2, 3, 4]


async def test_a_recovery_waits_for_a_paused_subscription_and_survives_a_restart(
    start_relay: StartRelay, receiver: Receiver
) -> None:
    async with start_relay() as relay:
        made = await subscribe(relay, receiver.url("/hook"))
        path = f"/v1/subscriptions/{made['id']}"
        await relay.json("POST", f"{path}/pause")
        for n in range(3):
            await publish(relay, payload={"n": n})
        await relay.json("POST", f"{path}/recover", {"since": LONG_AGO}, status=202)
    async with start_relay() as relay:
        assert not receiver.requests
        await relay.json("POST", f"{path}/resume")
        assert len(await receiver.wait_for(3, "/hook")) == 3


async def test_a_recovery_finds_what_was_published_after_the_clock_was_set_back(
    start_relay: StartRelay, receiver: Receiver
) -> None:
    """Ids never go down, so these events have ids that are ahead of their time."""
    now_ms = start_ms()
    async with start_relay(clock=lambda: now_ms) as relay:
        await publish(relay)
        now_ms -= 3_600_000
        made = await subscribe(relay, receiver.url("/hook"))
        path = f"/v1/subscriptions/{made['id']}"
        await relay.json("POST", f"{path}/pause")
        await publish(relay)
        await relay.json("POST", f"{path}/resume", {"replay_missed": True})
        await receiver.wait_for(1, "/hook")
        assert len(receiver.requests) == 1


async def test_a_recovery_leaves_out_what_was_published_outside_its_time(relay: Relay, receiver: Receiver) -> None:
    before = await publish(relay)
    made = await subscribe(relay, receiver.url("/status/404"))
    path = f"/v1/subscriptions/{made['id']}/recover"
    first = await publish(relay)
    await delivery_in(relay, "dead", event_id=first["id"])
    for query, dead in [
        ({"since": before["created_at"]}, 1),
        ({"since": first["created_at"], "until": first["created_at"]}, 1),
        ({"since": LONG_AGO, "until": LONG_AGO}, 0),
        ({"since": "2100-01-01T00:00:00Z", "until": "2100-01-02T00:00:00Z"}, 0),
    ]:
        counted = await relay.json("POST", path, {**query, "dry_run": True})
        assert (counted["dead"], counted["missed"]) == (dead, 0), query


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "since"),
        ({"since": "soon"}, "since"),
        ({"since": 5}, "since"),
        ({"since": LONG_AGO, "until": "later"}, "until"),
        ({"since": LONG_AGO, "until": "2019-01-01T00:00:00Z"}, "since"),
        ({"since": LONG_AGO, "dry_run": 1}, "dry_run"),
    ],
)
async def test_a_recovery_needs_a_span_of_time(relay: Relay, body: dict[str, Any], field: str) -> None:
    made = await subscribe(relay)
    problem = await relay.json("POST", f"/v1/subscriptions/{made['id']}/recover", body, status=400)
    assert fields_of(problem) == {field}


async def test_so_many_recoveries_of_a_subscription_may_be_open(relay: Relay) -> None:
    """Each is looked at every second, also while it has to wait."""
    made = await subscribe(relay)
    path = f"/v1/subscriptions/{made['id']}"
    await relay.json("POST", f"{path}/pause")
    for _ in range(OPEN_LIMIT):
        await relay.json("POST", f"{path}/recover", {"since": LONG_AGO}, status=202)
    problem = await relay.json("POST", f"{path}/recover", {"since": LONG_AGO}, status=409)
    assert problem["title"] == "Conflict"
    await relay.json("POST", f"{path}/recover", {"since": LONG_AGO, "dry_run": True})
    await relay.json("POST", f"{path}/resume", {"replay_missed": True}, status=409)
    await relay.json("POST", f"{path}/resume")
