"""Deliveries and the attempts made for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from relay.core.model import Attempt, Claimed, DeadReason, Delivery, DeliveryState, Verdict
from relay.store.database import Row, Statement, Steps, statement, work

BURY_PAGE = 500
"""How many deliveries one step of ending a queue takes, so that a long one holds up nobody's commit."""
NEVER_MS = 2**62
ATTEMPTS_SHOWN = 100
"""How many attempts of a delivery are read, the newest: it has one more each time somebody has it sent again."""
HELD_BODY_LIMIT = 16_384
"""A body of more characters stays where it is until it is sent: many deliveries are held at a time."""


def from_row(row: Row) -> Delivery:
    return Delivery(
        id=row["id"],
        workspace_id=row["workspace_id"],
        event_id=row["event_id"],
        event_type=row["event_type"],
        subscription_id=row["subscription_id"],
        state=DeliveryState(row["state"]),
        attempts_made=row["attempts_made"],
        created_at_ms=row["created_at"],
        next_attempt_at_ms=row["next_attempt_at"],
        dead_reason=DeadReason(row["dead_reason"]) if row["dead_reason"] else None,
        final_status_code=row["final_status_code"],
        completed_at_ms=row["completed_at"],
    )


def attempt_from_row(row: Row) -> Attempt:
    return Attempt(
        delivery_id=row["delivery_id"],
        number=row["number"],
        attempted_at_ms=row["attempted_at"],
        signature=row["signature"],
        status=row["status"],
        headers=row["headers"],
        snippet=row["snippet"],
        latency_ms=row["latency_ms"],
        error_code=row["error_code"],
    )


@work
def add(made: Sequence[Claimed]) -> Steps[None]:
    """Store new deliveries, due at once."""
    for one in made:
        yield Statement(
            "delivery_add",
            {
                "workspace_id": one.subscription.workspace_id,
                "id": one.id,
                "event_id": one.event_id,
                "event_type": one.event_type,
                "subscription_id": one.subscription.id,
                "api": one.subscription.api,
                "body_number": one.body_number,
                "now": one.created_at_ms,
            },
        )


@work
def pull_in(now_ms: int, latest_ms: int) -> Steps[None]:
    """Make due at once what is due after `latest_ms`, which no schedule puts it."""
    yield statement("delivery_pull_in", now=now_ms, latest=latest_ms)


@work
def set_back(now_ms: int, by_ms: int, attempted_after_ms: int) -> Steps[None]:
    """The clock was set back by so much, to `now_ms`. What was due stays due, and what was put off by an attempt after
    `attempted_after_ms`, which by the clock that now holds is still to come, is put off by its time. What was put off
    earlier was so by a clock that agreed with this one."""
    yield statement("delivery_set_back", now=now_ms, was=now_ms + by_ms, by=by_ms, attempted_after=attempted_after_ms)


@work
def put_off(workspace_id: str, delivery_id: str, until_ms: int) -> Steps[None]:
    """Leave a pending delivery alone until then, without an attempt."""
    yield statement("delivery_put_off", workspace_id=workspace_id, id=delivery_id, until=until_ms)


class Waiting(NamedTuple):
    """A subscription that deliveries wait for: when the first of them falls due, and how its target has been doing."""

    subscription_id: str
    workspace_id: str
    due_at_ms: int
    consecutive_failures: int
    is_answering: bool


@work
def waiting() -> Steps[list[Waiting]]:
    """Every subscription that deliveries wait for."""
    rows = yield statement("delivery_waiting")
    return [
        Waiting(
            subscription_id=row["subscription_id"],
            workspace_id=row["workspace_id"],
            due_at_ms=row["next_attempt_at"],
            consecutive_failures=row["consecutive_failures"],
            is_answering=row["answering_since"] is not None,
        )
        for row in rows
    ]


@work
def pending() -> Steps[int]:
    """How many deliveries wait. It reads an index from end to end: for who asks seldom."""
    rows = yield statement("delivery_count_pending")
    count: int = rows[0]["pending"]
    return count


