"""The engine from the outside: events go in, and what the receiver and the log see is checked."""

from __future__ import annotations

import asyncio
import json
from itertools import count, pairwise
from typing import Any

import pytest

from relay.app import wall_clock
from relay.core import ids
from relay.core.errors import StartError
from relay.core.model import Attempt, DeadReason, Delivery, DeliveryState, Event, Subscription
from relay.store import deliveries, listing, subscriptions, workspaces
from tests.conftest import Relay, StartRelay
from tests.machine import DAY_MS, Machine
from tests.receiver import Receiver

_numbers = count()


async def workspace_id(relay: Relay, name: str = "default") -> str:
    workspace, _ = await relay.server.database.write(workspaces.ensure(name, wall_clock()))
    return workspace.id


async def publish(relay: Relay, event_type: str = "clip.approved", workspace: str = "default", **payload: Any) -> Event:
    """Publish as a domain does: in its own transaction, then wake."""
    now_ms = wall_clock()
    event = Event(ids.ulid(now_ms), await workspace_id(relay, workspace), event_type, json.dumps(payload), now_ms)
    published = await relay.server.database.write(relay.server.engine.publish(event))
    relay.server.engine.send(published.deliveries)
    return event


async def webhook(relay: Relay, url: str, **kwargs: Any) -> str:
    answer = await relay.json("POST", "/v1/webhooks", {"url": url, "events": ["clip.approved"]}, **kwargs)
    return str(answer["id"])


async def log(relay: Relay) -> list[Delivery]:
    newest = listing.delivery_page(await workspace_id(relay), None, None, None, listing.Position(), 1000)
    return (await relay.server.database.read(newest)).items


async def attempts(relay: Relay, delivery: Delivery) -> list[Attempt]:
    return await relay.server.database.read(deliveries.attempts(delivery.id))


async def subscription(relay: Relay, subscription_id: str) -> Subscription:
    found = await relay.server.database.read(subscriptions.to_send(subscription_id))
    assert found is not None
    return found


async def until_ended(relay: Relay, count: int = 1, timeout_s: float = 20) -> list[Delivery]:
    """The log once so many deliveries are no longer pending."""
    async with asyncio.timeout(timeout_s):
        while True:
            found = await log(relay)
            if len([one for one in found if one.state is not DeliveryState.PENDING]) >= count:
                return found
            await asyncio.sleep(0.02)


async def test_an_attempt_is_recorded_with_what_the_receiver_answered(relay: Relay, receiver: Receiver) -> None:
    await webhook(relay, receiver.url("/html"))
    await publish(relay)

    [delivery] = await until_ended(relay)
    [attempt] = await attempts(relay, delivery)

    assert (delivery.state, delivery.attempts_made, delivery.final_status_code) == ("success", 1, 200)
    assert (attempt.number, attempt.status, attempt.error_code) == (1, 200, None)
    assert attempt.signature.startswith("t=")
    assert attempt.latency_ms is not None
    assert "html" in (attempt.snippet or "")


async def test_a_failing_receiver_is_asked_by_schedule_and_then_given_up(
    start_relay: StartRelay, receiver: Receiver
) -> None:
    async with start_relay(retry_delays="0.05,0.1") as relay:
        await webhook(relay, receiver.url("/status/500"))
        await publish(relay)
        [delivery] = await until_ended(relay)
        recorded = await attempts(relay, delivery)

    assert (delivery.state, delivery.dead_reason, delivery.attempts_made) == ("dead", "exhausted", 3)
    assert [attempt.number for attempt in recorded] == [1, 2, 3]
    assert {request.header("webhook-id") for request in receiver.received()} == {delivery.id}
    assert len(receiver.received()) == 3


async def test_retry_after_lengthens_the_wait(start_relay: StartRelay, receiver: Receiver) -> None:
    async with start_relay(retry_delays="0.05") as relay:
        receiver.script("/hook", "/retry-after/1/503", "/ok")
        await webhook(relay, receiver.url("/hook"))
        await publish(relay)
        first, second = await receiver.wait_for(2, timeout_s=10)

    assert second.at_s - first.at_s >= 0.99


