"""Invitations: one for each customer of a workspace, for ever; only making it is an event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from relay.core import ids
from relay.core.errors import InputError, NotFound
from relay.core.model import Event
from relay.delivery.publish import Published
from relay.producers.testimonials import collectors, mail, payloads, submissions
from relay.producers.testimonials.links import Links, Named
from relay.producers.testimonials.model import (
    Collector,
    Customer,
    Invitation,
    InvitationSource,
    Submission,
    SubmissionStatus,
)
from relay.store import workspaces
from relay.store.database import Row, Steps, Work, statement, work

PRODUCER = "testimonials"
"""Who publishes, in the metrics."""

Publish = Callable[[Event], Work[Published]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """An invitation somebody asks for."""

    workspace_id: str
    customer: Customer
    collector_id: str | None
    """None stands for the workspace's primary collector."""
    source: InvitationSource
    mail_from: str | None
    """The sender, when the link is to be mailed and there is a server to mail it; else None."""


@dataclass(frozen=True, slots=True)
class Invited:
    """What asking came to."""

    invitation: Invitation
    submission: Submission
    mail_queued: bool
    published: Published | None
    """None when the customer had been invited before."""

    @property
    def reused(self) -> bool:
        return self.published is None


@dataclass(frozen=True, slots=True)
class Opened:
    """What the page behind a personal link shows."""

    invitation: Invitation
    submission: Submission
    collector: Collector
    workspace_name: str
    prompts: tuple[str, ...]


def from_row(row: Row) -> Invitation:
    return Invitation(
        id=row["id"],
        workspace_id=row["workspace_id"],
        submission_id=row["submission_id"],
        source=InvitationSource(row["source"]),
        token_version=row["token_version"],
        created_at_ms=row["created_at"],
    )


@work
def invite(wanted: Wanted, links: Links, publish: Publish, now_ms: int) -> Steps[Invited]:
    """Invite a customer, or find that they are; the unique address decides, so parallel calls make one.

    Making it, its event with the deliveries, and its mail are one commit. Raises InputError for an unknown collector.
    """
    collector = yield from _collector(wanted, now_ms)
    rows = yield statement(
        "invitation_add",
        id=ids.prefixed("inv"),
        workspace_id=wanted.workspace_id,
        submission_id=ids.prefixed("sub"),
        email_lower=wanted.customer.email,
        source=wanted.source.value,
        now=now_ms,
    )
    if rows:
        return (yield from _mint(wanted, collector, from_row(rows[0]), links, publish, now_ms))
    return (yield from _reuse(wanted, now_ms))


@work
def _collector(wanted: Wanted, now_ms: int) -> Steps[Collector]:
    if wanted.collector_id is None:
        return (yield from collectors.ensure_primary(wanted.workspace_id, now_ms))
    collector = yield from collectors.get(wanted.workspace_id, wanted.collector_id)
    if collector is None:
        raise InputError("collector_id does not match a collector in this workspace")
    return collector


def _mint(
    wanted: Wanted, collector: Collector, invitation: Invitation, links: Links, publish: Publish, now_ms: int
) -> Steps[Invited]:
    rows = yield statement(
        "submission_add",
        id=invitation.submission_id,
        workspace_id=wanted.workspace_id,
        collector_id=collector.id,
        customer_email=wanted.customer.email,
        customer_name=wanted.customer.name,
        customer_phone=wanted.customer.phone,
        position=ids.ulid(now_ms),
        now=now_ms,
    )
    submission = submissions.from_row(rows[0])
    mail_queued = yield from _mail(wanted, invitation, submission, now_ms)
    workspace = yield from workspaces.get(wanted.workspace_id)
    if workspace is None:
        raise NotFound("workspace not found")
    payload = payloads.invitation_created(workspace, collector, submission, invitation, links, email_queued=mail_queued)
    event = Event(ids.ulid(now_ms), wanted.workspace_id, "invitation.created", payload, now_ms)
    published = yield from publish(event)
    return Invited(invitation, submission, mail_queued, published)


def _reuse(wanted: Wanted, now_ms: int) -> Steps[Invited]:
    """The same link to the same submission, whatever its state; of the customer only what was missing is filled in."""
    rows = yield statement(
        "invitation_of_customer", workspace_id=wanted.workspace_id, email_lower=wanted.customer.email
    )
    invitation = from_row(rows[0])
    rows = yield statement(
        "submission_fill_in",
        id=invitation.submission_id,
        workspace_id=wanted.workspace_id,
        customer_name=wanted.customer.name,
        customer_phone=wanted.customer.phone,
    )
    if not rows:  # the customer was erased
        rows = yield statement("submission_get", id=invitation.submission_id, workspace_id=wanted.workspace_id)
    submission = submissions.from_row(rows[0])
    mail_queued = yield from _mail(wanted, invitation, submission, now_ms)
    return Invited(invitation, submission, mail_queued, None)


def _mail(wanted: Wanted, invitation: Invitation, submission: Submission, now_ms: int) -> Steps[bool]:
    recipient = submission.customer_email
    if wanted.mail_from is None or recipient is None or submission.status is not SubmissionStatus.IN_PROGRESS:
        return False
    return (yield from mail.queue_invitation(invitation, recipient, wanted.mail_from, now_ms))


@work
def opened(named: Named) -> Steps[Opened | None]:
    """What a genuine link leads to; None when it was revoked or its customer erased."""
    rows = yield statement("invitation_get", id=named.invitation_id)
    if not rows or rows[0]["token_version"] != named.token_version:
        return None
    invitation = from_row(rows[0])
    submission = yield from submissions.get(invitation.workspace_id, invitation.submission_id)
    if submission is None or submission.erased_at_ms is not None:
        return None
    rows = yield statement("collector_of_submission", collector_id=submission.collector_id)
    collector = collectors.from_row(rows[0])
    prompts = yield statement("script_of_collector", collector_id=collector.id)
    return Opened(invitation, submission, collector, rows[0]["workspace_name"], tuple(row["prompt"] for row in prompts))


@work
def refuse_mail(named: Named, now_ms: int) -> Steps[bool]:
    """The customer a link belongs to wants no mail, however old the link is; False when there is none any more."""
    rows = yield statement("invitation_get", id=named.invitation_id)
    if not rows:
        return False
    yield from mail.suppress(
        rows[0]["workspace_id"], rows[0]["email_lower"], mail.SuppressionReason.UNSUBSCRIBE, now_ms
    )
    return True


@work
def revoke(workspace_id: str, invitation_id: str, now_ms: int) -> Steps[bool]:
    """Make every link that was given out for an invitation useless; the next call gives out a new one."""
    rows = yield statement("invitation_revoke", id=invitation_id, workspace_id=workspace_id, now=now_ms)
    return bool(rows)
