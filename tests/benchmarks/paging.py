"""Page 10,000 of a list against page 1."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from statistics import median

from relay.bench.measure import Used, Watch
from relay.bench.server import Server, serve
from tests.benchmarks.figures import Row
from tests.benchmarks.stage import TYPE, add_deliveries, add_events, staged, workspace_of

PAGES = 10_000
PAGE = 25
STRIDE = 100
"""The cursor is for a place in the list, whatever the limit was: larger pages get there sooner."""
ROUNDS = 3
REQUESTS = 100
GOAL = 1.3


async def run(folder: Path, scale: float) -> list[Row]:
    async with serve(folder) as server:
        subscription = {"url": "https://hooks.example.com/a", "event_filter": TYPE}
        made = await server.call("POST", "/v1/subscriptions", subscription)
    depth = max(STRIDE, round(PAGES * scale) * PAGE)
    await asyncio.to_thread(_fill, folder, made["id"], depth + 4 * STRIDE)
    async with serve(folder) as server:
        rows = []
        for path in ("/v1/events", "/v1/deliveries"):
            rows += await _compare(server, path, depth, max(5, round(REQUESTS * min(scale, 1))))
        return rows


async def _compare(server: Server, path: str, depth: int, requests: int) -> list[Row]:
    cursor = ""
    for _ in range(depth // STRIDE):
        cursor = (await _page(server, path, STRIDE, cursor))["next_cursor"]
    first, deep = [], []
    for _ in range(ROUNDS):
        first.append(await _time(server, path, "", requests))
        deep.append(await _time(server, path, cursor, requests))
    reliable = all(used.reliable for used, _ in (*first, *deep))
    cpu_ms = [median(used.server_cpu_s * 1000 / requests for used, _ in runs) for runs in (first, deep)]
    took_ms = [median(took_ms for _, took_ms in runs) for runs in (first, deep)]
    page = depth // PAGE
    return [
        Row(f"CPU for page {page} of {path}", cpu_ms[1], "ms", cpu_ms[0], GOAL, reliable),
        Row(f"time for page {page} of {path}, p50", took_ms[1], "ms", took_ms[0], GOAL, reliable),
    ]


async def _time(server: Server, path: str, cursor: str, requests: int) -> tuple[Used, float]:
    watch, took_ms = Watch(server.pid), []
    for _ in range(requests):
        started_s = time.monotonic()
        await _page(server, path, PAGE, cursor)
        took_ms.append((time.monotonic() - started_s) * 1000)
    return watch.end(), median(took_ms)


async def _page(server: Server, path: str, limit: int, cursor: str) -> dict[str, str]:
    where = {"cursor": cursor} if cursor else {}
    found: dict[str, str] = await server.call("GET", path, limit=str(limit), **where)
    return found


def _fill(data_dir: Path, subscription_id: str, count: int) -> None:
    with staged(data_dir) as database:
        add_events(database, workspace_of(database, subscription_id), count)
        add_deliveries(database, subscription_id, delivered=True)
