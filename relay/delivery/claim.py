"""Claim: take what is due for a few subscriptions, each as it is at this moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from relay.core.model import Claimed, DeadReason, Subscription, SubscriptionState
from relay.store import deliveries, subscriptions
from relay.store.database import Row, Steps, work


class Wanted(NamedTuple):
    """How many deliveries of a subscription are wanted, besides those that are held already."""

    subscription_id: str
    limit: int
    held: frozenset[str]


class Found(NamedTuple):
    """What a claim brought. `due_at_ms` says when there is more: in the past for at once, None for nothing waits."""

    subscription: Subscription | None
    claimed: list[Claimed]
    due_at_ms: int | None
    ended: int = 0
    """How many died instead, because the subscription gets nothing more."""
    ended_why: DeadReason = DeadReason.UNSUBSCRIBED


@work
def claim(wanted: Sequence[Wanted], now_ms: int) -> Steps[list[Found]]:
    """What is due for each of the wanted subscriptions, in their order.

    Nothing is written for an active subscription: one process owns the file, and it remembers what it holds. What
    waits for one that is removed, disabled or paused is ended instead, a page at a time.
    """
    found = []
    for want in wanted:
        subscription = yield from subscriptions.to_send(want.subscription_id)
        reason = _end_of(subscription)
        if subscription is None or reason is not None:
            due_before = now_ms if reason is DeadReason.PAUSED else deliveries.NEVER_MS
            why = reason or DeadReason.UNSUBSCRIBED
            ended = yield from deliveries.bury(want.subscription_id, why, now_ms, due_before)
            later = yield from deliveries.next_due_at_ms(want.subscription_id, now_ms)
            found.append(Found(subscription, [], 0 if ended == deliveries.BURY_PAGE else later, ended, why))
            continue
        # Those that are held are still due in the database, and among the first: ask for as many more.
        limit = want.limit + len(want.held)
        rows = yield from deliveries.due(want.subscription_id, now_ms, limit)
        claimed = [_claimed(row, subscription) for row in rows if row["id"] not in want.held]
        due_at_ms = 0 if len(rows) == limit else (yield from deliveries.next_due_at_ms(want.subscription_id, now_ms))
        found.append(Found(subscription, claimed, due_at_ms))
    return found


def _end_of(subscription: Subscription | None) -> DeadReason | None:
    """Why nothing more is sent for a subscription; None while it is active."""
    if subscription is None or subscription.removed_at_ms is not None:
        return DeadReason.UNSUBSCRIBED
    match subscription.state:
        case SubscriptionState.DISABLED:
            return DeadReason.DISABLED
        case SubscriptionState.PAUSED:
            return DeadReason.PAUSED
        case SubscriptionState.ACTIVE:
            return None


def _claimed(row: Row, subscription: Subscription) -> Claimed:
    return Claimed(
        id=row["id"],
        event_id=row["event_id"],
        event_type=row["event_type"],
        body_number=row["body_number"],
        body=row["body"],
        body_chars=row["body_chars"],
        attempts_made=row["attempts_made"],
        schedule_base=row["schedule_base"],
        created_at_ms=row["created_at"],
        subscription=subscription,
    )
