"""Relay against a forwarder without storage, in turns: the cost of being sure, whatever the pace of the machine."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from relay.bench.child import child
from relay.bench.scenario import Figures, Scenario, measure, subscribe
from relay.bench.server import serve
from tests.benchmarks.figures import Row, compare, complete

ROUNDS = 3
CPU_GOAL = 1.3
PACED_GOAL = 3.0
P99_GOAL_MS = 15.0


async def run(folder: Path, scale: float) -> list[Row]:
    full = Scenario("full", "as fast as it can", max(50, round(6_000 * scale)))
    paced = Scenario("paced", "1000 a second", max(50, round(3_000 * scale)), rate=1000)
    runs: dict[tuple[str, str], list[Figures]] = {}
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(child("relay.bench.receiver"))
        load = await stack.enter_async_context(child("relay.bench.load"))
        port = (await receiver.ask())["port"]
        command = ("tests.benchmarks.forwarder", f"http://127.0.0.1:{port}/ok/0")
        forwarder = await stack.enter_async_context(serve(folder / "forwarder", command=command))
        relay = await stack.enter_async_context(serve(folder / "relay"))
        await subscribe(relay, full, port)
        for _ in range(ROUNDS if scale >= 1 else 1):
            for scenario in (full, paced):
                for name, server in (("forwarder", forwarder), ("relay", relay)):
                    found = await measure(
                        scenario, server, receiver, load, warm_up=min(200, full.events), drained=False
                    )
                    runs.setdefault((scenario.name, name), []).append(found)

    def row(what: str, unit: str, goal: float, scenario: Scenario, figure: str, key: str = "") -> Row:
        base, ours = runs[scenario.name, "forwarder"], runs[scenario.name, "relay"]
        values = [
            [getattr(one, figure)[key] if key else getattr(one, figure) for one in found] for found in (base, ours)
        ]
        reliable = all(one.reliable for one in (*base, *ours))
        return compare(f"{what}, {scenario.title}", unit, goal, *values, reliable=reliable)

    p99 = row("", "ms", 0, paced, "e2e_ms", "p99")
    return [
        row("CPU for 1000 events", "ms", CPU_GOAL, full, "cpu_ms_per_1000_events"),
        row("end to end p50", "ms", PACED_GOAL, paced, "e2e_ms", "p50"),
        Row(f"end to end p99, {paced.title}", p99.value, "ms", goal=P99_GOAL_MS, reliable=p99.reliable),
        complete([one for found in runs.values() for one in found], "all runs"),
    ]
