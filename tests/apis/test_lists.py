"""Lists of every API: what they cost in a large database, whom they hold up, and how large their pages are."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator
from itertools import chain, product
from pathlib import Path

import aiohttp
import pytest

from relay.app import running, wall_clock
from relay.core.keys import SCOPES, new_key
from relay.settings import load_settings
from relay.store import listing, narrowing, workspaces
from relay.store.secrets import Secrets
from relay.store.sqlite import LIST_READERS
from tests.conftest import KEY, Relay
from tests.store.filled import BUSY, DEAD, QUIET, RARE, fill, schema

SIZES = (100, 1_000)
LIMIT = "5"
"""Small, so that what is passed over on the way to it shows."""
SECRET_KEY = "a key of this test"
NOISE = 1_500
"""Steps that the chores of a running server take meanwhile."""
REQUESTS = (
    "/v1/events",
    f"/v1/events?type={RARE}",
    "/v1/events?type=order.never",
    "/v1/events?created_after=2039-01-01T00:00:00Z",
    "/v1/deliveries",
    "/v1/deliveries?status=success",
    "/v1/deliveries?status=pending",
    "/v1/deliveries?status=dead",
    "/v1/deliveries?subscription_id=sub_busy",
    "/v1/deliveries?subscription_id=sub_busy&status=dead",
    "/v1/deliveries?subscription_id=sub_dead&status=success",
    "/v1/deliveries?subscription_id=sub_dead",
    "/v1/deliveries?status=success&type=order.never",
    "/v1/deliveries?created_before=2020-01-01T00:00:00Z",
    "/v1/deliveries?created_after=2039-01-01T00:00:00Z",
    "/v1/events?subscription_id=sub_busy&type=order.never",
    "/v1/dead-letters",
    "/v1/dead-letters?type=order.never",
    "/v1/dead-letters?subscription_id=sub_dead",
    "/v1/dead-letters?subscription_id=sub_busy",
    "/v1/dead-letters?since=2039-01-01T00:00:00Z",
    "/v1/subscriptions",
    "/v1/subscriptions?state=paused",
    "/v1/subscriptions?state=active",
    "/v1/webhook-deliveries",
    "/v1/webhook-deliveries?status=failed",
    "/v1/submissions",
    "/v1/submissions?status=paid",
    "/v1/submissions?customer_email=5@example.com",
    "/api/v1/events?event_type=clip.approved",
    "/api/v1/key",
)


@contextlib.asynccontextmanager
async def filled(folder: Path, size: int) -> AsyncIterator[Relay]:
    """A Relay on a database of that size, in which nothing is due."""
    path = folder / "relay.db"
    with contextlib.closing(schema(path)) as connection:
        fill(connection, size)
        later_ms = wall_clock() + 3_600_000
        connection.execute("UPDATE deliveries SET next_attempt_at = ? WHERE state = 'pending'", (later_ms,))
        connection.execute("UPDATE emails SET next_attempt_at = ? WHERE state = 'queued'", (later_ms,))
        connection.execute("UPDATE farewells SET next_attempt_at = ?", (later_ms,))
        connection.execute("DELETE FROM recoveries")
        connection.execute("UPDATE subscriptions SET secret = ?", (Secrets([SECRET_KEY]).seal("whsec_a"),))
    settings = load_settings(
        port=0, data_dir=folder, secret_key=SECRET_KEY, bootstrap_key=KEY, rate_limit=0, retention_days=10_000
    )
    async with running(settings) as server, aiohttp.ClientSession() as session:
        yield Relay(server, session)


async def key_of(relay: Relay, workspace_id: str) -> str:
    key = new_key("rp_live_")
    await relay.server.database.write(workspaces.add_key(workspace_id, key, frozenset(SCOPES), None, wall_clock()))
    return key


@contextlib.asynccontextmanager
async def counting(relay: Relay) -> AsyncIterator[list[int]]:
    """The instructions of SQLite's machine that all readers take meanwhile, in one number."""
    taken = [0]

    def count() -> int:
        taken[0] += 1
        return 0

    readers = relay.server.database._all_readers
    for reader in readers:
        await reader.set_progress_handler(count, 1)
    try:
        yield taken
    finally:
        for reader in readers:
            await reader.set_progress_handler(None, 1)  # type: ignore[arg-type]


