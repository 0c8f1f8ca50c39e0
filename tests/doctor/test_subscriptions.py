"""Every subscription of every API: what is found, and that the advice mends it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from relay.app import wall_clock
from relay.core.model import SubscriptionState
from relay.store import subscriptions
from tests.conftest import KEY, Relay, StartRelay
from tests.doctor.patient import (
    ADD,
    HOUR_MS,
    add_hook,
    add_subscription,
    add_webhook,
    examined,
    found,
    publish,
    until,
    until_tried,
)
from tests.receiver import Receiver


async def rows(tmp_path: Path, **options: Any) -> list[dict[str, Any]]:
    """The findings about subscriptions: their details, problem and advice."""
    report = await examined(tmp_path, **options)
    return [
        {**one.details, "problem": one.problem.value, "what": one.what, "advice": one.advice, "now": one.needs_person}
        for one in report.findings
        if one.area == "subscriptions"
    ]


async def state_of(relay: Relay, subscription_id: str) -> SubscriptionState:
    one = await relay.server.database.read(subscriptions.to_send(subscription_id))
    assert one is not None
    return one.state


async def failures_of(relay: Relay, subscription_id: str) -> int:
    one = await relay.server.database.read(subscriptions.to_send(subscription_id))
    assert one is not None
    return one.consecutive_failures


async def test_a_subscription_that_failed_until_it_was_paused_is_found_until_it_is_resumed(
    tmp_path: Path, start_relay: StartRelay, receiver: Receiver
) -> None:
    """Eight failures in a row; the advice is the resume request of its API."""
    async with start_relay(retry_delays=",".join(["0.01"] * 9)) as relay:
        paused = await add_subscription(relay, receiver.url("/status/500"), event_filter="*", name="Orders")
        await publish(relay)

        async def is_paused() -> bool:
            return await state_of(relay, paused) is SubscriptionState.PAUSED

        await until(is_paused)
        [one] = await rows(tmp_path)
        assert (one["problem"], one["id"], one["api"], one["now"]) == ("paused", paused, "webhook_relay", True)
        assert (one["workspace"], one["name"], one["event_filter"]) == ("default", "Orders", ["*"])
        assert (one["host"], one["last_status"]) == (f"127.0.0.1:{receiver.port}", 500)
        assert abs(one["stopped_at"] - wall_clock() // 1000) < 60
        assert "8 requests failed in a row, the last with status 500" in one["what"]
        resume = f"/v1/subscriptions/{paused}/resume"
        assert f"POST {resume}" in one["advice"]
        await relay.json("POST", resume)
        assert await rows(tmp_path) == []


async def test_a_subscription_that_somebody_paused_gets_no_events_either(tmp_path: Path, relay: Relay) -> None:
    paused = await add_subscription(relay, "https://hooks.example.com/a", event_filter="*")
    await relay.json("POST", f"/v1/subscriptions/{paused}/pause")
    [one] = await rows(tmp_path)
    assert (one["problem"], one["id"], one["now"]) == ("paused", paused, True)
    assert "somebody asked for it" in one["what"]


@pytest.mark.parametrize(
    ("api", "advice"),
    [
        ("ravepilot", "create it anew: POST /v1/webhooks with the same url and events"),
        ("webhook_relay", "POST /v1/subscriptions/{id}/resume"),
        ("rest_hooks", "turn it off and on again"),
    ],
)
async def test_what_a_410_ended_is_found_until_it_is_removed(
    tmp_path: Path, relay: Relay, receiver: Receiver, api: str, advice: str
) -> None:
    """In every API, with that API's next step and the request that removes it."""
    ended = await ADD[api](relay, receiver.url("/gone"))
    await publish(relay)

    async def is_disabled() -> bool:
        return await state_of(relay, ended) is SubscriptionState.DISABLED

    await until(is_disabled)
    [one] = await rows(tmp_path)
    assert (one["problem"], one["id"], one["api"], one["reason"]) == ("disabled", ended, api, "gone")
    assert "410" in one["what"]
    assert one["last_status"] == 410
    assert advice.replace("{id}", ended) in one["advice"]
    [path] = [word.rstrip(".") for word in one["advice"].split("DELETE ")[1:]]
    assert (await relay.call("DELETE", path)).status in (200, 204)
    assert await rows(tmp_path) == []


