"""Events and the bodies made of them."""

from __future__ import annotations

from relay.core.ids import ulid_floor
from relay.core.model import Event
from relay.store.database import Row, Statement, Steps, statement, work

AHEAD_MS = 86_400_000
"""An id of that much later than now is one that was made while the clock was ahead, or after that."""
ABOVE_ALL = "Z" * 27
"""An id above every ULID."""
DELIVERIES_A_STEP = 2_000
"""How many deliveries one step deletes at most, so that an event with very many holds up nobody's commit."""


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
def add(event: Event) -> Steps[int]:
    """Store an event. Returns the version of its workspace's subscriptions (`subscriptions.version`)."""
    rows = yield Statement(
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
    version: int | None = rows[0]["subscriptions_version"]
    return version or 0  # when the workspace is gone: the commit is going to fail


@work
def add_bodies(event_id: str, bodies: list[str]) -> Steps[None]:
    """Store the distinct bodies that an event's subscriptions get, numbered from 0."""
    for number, body in enumerate(bodies):
        yield Statement("body_add", {"event_id": event_id, "number": number, "body": body})


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
def expire(workspace_id: str, before_ms: int, now_ms: int, limit: int, after: str = "") -> Steps[str | None]:
    """Look at the next `limit` events older than `before_ms`, and delete those of which nothing waits, with all that
    hangs on them. The id to go on after; None at the end.

    What is still pending is kept, however old. While a clock is ahead, and until the next start, ids hold its time: of
    such events, which come last, their own time decides.
    """
    ahead_id = ulid_floor(now_ms + AHEAD_MS)
    is_ahead = after >= ahead_id
    rows = yield statement(
        "event_old",
        workspace_id=workspace_id,
        after_id=after,
        before_id=ABOVE_ALL if is_ahead else ulid_floor(before_ms),
        n=limit,
    )
    room = DELIVERIES_A_STEP
    for row in rows:
        if not row["waits"] and row["created_at"] < before_ms:
            room -= yield from _forget(workspace_id, row["id"], room)
            if room <= 0:
                return after
        after = row["id"]
    if len(rows) == limit:
        return after
    return None if is_ahead else ahead_id


@work
def remove(workspace_id: str, limit: int) -> Steps[bool]:
    """Delete up to `limit` events with all that hangs on them, whatever still waits; whether there are more."""
    rows = yield statement("event_old", workspace_id=workspace_id, after_id="", before_id=ABOVE_ALL, n=limit)
    room = DELIVERIES_A_STEP
    for row in rows:
        room -= yield from _forget(workspace_id, row["id"], room)
        if room <= 0:
            return True
    return len(rows) == limit


@work
def _forget(workspace_id: str, event_id: str, limit: int) -> Steps[int]:
    """Delete up to `limit` deliveries of an event, and itself when there were fewer; how many deliveries there were.

    What hangs on something goes before it: nothing is ever left that nobody finds again.
    """
    yield statement("attempt_forget", event_id=event_id, n=limit)
    deliveries = yield statement("delivery_forget", event_id=event_id, n=limit)
    if len(deliveries) < limit:
        yield statement("body_forget", event_id=event_id)
        yield statement("event_forget", workspace_id=workspace_id, event_id=event_id)
    return len(deliveries)


@work
def expire_idempotency(now_ms: int, limit: int) -> Steps[bool]:
    """Forget up to `limit` idempotency keys whose window has passed; whether there may be more."""
    rows = yield statement("idempotency_expire", now=now_ms, n=limit)
    return len(rows) == limit
