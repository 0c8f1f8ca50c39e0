"""Subscriptions: who wants which events where, and how its target has been doing."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import NamedTuple

from relay.core import rotation
from relay.core.errors import Conflict
from relay.core.model import DeadReason, PreviousSecret, Subscription, SubscriptionState
from relay.store import deliveries
from relay.store.database import Row, Statement, Steps, statement, work


def from_row(row: Row) -> Subscription:
    return Subscription(
        id=row["id"],
        workspace_id=row["workspace_id"],
        api=row["api"],
        target_url=row["target_url"],
        event_filter=tuple(row["event_filter"].split()),
        secret=row["secret"],
        created_at_ms=row["created_at"],
        updated_at_ms=row["updated_at"],
        conditions=json.loads(row["conditions"]),
        api_key_id=row["api_key_id"],
        name=row["name"],
        source=row["source"],
        external_ref=row["external_ref"],
        previous_secrets=_previous(row["previous_secrets"]),
        secret_rotated_at_ms=row["secret_rotated_at"],
        paused_at_ms=row["paused_at"],
        disabled_at_ms=row["disabled_at"],
        disabled_reason=row["disabled_reason"],
        removed_at_ms=row["removed_at"],
        consecutive_failures=row["consecutive_failures"],
        failing_since_ms=row["failing_since"],
        answering_since_ms=row["answering_since"],
    )


def _previous(text: str | None) -> tuple[PreviousSecret, ...]:
    return () if text is None else tuple([PreviousSecret(*one) for one in json.loads(text)])


def _previous_text(previous: tuple[PreviousSecret, ...]) -> str | None:
    return json.dumps(previous, separators=(",", ":")) if previous else None


@work
def version(workspace_id: str) -> Steps[int]:
    """A number that differs after every change of what the workspace's subscriptions receive; 0 when it is gone."""
    rows = yield statement("workspace_subscriptions_version", id=workspace_id)
    stamp: int = rows[0]["subscriptions_version"] if rows else 0
    return stamp


@work
def changed(workspace_id: str) -> Steps[None]:
    """Give the workspace another version."""
    yield statement("workspace_subscriptions_changed", id=workspace_id, stamp=random.getrandbits(62))


@work
def add(subscription: Subscription) -> Steps[Subscription]:
    """Store a new subscription; events published from the next commit on can match it."""
    yield statement(
        "subscription_add",
        id=subscription.id,
        workspace_id=subscription.workspace_id,
        api=subscription.api,
        api_key_id=subscription.api_key_id,
        name=subscription.name,
        target_url=subscription.target_url,
        event_filter=" ".join(subscription.event_filter),
        conditions=json.dumps(subscription.conditions, separators=(",", ":")),
        source=subscription.source,
        external_ref=subscription.external_ref,
        secret=subscription.secret,
        now=subscription.created_at_ms,
    )
    yield from changed(subscription.workspace_id)
    return subscription


@work
def get(workspace_id: str, subscription_id: str) -> Steps[Subscription | None]:
    """One subscription of a workspace, unless it was removed."""
    rows = yield statement("subscription_get", id=subscription_id, workspace_id=workspace_id)
    return from_row(rows[0]) if rows else None


@work
def receiving(workspace_id: str) -> Steps[list[Subscription]]:
    """The active subscriptions of a workspace, oldest first."""
    rows = yield statement("subscription_receiving", workspace_id=workspace_id)
    return sorted((from_row(row) for row in rows), key=lambda one: (one.created_at_ms, one.id))


@work
def to_send(subscription_id: str) -> Steps[Subscription | None]:
    """A subscription as the engine sees it: of any workspace, removed or not."""
    rows = yield statement("subscription_to_send", id=subscription_id)
    return from_row(rows[0]) if rows else None


@work
def remove(workspace_id: str, subscription_id: str, api: str, now_ms: int) -> Steps[Removed | None]:
    """Unsubscribe. None when the workspace has no such subscription of that API.

    What is pending ends dead (`unsubscribed`): a first page of it now, the rest by the engine, which sends none of it.
    """
    rows = yield statement("subscription_remove", id=subscription_id, workspace_id=workspace_id, api=api, now=now_ms)
    if not rows:
        return None
    yield from changed(workspace_id)
    died = yield from deliveries.bury(subscription_id, DeadReason.UNSUBSCRIBED, now_ms)
    return Removed(from_row(rows[0]), died)


@work
def remove_of_key(api_key_id: str, api: str, now_ms: int) -> Steps[list[Subscription]]:
    """Unsubscribe all that an API made with a key; what they were."""
    rows = yield statement("subscription_of_key", api_key_id=api_key_id, api=api)
    for row in rows:
        yield from remove(row["workspace_id"], row["id"], api, now_ms)
    return [from_row(row) for row in rows]


@work
def failed(subscription_id: str, now_ms: int) -> Steps[Subscription | None]:
    """Count a failed request; the subscription with its new counters."""
    rows = yield statement("subscription_failed", id=subscription_id, now=now_ms)
    return from_row(rows[0]) if rows else None


