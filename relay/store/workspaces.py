"""Workspaces and their API keys."""

from __future__ import annotations

from typing import NamedTuple

from relay.core import ids
from relay.core.keys import key_hash, prefix_of
from relay.core.model import ApiKey, Workspace
from relay.store.database import Row, Steps, statement, work


class Overview(NamedTuple):
    """A workspace, and how many live keys and subscriptions it has."""

    workspace: Workspace
    keys: int
    subscriptions: int


def _workspace(row: Row) -> Workspace:
    return Workspace(id=row["id"], name=row["name"], created_at_ms=row["created_at"])


def _api_key(row: Row) -> ApiKey:
    return ApiKey(
        id=row["id"],
        workspace_id=row["workspace_id"],
        prefix=row["prefix"],
        last4=row["last4"],
        scopes=frozenset(row["scopes"].split()),
        label=row["label"],
        created_at_ms=row["created_at"],
        revoked_at_ms=row["revoked_at"],
    )


@work
def ensure(name: str, now_ms: int) -> Steps[tuple[Workspace, bool]]:
    """The workspace of that name, and whether it was made just now."""
    rows = yield statement("workspace_add", id=ids.prefixed("ws", 12), name=name, created_at=now_ms)
    if rows:
        return _workspace(rows[0]), True
    rows = yield statement("workspace_by_name", name=name)
    return _workspace(rows[0]), False


@work
def get(workspace_id: str) -> Steps[Workspace | None]:
    rows = yield statement("workspace_get", id=workspace_id)
    return _workspace(rows[0]) if rows else None


@work
def by_name(name: str) -> Steps[Workspace | None]:
    rows = yield statement("workspace_by_name", name=name)
    return _workspace(rows[0]) if rows else None


@work
def list_all() -> Steps[list[Workspace]]:
    """Every workspace, deleted ones that are not gone yet included."""
    rows = yield statement("workspace_list")
    return [_workspace(row) for row in rows]


@work
def overview() -> Steps[list[Overview]]:
    """Every workspace that is not deleted, oldest first."""
    rows = yield statement("workspace_overview")
    return [Overview(_workspace(row), row["keys"], row["subscriptions"]) for row in rows]


@work
def add_key(
    workspace_id: str, key: str, scopes: frozenset[str], label: str | None, now_ms: int
) -> Steps[ApiKey | None]:
    """Store a well-formed key (`core.keys`) by its hash; None when that key exists."""
    rows = yield statement(
        "api_key_add",
        id=ids.prefixed("key", 12),
        workspace_id=workspace_id,
        prefix=prefix_of(key),
        key_hash=key_hash(key),
        last4=key[-4:],
        scopes=" ".join(sorted(scopes)),
        label=label,
        created_at=now_ms,
    )
    return _api_key(rows[0]) if rows else None


@work
def ensure_key(workspace_id: str, key: str, scopes: frozenset[str], label: str, now_ms: int) -> Steps[ApiKey]:
    """Make sure that a key exists, is not revoked and has these scopes."""
    added = yield from add_key(workspace_id, key, scopes, label, now_ms)
    if added is not None:
        return added
    rows = yield statement("api_key_reinstate", key_hash=key_hash(key), scopes=" ".join(sorted(scopes)))
    return _api_key(rows[0])


@work
def key_by_hash(hashed: str) -> Steps[ApiKey | None]:
    """The key with that hash, revoked ones included."""
    rows = yield statement("api_key_by_hash", key_hash=hashed)
    return _api_key(rows[0]) if rows else None


@work
def list_keys() -> Steps[list[tuple[str, ApiKey]]]:
    """Every key with the name of its workspace, oldest first."""
    rows = yield statement("api_key_list")
    return [(row["workspace_name"], _api_key(row)) for row in rows]


@work
def revoke_key(key_id: str, now_ms: int) -> Steps[ApiKey | None]:
    """Revoke a key for good; None when there is no key of that id."""
    rows = yield statement("api_key_revoke", id=key_id, now=now_ms)
    return _api_key(rows[0]) if rows else None