async def test_410_switches_off_at_once_and_drops_the_queue(relay: Relay, receiver: Receiver) -> None:
    receiver.script("/hook", "/status/503", "/gone")
    hook = await webhook(relay, receiver.url("/hook"))
    await asyncio.gather(*[publish(relay) for _ in range(20)])
    await until_ended(relay, 20)

    found = await log(relay)
    off = await subscription(relay, hook)
    assert (off.state, off.disabled_reason) == ("disabled", "gone")
    assert {one.state for one in found} == {"dead"}
    assert {one.dead_reason for one in found} == {"gone", "disabled"}
    asked = len(receiver.received())
    await publish(relay)
    assert len(await log(relay)) == 20, "a later event makes no delivery"
    assert len(receiver.received()) == asked


async def test_25_failed_requests_in_a_row_disable_a_ravepilot_webhook(
    start_relay: StartRelay, receiver: Receiver
) -> None:
    async with start_relay(retry_delays="0.02,0.02,0.02,0.02") as relay:
        hook = await webhook(relay, receiver.url("/status/500"))
        await asyncio.gather(*[publish(relay) for _ in range(40)])
        found = await until_ended(relay, 40)
        off = await subscription(relay, hook)

    assert (off.state, off.disabled_reason) == ("disabled", "failing")
    assert off.consecutive_failures == 25
    assert {one.state for one in found} == {"dead"}


async def test_a_burst_at_a_receiver_that_fails_for_a_moment_does_not_switch_it_off(
    start_relay: StartRelay, receiver: Receiver
) -> None:
    """What was on the wire together is one failure, and after it the target is asked one request at a time."""
    async with start_relay(retry_delays="0.3,0.3,0.3,0.3", delivery_timeout=1) as relay:
        receiver.script("/hook", "/ok", *["/hang"] * 30, "/ok")
        hook = await webhook(relay, receiver.url("/hook"))
        await publish(relay)
        await until_ended(relay, 1)
        for _ in range(60):
            await publish(relay)
        found = await until_ended(relay, 61)
        on = await subscription(relay, hook)

    failed = [one for one in found if one.attempts_made > 1]
    assert len(failed) >= 25
    assert (on.state, on.consecutive_failures) == ("active", 0)
    assert {one.state for one in found} == {"success"}


async def test_after_a_failure_the_target_is_asked_one_request_at_a_time(
    start_relay: StartRelay, receiver: Receiver
) -> None:
    async with start_relay(retry_delays="0.2,0.2,0.2,0.2,0.2,0.2,0.2,0.2") as relay:
        await webhook(relay, receiver.url("/status/503"))
        await publish(relay)
        await receiver.wait_for(1)
        for _ in range(30):
            await publish(relay)
        later = (await receiver.wait_for(5, timeout_s=10))[1:]

    pauses = [after.at_s - before.at_s for before, after in pairwise(later)]
    assert min(pauses) > 0.15


async def test_nothing_is_sent_after_unsubscribing_but_what_was_on_the_wire(relay: Relay, receiver: Receiver) -> None:
    hook = await webhook(relay, receiver.url("/slow/0.5"))
    await asyncio.gather(*[publish(relay) for _ in range(100)])
    await receiver.wait_for(1)
    answer = await relay.json("DELETE", f"/v1/webhooks/{hook}")
    asked = len(receiver.received())
    async with asyncio.timeout(10):
        while len([one for one in await log(relay) if one.state == "success"]) < asked:
            await asyncio.sleep(0.02)
    found = await until_ended(relay, 100)

    assert answer == {"ok": True, "deleted": True}
    assert len(receiver.received()) == asked
    ended = {one.dead_reason or one.state for one in found}
    assert ended == {"success", "unsubscribed"}
    assert (await subscription(relay, hook)).secret == ""


async def test_a_large_body_arrives_whole(relay: Relay, receiver: Receiver) -> None:
    """Bodies above 16 KB are read when they are sent, not when they are claimed."""
    await webhook(relay, receiver.url("/ok"))
    text = "ß€" * 40_000
    await publish(relay, text=text)

    [request] = await receiver.wait_for(1)
    assert json.loads(request.body)["data"]["text"] == text


async def test_a_restart_sends_what_was_waiting_under_the_same_id(start_relay: StartRelay, receiver: Receiver) -> None:
    receiver.script("/hook", "/status/503", "/ok")
    async with start_relay(retry_delays="1") as relay:
        await webhook(relay, receiver.url("/hook"))
        await publish(relay)
        await receiver.wait_for(1)
    async with start_relay(retry_delays="1") as relay:
        await receiver.wait_for(2)
        [delivery] = await until_ended(relay)

    assert delivery.state == "success"
    assert [request.header("webhook-id") for request in receiver.received()] == [delivery.id] * 2