async def test_a_webhook_that_was_disabled_for_failing_is_found(
    tmp_path: Path, start_relay: StartRelay, receiver: Receiver
) -> None:
    """RavePilot's: 25 failures in a row, and it stays so."""
    async with start_relay(retry_delays="3600") as relay:
        ended = await add_webhook(relay, receiver.url("/close"))
        await publish(relay)

        async def has_failed() -> bool:
            return await failures_of(relay, ended) == 1

        await until(has_failed)
        for _ in range(24):
            await relay.server.database.write(subscriptions.failed(ended, wall_clock()))
        off = subscriptions.switch_off(ended, SubscriptionState.DISABLED, "failing", wall_clock())
        await relay.server.database.write(off)
        [one] = await rows(tmp_path)
    assert (one["problem"], one["id"], one["reason"]) == ("disabled", ended, "failing")
    assert "nothing but failures" in one["what"]
    assert "25 in a row, the last with connection_error" in one["what"]


@pytest.mark.parametrize("api", ADD)
async def test_a_target_that_has_never_answered_well_is_found_at_once(
    tmp_path: Path, start_relay: StartRelay, receiver: Receiver, api: str
) -> None:
    """Even after one failure: most likely its URL is wrong."""
    async with start_relay(retry_delays="3600") as relay:
        failing = await ADD[api](relay, receiver.url("/status/500"))
        await publish(relay)

        async def has_failed() -> bool:
            return await failures_of(relay, failing) == 1

        await until(has_failed)
        [one] = await rows(tmp_path)
    assert (one["problem"], one["id"], one["api"], one["now"]) == ("never_succeeded", failing, api, True)
    assert (one["failed_requests"], one["last_status"]) == (1, 500)
    assert "none has ever succeeded" in one["what"]


async def test_a_success_long_ago_behind_a_long_queue_is_remembered(
    tmp_path: Path, start_relay: StartRelay, receiver: Receiver
) -> None:
    """The newest hundred deliveries of a target that is down all wait: those before them count too."""
    async with start_relay(retry_delays="3600") as relay:
        receiver.script("/hook", "/ok", "/status/500")
        failing = await add_subscription(relay, receiver.url("/hook"), event_filter="*")
        await publish(relay)
        await until_tried(relay, 1)
        events = [{"type": "clip.approved", "payload": {}}] * 150
        await relay.json("POST", "/v1/events/batch", {"events": events}, status=202)

        async def has_failed() -> bool:
            return await failures_of(relay, failing) > 0

        await until(has_failed)
        [one] = await rows(tmp_path)
    assert (one["problem"], one["last_status"]) == ("failing", 500)


async def test_a_target_that_used_to_answer_needs_a_person_when_it_fails_for_long_or_often(
    tmp_path: Path, start_relay: StartRelay, receiver: Receiver
) -> None:
    """Until then it is a note: a receiver is restarted now and then."""
    async with start_relay(retry_delays="0.01,0.01,3600") as relay:
        receiver.script("/long", "/ok", "/status/400")
        receiver.script("/often", "/ok", "/status/500")
        long = await add_subscription(relay, receiver.url("/long"), event_filter="clip.*")
        often = await add_subscription(relay, receiver.url("/often"), event_filter="clip.*")
        await publish(relay)
        await until_tried(relay, 2, ("success",))
        await publish(relay)

        async def have_failed() -> bool:
            return await failures_of(relay, often) == 3 and await failures_of(relay, long) == 1

        await until(have_failed)
        now = {one["id"]: one for one in await rows(tmp_path)}
        later = {one["id"]: one for one in await rows(tmp_path, after_ms=HOUR_MS)}
    assert {one["problem"] for one in now.values()} == {"failing"}
    assert (now[long]["now"], now[often]["now"]) == (False, True)
    assert (later[long]["now"], later[often]["now"]) == (True, True)
    assert "3 requests have failed" in now[often]["what"]
    assert "before that it answered" in now[often]["what"]


