"""Pages of events, subscriptions and deliveries, newest first, each read by an index that has its order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from relay.core.ids import ulid_floor
from relay.core.model import Delivery, DeliveryState, Event, Subscription, SubscriptionState
from relay.store import deliveries, events, subscriptions
from relay.store.database import Row, Steps, statement, work

T = TypeVar("T")

FIRST_PAGE = "Z" * 27
"""An id above every ULID: what the first page comes before."""


class Position(NamedTuple):
    """A place in a list: what comes next has a lower id and is no younger."""

    id: str = FIRST_PAGE
    at_ms: int = 2**62


class Page(NamedTuple, Generic[T]):
    """A part of a list."""

    items: list[T]
    next: Position | None
    """Where the list goes on; None at its end."""


class Counted(NamedTuple):
    """An event and how many of its deliveries are in which state."""

    event: Event
    total: int
    succeeded: int
    dead: int


@work
def event_page(
    workspace_id: str, event_type: str | None, after_ms: int, before: Position, limit: int
) -> Steps[Page[Counted]]:
    """Events created after that time, of one type or of any."""
    # An id never holds an earlier time than its event, so it bounds the search and the time itself decides.
    rows = yield statement(
        "event_page" if event_type is None else "event_page_of_type",
        workspace_id=workspace_id,
        type=event_type,
        after=after_ms,
        after_id=ulid_floor(max(0, after_ms)),
        before=before.id,
        n=limit + 1,
    )
    return _cut([_counted(events.from_row(row), row) for row in rows], limit, lambda one: Position(one.event.id))


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
    workspace_id: str, api: str, state: SubscriptionState | None, before: Position, limit: int
) -> Steps[Page[Subscription]]:
    """Subscriptions that an API made and that were not removed."""
    rows = yield statement(
        "subscription_page",
        workspace_id=workspace_id,
        api=api,
        state=state.value if state else None,
        before=before.id,
        n=limit + 1,
    )
    return _cut([subscriptions.from_row(row) for row in rows], limit, lambda one: Position(one.id))


@work
def delivery_page(
    workspace_id: str,
    event_id: str | None,
    subscription_id: str | None,
    state: DeliveryState | None,
    before: Position,
    limit: int,
) -> Steps[Page[Delivery]]:
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
        before_at=before.at_ms,
        before=before.id,
        n=limit + 1,
    )
    found = [deliveries.from_row(row) for row in rows]
    return _cut(found, limit, lambda one: Position(one.id, one.created_at_ms))


@work
def dead_letter_page(
    workspace_id: str, subscription_id: str | None, since_ms: int, before: Position, limit: int
) -> Steps[Page[Delivery]]:
    """Dead deliveries in the order in which they died, the newest first."""
    rows = yield statement(
        "dead_letter_page" if subscription_id is None else "dead_letter_page_of_subscription",
        workspace_id=workspace_id,
        subscription_id=subscription_id,
        since=since_ms,
        before_at=before.at_ms,
        before=before.id,
        n=limit + 1,
    )
    found = [deliveries.from_row(row) for row in rows]
    return _cut(found, limit, lambda one: Position(one.id, one.completed_at_ms or 0))


def _cut(found: list[T], limit: int, position: Callable[[T], Position]) -> Page[T]:
    """The first `limit` of what was found, when there was more."""
    if len(found) <= limit:
        return Page(found, None)
    return Page(found[:limit], position(found[limit - 1]))
