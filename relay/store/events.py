"""Events and the bodies made of them."""

from __future__ import annotations

from relay.core.ids import ulid_floor
from relay.core.model import Event
from relay.store.database import Row, Statement, Steps, statement, work


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
def expire(workspace_id: str, before_ms: int, limit: int) -> Steps[int]:
    """Delete up to `limit` events older than that with all that hangs on them; how many there were.

    What is still pending is kept, however old.
    """
    rows = yield statement("event_expire", workspace_id=workspace_id, before_id=ulid_floor(before_ms), n=limit)
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