async def costs(relay: Relay) -> dict[str, int]:
    """The steps of each request, in the workspace where it takes the most."""
    found: dict[str, int] = {}
    for workspace_id, path in product((BUSY, DEAD, QUIET), REQUESTS):
        key = await key_of(relay, workspace_id)
        await relay.json("GET", "/api/v1/key", key=key)
        async with counting(relay) as taken:
            await relay.json("GET", f"{path}{'&' if '?' in path else '?'}limit={LIMIT}", key=key)
        found[path] = max(found.get(path, 0), taken[0])
    return found


async def test_a_list_costs_the_same_in_a_larger_database(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(narrowing, "LOOKED_AT", 50)
    monkeypatch.setattr(narrowing, "STEP", 25)
    few, many = [await _costs_at(tmp_path_factory.mktemp("sized"), size) for size in SIZES]
    grown = {path: (few[path], many[path]) for path in few if many[path] > few[path] * 1.25 + NOISE}
    assert grown == {}


async def _costs_at(folder: Path, size: int) -> dict[str, int]:
    async with filled(folder, size) as relay:
        return await costs(relay)


@pytest.mark.parametrize("path", ["/api/v1/key", "/readyz", "/v1/webhooks/none", "/v1/events/none"])
async def test_a_look_up_never_stands_behind_lists(relay: Relay, path: str) -> None:
    """All readers of lists are taken, by another workspace, and more lists wait."""
    database = relay.server.database
    key = await relay.new_key("other", "whk_live_", SCOPES)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(LIST_READERS):
            await stack.enter_async_context(database._list_readers.lent("somebody"))
        lists = [asyncio.create_task(relay.call("GET", "/v1/events")) for _ in range(8)]
        async with asyncio.timeout(5):
            answer = await relay.call("GET", path, key=key)
        assert answer.status in (200, 404, 405)
        posted = await relay.call("POST", "/v1/events", {"type": "a.b", "payload": {}}, key=key)
        assert posted.status == 202
        assert not any(one.done() for one in lists)
    assert {answer.status for answer in await asyncio.gather(*lists)} == {200}


async def test_lists_are_read_in_turns_between_workspaces(relay: Relay) -> None:
    """Eight of one workspace wait already; the one of another comes after the first of them."""
    database, finished = relay.server.database, []
    key = await relay.new_key("other", "whk_live_", SCOPES)

    async def page(name: str, key: str) -> None:
        assert (await relay.call("GET", "/v1/deliveries", key=key)).status == 200
        finished.append(name)

    async with contextlib.AsyncExitStack() as stack:
        for _ in range(LIST_READERS):
            await stack.enter_async_context(database._list_readers.lent("somebody"))
        tasks = [asyncio.create_task(page("many", KEY)) for _ in range(20)]
        while sum(map(len, database._list_readers._waiting.values())) < 20:
            await asyncio.sleep(0.01)
        tasks.append(asyncio.create_task(page("one", key)))
        while sum(map(len, database._list_readers._waiting.values())) < 21:
            await asyncio.sleep(0.01)
    await asyncio.gather(*tasks)
    assert finished.index("one") <= 2 * LIST_READERS


async def every(relay: Relay, path: str, key: str = KEY, **query: str) -> list[list[str]]:
    """The ids of each page of a list."""
    found: list[list[str]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await relay.json("GET", path, key=key, params={**query, **cursor})
        found.append([one["id"] for one in page["data"]])
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


@pytest.mark.parametrize("filters", [{}, {"type": "order.created"}], ids=["all", "of a type"])
async def test_a_page_of_large_events_ends_early_and_the_list_goes_on(relay: Relay, filters: dict[str, str]) -> None:
    made = []
    for number in range(24):
        text = "x" * (250_000 if number % 3 else 10) if number % 2 else "é" * 120_000
        body = json.dumps({"type": "order.created", "payload": {"text": text}}, ensure_ascii=False).encode()
        made.append((await relay.json("POST", "/v1/events", data=body, status=202))["id"])
    pages = await every(relay, "/v1/events", limit="100", **filters)
    assert [one for page in pages for one in page] == made[::-1]
    assert len(pages) > 2
    assert all(pages)
    answer = await relay.call("GET", "/v1/events", params={"limit": "100"})
    assert int(answer.headers["Content-Length"]) < 1.5 * listing.PAGE_BYTES
    assert [len(page) for page in await every(relay, "/v1/events", limit="1", **filters)] == [1] * 24


@pytest.mark.parametrize("count", [0, 1, 4, 5, 12, 13, 28, 29, 30])
async def test_pages_of_small_events_are_full(relay: Relay, count: int) -> None:
    events = [{"type": "order.created", "payload": {}}] * count
    if events:
        await relay.json("POST", "/v1/events/batch", {"events": events}, status=202)
    sizes = [len(page) for page in await every(relay, "/v1/events", limit="12")]
    assert sizes == ([12] * (count // 12) + [count % 12] * bool(count % 12) or [0])


async def test_a_filter_without_an_index_looks_at_so_many_rows_and_the_list_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(narrowing, "LOOKED_AT", 30)
    monkeypatch.setattr(narrowing, "STEP", 10)
    async with filled(tmp_path, 100) as relay:
        key = await key_of(relay, DEAD)
        whole = await relay.json("GET", "/v1/deliveries", key=key, params={"status": "success"})
        pages = await every(relay, "/v1/deliveries", key, subscription_id="sub_dead", status="success", limit="2")
        assert [one for page in pages for one in page] == [one["id"] for one in whole["data"]]
        assert len(pages) <= 100 // 30 + 3
        busy = await key_of(relay, BUSY)
        states = [await every(relay, "/v1/subscriptions", busy, state=one) for one in ("active", "disabled")]
        all_of_them = await every(relay, "/v1/subscriptions", busy, limit="7")
        assert sorted(chain(*states[0], *states[1])) == sorted(chain(*all_of_them))


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 350])
async def test_lists_without_pages_are_whole(relay: Relay, count: int) -> None:
    """They are read and written a part at a time, which nobody sees."""
    key = await relay.new_key("many", "rp_live_", SCOPES)
    for number in range(count):
        body = {"url": f"https://example.com/{number}/" + "x" * 300, "events": ["*"]}
        await relay.json("POST", "/v1/webhooks", body, key=key)
        hook = {"target_url": body["url"], "event_type": "clip.approved", "source": "zapier"}
        await relay.json("POST", "/api/v1/hooks", hook, key=key)
    webhooks = await relay.json("GET", "/v1/webhooks", key=key)
    assert [one["url"].split("/")[3] for one in webhooks["webhooks"]] == [str(number) for number in range(count)]
    assert webhooks["ok"] is True
    hooks = await relay.json("GET", "/api/v1/hooks", key=key)
    assert [one["target_url"].split("/")[3] for one in hooks] == [str(number) for number in range(count)]
    for path in ("/v1/webhooks", "/api/v1/hooks"):
        assert (await relay.call("HEAD", path, key=key)).status == 200


async def test_a_delivery_that_was_sent_very_often_shows_its_newest_attempts(tmp_path: Path) -> None:
    async with filled(tmp_path, 10) as relay:
        key = await key_of(relay, BUSY)
        newest = (await relay.json("GET", "/v1/deliveries", key=key, params={"limit": "1"}))["data"][0]["id"]
        with contextlib.closing(sqlite3.connect(relay.server.database.path)) as connection, connection:
            rows = [(newest, number, 1, "t=1,v1=a") for number in range(2, 400)]
            connection.executemany(
                "INSERT INTO attempts (delivery_id, number, attempted_at, signature) VALUES (?, ?, ?, ?)", rows
            )
        whole = await relay.json("GET", f"/v1/deliveries/{newest}", key=key)
        assert [one["attempt_number"] for one in whole["attempts"]] == list(range(300, 400))
