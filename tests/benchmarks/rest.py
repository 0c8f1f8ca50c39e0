"""A server that has worked and has nothing to do: processor and memory."""

from __future__ import annotations

import asyncio
from pathlib import Path

from relay.bench.child import child
from relay.bench.measure import Watch, memory_mb
from relay.bench.scenario import Scenario, measure, subscribe
from relay.bench.server import serve
from tests.benchmarks.figures import Row

SECONDS = 20.0
CPU_GOAL = 1.0
MEMORY_GOAL_MB = 100.0


async def run(folder: Path, scale: float) -> list[Row]:
    worked = Scenario("worked", "", 500)
    async with (
        child("relay.bench.receiver") as receiver,
        child("relay.bench.load") as load,
        serve(folder) as server,
    ):
        fresh_mb = memory_mb(server.pid)
        await subscribe(server, worked, (await receiver.ask())["port"])
        await measure(worked, server, receiver, load)
        await asyncio.sleep(min(2.0, SECONDS * scale))
        watch = Watch(server.pid, receiver.pid, load.pid)
        await asyncio.sleep(SECONDS * scale)
        used = watch.end()
        return [
            Row("CPU at rest", used.server_cpu_s / used.span_s * 100, "% of a core", None, CPU_GOAL, used.reliable),
            Row("memory after the start", fresh_mb, "MB", goal=MEMORY_GOAL_MB),
            Row("memory at rest after work", memory_mb(server.pid), "MB", goal=MEMORY_GOAL_MB),
        ]
