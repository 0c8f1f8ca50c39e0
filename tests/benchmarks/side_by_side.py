"""The same load on two servers in turns, so that a machine that changes its pace changes it for both."""

from __future__ import annotations

from relay.bench.child import Child
from relay.bench.scenario import Figures, Scenario, measure
from relay.bench.server import Server
from tests.benchmarks.figures import Row, compare, complete

ROUNDS = 3


async def side_by_side(
    base: Server, other: Server, receiver: Child, load: Child, scale: float, goal: float
) -> list[Row]:
    """Each is subscribed to `order.created` once, with the receiver as target."""
    full = Scenario("full", "as fast as it can", max(50, round(5_000 * min(scale, 1))))
    paced = Scenario("paced", "200 a second", max(20, round(1_000 * min(scale, 1))), rate=200)
    runs: dict[tuple[str, str], list[Figures]] = {}
    for _ in range(ROUNDS if scale >= 1 else 1):
        for scenario in (full, paced):
            for name, server in (("base", base), ("other", other)):
                # What waits in the background is no part of the run, so nobody waits for it to be gone.
                found = await measure(scenario, server, receiver, load, warm_up=20, drained=False)
                runs.setdefault((scenario.name, name), []).append(found)
    rows = []
    for scenario in (full, paced):
        one, two = runs[scenario.name, "base"], runs[scenario.name, "other"]
        reliable = all(run.reliable for run in (*one, *two))
        what = scenario.title
        rows += [
            compare(
                f"CPU for 1000 events, {what}",
                "ms",
                goal,
                [run.cpu_ms_per_1000_events for run in one],
                [run.cpu_ms_per_1000_events for run in two],
                reliable=reliable,
            ),
            compare(
                f"ingest p99, {what}",
                "ms",
                goal,
                [run.ingest_ms["p99"] for run in one],
                [run.ingest_ms["p99"] for run in two],
                reliable=reliable,
            ),
            compare(
                f"end to end p99, {what}",
                "ms",
                goal,
                [run.e2e_ms["p99"] for run in one],
                [run.e2e_ms["p99"] for run in two],
                reliable=reliable,
            ),
            complete([*one, *two], what),
        ]
    return rows
