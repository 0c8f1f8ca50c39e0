"""What the doctor reads of a database's content: subscriptions, what waits, what died, the newest rows, the mail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from relay.core.model import Subscription, SubscriptionState
from relay.store import subscriptions, workspaces
from relay.store.database import Row, Steps, statement, work

DAY_MS = 86_400_000
LOOKED_AT = 100
"""How many of a subscription's newest, and of its oldest, deliveries are looked at for a success."""
COUNTED = 100_000
"""How far the queue is counted."""
DIED = 10_000
"""How many dead letters of a workspace are counted."""
LANES = 100
"""How many queues are asked when something was last sent from them."""
OVERDUE_MS = 60_000
"""What has been due for longer is asked after."""


class Examined(NamedTuple):
    """A subscription that was not removed, and what is known of it."""

    subscription: Subscription
    workspace_name: str
    has_succeeded: bool
    """Looked for only where it fails or has stopped."""
    last_attempt: Row | None
    """`attempted_at`, `status`, `error_code`; read only where it fails or has stopped."""


class Lane(NamedTuple):
    """What waits for one subscription."""

    subscription_id: str
    first_due_at_ms: int
    last_due_at_ms: int
    tried_at_ms: int | None
    """When something was tried that is as old as what waits; asked only of those that are overdue."""


class Died(NamedTuple):
    """Deliveries of one subscription that were given up within the last day for one reason."""

    subscription_id: str
    reason: str
    deliveries: int
    first_at_ms: int


class MailRefused(NamedTuple):
    """Mail that was refused at least once and waits for another try."""

    mails: int
    last_error: str


class Content(NamedTuple):
    subscriptions: tuple[Examined, ...]
    lanes: tuple[Lane, ...]
    waiting: int
    """How many deliveries wait, as far as `COUNTED`."""
    died: tuple[Died, ...]
    newest_at_ms: Mapping[str, int]
    """What was stored last, by what it is."""
    mail_refused: MailRefused | None
    mail_given_up: Mapping[str, int]
    """How many mails ended `failed` or `unknown` within the last day."""


@work
def content(workspace_name: str | None, now_ms: int) -> Steps[Content]:
    """The content of one workspace, or of all; mail and the newest rows are always those of all."""
    every = yield from workspaces.list_all()
    chosen = [one for one in every if workspace_name in (None, one.name)]
    examined: list[Examined] = []
    died: list[Died] = []
    for workspace in chosen:
        rows = yield statement("doctor_subscriptions", workspace_id=workspace.id)
        for row in rows:
            one = yield from _examined(subscriptions.from_row(row), workspace.name)
            examined.append(one)
        died += yield from _died(workspace.id, now_ms)
    lanes, waiting = yield from _queue({workspace.id for workspace in chosen}, now_ms)
    newest = yield from _newest([workspace.id for workspace in every], examined)
    rows = yield statement("doctor_mail_waiting", n=1000)
    refused = MailRefused(len(rows), rows[0]["last_error"] or "") if rows else None
    given_up = yield statement("doctor_mail_given_up", since=now_ms - DAY_MS, n=10_000)
    return Content(
        tuple(examined), lanes, waiting, died=tuple(died), newest_at_ms=newest, mail_refused=refused,
        mail_given_up={row["state"]: row["mails"] for row in given_up},
    )  # fmt: skip


@work
def _examined(one: Subscription, workspace_name: str) -> Steps[Examined]:
    if one.state is SubscriptionState.ACTIVE and not one.consecutive_failures:
        return Examined(one, workspace_name, has_succeeded=True, last_attempt=None)
    ids = {"workspace_id": one.workspace_id, "subscription_id": one.id}
    newest = yield statement("doctor_newest_successes", **ids, n=LOOKED_AT)
    oldest = yield statement("doctor_oldest_successes", **ids, n=LOOKED_AT)
    attempts = yield statement("doctor_last_attempt", subscription_id=one.id, n=LOOKED_AT)
    has_succeeded = bool(newest[0]["successes"] or oldest[0]["successes"])
    return Examined(one, workspace_name, has_succeeded, attempts[0] if attempts else None)


@work
def _died(workspace_id: str, now_ms: int) -> Steps[list[Died]]:
    rows = yield statement("doctor_dead", workspace_id=workspace_id, since=now_ms - DAY_MS, n=DIED)
    return [Died(row["subscription_id"], row["dead_reason"], row["dead"], row["first_at"]) for row in rows]


@work
def _queue(workspace_ids: set[str], now_ms: int) -> Steps[tuple[tuple[Lane, ...], int]]:
    lanes: list[Lane] = []
    waiting = asked = 0
    rows = yield statement("doctor_waiting")
    for row in rows:
        if row["workspace_id"] not in workspace_ids or row["first_due_at"] is None:
            continue
        subscription_id, first_due_at_ms = row["subscription_id"], row["first_due_at"]
        if waiting < COUNTED:
            counted = yield statement("doctor_waiting_count", subscription_id=subscription_id, n=COUNTED - waiting)
            waiting += counted[0]["waiting"]
        tried_at_ms = None
        if first_due_at_ms < now_ms - OVERDUE_MS and asked < LANES:
            asked += 1
            tried = yield statement(
                "doctor_last_progress",
                workspace_id=row["workspace_id"],
                subscription_id=subscription_id,
                before_at=first_due_at_ms,
                n=LOOKED_AT,
            )
            tried_at_ms = tried[0]["attempted_at"]
        lanes.append(Lane(subscription_id, first_due_at_ms, row["last_due_at"], tried_at_ms))
    return tuple(lanes), waiting


@work
def _newest(workspace_ids: Sequence[str], examined: Sequence[Examined]) -> Steps[dict[str, int]]:
    events, attempts = [], []
    for workspace_id in workspace_ids:
        events += [row["created_at"] for row in (yield statement("doctor_newest_event", workspace_id=workspace_id))]
        rows = yield statement("doctor_newest_attempt", workspace_id=workspace_id, n=LOOKED_AT)
        attempts += [row["attempted_at"] for row in rows if row["attempted_at"] is not None]
    changes = [max(one.updated_at_ms, one.failing_since_ms or 0, one.answering_since_ms or 0) for one, *_ in examined]
    found = {"event": events, "attempt": attempts, "change of a subscription": changes}
    return {what: max(times) for what, times in found.items() if times}
