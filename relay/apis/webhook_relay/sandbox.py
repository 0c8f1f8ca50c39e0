"""Sandboxes: what is in them goes after a day."""

from __future__ import annotations

from aiohttp import web

from relay.store import environments, events
from relay.web.wiring import DATABASE, TRUSTED_CLOCK


async def sweep(app: web.Application) -> None:
    """The chore: in small steps, so that nobody waits behind it."""
    database, now_ms = app[DATABASE], app[TRUSTED_CLOCK]()
    for workspace_id, after_ms in await database.read(environments.swept()):
        before_ms = now_ms - after_ms
        while await database.write(environments.sweep(workspace_id, before_ms, now_ms)):
            pass
        after: str | None = ""
        while after is not None:
            after = await database.write(events.expire(workspace_id, before_ms, now_ms, environments.SWEEP_PAGE, after))
