"""Ten targets that answer among ten thousand dead ones; one workspace's long queue before another's first event."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
import sys
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path

from relay.bench.child import Child, child
from relay.bench.load import Plan
from relay.bench.measure import Watch, memory_mb
from relay.bench.scenario import EVENT, Figures, Scenario, measure, subscribe
from relay.bench.server import Server, serve
from tests.benchmarks.backlog import closed_port
from tests.benchmarks.figures import Row, complete
from tests.benchmarks.stage import (
    TYPE,
    add_deliveries,
    add_deliveries_to_copies,
    add_events,
    copy_subscription,
    fail_copies,
    put_off,
    staged,
    workspace_of,
)

DEAD = 10_000
AFTER_S = 5.0
WAITING_FOR_EACH = 5
DEAD_GOAL = 2.0
QUEUED = 100_000
QUEUE_GOAL_MS = 1_000.0
SERVER = ("tests.benchmarks.hanging_names",)


async def run(folder: Path, scale: float) -> list[Row]:
    return [*await _dead_targets(folder, scale), *await _queue(folder / "queue", scale)]


async def _dead_targets(folder: Path, scale: float) -> list[Row]:
    healthy = Scenario("healthy", "", max(10, round(300 * min(scale, 1))), fan_out=10, rate=20)
    each, after_s = max(1, round(DEAD * scale / 4)), AFTER_S * min(scale, 1)
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(child("relay.bench.receiver"))
        load = await stack.enter_async_context(child("relay.bench.load"))
        dead = await stack.enter_async_context(child("tests.benchmarks.dead_targets"))
        dead_port = (await dead.ask())["port"]
        targets = (
            f"http://127.0.0.1:{closed_port()}/#",
            f"http://127.0.0.1:{dead_port}/hang/#",
            f"http://127.0.0.1:{dead_port}/drip/#",
            "https://host-#.invalid/",
        )
        async with serve(folder / "alone") as server:
            await subscribe(server, healthy, (await receiver.ask())["port"])
            hook = {"target_url": "https://hooks.example.com/a", "event_type": TYPE}
            origin = (await server.call("POST", "/api/v1/hooks", hook))["id"]
            alone = await measure(healthy, server, receiver, load, warm_up=0, drained=False)
        rows = []
        # The load begins when the server is up. That the dead are due at that very moment is the hardest.
        for which, failures, due_after_s in (
            ("dead", 5, after_s),
            ("dead, at a start", 5, 0.0),
            ("dead and new, at a start", 0, 0.0),
        ):
            data_dir = folder / which
            await asyncio.to_thread(shutil.copytree, folder / "alone", data_dir)
            await asyncio.to_thread(_fill_dead, data_dir, origin, targets, each, failures, due_after_s)
            async with serve(data_dir, command=SERVER, stop_s=0.2) as server:
                among = await measure(healthy, server, receiver, load, warm_up=0, drained=False)
                rows += _compare(which, alone, among, memory_mb(server.pid, "VmHWM"), server.start_s)
    return rows


def _compare(which: str, alone: Figures, among: Figures, peak_mb: float, start_s: float) -> list[Row]:
    reliable = alone.reliable and among.reliable
    # What did not come has no time, and must not make the others look quick.
    p50_ms, p99_ms = (among.e2e_ms[key] if among.complete else math.inf for key in ("p50", "p99"))
    return [
        Row(f"end to end p99, others {which}", p99_ms, "ms", alone.e2e_ms["p99"], DEAD_GOAL, reliable),
        Row(f"end to end p50, others {which}", p50_ms, "ms", alone.e2e_ms["p50"]),
        Row(f"ingest p99, others {which}", among.ingest_ms["p99"], "ms", alone.ingest_ms["p99"]),
        Row(f"CPU for 1000 events, others {which}", among.cpu_ms_per_1000_events, "ms", alone.cpu_ms_per_1000_events),
        Row(f"start until ready, others {which}", start_s, "s"),
        Row(f"memory at its peak, others {which}", peak_mb, "MB"),
        complete([alone, among], f"others {which}"),
    ]


def _fill_dead(
    data_dir: Path, origin: str, targets: tuple[str, ...], each: int, failures: int, due_after_s: float
) -> None:
    """`failures` says how often in a row each has failed before; 0 when nothing is known of it."""
    with staged(data_dir) as database:
        for target in targets:
            copy_subscription(database, origin, each, target)
        if failures:
            fail_copies(database, failures)
        add_events(database, workspace_of(database, origin), WAITING_FOR_EACH)
        add_deliveries_to_copies(database)
        put_off(database, due_after_s)


async def _queue(folder: Path, scale: float) -> list[Row]:
    """Both workspaces have a target that answers; the first one's queue is due when the server starts."""
    async with (
        child("relay.bench.receiver") as receiver,
        child("relay.bench.receiver") as other_receiver,
        child("relay.bench.load") as load,
    ):
        async with serve(folder) as server:
            port = (await receiver.ask())["port"]
            hook = {"target_url": f"http://127.0.0.1:{port}/long", "event_type": TYPE}
            busy = (await server.call("POST", "/api/v1/hooks", hook))["id"]
            key = await _key_of_another(folder)
            other = {"url": f"http://127.0.0.1:{(await other_receiver.ask())['port']}/other"}
            await server.call("POST", "/v1/subscriptions", other, key=key)
        await asyncio.to_thread(_fill_queue, folder, busy, round(QUEUED * scale))
        async with serve(folder) as server:
            return await _events_of_another(
                server, key, other_receiver, load, Watch(server.pid, receiver.pid, load.pid)
            )


async def _events_of_another(server: Server, key: str, receiver: Child, load: Child, watch: Watch) -> list[Row]:
    plan = Plan(port=server.port, path="/v1/events", key=key, event=EVENT, events=1, connections=1)
    await load.ask(**asdict(plan))
    first = await _came(receiver, 1)
    few = Plan(port=server.port, path="/v1/events", key=key, event=EVENT, events=20, first=2, connections=4, rate=10)
    await load.ask(**asdict(few))
    all_of_them = await _came(receiver, 21)
    still_waiting = not await server.nothing_pending()
    reliable = watch.end().reliable
    return [
        Row("first event of another workspace", first["max"], "ms", None, QUEUE_GOAL_MS, reliable),
        Row("slowest of 21 events of it", all_of_them["max"], "ms", None, QUEUE_GOAL_MS, reliable),
        Row("the long queue was there all the while (1 is yes)", float(still_waiting), ""),
    ]


async def _came(receiver: Child, count: int) -> dict[str, float]:
    async with asyncio.timeout(60):
        while True:
            came = await receiver.ask(latencies=True)
            if came["deliveries"] >= count:
                found: dict[str, float] = came["e2e_ms"]
                return found
            await asyncio.sleep(0.02)


def _fill_queue(data_dir: Path, subscription_id: str, count: int) -> None:
    with staged(data_dir) as database:
        add_events(database, workspace_of(database, subscription_id), count)
        add_deliveries(database, subscription_id)


async def _key_of_another(data_dir: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "relay", "keys", "create", "--workspace", "other", "--prefix", "whk_live_", "--json"),
        *("--data-dir", str(data_dir)),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return str(json.loads(out)["key"])
