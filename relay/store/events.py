"""Events and the bodies made of them."""

from __future__ import annotations

from relay.core.ids import ulid_floor
from relay.core.model import Event
from relay.store.database import Row, Statement, Steps, statement, work

AHEAD_MS = 86_400_000
"""An id of that much later than now is one that was made while the clock was ahead, or after that."""


def from_row(row: Row) -> Event:
    return Event(
        id=row["id"],
        workspace_id=row["workspace_id"],
        type=row["type"],
        payload=row["payload"],
        created_at_ms=row["created_at"],
        idempotency_key=row["idempotency_key"],
        source_ip=row["source_ip"],
    )


@work
def add(event: Event, bodies: list[str]) -> Steps[None]:
    """Store an event with the distinct bodies that its subscriptions get, numbered from 0."""
    yield Statement(
        "event_add",
        {
            "workspace_id": event.workspace_id,
            "id": event.id,
            "type": event.type,
            "payload": event.payload,
            "idempotency_key": event.idempotency_key,
            "source_ip": event.source_ip,
            "created_at": event.created_at_ms,
        },
    )
    for number, body in enumerate(bodies):
        yield Statement("body_add", {"event_id": event.id, "number": number, "body": body})


@work
def get(workspace_id: str, event_id: str) -> Steps[Event | None]:
    rows = yield statement("event_get", workspace_id=workspace_id, id=event_id)
    return from_row(rows[0]) if rows else None


@work
def body(event_id: str, number: int) -> Steps[str]:
    """One of the bodies of an event."""
    rows = yield statement("body_get", event_id=event_id, number=number)
    text: str = rows[0]["body"]
    return text


@work
def expire(workspace_id: str, before_ms: int, now_ms: int, limit: int) -> Steps[int]:
    """Delete up to `limit` events older than `before_ms` with all that hangs on them; how many there were.

    What is still pending is kept, however old.
    """
    rows = yield statement("event_expire", workspace_id=workspace_id, before_id=ulid_floor(before_ms), n=limit)
    if len(rows) < limit:
        # While a clock is ahead, and until the next start, ids hold its time: of such events their own time decides.
        ahead = yield statement(
            "event_expire_ahead",
            workspace_id=workspace_id,
            ahead_id=ulid_floor(now_ms + AHEAD_MS),
            before=before_ms,
            n=limit - len(rows),
        )
        rows = [*rows, *ahead]
    return (yield from _forget([row["id"] for row in rows]))


@work
def remove(workspace_id: str, limit: int) -> Steps[int]:
    """Delete up to `limit` events with all that hangs on them, whatever still waits; how many there were."""
    rows = yield statement("event_remove", workspace_id=workspace_id, n=limit)
    return (yield from _forget([row["id"] for row in rows]))


@work
def _forget(event_ids: list[str]) -> Steps[int]:
    events = [{"event_id": event_id} for event_id in event_ids]
    for name in ("body_expire", "attempt_expire", "delivery_expire"):
        yield Statement(name, events)
    return len(events)


@work
def expire_idempotency(now_ms: int) -> Steps[None]:
    """Forget the idempotency keys whose window has passed."""
    yield statement("idempotency_expire", now=now_ms)
