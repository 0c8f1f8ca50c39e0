"""An installation to be examined in the test's own process, without a setting of the server's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from relay.app import APIS, wall_clock
from relay.doctor.examine import Report, examine
from relay.doctor.finding import as_row
from relay.doctor.look import Look, look_at
from relay.outbound.resolve import Resolver
from relay.settings import load_settings
from tests.conftest import Relay

HOUR_MS = 3_600_000


async def examined(tmp_path: Path, *, after_ms: int = 0, **options: Any) -> Report:
    """What `relay doctor` finds in the test's folder; `after_ms` from now. It asks nobody unless `offline=False`."""
    settings = load_settings(data_dir=tmp_path / "relay")
    return await examine(settings, APIS, wall_clock() + after_ms, **{"offline": True, **options})


async def found(tmp_path: Path, **options: Any) -> dict[str, dict[str, Any]]:
    """The findings as rows, by problem; there must not be two of one."""
    rows = [as_row(one) for one in (await examined(tmp_path, **options)).findings]
    by_problem = {row["problem"]: row for row in rows}
    assert len(by_problem) == len(rows), rows
    return by_problem


async def look(tmp_path: Path, *, offline: bool = True) -> Look:
    """What was seen, for a check to judge with a part of it replaced."""
    resolver = Resolver(threads=2)
    try:
        return await look_at(
            load_settings(data_dir=tmp_path / "relay"), APIS, wall_clock(), resolver, None, offline=offline
        )
    finally:
        resolver.close()


async def until(condition: Callable[[], Awaitable[bool]], timeout_s: float = 10.0) -> None:
    """Wait until a condition holds; TimeoutError when it never does."""
    async with asyncio.timeout(timeout_s):
        while not await condition():
            await asyncio.sleep(0.02)


async def add_webhook(relay: Relay, url: str, **body: Any) -> str:
    """A RavePilot webhook; its id."""
    return str((await relay.json("POST", "/v1/webhooks", {"url": url, **body}))["id"])


async def add_subscription(relay: Relay, url: str, **body: Any) -> str:
    """A subscription of the Webhook Relay API; its id."""
    return str((await relay.json("POST", "/v1/subscriptions", {"url": url, **body}, status=201))["id"])


async def add_hook(relay: Relay, url: str, **body: Any) -> str:
    """A hook of a no-code platform; its id."""
    made = await relay.json("POST", "/api/v1/hooks", {"target_url": url, "event_type": "clip.approved", **body})
    return str(made["id"])


ADD = {"ravepilot": add_webhook, "webhook_relay": add_subscription, "rest_hooks": add_hook}
"""How each API subscribes."""


async def publish(relay: Relay, event_type: str = "clip.approved", **options: Any) -> str:
    """An event that each of them gets; its id."""
    body = {"type": event_type, "payload": {}}
    return str((await relay.json("POST", "/v1/events", body, status=202, **options))["id"])


async def until_tried(relay: Relay, count: int, states: tuple[str, ...] = ("success", "dead")) -> None:
    """Wait until so many deliveries of the workspace have ended."""

    async def ended() -> bool:
        page = await relay.json("GET", "/v1/deliveries", params={"limit": "100"})
        return sum(one["status"] in states for one in page["data"]) >= count

    await until(ended)
