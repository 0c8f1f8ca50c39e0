"""Recovery: what a subscription missed, or what died, in a span of time is delivered after all.

It goes through the events of that time in the order of their ids and puts a page of them back whenever nothing else is
due for the subscription, so live events never wait behind more than one page. Where it has got to is stored with every
page: a restart goes on from there, and the one delivery a pair of event and subscription can have makes a page that is
done twice harmless.
"""

from __future__ import annotations

from typing import NamedTuple

from aiohttp import web

from relay.apis.webhook_relay.wire import WIRE
from relay.core import ids
from relay.core.errors import Conflict
from relay.core.ids import ulid_floor
from relay.core.matching import matches_type
from relay.core.model import Subscription, SubscriptionState
from relay.delivery.publish import new_delivery
from relay.store import deliveries, events, subscriptions
from relay.store.database import Steps, statement, work
from relay.web.wiring import CLOCK, DATABASE, ENGINE

LOOKED_AT = 500
"""How many events one page looks at."""
COUNTED = 10_000
"""How many events are looked at to say how much there is to recover."""
PUT_BACK = 200
"""How many deliveries one page puts back at most."""
PAGES_AT_ONCE = 40
"""How many pages without anything to put back are passed in one go."""
OPEN_LIMIT = 10
"""How many recoveries of one subscription may be open: each is looked at every second, however long it has to wait."""


class Span(NamedTuple):
    """The events of a time, as far as a subscription is concerned. Both times are included.

    No event of that time has an id below `after_id`. There is no such bound above: ids never go down, so where the
    clock was set back they hold a later time than their events.
    """

    workspace_id: str
    subscription_id: str
    since_at: int
    until_at: int
    after_id: str

    @classmethod
    def of(cls, subscription: Subscription, since_ms: int, until_ms: int) -> Span:
        """What was published before there was the subscription was never meant for it."""
        since_ms = max(0, since_ms, subscription.created_at_ms)
        return cls(subscription.workspace_id, subscription.id, since_ms, until_ms, ulid_floor(since_ms))


class Found(NamedTuple):
    """What there is to recover."""

    dead: int
    missed: int
    until_ms: int
    """As far as was counted: a long span is not counted to its end while somebody waits."""


@work
def count(span: Span, event_filter: tuple[str, ...]) -> Steps[Found]:
    """Look at the first events of a span."""
    dead = missed = 0
    for _ in range(COUNTED // LOOKED_AT):
        rows = yield statement("recovery_page", n=LOOKED_AT, **span._asdict())
        for row in rows:
            if span.since_at <= row["created_at"] <= span.until_at:
                dead += row["state"] == "dead"
                missed += row["state"] is None and matches_type(event_filter, row["type"])
        if len(rows) < LOOKED_AT:
            return Found(dead, missed, span.until_at)
        span = span._replace(after_id=rows[-1]["id"])
    return Found(dead, missed, min(span.until_at, max(span.since_at, rows[-1]["created_at"])))


@work
def begin(span: Span, now_ms: int) -> Steps[None]:
    """Store a recovery; the chore takes it up. Raises Conflict when too many of the subscription are open."""
    rows = yield statement("recovery_of_subscription", subscription_id=span.subscription_id)
    if rows[0]["count"] >= OPEN_LIMIT:
        raise Conflict(f"this subscription has {OPEN_LIMIT} recoveries under way; ask again when one has ended")
    yield statement("recovery_add", id=ids.ulid(now_ms), now=now_ms, **span._asdict())


@work
def _open() -> Steps[list[tuple[str, Span]]]:
    rows = yield statement("recovery_open")
    return [(row["id"], Span(*[row[name] for name in Span._fields])) for row in rows]


async def advance(app: web.Application) -> None:
    """The chore: take every open recovery as far as it may go now."""
    for recovery_id, span in await app[DATABASE].read(_open()):
        for _ in range(PAGES_AT_ONCE):
            put_back, after_id = await app[DATABASE].write(_step(recovery_id, span, app[CLOCK]()))
            if put_back:
                app[ENGINE].wake([span.subscription_id])
            if put_back or after_id is None:
                break
            span = span._replace(after_id=after_id)


@work
def _step(recovery_id: str, span: Span, now_ms: int) -> Steps[tuple[int, str | None]]:
    """Put a page back: how many deliveries, and where to go on at once; None when it is done or has to wait."""
    subscription = yield from subscriptions.to_send(span.subscription_id)
    if subscription is None or subscription.removed_at_ms is not None:
        yield statement("recovery_done", id=recovery_id)
        return 0, None
    if subscription.state is not SubscriptionState.ACTIVE:
        return 0, None
    if (yield statement("recovery_is_busy", subscription_id=subscription.id, now=now_ms)):
        return 0, None
    rows = yield statement("recovery_page", n=LOOKED_AT, **span._asdict())
    put_back, after_id = 0, span.after_id
    for row in rows:
        after_id = row["id"]
        if not span.since_at <= row["created_at"] <= span.until_at:
            continue
        if row["state"] == "dead":
            yield statement("recovery_revive", workspace_id=span.workspace_id, id=row["delivery_id"], now=now_ms)
            put_back += 1
        elif row["state"] is None and matches_type(subscription.event_filter, row["type"]):
            yield from _deliver(subscription, row["id"], now_ms)
            put_back += 1
        if put_back == PUT_BACK:
            break
    if put_back < PUT_BACK and len(rows) < LOOKED_AT:
        yield statement("recovery_done", id=recovery_id)
        return put_back, None
    yield statement("recovery_moved", id=recovery_id, after_id=after_id)
    return put_back, after_id


@work
def _deliver(subscription: Subscription, event_id: str, now_ms: int) -> Steps[None]:
    """Make the delivery that was not made when the event was published."""
    event = yield from events.get(subscription.workspace_id, event_id)
    if event is None:
        return
    body = WIRE.body(event, subscription)
    bodies = yield statement("recovery_bodies", event_id=event_id)
    number = next((row["number"] for row in bodies if row["body"] == body), None)
    if number is None:
        number = bodies[-1]["number"] + 1 if bodies else 0
        yield statement("body_add", event_id=event_id, number=number, body=body)
    yield from deliveries.add([new_delivery(event, subscription, number, body, now_ms)])
