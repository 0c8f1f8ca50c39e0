"""Deleting a workspace: it ends in one commit, and the long part of what it owned goes in small steps after it.

A workspace may have a million events, and whoever else writes would have to wait while they are deleted. So the commit
takes what lets somebody in or sends something out, keys, subscriptions, invitations and their mail; what is left is
unreachable, and a page of it goes at a time.
"""

from __future__ import annotations

from typing import NamedTuple

from relay.core.model import Subscription
from relay.store import events, subscriptions
from relay.store.database import Steps, statement, work

_AT_ONCE = (
    "removal_of_recoveries",
    "removal_of_emails",
    "removal_of_suppressions",
    "removal_of_consents",
    "removal_of_clips",
    "removal_of_invitations",
    "removal_of_submissions",
    "removal_of_scripts",
    "removal_of_collectors",
)
"""Goes in the commit that ends the workspace; what hangs on rows of another table before them."""


class Ended(NamedTuple):
    """What ended with a workspace."""

    keys: int
    subscriptions: list[Subscription]
    """As they were."""


@work
def end(workspace_id: str, now_ms: int) -> Steps[Ended]:
    """Delete a workspace, as far as anybody can see. Its name is free, what is pending in it is not sent any more."""
    rows = yield statement("removal_subscriptions", workspace_id=workspace_id)
    yield statement("removal_ends_subscriptions", workspace_id=workspace_id, now=now_ms)
    yield from subscriptions.changed(workspace_id)
    keys = yield from _take_away(workspace_id)
    yield statement("removal_ends_workspace", workspace_id=workspace_id, now=now_ms)
    return Ended(keys, [subscriptions.from_row(row) for row in rows])


@work
def waiting(ended_before_ms: int) -> Steps[list[str]]:
    """The ids of the workspaces that ended before then and are not gone yet."""
    rows = yield statement("removal_waiting", before=ended_before_ms)
    return [row["id"] for row in rows]


@work
def sweep(workspace_id: str, limit: int) -> Steps[bool]:
    """Take away a page of what an ended workspace has left, and at last the workspace itself; whether there is more."""
    more_events = yield from events.remove(workspace_id, limit)
    records = yield statement("removal_of_idempotency", workspace_id=workspace_id, n=limit)
    if more_events or len(records) == limit:
        return True
    # Once more: a request that was under way when the workspace ended may have come after.
    yield from _take_away(workspace_id)
    yield statement("removal_of_subscriptions", workspace_id=workspace_id)
    yield statement("removal_of_workspace", workspace_id=workspace_id)
    return False


@work
def _take_away(workspace_id: str) -> Steps[int]:
    """What goes at once; how many live keys there were."""
    keys = yield statement("removal_of_api_keys", workspace_id=workspace_id)
    for name in _AT_ONCE:
        yield statement(name, workspace_id=workspace_id)
    return sum(row["revoked_at"] is None for row in keys)
