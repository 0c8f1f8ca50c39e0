"""Pages of events, subscriptions and deliveries, newest first, each read by an index that has its order."""

from __future__ import annotations

from typing import NamedTuple

from relay.core.ids import ulid_floor
from relay.core.model import Delivery, DeliveryState, Event, Subscription, SubscriptionState
from relay.store import deliveries, events, subscriptions
from relay.store.database import Row, Steps, statement, work

FIRST_PAGE = "Z" * 27
"""An id above every ULID: what the first page comes before."""
FIRST_PAGE_AT_MS = 2**62


class Counted(NamedTuple):
    """An event and how many of its deliveries are in which state."""

    event: Event
    total: int
    succeeded: int
    dead: int


@work
def event_page(
    workspace_id: str, event_type: str | None, after_ms: int, before: str, limit: int
) -> Steps[list[Counted]]:
    """Events created after that time, of one type or of any, with ids below `before`."""
    # An id never holds an earlier time than its event, so it bounds the search and the time itself decides.
    rows = yield statement(
        "event_page" if event_type is None else "event_page_of_type",
        workspace_id=workspace_id,
        type=event_type,
        after=after_ms,
        after_id=ulid_floor(max(0, after_ms)),
        before=before,
        n=limit,
    )
    return [_counted(events.from_row(row), row) for row in rows]


@work
def events_of_type(workspace_id: str, event_type: str, before: str, limit: int) -> Steps[list[Event]]:
    """Events of one type with ids below `before`, without their counts."""
    rows = yield statement("event_newest_of_type", workspace_id=workspace_id, type=event_type, before=before, n=limit)
    return [events.from_row(row) for row in rows]


@work
def event(workspace_id: str, event_id: str) -> Steps[Counted | None]:
    """One event of a workspace with its counts."""
    found = yield from events.get(workspace_id, event_id)
    if found is None:
        return None
    rows = yield statement("event_counts", event_id=event_id)
    return _counted(found, rows[0])


def _counted(found: Event, row: Row) -> Counted:
    return Counted(found, row["total"] or 0, row["succeeded"] or 0, row["dead"] or 0)


@work
def subscription_page(
    workspace_id: str, api: str, state: SubscriptionState | None, before: str, limit: int
) -> Steps[list[Subscription]]:
    """Subscriptions that an API made and that were not removed."""
    rows = yield statement(
        "subscription_page",
        workspace_id=workspace_id,
        api=api,
        state=state.value if state else None,
        before=before,
        n=limit,
    )
    return [subscriptions.from_row(row) for row in rows]


@work
def delivery_page(
    workspace_id: str,
    event_id: str | None,
    subscription_id: str | None,
    state: DeliveryState | None,
    before_at_ms: int,
    before: str,
    limit: int,
) -> Steps[list[Delivery]]:
    """Deliveries of a workspace, of any API."""
    if event_id is not None:
        name = "delivery_page_of_event"
    elif subscription_id is not None:
        name = "delivery_page_of_subscription"
    elif state in (DeliveryState.PENDING, DeliveryState.DEAD):
        name = f"delivery_page_{state.value}"
    else:
        name = "delivery_page"
    rows = yield statement(
        name,
        workspace_id=workspace_id,
        event_id=event_id,
        subscription_id=subscription_id,
        state=state.value if state else None,
        before_at=before_at_ms,
        before=before,
        n=limit,
    )
    return [deliveries.from_row(row) for row in rows]


@work
def dead_letter_page(
    workspace_id: str, subscription_id: str | None, since_ms: int, before_at_ms: int, before: str, limit: int
) -> Steps[list[Delivery]]:
    """Dead deliveries in the order in which they died, the newest first."""
    rows = yield statement(
        "dead_letter_page" if subscription_id is None else "dead_letter_page_of_subscription",
        workspace_id=workspace_id,
        subscription_id=subscription_id,
        since=since_ms,
        before_at=before_at_ms,
        before=before,
        n=limit,
    )
    return [deliveries.from_row(row) for row in rows]
