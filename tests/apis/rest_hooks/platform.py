"""A no-code platform and a producer, as far as the tests of the REST Hooks API need them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from relay.app import wall_clock
from relay.core import ids
from relay.core.model import Delivery, Event
from relay.store import listing, workspaces
from tests.conftest import Relay

REVIEW = {"store": "apple", "app_id": "284882215", "event_type": "review.created"}
CLIP = {"event_type": "clip.approved", "source": "zapier"}
TARGET = "https://hooks.zapier.com/hooks/catch/123/abc"


async def subscribe(relay: Relay, target_url: str = TARGET, **body: Any) -> dict[str, Any]:
    """The answer to subscribe; to clip.approved unless told otherwise."""
    answer: dict[str, Any] = await relay.json("POST", "/api/v1/hooks", {"target_url": target_url, **CLIP, **body})
    return answer


async def publish(
    relay: Relay, payload: dict[str, Any] | None = None, event_type: str = "clip.approved", workspace: str = "default"
) -> Event:
    """Publish an event as a domain does."""
    database, now_ms = relay.server.database, wall_clock()
    owner, _ = await database.write(workspaces.ensure(workspace, now_ms))
    event = Event(ids.ulid(now_ms), owner.id, event_type, json.dumps(payload or {}), now_ms)
    published = await database.write(relay.server.engine.publish(event))
    relay.server.engine.send(published.deliveries)
    return event


async def log(relay: Relay, workspace: str = "default") -> list[Delivery]:
    """The newest deliveries to hooks."""
    owner, _ = await relay.server.database.write(workspaces.ensure(workspace, wall_clock()))
    newest = listing.delivery_page(owner.id, None, None, None, listing.Position(), 100)
    return (await relay.server.database.read(newest)).items


async def until(condition: Callable[[], Awaitable[bool]], timeout_s: float = 10.0) -> None:
    """Wait until a condition holds; TimeoutError when it never does."""
    async with asyncio.timeout(timeout_s):
        while not await condition():
            await asyncio.sleep(0.02)


async def until_settled(relay: Relay, state: str, count: int = 1) -> list[Delivery]:
    """The log once so many deliveries are in a state."""

    async def settled() -> bool:
        return len([one for one in await log(relay) if one.state == state]) >= count

    await until(settled)
    return await log(relay)