@pytest.mark.parametrize("api", ADD)
async def test_the_same_target_and_filter_twice_is_found(tmp_path: Path, relay: Relay, api: str) -> None:
    """However the host and the port are spelled; the later one is reported, with both ids in the advice."""
    body = {"event_filter": "clip.*"} if api == "webhook_relay" else {}
    first = await ADD[api](relay, "https://hooks.example.com/a?b=1", **body)
    second = await ADD[api](relay, "https://HOOKS.example.com:443/a?b=1", **body)
    [one] = await rows(tmp_path)
    assert (one["problem"], one["id"], one["same_as"], one["api"]) == ("duplicate", second, first, api)
    assert f"/{first}" in one["advice"]
    assert f"/{second}" in one["advice"]


async def test_what_differs_is_no_duplicate(tmp_path: Path, relay: Relay) -> None:
    """Another API, workspace, path, filter or state."""
    url = "https://hooks.example.com/a"
    await add_subscription(relay, url, event_filter="clip.approved")
    await add_subscription(relay, url, event_filter="clip.*")
    await add_subscription(relay, url + "/b", event_filter="clip.approved")
    await add_webhook(relay, url, events=["clip.approved"])
    await add_hook(relay, url)
    other = await relay.new_key("another", scopes={"subscriptions"})
    await relay.json("POST", "/v1/subscriptions", {"url": url, "event_filter": "clip.*"}, status=201, key=other)
    assert await rows(tmp_path) == []
    stopped = await add_subscription(relay, url, event_filter="clip.approved")
    assert [one["problem"] for one in await rows(tmp_path)] == ["duplicate"]
    await relay.json("POST", f"/v1/subscriptions/{stopped}/pause")
    assert [one["problem"] for one in await rows(tmp_path)] == ["paused"]


@pytest.mark.parametrize("api", ADD)
async def test_a_target_that_the_server_refuses_is_found(
    tmp_path: Path, start_relay: StartRelay, receiver: Receiver, api: str
) -> None:
    """By what the server was started with, whatever this shell has: RELAY_ALLOW_TARGETS is not in it."""
    async with start_relay() as relay:
        kept = await ADD[api](relay, receiver.url("/hook"))
        assert await rows(tmp_path) == []
    async with start_relay(allow_targets="10.0.0.0/8"):
        [one] = await rows(tmp_path)
    assert (one["problem"], one["id"], one["api"]) == ("refused", kept, api)
    assert one["refusal"] == "url must not point to a private network"
    assert "RELAY_ALLOW_TARGETS" in one["advice"]
    assert f"/{kept}" in one["advice"]


async def test_the_server_itself_is_no_target(tmp_path: Path, start_relay: StartRelay) -> None:
    """It is refused as the server refuses it, though this process listens nowhere."""
    async with start_relay() as relay:
        await add_subscription(relay, "http://127.0.0.1:8123/v1/events", event_filter="*")
    async with start_relay(allow_targets="localhost"):
        assert [one["problem"] for one in await rows(tmp_path)] == ["refused"]


async def test_one_workspace_can_be_looked_at_alone(tmp_path: Path, relay: Relay) -> None:
    other = await relay.new_key("another", scopes={"subscriptions"})
    for key in (KEY, other):
        body = {"url": "https://hooks.example.com/a", "event_filter": "*"}
        one = await relay.json("POST", "/v1/subscriptions", body, status=201, key=key)
        await relay.json("POST", f"/v1/subscriptions/{one['id']}/pause", key=key)
    assert len(await rows(tmp_path)) == 2
    assert [one["workspace"] for one in await rows(tmp_path, workspace_name="another")] == ["another"]
    report = await examined(tmp_path, workspace_name="another")
    assert report.checked["subscriptions"] == {"webhook_relay": 1}


async def test_a_removed_subscription_is_no_finding(tmp_path: Path, relay: Relay, receiver: Receiver) -> None:
    for api, add in ADD.items():
        gone = await add(relay, receiver.url(f"/{api}"))
        path = {"ravepilot": "/v1/webhooks", "webhook_relay": "/v1/subscriptions", "rest_hooks": "/api/v1/hooks"}[api]
        await relay.call("DELETE", f"{path}/{gone}")
    assert await found(tmp_path) == {}