@work
def answers(subscription_id: str, now_ms: int) -> Steps[Subscription | None]:
    """The target answers well: nothing is failing any more. The subscription as it was before."""
    before = yield from to_send(subscription_id)
    yield statement("subscription_answers", id=subscription_id, now=now_ms)
    return before


@work
def switch_off(subscription_id: str, state: SubscriptionState, reason: str, now_ms: int) -> Steps[bool]:
    """Pause or disable; False when it was already. What is pending is ended by the engine when it looks there next."""
    if state is SubscriptionState.PAUSED:
        rows = yield statement("subscription_pause", id=subscription_id, now=now_ms)
    else:
        rows = yield statement("subscription_disable", id=subscription_id, reason=reason, now=now_ms)
    if rows:
        yield from changed(rows[0]["workspace_id"])
    return bool(rows)


class Standing(NamedTuple):
    """How many subscriptions an API has in each state."""

    api: str
    active: int
    paused: int
    disabled: int


@work
def standings() -> Steps[list[Standing]]:
    """Every API's subscriptions by state, those that were removed left out."""
    rows = yield statement("subscription_standings")
    return [Standing(row["api"], row["active"], row["paused"], row["disabled"]) for row in rows]


class Removed(NamedTuple):
    """A subscription that was removed, and how many deliveries died with it at once."""

    subscription: Subscription
    died: int


class Sealed(NamedTuple):
    """A signing secret as it is stored, and whose it is."""

    subscription_id: str
    text: str


@work
def sealed_page(after: str, count: int, now_ms: int) -> Steps[tuple[list[Sealed], str | None]]:
    """All that sign now or may again, of so many subscriptions after that id; then the id to go on after, if any."""
    rows = yield statement("subscription_sealed", after=after, n=count)
    found = []
    for row in rows:
        found.append(Sealed(row["id"], row["secret"]))
        found += [
            Sealed(row["id"], one.secret) for one in rotation.still_valid(_previous(row["previous_secrets"]), now_ms)
        ]
    return found, rows[-1]["id"] if len(rows) == count else None


@work
def reseal(former: Sequence[tuple[Sealed, str]]) -> Steps[None]:
    """Put each new text in the place of the former one; where that has gone meanwhile, nothing happens."""
    yield Statement(
        "subscription_reseal",
        [{"id": one.subscription_id, "former": one.text, "sealed": sealed} for one, sealed in former],
    )


@work
def get_of_api(workspace_id: str, subscription_id: str, api: str) -> Steps[Subscription | None]:
    """One subscription of a workspace that an API made, unless it was removed."""
    found = yield from get(workspace_id, subscription_id)
    return found if found is not None and found.api == api else None


@work
def update(
    workspace_id: str,
    subscription_id: str,
    now_ms: int,
    *,
    name: str | None,
    target_url: str,
    event_filter: tuple[str, ...],
) -> Steps[Subscription]:
    """Change what a subscription is called, where it goes and what it receives, from the next commit on."""
    rows = yield statement(
        "subscription_update",
        id=subscription_id,
        workspace_id=workspace_id,
        name=name,
        target_url=target_url,
        event_filter=" ".join(event_filter),
        now=now_ms,
    )
    yield from changed(workspace_id)
    return from_row(rows[0])


@work
def pause(workspace_id: str, subscription_id: str, now_ms: int) -> Steps[Subscription]:
    """Stop publishing to a subscription; one that is paused stays paused since when it was."""
    rows = yield statement("subscription_pause_asked", id=subscription_id, workspace_id=workspace_id, now=now_ms)
    yield from changed(workspace_id)
    return from_row(rows[0])


@work
def resume(workspace_id: str, subscription_id: str, now_ms: int) -> Steps[Subscription]:
    """Make a subscription active again, with no failures counted."""
    rows = yield statement("subscription_resume", id=subscription_id, workspace_id=workspace_id, now=now_ms)
    yield from changed(workspace_id)
    return from_row(rows[0])


@work
def rotate(one: Subscription, sealed: str, now_ms: int, *, at_once: bool = False) -> Steps[Subscription]:
    """Give a subscription a new signing secret. Those it had stay valid for their grace, or end `at_once`.

    Raises Conflict when it is no longer as it was read: two that rotate at a time must not lose a secret between them.
    """
    rows = yield statement(
        "subscription_rotate",
        id=one.id,
        was=one.secret,
        secret=sealed,
        previous_secrets=_previous_text(rotation.beside_the_next(one, now_ms, at_once=at_once)),
        now=now_ms,
    )
    if not rows:
        raise Conflict("the secret was changed at the same moment; look at the subscription and try again")
    yield from changed(one.workspace_id)
    return from_row(rows[0])


@work
def forget_ended_secrets(now_ms: int) -> Steps[None]:
    """Take away the secrets whose grace has passed: what signs nothing any more need not be kept."""
    for row in (yield statement("subscription_previous_secrets")):
        were = _previous(row["previous_secrets"])
        kept = rotation.still_valid(were, now_ms)
        if kept != were:
            yield statement(
                "subscription_keep_previous_secrets",
                id=row["id"],
                were=row["previous_secrets"],
                previous_secrets=_previous_text(kept),
            )
