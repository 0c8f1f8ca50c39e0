"""Sandboxes: what is in them goes after a day."""

from __future__ import annotations

from aiohttp import web

from relay.store import environments
from relay.web.wiring import DATABASE, TRUSTED_CLOCK


async def sweep(app: web.Application) -> None:
    """The chore: in small steps, so that nobody waits behind it."""
    database, now_ms = app[DATABASE], app[TRUSTED_CLOCK]()
    for workspace_id, after_ms in await database.read(environments.swept()):
        more = True
        while more:
            more = await database.write(environments.sweep(workspace_id, now_ms - after_ms, now_ms))
