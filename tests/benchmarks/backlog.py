"""A million deliveries wait for a dead target: what they cost those that are delivered, the start, the memory."""

from __future__ import annotations

import asyncio
import shutil
import socket
from contextlib import AsyncExitStack
from pathlib import Path

from relay.bench.child import child
from relay.bench.measure import memory_mb
from relay.bench.scenario import Scenario, subscribe
from relay.bench.server import serve
from tests.benchmarks.figures import Row
from tests.benchmarks.side_by_side import side_by_side
from tests.benchmarks.stage import TYPE, add_deliveries, add_events, staged, workspace_of

DELIVERIES = 1_000_000
GOAL = 1.3
START_GOAL_S = 5.0


async def run(folder: Path, scale: float) -> list[Row]:
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(child("relay.bench.receiver"))
        load = await stack.enter_async_context(child("relay.bench.load"))
        port = (await receiver.ask())["port"]
        async with serve(folder / "empty") as server:
            await subscribe(server, Scenario("one", "", 0), port)
            # A hook: it is given up only after days of failures, so that what waits for it goes on waiting.
            hook = {"target_url": f"http://127.0.0.1:{closed_port()}/", "event_type": TYPE}
            dead = (await server.call("POST", "/api/v1/hooks", hook))["id"]
        await asyncio.to_thread(shutil.copytree, folder / "empty", folder / "full")
        await asyncio.to_thread(_fill, folder / "full", dead, round(DELIVERIES * scale))

        empty = await stack.enter_async_context(serve(folder / "empty"))
        full = await stack.enter_async_context(serve(folder / "full"))
        rest_mb = memory_mb(empty.pid), memory_mb(full.pid)
        rows = await side_by_side(empty, full, receiver, load, scale, GOAL)
        peak_mb = memory_mb(empty.pid, "VmHWM"), memory_mb(full.pid, "VmHWM")
    return [
        *rows,
        Row("start until ready", full.start_s, "s", goal=START_GOAL_S),
        Row("start until ready, nothing waiting", empty.start_s, "s"),
        Row("memory after the start", rest_mb[1], "MB", rest_mb[0], GOAL),
        Row("memory at its peak", peak_mb[1], "MB", peak_mb[0], GOAL),
    ]


def _fill(data_dir: Path, subscription_id: str, count: int) -> None:
    with staged(data_dir) as database:
        add_events(database, workspace_of(database, subscription_id), count)
        add_deliveries(database, subscription_id)


def closed_port() -> int:
    """A port of loopback that refuses connections."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
