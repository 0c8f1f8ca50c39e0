"""Thousands of subscriptions that an event does not match: what they cost its publishing."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import AsyncExitStack
from pathlib import Path

from relay.bench.child import child
from relay.bench.scenario import Scenario, subscribe
from relay.bench.server import serve
from tests.benchmarks.figures import Row
from tests.benchmarks.side_by_side import side_by_side
from tests.benchmarks.stage import copy_subscription, staged

SUBSCRIPTIONS = 5_000
GOAL = 1.3


async def run(folder: Path, scale: float) -> list[Row]:
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(child("relay.bench.receiver"))
        load = await stack.enter_async_context(child("relay.bench.load"))
        port = (await receiver.ask())["port"]
        async with serve(folder / "few") as server:
            await subscribe(server, Scenario("one", "", 0), port)
            [only] = (await server.call("GET", "/v1/subscriptions"))["data"]
        await asyncio.to_thread(shutil.copytree, folder / "few", folder / "many")
        await asyncio.to_thread(_fill, folder / "many", only["id"], round(SUBSCRIPTIONS * scale))
        few = await stack.enter_async_context(serve(folder / "few"))
        many = await stack.enter_async_context(serve(folder / "many"))
        return await side_by_side(few, many, receiver, load, scale, GOAL)


def _fill(data_dir: Path, subscription_id: str, count: int) -> None:
    with staged(data_dir) as database:
        copy_subscription(database, subscription_id, count, "https://hooks.example.com/#")
