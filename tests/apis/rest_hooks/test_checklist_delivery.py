"""The REST Hook conformance checklist, points 24 and 34 to 47: what reaches a hook, and what its answers mean."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from relay.outbound.resolve import Resolver
from relay.store import deliveries
from tests.apis.rest_hooks.platform import CLIP, log, publish, subscribe, until, until_settled
from tests.conftest import KEY, Relay, StartRelay
from tests.receiver import Receiver


async def live(relay: Relay) -> list[str]:
    return [row["id"] for row in await relay.json("GET", "/api/v1/hooks")]


async def test_what_waits_is_dropped_when_a_hook_is_removed(relay: Relay, receiver: Receiver) -> None:
    """24: nothing is sent after the 204 except what was in flight; another hook still gets its own."""
    hook = await subscribe(relay, receiver.url("/status/503"))
    for number in range(5):
        await publish(relay, {"number": number})
    await receiver.wait_for(1, "/status/503")
    assert (await relay.call("DELETE", f"/api/v1/hooks/{hook['id']}")).status == 204
    rows = await until_settled(relay, "dead", 5)
    assert {row.dead_reason for row in rows} == {"unsubscribed"}
    sent = len(receiver.received("/status/503"))
    await subscribe(relay, receiver.url("/other"))
    await publish(relay)
    await receiver.wait_for(1, "/other")
    await asyncio.sleep(0.5)  # several times the delay of a retry
    assert len(receiver.received("/status/503")) == sent


async def test_the_body_is_the_bytes_that_were_signed(relay: Relay, receiver: Receiver) -> None:
    """34: a POST of one JSON object in UTF-8."""
    hook = await subscribe(relay, receiver.url("/hook"))
    await publish(relay, {"customer_name": "Zoë 😀", "duration_seconds": 42.6})
    [request] = await receiver.wait_for(1, "/hook")
    assert request.method == "POST"
    assert (request.header("Content-Type") or "").startswith("application/json")
    assert json.loads(request.body.decode())["customer_name"] == "Zoë 😀"
    digest = hmac.new(hook["secret"].encode(), request.body, hashlib.sha256).hexdigest()
    assert request.header("x-radar-signature") == f"sha256={digest}"


async def test_every_try_has_the_same_id_and_body(relay: Relay, receiver: Receiver) -> None:
    """35: the number of the try is only in a header."""
    await subscribe(relay, receiver.url("/fail-then-ok/2/500"))
    event = await publish(relay)
    requests = await receiver.wait_for(3)
    assert {json.loads(request.body)["id"] for request in requests} == {event.id}
    assert {request.header("x-radar-event-id") for request in requests} == {event.id}
    assert len({request.body for request in requests}) == 1
    assert len({request.header("webhook-id") for request in requests}) == 1
    assert [request.header("x-radar-attempt") for request in requests] == ["1", "2", "3"]


async def test_a_410_ends_a_hook_at_once(relay: Relay, receiver: Receiver) -> None:
    """36: later events make no request, and what waited is dropped; it is listed no more."""
    hook = await subscribe(relay, receiver.url("/gone"))
    other = await subscribe(relay, receiver.url("/other"))
    await publish(relay)
    await receiver.wait_for(1, "/gone")

    async def ended() -> bool:
        return hook["id"] not in await live(relay)

    await until(ended)
    for _ in range(3):
        await publish(relay)
    await receiver.wait_for(4, "/other")
    assert len(receiver.received("/gone")) == 1
    assert await live(relay) == [other["id"]]


@pytest.mark.parametrize("behaviour", ["/status/404", "/queue-full", "/status/401", "/status/500", "/reset"])
async def test_a_passing_failure_is_tried_again(relay: Relay, receiver: Receiver, behaviour: str) -> None:
    """37, 38: n8n answers 404 while it restarts, Make 400 while its queue is full; the hook stays."""
    hook = await subscribe(relay, receiver.url("/hook"))
    receiver.script("/hook", behaviour, "/ok")
    await publish(relay)
    await receiver.wait_for(2, "/hook")
    [row] = await until_settled(relay, "success")
    assert row.attempts_made == 2
    assert await live(relay) == [hook["id"]]


async def test_retry_after_is_obeyed(relay: Relay, receiver: Receiver) -> None:
    """39: in seconds; dates, nonsense and the cap are in tests/core/test_retry.py."""
    await subscribe(relay, receiver.url("/hook"))
    receiver.script("/hook", "/retry-after/2", "/ok")
    await publish(relay)
    first, second = await receiver.wait_for(2, "/hook")
    assert second.at_s - first.at_s >= 1.9  # the wall clock decides, this is the monotonic one


@pytest.mark.parametrize("behaviour", ["/html", "/status/204", "/huge", "/short-body", "/endless-trailer"])
async def test_any_2xx_is_a_success_whatever_its_body(relay: Relay, receiver: Receiver, behaviour: str) -> None:
    """40: nothing is read without limit, and nothing is sent twice."""
    await subscribe(relay, receiver.url(behaviour))
    await publish(relay)
    [row] = await until_settled(relay, "success")
    assert row.attempts_made == len(receiver.received(behaviour)) == 1


@pytest.mark.parametrize("status", [302, 307])
async def test_a_redirect_is_a_failure_and_not_followed(relay: Relay, receiver: Receiver, status: int) -> None:
    """41: after the last try it is a dead letter."""
    await subscribe(relay, receiver.url(f"/redirect/{status}"))
    await publish(relay)
    [row] = await until_settled(relay, "dead")
    assert (row.dead_reason, row.attempts_made, row.final_status_code) == ("exhausted", 6, status)
    assert receiver.received("/redirected") == []


async def test_a_slow_answer_is_a_success_and_holds_up_nobody(relay: Relay, receiver: Receiver) -> None:
    """42: another target gets its event while the slow one is still thinking."""
    slow = await subscribe(relay, receiver.url("/slow/1"))
    await subscribe(relay, receiver.url("/quick"))
    await publish(relay)
    await receiver.wait_for(1, "/quick")
    await until_settled(relay, "success", 2)
    [row] = [row for row in await log(relay) if row.subscription_id == slow["id"]]
    assert (row.state, row.attempts_made) == ("success", 1)
    assert len(receiver.received("/slow/1")) == 1


async def test_a_platform_is_paced(start_relay: StartRelay, receiver: Receiver) -> None:
    """43: a burst of 1,000 for Zapier leaves at 25 a second. The order within a hook is not promised."""
    resolver = Resolver(lambda host: ["127.0.0.1"])
    async with start_relay(resolver=resolver, allow_targets="127.0.0.0/8,hooks.zapier.com") as relay:
        await subscribe(relay, receiver.url("/hook", host="hooks.zapier.com"))
        events = [{"type": "clip.approved", "payload": {"number": number}} for number in range(1_000)]
        await relay.json("POST", "/v1/events/batch", {"events": events}, status=202)
        requests = await receiver.wait_for(30, "/hook", timeout_s=20)
    assert requests[29].at_s - requests[0].at_s >= 29 / 25 * 0.9
    assert len({json.loads(request.body)["number"] for request in requests[:30]}) == 30


async def test_too_large_a_payload_is_refused_when_it_is_published(relay: Relay, receiver: Receiver) -> None:
    """44: with the limit in the reason; nothing is stored that no delivery could carry."""
    await subscribe(relay, receiver.url("/hook"))
    event = {"type": "clip.approved", "payload": {"text": "x" * 262_144}}
    problem = await relay.json("POST", "/v1/events", event, status=400)
    assert problem["errors"] == {"payload": ["must be at most 262144 bytes of JSON"]}
    assert (await relay.json("GET", "/v1/events"))["data"] == []


async def test_a_crash_between_sending_and_recording_repeats_the_same_event_once(
    tmp_path: Path, receiver: Receiver, free_port: int
) -> None:
    """45: the second POST has the id of the first, so a receiver can tell."""
    receiver.script("/hook", "/hang", "/ok")
    async with serve(tmp_path, free_port) as url, aiohttp.ClientSession() as session:
        body = {"target_url": receiver.url("/hook"), **CLIP}
        async with session.post(f"{url}/api/v1/hooks", json=body, headers={"X-API-Key": KEY}) as response:
            assert response.status == 200
        trigger = await start(tmp_path, "trigger", "clip.approved")
        assert await trigger.wait() == 0
        await receiver.wait_for(1, "/hook", timeout_s=15)
    async with serve(tmp_path, free_port):
        first, second = await receiver.wait_for(2, "/hook", timeout_s=15)
    assert first.body == second.body
    assert first.header("x-radar-event-id") == second.header("x-radar-event-id")
    assert first.header("webhook-id") == second.header("webhook-id")


@contextlib.asynccontextmanager
async def serve(folder: Path, port: int) -> AsyncIterator[str]:
    """A server in a process of its own, killed at the end of the block."""
    process = await start(folder, "serve", "--port", str(port))
    url = f"http://127.0.0.1:{port}"
    try:
        async with aiohttp.ClientSession() as session:

            async def ready() -> bool:
                assert process.returncode is None
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{url}/readyz") as response:
                        return response.status == 200
                return False

            await until(ready, timeout_s=20)
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def start(folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    settings = {
        "RELAY_DATA_DIR": str(folder / "relay"),
        "RELAY_BOOTSTRAP_KEY": KEY,
        "RELAY_ALLOW_TARGETS": "127.0.0.0/8",
    }
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "relay", *arguments),
        env={**os.environ, **settings},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


async def test_little_of_an_answer_is_kept(relay: Relay, receiver: Receiver) -> None:
    """47: at most 4 KB, as text that can be stored and shown; the console escapes it."""
    await subscribe(relay, receiver.url("/huge"))
    await subscribe(relay, receiver.url("/odd-bytes"))
    await publish(relay)
    rows = await until_settled(relay, "success", 2)
    database = relay.server.database
    kept = [(await database.read(deliveries.attempts(row.id)))[0].snippet or "" for row in rows]
    assert all(len(snippet) <= 4096 and "\0" not in snippet for snippet in kept)
    assert any(snippet.startswith("xxx") for snippet in kept)