async def test_a_hanging_target_does_not_hold_up_another(start_relay: StartRelay, receiver: Receiver) -> None:
    """With three slots and a receiver that never answers, the others still get theirs."""
    async with start_relay(delivery_concurrency=4, delivery_timeout=4) as relay:
        await webhook(relay, receiver.url("/hang"))
        for _ in range(40):
            await publish(relay)
        await receiver.wait_for(1, "/hang")
        await webhook(relay, receiver.url("/ok"))
        for _ in range(10):
            await publish(relay)
        await receiver.wait_for(10, "/ok", timeout_s=15)


async def test_a_workspace_with_a_long_queue_does_not_delay_another(
    start_relay: StartRelay, receiver: Receiver
) -> None:
    async with start_relay(delivery_concurrency=4) as relay:
        await webhook(relay, receiver.url("/slow/0.2/hog"))
        for _ in range(200):
            await publish(relay)
        key = await relay.new_key("another")
        await webhook(relay, receiver.url("/ok"), key=key)
        await publish(relay, workspace="another")
        await receiver.wait_for(1, "/ok", timeout_s=5)

        waiting = [one for one in await log(relay) if one.state is DeliveryState.PENDING]
        assert len(waiting) > 50, "the long queue is still there when the other's only event has arrived"


async def test_an_event_older_than_the_retention_goes_unless_it_still_waits(
    start_relay: StartRelay, receiver: Receiver
) -> None:
    machine = Machine()
    async with start_relay(
        clock=machine.clock, uptime=machine.uptime, retention_days=7, retry_delays="2592000"
    ) as relay:
        receiver.script("/hook", "/ok", "/status/503")
        await webhook(relay, receiver.url("/hook"))
        await publish(relay)
        await until_ended(relay)
        await publish(relay)
        await receiver.wait_for(2)
        machine.pass_time(400 * DAY_MS)  # well past the ids of tests that ran with a clock of their own
        await relay.server.engine.expire_events()
        [kept] = await log(relay)

    assert kept.state is DeliveryState.PENDING


async def test_a_clock_that_steps_back_does_not_stall_the_queue(start_relay: StartRelay, receiver: Receiver) -> None:
    shift_ms = 0

    def clock() -> int:
        return wall_clock() + shift_ms

    async with start_relay(clock=clock, retry_delays="0.2,0.2") as relay:
        receiver.script("/hook", "/status/503", "/ok")
        await webhook(relay, receiver.url("/hook"))
        await publish(relay)
        await receiver.wait_for(1)
        shift_ms = -3_600_000
        await receiver.wait_for(2, timeout_s=5)


async def test_a_wrong_secret_key_is_said_at_the_start(start_relay: StartRelay, receiver: Receiver) -> None:
    async with start_relay(secret_key="one and sixteen or more") as relay:
        await webhook(relay, receiver.url("/ok"))
    with pytest.raises(StartError, match="RELAY_SECRET_KEY"):
        async with start_relay(secret_key="another of sixteen or more"):
            pass
    async with start_relay(secret_key="another of sixteen or more,one and sixteen or more") as relay:
        await publish(relay)
        await receiver.wait_for(1)


async def test_what_is_claimed_for_a_subscription_that_another_process_ends_does_not_go_out(
    relay: Relay, receiver: Receiver
) -> None:
    """As the command line does, which can tell the engine nothing; what is on the wire already goes on."""
    receiver.script("/hook", "/ok", "/slow/2.5")
    subscription_id = await webhook(relay, receiver.url("/hook"))
    await publish(relay)
    await until_ended(relay)
    for number in range(50):
        await publish(relay, number=number)
    await receiver.wait_for(33, "/hook")

    await relay.server.database.write(
        subscriptions.remove(await workspace_id(relay), subscription_id, "ravepilot", wall_clock())
    )

    found = await until_ended(relay, 51)
    async with asyncio.timeout(20):
        while relay.server.engine.under_way:
            await asyncio.sleep(0.05)
    assert len(receiver.received("/hook")) == 33
    assert {one.dead_reason for one in found if one.state is DeliveryState.DEAD} == {DeadReason.UNSUBSCRIBED}
