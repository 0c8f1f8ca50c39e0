"""echoStream."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from relay.apis.webhook_relay.echo import RECHECK_S, TRUSTED_MS, Echo, delivery_message
from relay.core.errors import RateLimited
from relay.core.keys import key_hash
from relay.delivery.live import LIMIT, QUEUE_LIMIT, WORKSPACE_LIMIT, Live
from relay.store import workspaces
from tests.apis.webhook_relay.client import delivery_in, publish, subscribe
from tests.conftest import KEY, Relay, StartRelay
from tests.receiver import Receiver
from tests.whole.process import relay_command

SLACK_S = 3.0
"""A second, and what a slow machine adds to it; without an end, a stream lasts for sixty."""


@contextlib.asynccontextmanager
async def listening(relay: Relay, key: str = KEY) -> AsyncIterator[aiohttp.StreamReader]:
    """A stream that has said `ready`."""
    async with relay.session.get(f"{relay.url}/v1/echo/stream", params={"key": key}) as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert (await next_event(response.content))[0] == "ready"
        yield response.content


async def next_event(stream: aiohttp.StreamReader) -> tuple[str, Any]:
    """The name and the data of the next event; comments are passed over."""
    name = ""
    while line := (await stream.readline()).decode().rstrip("\n"):
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            data = json.loads(line.removeprefix("data: "))
            assert await stream.readline() == b"\n"
            return name, data
        elif line.startswith(":"):
            await stream.readline()
    return "", None


async def test_every_attempt_is_told_as_it_happens(relay: Relay, receiver: Receiver) -> None:
    receiver.script("/hook", "/status/503", "/ok")
    made = await subscribe(relay, receiver.url("/hook"))
    async with listening(relay) as stream:
        event = await publish(relay)
        first, second = await next_event(stream), await next_event(stream)
    assert (first[0], second[0]) == ("delivery", "delivery")
    assert [(one["status"], one["attempts_made"], one["final_status_code"]) for _, one in (first, second)] == [
        ("pending", 1, 503),
        ("success", 2, 200),
    ]
    found = await delivery_in(relay, "success")
    for _, one in (first, second):
        assert (one["id"], one["event_id"], one["subscription_id"]) == (found["id"], event["id"], made["id"])
        assert one["updated_at"].endswith("Z")


async def test_a_workspace_sees_its_own_deliveries_alone(relay: Relay, receiver: Receiver) -> None:
    other = await relay.new_key("other", "whk_live_")
    await subscribe(relay, receiver.url("/ok"))
    theirs = await relay.json("POST", "/v1/subscriptions", {"url": receiver.url("/other")}, key=other, status=201)
    async with listening(relay, other) as stream:
        await publish(relay)
        await delivery_in(relay, "success")
        await publish(relay, key=other)
        _, told = await next_event(stream)
    assert told["subscription_id"] == theirs["id"]


@pytest.mark.parametrize("query", [{}, {"key": "nonsense"}, {"key": "whk_live_" + "x" * 32}])
async def test_a_bad_key_is_a_401_problem(relay: Relay, query: dict[str, str]) -> None:
    answer = await relay.call("GET", "/v1/echo/stream", key=None, params=query)
    assert answer.status == 401
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert "nonsense" not in await answer.text()


async def test_a_key_without_the_scope_is_a_403_problem(relay: Relay) -> None:
    key = await relay.new_key(prefix="rsk_")
    assert (await relay.call("GET", "/v1/echo/stream", key=None, params={"key": key})).status == 403


async def test_the_key_of_a_stream_reaches_no_log(
    relay: Relay, receiver: Receiver, capfd: pytest.CaptureFixture[str]
) -> None:
    await subscribe(relay, receiver.url("/ok"))
    async with listening(relay) as stream:
        await publish(relay)
        await next_event(stream)
    await relay.call("GET", "/v1/echo/stream", key=None, params={"key": "whk_live_" + "q" * 32})
    out, err = capfd.readouterr()
    assert KEY not in out + err
    assert "qqqq" not in out + err


async def test_a_stopping_server_closes_its_streams_first(start_relay: StartRelay) -> None:
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(contextlib.AsyncExitStack())
        relay = await server.enter_async_context(start_relay())
        session = await stack.enter_async_context(aiohttp.ClientSession())
        response = await session.get(f"{relay.url}/v1/echo/stream", params={"key": KEY})
        assert (await next_event(response.content))[0] == "ready"
        async with asyncio.timeout(5):
            await server.aclose()
            assert await next_event(response.content) == ("closing", {"reason": "shutdown"})


def by_sql(text: str) -> Callable[[Path, str], Awaitable[None]]:
    """What another program does to a key."""

    async def change(data_dir: Path, key_id: str) -> None:
        with contextlib.closing(sqlite3.connect(data_dir / "relay.db")) as connection, connection:
            connection.execute(text, {"id": key_id})

    return change


def by_command(*arguments: str) -> Callable[[Path, str], Awaitable[None]]:
    async def change(data_dir: Path, key_id: str) -> None:
        given = [key_id if one == "ID" else one for one in arguments]
        code, _, err = await relay_command(*given, "--data-dir", str(data_dir))
        assert code == 0, err

    return change


CHANGES = {
    "key revoked": by_command("keys", "revoke", "ID"),
    "workspace deleted": by_command("workspaces", "delete", "acme", "--yes"),
    "scope taken": by_sql("UPDATE api_keys SET scopes = 'events' WHERE id = :id"),
    "key removed": by_sql("DELETE FROM api_keys WHERE id = :id"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("busy", [False, True], ids=["quiet", "busy"])
async def test_a_stream_ends_within_a_second_of_its_key(
    relay: Relay, receiver: Receiver, change: Callable[[Path, str], Awaitable[None]], busy: bool
) -> None:
    """Also when another process ends the key, and whether or not there is something to tell. Other streams go on."""
    key = await relay.new_key("acme", "whk_live_")
    key_id = (await relay.server.database.read(workspaces.key_by_hash(key_hash(key)))).id  # type: ignore[union-attr]
    other = await relay.new_key("acme" if change is not CHANGES["workspace deleted"] else "other", "whk_live_")
    await relay.json("POST", "/v1/subscriptions", {"url": receiver.url("/ok")}, key=other, status=201)
    async with listening(relay, key) as stream, listening(relay, other) as kept:
        publishing = asyncio.create_task(_publish_on(relay, other)) if busy else None
        await change(relay.server.database.path.parent, key_id)
        async with asyncio.timeout(SLACK_S):
            while (told := await next_event(stream))[0] == "delivery":
                pass
        assert told == ("closing", {"reason": "revoked"})
        if publishing is not None:
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)
        await publish(relay, key=other)
        async with asyncio.timeout(10):
            assert (await next_event(kept))[0] == "delivery"


async def _publish_on(relay: Relay, key: str) -> None:
    while True:
        await publish(relay, key=key)
        await asyncio.sleep(0.02)


def test_a_stream_asks_often_enough() -> None:
    assert RECHECK_S + TRUSTED_MS / 1000 < 0.8


@contextlib.asynccontextmanager
async def echoing(echo: Echo) -> AsyncIterator[aiohttp.ClientResponse]:
    """A stream of an Echo of one's own, with times that fit a test."""

    async def stream(request: web.Request) -> web.StreamResponse:
        return await echo.stream(request, "ws")

    app = web.Application()
    app.router.add_get("/", stream)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            yield response
    finally:
        await runner.cleanup()


