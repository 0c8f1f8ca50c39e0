"""Scenarios: what is subscribed and handed in, and what one run of it measured."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from relay.bench.child import Child
from relay.bench.load import Plan
from relay.bench.measure import Used, Watch, memory_mb
from relay.bench.server import Server
from relay.core.errors import RelayError

QUIET_S = 15.0
"""When nothing more came for so long, what is missing is lost."""
LOOK_S = 0.1

EVENT = (
    '{"type":"order.created","payload":{"mark":"bench-#SEQ-#TS","order_id":"#SEQ",'
    '"currency":"EUR","total":"129.90","paid":true,"customer":{"name":"Dana Whitlock","email":"dana@example.com",'
    '"country":"DE","city":"Hamburg"},"items":['
    '{"sku":"CLIP-1","title":"Ring light, 18 inch","count":1,"price":"89.90"},'
    '{"sku":"CLIP-2","title":"Tripod with phone mount","count":2,"price":"20.00"}],'
    '"note":"Please leave it with the neighbour when nobody opens, and ring twice.",'
    '"tags":["first","newsletter","spring"],"source":"shop"}}'
)
"""About 600 bytes."""
BATCH_EVENT = EVENT.replace('{"type"', '{"idempotency_key":"bench-#SEQ","type"', 1)
INVITATION = '{"customer_email":"bench-#SEQ-#TS@example.com","customer_name":"Dana Whitlock"}'
_NUMBERS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of load."""

    name: str
    title: str
    events: int
    path: str = "/v1/events"
    event: str = EVENT
    hook: str | None = None
    """Subscribes a REST hook of this event type in place of Webhook Relay subscriptions."""
    fan_out: int = 1
    batch: int = 1
    connections: int = 32
    rate: float = 0.0
    secure: bool = False
    targets: str = "/ok/"
    """What the paths of the target URLs begin with."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run measured. Times in milliseconds, memory in megabytes, shares of all cores."""

    name: str
    title: str
    events: int
    deliveries: int
    lost: int
    duplicates: int
    failed: int
    """Requests that were not answered 2xx."""
    cpu_ms_per_1000_events: float
    cpu_ms_per_1000_deliveries: float
    delivered_per_s: float
    ingest_ms: dict[str, float]
    e2e_ms: dict[str, float]
    rss_rest_mb: float
    rss_peak_mb: float
    connections: int
    resumed: int
    """Connections whose TLS session was resumed."""
    others_share: float
    steal_share: float
    reliable: bool

    @property
    def complete(self) -> bool:
        return not self.lost and not self.failed


async def subscribe(server: Server, scenario: Scenario, receiver_port: int) -> None:
    """Make the subscriptions that the scenario delivers to."""
    scheme = "https" if scenario.secure else "http"
    for number in range(scenario.fan_out):
        url = f"{scheme}://127.0.0.1:{receiver_port}{scenario.targets}{number}"
        if scenario.hook is None:
            await server.call("POST", "/v1/subscriptions", {"url": url, "event_filter": "order.created"})
        else:
            await server.call("POST", "/api/v1/hooks", {"target_url": url, "event_type": scenario.hook})


async def measure(
    scenario: Scenario,
    server: Server,
    receiver: Child,
    load: Child,
    *,
    rss_rest_mb: float = 0.0,
    warm_up: int = 200,
    limit_s: float = 60.0,
    progress: Callable[[int], None] = lambda _: None,
    drained: bool = True,
) -> Figures:
    """Run it once. `progress` is told how many deliveries came so far; `drained` false does not wait for the records.

    That is for a server that has more waiting than what this run handed in.
    """
    if warm_up:
        await _once(replace(scenario, events=warm_up, rate=0.0), server, receiver, load, limit_s, lambda _: None)
    await _settled(server, drained=drained)
    watch = Watch(server.pid, receiver.pid, load.pid)
    handed_in, came = await _once(scenario, server, receiver, load, limit_s, progress)
    await _settled(server, drained=drained)
    used = watch.end()
    return _figures(scenario, handed_in, came, used, rss_rest_mb, memory_mb(server.pid, "VmHWM"))


async def _once(
    scenario: Scenario, server: Server, receiver: Child, load: Child, limit_s: float, progress: Callable[[int], None]
) -> tuple[dict[str, Any], dict[str, Any]]:
    await receiver.ask(reset=True)
    plan = Plan(
        port=server.port,
        path=scenario.path,
        key=server.key,
        event=scenario.event,
        events=scenario.events,
        first=next(_NUMBERS) * 10_000_000,
        batch=scenario.batch,
        connections=scenario.connections,
        rate=scenario.rate,
        limit_s=limit_s,
    )
    handing_in = asyncio.create_task(load.ask(**asdict(plan)))
    try:
        count, quiet_since_s = -1, time.monotonic()
        while True:
            await asyncio.sleep(LOOK_S)
            came = await receiver.ask()
            progress(came["deliveries"])
            if came["deliveries"] != count:
                count, quiet_since_s = came["deliveries"], time.monotonic()
            if not handing_in.done():
                quiet_since_s = time.monotonic()
                continue
            expected = handing_in.result()["accepted"] * scenario.fan_out
            if count >= expected or time.monotonic() - quiet_since_s > QUIET_S:
                break
        return await handing_in, await receiver.ask(latencies=True)
    finally:
        handing_in.cancel()


async def _settled(server: Server, *, drained: bool) -> None:
    """An attempt is recorded a moment after the receiver has answered, and that is part of the cost."""
    if not drained:
        await asyncio.sleep(0.3)
        return
    try:
        async with asyncio.timeout(QUIET_S):
            while not await server.nothing_pending():  # noqa: ASYNC110 - it is in another process
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise RelayError("deliveries stay pending that their receiver has answered") from None


def _figures(
    scenario: Scenario,
    handed_in: dict[str, Any],
    came: dict[str, Any],
    used: Used,
    rss_rest_mb: float,
    rss_peak_mb: float,
) -> Figures:
    accepted, deliveries = handed_in["accepted"], came["deliveries"]
    span_s = max((came["last_at_ns"] - handed_in["started_at_ns"]) / 1e9, 1e-9)
    requests = -(-scenario.events // scenario.batch)
    answered_well = sum(count for status, count in handed_in["statuses"].items() if status.startswith("2"))
    return Figures(
        name=scenario.name,
        title=scenario.title,
        events=accepted,
        deliveries=deliveries,
        lost=accepted * scenario.fan_out - deliveries,
        duplicates=came["duplicates"],
        failed=requests - answered_well,
        cpu_ms_per_1000_events=round(used.server_cpu_s * 1e6 / max(accepted, 1), 1),
        cpu_ms_per_1000_deliveries=round(used.server_cpu_s * 1e6 / max(deliveries, 1), 1),
        delivered_per_s=round(deliveries / span_s, 1),
        ingest_ms=handed_in["ingest_ms"],
        e2e_ms=came["e2e_ms"],
        rss_rest_mb=round(rss_rest_mb, 1),
        rss_peak_mb=round(rss_peak_mb, 1),
        connections=came["connections"],
        resumed=came["resumed"],
        others_share=round(used.others_share, 3),
        steal_share=round(used.steal_share, 3),
        reliable=used.reliable,
    )
