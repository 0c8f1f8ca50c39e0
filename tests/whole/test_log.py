"""What a running server's log says of its targets: once for each change, whatever receivers and clients do."""

from __future__ import annotations

import asyncio

from relay.store import subscriptions
from tests.apis.webhook_relay.client import delivery_in, publish, subscribe, until
from tests.conftest import Relay, StartRelay
from tests.logged import Logged, logged
from tests.receiver import Receiver


def about_targets(log: Logged) -> list[str]:
    return [line["event"] for line in log.records if "subscription_id" in line and line["event"] != "deliveries died"]


async def until_said(log: Logged, words: str, times: int = 1) -> None:
    async def look() -> bool:
        return len(log.of(words)) >= times

    await until(look)


async def test_a_row_of_failures_is_one_line_and_its_end_another(relay: Relay, receiver: Receiver) -> None:
    receiver.script("/hook", "/ok", *["/status/503"] * 4, "/ok", "/status/500", "/ok")
    made = await subscribe(relay, receiver.url("/hook"), name="\x1b[31m\u202ename")
    with logged() as log:
        await publish(relay)
        await delivery_in(relay, "success")
        for _ in range(3):
            await publish(relay)
        await until_said(log, "a target answers again")
        await delivery_in(relay, "success")
        await publish(relay)
        await until_said(log, "a target answers again", 2)
    assert about_targets(log) == ["a target began to fail", "a target answers again"] * 2
    first, again = log.records[:2]
    assert first["subscription_id"] == again["subscription_id"] == made["id"]
    assert first["reason"] == "status 503"
    attempts = (await relay.json("GET", f"/v1/deliveries/{first['delivery_id']}"))["attempts"]
    assert attempts[0]["response_status"] == 503
    assert again["failures"] == 4


async def test_a_healthy_target_is_never_mentioned(relay: Relay, receiver: Receiver) -> None:
    await subscribe(relay, receiver.url("/ok"))
    with logged() as log:
        for _ in range(20):
            await publish(relay)
        await delivery_in(relay, "success")
    assert log.lines == []


async def test_many_failures_at_once_are_one_line_and_a_switching_off_is_one(
    start_relay: StartRelay, receiver: Receiver
) -> None:
    async with start_relay(retry_delays="0.02,0.02,0.02,0.02") as relay:
        receiver.script("/hook", "/ok", "/status/500")
        await relay.json("POST", "/v1/webhooks", {"url": receiver.url("/hook"), "events": ["clip.approved"]})
        await publish(relay, "clip.approved")
        await receiver.wait_for(1)
        with logged() as log:
            await asyncio.gather(*[publish(relay, "clip.approved") for _ in range(60)])
            await until_said(log, "a subscription was disabled")
            await until_said(log, "deliveries died")
    assert about_targets(log) == ["a target began to fail", "a subscription was disabled"]
    [off] = log.of("a subscription was disabled")
    assert off["reason"] == "25 failures in a row, the last: status 500"


async def test_many_410_at_once_are_one_line(relay: Relay, receiver: Receiver) -> None:
    receiver.script("/hook", "/ok", "/gone")
    await subscribe(relay, receiver.url("/hook"))
    await publish(relay)
    await delivery_in(relay, "success")
    with logged() as log:
        await asyncio.gather(*[publish(relay) for _ in range(40)])
        await until_said(log, "deliveries died", 2)
    assert about_targets(log) == ["a subscription was ended by its receiver"]


async def test_what_a_person_does_is_said_once_and_asking_again_is_no_change(relay: Relay) -> None:
    made = await subscribe(relay)
    with logged() as log:
        for action in ("pause", "pause", "resume", "resume"):
            await relay.json("POST", f"/v1/subscriptions/{made['id']}/{action}")
        await relay.json("PATCH", f"/v1/subscriptions/{made['id']}", {"name": "other"})
        await relay.json("POST", f"/v1/subscriptions/{made['id']}/rotate-secret")
    assert about_targets(log) == [
        "a subscription was paused by a person",
        "a subscription was resumed by a person",
    ]
    assert all(line["api_key_id"].startswith("key_") for line in log.records)


async def test_what_was_on_the_wire_when_it_was_paused_is_no_news(start_relay: StartRelay, receiver: Receiver) -> None:
    async with start_relay(delivery_timeout=1, retry_delays="0.1") as relay:
        made = await subscribe(relay, receiver.url("/hang"))
        with logged() as log:
            await publish(relay)
            await receiver.wait_for(1)
            await relay.json("POST", f"/v1/subscriptions/{made['id']}/pause")

            async def is_counted() -> bool:
                found = await relay.server.database.read(subscriptions.to_send(made["id"]))
                return found is not None and found.consecutive_failures == 1

            await until(is_counted)
    assert about_targets(log)[:1] == ["a subscription was paused by a person"]
    assert not log.of("a target began to fail")


async def test_what_died_last_is_said_at_the_stop(start_relay: StartRelay, receiver: Receiver) -> None:
    with logged() as log:
        async with start_relay() as relay:
            await subscribe(relay, receiver.url("/status/404"))
            await publish(relay)
            await delivery_in(relay, "dead")
            assert not log.of("deliveries died"), "sums are said now and then"
    said = [line["event"] for line in log.records]
    assert said[-2:] == ["deliveries died", "Relay stopped"]