async def test_a_stream_is_kept_alive_and_closed_after_its_time() -> None:
    async with echoing(Echo(Live(delivery_message), lasts_s=0.3, keep_alive_s=0.1)) as response:
        text = await response.text()
    assert text.startswith('event: ready\ndata: {"lasts_s":0.3}\n\n')
    assert ": keep-alive\n\n" in text
    assert text.endswith('event: closing\ndata: {"reason":"reconnect"}\n\n')


async def test_a_reader_that_does_not_keep_up_is_let_go() -> None:
    live = Live(delivery_message)
    with live.listening("ws") as slow:
        for _ in range(QUEUE_LIMIT + 1):
            slow.put(b"x")
        assert slow.ended == "too slow"
        assert await slow.next(0) == []


async def test_only_so_many_streams_are_open_in_a_workspace_and_in_all() -> None:
    live = Live(delivery_message)
    with contextlib.ExitStack() as stack:
        for _ in range(WORKSPACE_LIMIT):
            stack.enter_context(live.listening("ws"))
        with pytest.raises(RateLimited), live.listening("ws"):
            pass
        for number in range(LIMIT - WORKSPACE_LIMIT):
            stack.enter_context(live.listening(f"ws{number}"))
        with pytest.raises(RateLimited), live.listening("one more"):
            pass
    with live.listening("ws"):
        pass
