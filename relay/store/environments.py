"""Test and sandbox keys: each kind has a workspace of its own beside the live one, and a sandbox is swept."""

from __future__ import annotations

from relay.core.model import Workspace
from relay.store import subscriptions, workspaces
from relay.store.database import Steps, statement, work

SANDBOX_MS = 24 * 3600 * 1000
SWEEP_PAGE = 200

_SUFFIXES = {"whk_test_": " (test)", "whk_sandbox_": " (sandbox)"}


def workspace_name(name: str, prefix: str) -> str:
    """The workspace that a key of a prefix belongs to, when it is made for the workspace `name`."""
    suffix = _SUFFIXES.get(prefix, "")
    return name if name.endswith(suffix) else name + suffix


@work
def ensure(name: str, prefix: str, now_ms: int) -> Steps[tuple[Workspace, bool]]:
    """The workspace for a key of a prefix, and whether it was made just now."""
    workspace, is_new = yield from workspaces.ensure(workspace_name(name, prefix), now_ms)
    if is_new and prefix == "whk_sandbox_":
        yield statement("environment_set", id=workspace.id, after_ms=SANDBOX_MS)
    return workspace, is_new


@work
def swept() -> Steps[list[tuple[str, int]]]:
    """The ids of the workspaces that are swept, each with the age in milliseconds at which its data goes."""
    rows = yield statement("environment_swept")
    return [(row["id"], row["swept_after_ms"]) for row in rows]


@work
def sweep(workspace_id: str, before_ms: int, now_ms: int) -> Steps[bool]:
    """Unsubscribe a page of what is older than that; whether there is more. What waits for it is no longer pending
    then, so its events can go too."""
    rows = yield statement("environment_old_subscriptions", workspace_id=workspace_id, before=before_ms, n=SWEEP_PAGE)
    for row in rows:
        yield from subscriptions.remove(workspace_id, row["id"], row["api"], now_ms)
    return len(rows) == SWEEP_PAGE
