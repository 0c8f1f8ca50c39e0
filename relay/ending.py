"""Ending a key or a workspace, with what follows for hooks: for the command line, beside a running server."""

from __future__ import annotations

from typing import NamedTuple

from relay.apis import rest_hooks
from relay.apis.rest_hooks.farewell import tell_platforms
from relay.app import open_store, wall_clock
from relay.core.errors import NotFound
from relay.settings import Settings
from relay.store import removal, subscriptions, workspaces
from relay.store.database import Steps, work


class Ended(NamedTuple):
    """What ended, and how many targets the server will tell."""

    keys: int
    subscriptions: int
    told: int


async def revoke_key(settings: Settings, key_id: str, *, keep_hooks: bool) -> Ended:
    """Revoke a key and, unless they are to be kept, end the hooks subscribed with it. Raises NotFound."""
    async with open_store(settings) as database:
        return await database.write(_revoke(key_id, wall_clock(), keep_hooks=keep_hooks))


@work
def _revoke(key_id: str, now_ms: int, *, keep_hooks: bool) -> Steps[Ended]:
    if (yield from workspaces.revoke_key(key_id, now_ms)) is None:
        raise NotFound(f"there is no key with the id {key_id}; relay keys list shows them")
    if keep_hooks:
        return Ended(1, 0, 0)
    hooks = yield from subscriptions.remove_of_key(key_id, rest_hooks.API.name, now_ms)
    return Ended(1, len(hooks), (yield from tell_platforms(hooks, now_ms)))


async def delete_workspace(settings: Settings, name: str) -> Ended:
    """End a workspace; the server takes away what is left of it. Raises NotFound."""
    async with open_store(settings) as database:
        return await database.write(_delete(name, wall_clock()))


@work
def _delete(name: str, now_ms: int) -> Steps[Ended]:
    workspace = yield from workspaces.by_name(name)
    if workspace is None:
        raise NotFound(f'there is no workspace "{name}"; relay workspaces list shows them')
    ended = yield from removal.end(workspace.id, now_ms)
    told = yield from tell_platforms(ended.subscriptions, now_ms)
    return Ended(ended.keys, len(ended.subscriptions), told)


async def list_workspaces(settings: Settings) -> list[workspaces.Overview]:
    async with open_store(settings, read_only=True) as database:
        return await database.read(workspaces.overview())
