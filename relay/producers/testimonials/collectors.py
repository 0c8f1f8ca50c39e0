"""Collectors: the campaigns that invitations belong to; each workspace has a primary one."""

from __future__ import annotations

from relay.core import ids
from relay.producers.testimonials.model import Collector
from relay.store.database import Row, Steps, statement, work

PRIMARY_NAME = "Testimonials"
"""What the collector is called that a workspace gets without asking."""


def from_row(row: Row) -> Collector:
    return Collector(id=row["id"], workspace_id=row["workspace_id"], name=row["name"], intro_text=row["intro_text"])


@work
def ensure_primary(workspace_id: str, now_ms: int) -> Steps[Collector]:
    """The workspace's primary collector, made now if it has none; however many ask at once, it is one."""
    rows = yield statement("collector_primary", workspace_id=workspace_id)
    if not rows:
        yield statement(
            "collector_add_primary", id=ids.prefixed("col"), workspace_id=workspace_id, name=PRIMARY_NAME, now=now_ms
        )
        rows = yield statement("collector_primary", workspace_id=workspace_id)
    return from_row(rows[0])


@work
def get(workspace_id: str, collector_id: str) -> Steps[Collector | None]:
    """An active collector of a workspace."""
    rows = yield statement("collector_get", id=collector_id, workspace_id=workspace_id)
    return from_row(rows[0]) if rows else None


@work
def add(workspace_id: str, name: str, intro_text: str | None, now_ms: int) -> Steps[Collector]:
    """A further collector."""
    collector = Collector(ids.prefixed("col"), workspace_id, name, intro_text)
    yield statement(
        "collector_add", id=collector.id, workspace_id=workspace_id, name=name, intro_text=intro_text, now=now_ms
    )
    return collector


@work
def close(workspace_id: str, collector_id: str, now_ms: int) -> Steps[bool]:
    """Take no further invitations; False when there is no such active collector, or it is the primary one."""
    rows = yield statement("collector_close", id=collector_id, workspace_id=workspace_id, now=now_ms)
    return bool(rows)
