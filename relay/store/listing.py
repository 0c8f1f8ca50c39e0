"""Pages of events, subscriptions and deliveries, newest first, each read by an index that has its order.

A page has a bound in rows and in bytes, and it looks at so many rows and no more: where one of these ends it early, it
says where the list goes on.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Generic, NamedTuple, TypeVar

from relay.core.ids import ulid_floor
from relay.core.model import Delivery, DeliveryState, Event, Subscription
from relay.store import deliveries, events, subscriptions
from relay.store.database import Database, Row, Steps, statement, work

T = TypeVar("T")

PAGE_BYTES = 1024 * 1024
"""A page of events ends with the one that brings its payloads to so many bytes."""
STREAMED = 100
"""How many subscriptions of a list without pages are read at a time."""
_STEPS = (4, 8)
"""How many events are read at a time, at first and then: each may have 256 KB."""


class Position(NamedTuple):
    """A place in a list: what comes next has a lower id and is no younger."""

    id: str = events.ABOVE_ALL
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
    found: list[Counted] = []
    size_bytes, before_id, step = 0, before.id, 0
    while True:
        n = min(_STEPS[min(step, len(_STEPS) - 1)], limit + 1 - len(found))  # one more shows that there is more
        # An id never holds an earlier time than its event, so it bounds the search and the time itself decides.
        rows = yield statement(
            "event_page" if event_type is None else "event_page_of_type",
            workspace_id=workspace_id,
            type=event_type,
            after=after_ms,
            after_id=ulid_floor(max(0, after_ms)),
            before=before_id,
            n=n,
        )
        for row in rows:
            if len(found) == limit or size_bytes >= PAGE_BYTES:
                return Page(found, Position(found[-1].event.id))
            found.append(_counted(events.from_row(row), row))
            size_bytes += _bytes(row["payload"])
        if len(rows) < n:
            return Page(found, None)
        before_id, step = found[-1].event.id, step + 1


@work
def newest_events(
    workspace_id: str, event_type: str, matches: Callable[[str], bool], limit: int, looked_at: int
) -> Steps[list[Event]]:
    """The newest events of a type whose payload matches, among the `looked_at` newest; fewer when they are large."""
    found: list[Event] = []
    size_bytes, before_id, left, step = 0, events.ABOVE_ALL, looked_at, 0
    while left > 0:
        n = min(_STEPS[min(step, len(_STEPS) - 1)], left)
        rows = yield statement(
            "event_newest_of_type", workspace_id=workspace_id, type=event_type, before=before_id, n=n
        )
        for row in rows:
            if matches(row["payload"]):
                found.append(events.from_row(row))
                size_bytes += _bytes(row["payload"])
                if len(found) == limit or size_bytes >= PAGE_BYTES:
                    return found
        if len(rows) < n:
            break
        before_id, left, step = rows[-1]["id"], left - n, step + 1
    return found


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
def subscription_page(workspace_id: str, api: str, before: Position, limit: int) -> Steps[Page[Subscription]]:
    """Subscriptions that an API made and that were not removed."""
    rows = yield statement(
        "subscription_page",
        workspace_id=workspace_id,
        api=api,
        before=before.id,
        before_at=before.at_ms,
        n=limit + 1,
    )
    found = [subscriptions.from_row(row) for row in rows]
    return _cut(found, limit, lambda one: Position(one.id, one.created_at_ms))


async def of_api(database: Database, workspace_id: str, api: str) -> AsyncGenerator[list[Subscription], None]:
    """Every subscription that an API made and that was not removed, the other way round, oldest first: page by page,
    none of them empty, because a list without a cursor has no end."""
    after = Position("", -1)
    while page := await database.read(_oldest(workspace_id, api, after, STREAMED), list_of=workspace_id):
        yield page
        if len(page) < STREAMED:
            break
        after = Position(page[-1].id, page[-1].created_at_ms)


@work
def _oldest(workspace_id: str, api: str, after: Position, limit: int) -> Steps[list[Subscription]]:
    rows = yield statement(
        "subscription_of_api", workspace_id=workspace_id, api=api, after=after.id, after_at=after.at_ms, n=limit
    )
    return [subscriptions.from_row(row) for row in rows]


def delivery_statement(event_id: str | None, subscription_id: str | None, state: DeliveryState | None) -> str:
    """The statement of the first of these filters that is given: the one whose index a list of deliveries goes by."""
    if event_id is not None:
        return "delivery_page_of_event"
    if subscription_id is not None:
        return "delivery_page_of_subscription"
    return "delivery_page" if state is None else f"delivery_page_{state.value}"


@work
def delivery_page(
    workspace_id: str,
    event_id: str | None,
    subscription_id: str | None,
    state: DeliveryState | None,
    before: Position,
    limit: int,
) -> Steps[Page[Delivery]]:
    """Deliveries of a workspace, of any API. Those of a subscription are not chosen by their state (`narrowing.py`)."""
    rows = yield statement(
        delivery_statement(event_id, subscription_id, state),
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


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
