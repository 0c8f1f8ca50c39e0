"""Lists narrowed to an event type, a span of time or a state, whatever other filter they have.

No index has all the orders that filters can be put in. So a list is walked by the index of its first filter, and what
the others leave out is passed over: so many rows and no more, then the page ends where it has got to, and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from relay.core.ids import ulid_floor
from relay.core.model import Delivery, DeliveryState, Subscription, SubscriptionState
from relay.store import deliveries, listing, subscriptions
from relay.store.database import Row, Steps, statement, work
from relay.store.listing import PAGE_BYTES, Counted, Page, Position, delivery_statement

LOOKED_AT = 2_000
"""How many rows one page looks at."""
STEP = 200
"""How many of them are read at a time."""


class Narrowing(NamedTuple):
    """What a list is narrowed to. The times are Unix milliseconds, and what happened then is left out."""

    event_type: str | None = None
    after_ms: int | None = None
    before_ms: int | None = None

    @property
    def is_any(self) -> bool:
        """Whether nothing is left out."""
        return self == Narrowing()

    def takes(self, event_type: str, created_at_ms: int) -> bool:
        return (
            (self.event_type is None or self.event_type == event_type)
            and (self.after_ms is None or created_at_ms > self.after_ms)
            and (self.before_ms is None or created_at_ms < self.before_ms)
        )

    def from_id(self) -> str:
        """No id of the span is below this."""
        return ulid_floor(max(0, self.after_ms or 0))

    def below(self, before: Position) -> Position:
        """Where a list that is ordered by id begins. What was made while the clock was behind the ids, after it was set
        back, counts as made at the time that its id has."""
        if self.before_ms is None:
            return before
        return Position(min(before.id, ulid_floor(max(0, self.before_ms))), before.at_ms)

    def earlier(self, before: Position) -> Position:
        """Where a list that is ordered by time begins."""
        if self.before_ms is None or self.before_ms > before.at_ms:
            return before
        return Position("", self.before_ms)


class _Walk(NamedTuple):
    """A list as it is walked."""

    statement: str
    parameters: dict[str, Any]
    position: Callable[[Row], Position]
    is_past: Callable[[Row], bool]
    """Whether nothing that comes from here on can be wanted."""
    takes: Callable[[Row], bool]


@work
def delivery_page(
    workspace_id: str,
    event_id: str | None,
    subscription_id: str | None,
    state: DeliveryState | None,
    narrowing: Narrowing,
    before: Position,
    limit: int,
) -> Steps[Page[Delivery]]:
    """Deliveries of a workspace, of any API."""
    walk, start = _deliveries(workspace_id, event_id, subscription_id, state, narrowing, before)
    page = yield from _walked(walk, start, limit)
    return Page([deliveries.from_row(row) for row in page.items], page.next)


def _deliveries(
    workspace_id: str,
    event_id: str | None,
    subscription_id: str | None,
    state: DeliveryState | None,
    narrowing: Narrowing,
    before: Position,
) -> tuple[_Walk, Position]:
    where = {"workspace_id": workspace_id, "event_id": event_id, "subscription_id": subscription_id, "state": None}
    name = delivery_statement(event_id, subscription_id, state)
    is_by_id = name in ("delivery_page_of_event", "delivery_page")
    after_ms, from_id = narrowing.after_ms, narrowing.from_id()

    def is_past(row: Row) -> bool:
        if is_by_id:
            return bool(row["id"] < from_id)
        return after_ms is not None and row["created_at"] <= after_ms

    def takes(row: Row) -> bool:
        return (state is None or row["state"] == state.value) and narrowing.takes(row["event_type"], row["created_at"])

    walk = _Walk(name, where, lambda row: Position(row["id"], row["created_at"]), is_past, takes)
    return walk, narrowing.below(before) if is_by_id else narrowing.earlier(before)


@work
def dead_letter_page(
    workspace_id: str,
    event_id: str | None,
    subscription_id: str | None,
    died: tuple[int | None, int | None],
    narrowing: Narrowing,
    before: Position,
    limit: int,
) -> Steps[Page[Delivery]]:
    """Dead deliveries in the order in which they died, the newest first. `died` is a span, both ends included."""
    since_ms, until_ms = died
    # Nothing died before it was made.
    since_ms = max(0, since_ms or 0, narrowing.after_ms or 0)
    if until_ms is not None and until_ms < before.at_ms:
        before = Position("", until_ms + 1)
    walk = _Walk(
        "dead_letter_page" if subscription_id is None else "dead_letter_page_of_subscription",
        {"workspace_id": workspace_id, "subscription_id": subscription_id, "since": since_ms},
        lambda row: Position(row["id"], row["completed_at"]),
        lambda row: False,
        lambda row: (
            (event_id is None or row["event_id"] == event_id) and narrowing.takes(row["event_type"], row["created_at"])
        ),
    )
    page = yield from _walked(walk, before, limit)
    return Page([deliveries.from_row(row) for row in page.items], page.next)


@work
def event_page(
    workspace_id: str, subscription_id: str, narrowing: Narrowing, before: Position, limit: int
) -> Steps[Page[Counted]]:
    """The events of which a subscription has deliveries, in the order in which these were made."""
    from_id, below_id = narrowing.from_id(), narrowing.below(Position()).id
    walk = _Walk(
        "delivery_page_of_subscription",
        {"workspace_id": workspace_id, "subscription_id": subscription_id, "state": None},
        lambda row: Position(row["id"], row["created_at"]),
        # A delivery that a recovery made is younger than its event, none is older.
        lambda row: narrowing.after_ms is not None and row["created_at"] <= narrowing.after_ms,
        lambda row: narrowing.event_type in (None, row["event_type"]) and bool(from_id <= row["event_id"] < below_id),
    )
    page = yield from _walked(walk, before, limit)
    found: list[Counted] = []
    size_bytes = 0
    for row in page.items:
        one = yield from listing.event(workspace_id, row["event_id"])
        if one is None or not narrowing.takes(one.event.type, one.event.created_at_ms):
            continue
        found.append(one)
        size_bytes += len(one.event.payload)
        if size_bytes >= PAGE_BYTES and row is not page.items[-1]:
            return Page(found, walk.position(row))
    return Page(found, page.next)


@work
def subscription_page(
    workspace_id: str, api: str, state: SubscriptionState, before: Position, limit: int
) -> Steps[Page[Subscription]]:
    """Subscriptions in one state that an API made and that were not removed."""
    walk = _Walk(
        "subscription_page",
        {"workspace_id": workspace_id, "api": api},
        lambda row: Position(row["id"], row["created_at"]),
        lambda row: False,
        lambda row: subscriptions.from_row(row).state is state,
    )
    page = yield from _walked(walk, before, limit)
    return Page([subscriptions.from_row(row) for row in page.items], page.next)


@work
def newest_of_api(
    workspace_id: str,
    api: str,
    subscription_id: str | None,
    state: DeliveryState | None,
    narrowing: Narrowing,
    limit: int,
) -> Steps[list[Delivery]]:
    """The newest deliveries to subscriptions of an API, removed ones included, among those that are looked at."""
    walk, start = _deliveries(workspace_id, None, subscription_id, state, narrowing, Position())
    of_api = walk._replace(takes=lambda row: row["api"] == api and walk.takes(row))
    page = yield from _walked(of_api, start, limit)
    return [deliveries.from_row(row) for row in page.items]


def _walked(walk: _Walk, before: Position, limit: int) -> Steps[Page[Row]]:
    """What a page takes of a list, and where the list goes on; None when there is no more of it."""
    found: list[Row] = []
    for _ in range(LOOKED_AT // STEP):
        rows = yield statement(walk.statement, **walk.parameters, before=before.id, before_at=before.at_ms, n=STEP)
        for row in rows:
            if walk.is_past(row):
                return Page(found, None)
            if not walk.takes(row):
                continue
            if len(found) == limit:
                return Page(found, walk.position(found[-1]))
            found.append(row)
        if len(rows) < STEP:
            return Page(found, None)
        before = walk.position(rows[-1])
    return Page(found, before)