@work
def due(subscription_id: str, now_ms: int, limit: int) -> Steps[Sequence[Row]]:
    """The deliveries of a subscription that are due, the longest waiting first, with their bodies."""
    return (
        yield statement(
            "delivery_due", subscription_id=subscription_id, now=now_ms, n=limit, held_body_limit=HELD_BODY_LIMIT
        )
    )


@work
def next_due_at_ms(subscription_id: str, now_ms: int) -> Steps[int | None]:
    """When the next delivery of a subscription that is not due yet will be; None when there is none."""
    rows = yield statement("delivery_next_due", subscription_id=subscription_id, now=now_ms)
    due_at_ms: int | None = rows[0]["next_attempt_at"]
    return due_at_ms


@work
def settle(claimed: Claimed, attempt: Attempt, verdict: Verdict, now_ms: int) -> Steps[bool]:
    """Record an attempt and what follows from it for its delivery, unless that has been deleted meanwhile.

    False when it had ended already, or is gone.
    """
    row = {
        "workspace_id": claimed.subscription.workspace_id,
        "id": claimed.id,
        "state": verdict.state.value,
        "dead_reason": verdict.dead_reason.value if verdict.dead_reason else None,
        "attempts_made": attempt.number,
        "next_attempt_at": verdict.retry_at_ms,
        "final_status_code": attempt.status,
        "completed_at": None if verdict.retry_at_ms is not None else now_ms,
    }
    found = settled = yield Statement("delivery_settle", row)
    if not found:
        found = yield Statement("delivery_noted", row)
    if found:
        yield Statement(
            "attempt_add",
            {
                "delivery_id": attempt.delivery_id,
                "number": attempt.number,
                "attempted_at": attempt.attempted_at_ms,
                "signature": attempt.signature,
                "status": attempt.status,
                "headers": attempt.headers,
                "snippet": attempt.snippet,
                "latency_ms": attempt.latency_ms,
                "error_code": attempt.error_code,
            },
        )
    return bool(settled)


@work
def bury(
    subscription_id: str, reason: DeadReason, now_ms: int, due_before_ms: int = NEVER_MS, limit: int = BURY_PAGE
) -> Steps[int]:
    """End a page of what waits for a subscription; how many there were."""
    rows = yield statement(
        "delivery_bury",
        subscription_id=subscription_id,
        reason=reason.value,
        now=now_ms,
        due_before=due_before_ms,
        n=limit,
    )
    return len(rows)


@work
def get(workspace_id: str, delivery_id: str) -> Steps[Delivery | None]:
    rows = yield statement("delivery_get", workspace_id=workspace_id, id=delivery_id)
    return from_row(rows[0]) if rows else None


@work
def attempts(delivery_id: str) -> Steps[list[Attempt]]:
    """The newest attempts of a delivery, in the order in which they were made."""
    rows = yield statement("attempt_of_delivery", delivery_id=delivery_id, n=ATTEMPTS_SHOWN)
    return [attempt_from_row(row) for row in reversed(rows)]


@work
def whole(workspace_id: str, delivery_id: str) -> Steps[tuple[Delivery, list[Attempt]] | None]:
    """A delivery with its attempts."""
    found = yield from get(workspace_id, delivery_id)
    return None if found is None else (found, (yield from attempts(delivery_id)))


@work
def put_back(
    workspace_id: str, delivery_id: str, now_ms: int, *, only_dead: bool
) -> Steps[tuple[bool, tuple[Delivery, list[Attempt]] | None]]:
    """Make a delivery due at once: whether it was, and the delivery with its attempts if there is one."""
    only = DeliveryState.DEAD.value if only_dead else None
    rows = yield statement("delivery_put_back", workspace_id=workspace_id, id=delivery_id, now=now_ms, only=only)
    return bool(rows), (yield from whole(workspace_id, delivery_id))
