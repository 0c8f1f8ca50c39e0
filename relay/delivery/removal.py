"""Removal: what deleted workspaces have left is taken away, in small steps, so that nobody waits behind it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from relay.delivery.jobs import Chore
from relay.store import removal
from relay.store.database import Database

LOOK_S = 60.0
GRACE_MS = 10 * 60_000
"""Longer than any request takes that was under way when the workspace ended: what it records must not come after."""
PAGE = 200


def removal_chore(database: Database, clock: Callable[[], int]) -> Chore:
    """`clock` is one that does not believe jumps."""
    return Chore("remove-workspaces", LOOK_S, partial(remove_workspaces, database, clock), may_be_cut=True)


async def remove_workspaces(database: Database, clock: Callable[[], int]) -> None:
    """Take away whatever may go by now."""
    for workspace_id in await database.read(removal.waiting(clock() - GRACE_MS)):
        while await database.write(removal.sweep(workspace_id, PAGE)):
            pass  # every page is a commit of its own that others share
