"""The outbox: mail waits in the transaction that caused it, and a mail that may have arrived is never sent again.

    queued → sending → sent       the server took it
                     → queued     refused before it was taken: tried again, later each time
                     → failed     refused for good, tried often enough, or the customer wants no mail
                     → unknown    broken off after its text went out: only a person can tell

Only `failed` may be queued once more, by inviting the customer again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from relay.core import ids
from relay.core.sender import parse_sender
from relay.producers.testimonials.model import Invitation
from relay.store.database import Steps, statement, work

RETRY_SCHEDULE_S = (60, 300, 1800, 7200, 21600)
"""The wait before each further try."""
SENDING_LIMIT_MS = 10 * 60_000
"""No mail takes longer: one that is being sent since then was left behind by a process that died."""


class MailState(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"


class SuppressionReason(StrEnum):
    """Why an address must not be written to."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Mail:
    """An invitation mail that was claimed for sending; its text is made now."""

    id: str
    recipient: str
    message_id: str
    attempts_made: int
    invitation_id: str
    token_version: int
    customer_name: str | None
    workspace_name: str
    intro_text: str | None
    is_suppressed: bool


@dataclass(frozen=True, slots=True)
class MailOutcome:
    """What came of one try: SENT, FAILED, UNKNOWN, or QUEUED for "not now, try again"."""

    state: MailState
    error: str | None = None
    is_served: bool | None = None
    """Whether the mail server lets us hand in mail at all; None when this try does not tell."""


def email_sha256(email: str) -> str:
    """How a suppressed address is kept."""
    return hashlib.sha256(email.encode()).hexdigest()


@work
def queue_invitation(invitation: Invitation, recipient: str, sender: str, now_ms: int) -> Steps[bool]:
    """Queue the mail with the link, unless one was accepted, may have been, or is waiting. True when it was queued."""
    workspace_id = invitation.workspace_id
    suppressed = yield statement("suppression_get", workspace_id=workspace_id, email_sha256=email_sha256(recipient))
    if suppressed:
        return False
    mail_id = ids.prefixed("eml")
    domain = parse_sender(sender).address.rpartition("@")[2]
    rows = yield statement(
        "email_queue",
        id=mail_id,
        workspace_id=workspace_id,
        kind="invitation",
        dedupe_key=invitation.id,
        invitation_id=invitation.id,
        recipient=recipient,
        # Made once: should a copy get out twice after all, mail programs show it once.
        message_id=f"<{mail_id}@{domain}>",
        now=now_ms,
    )
    return bool(rows)


@work
def claim(now_ms: int) -> Steps[Mail | None]:
    """Take the mail that has been due the longest. One at a time: a crash leaves one in doubt, not a batch."""
    rows = yield statement("email_claim", now=now_ms)
    if not rows:
        return None
    mail = rows[0]
    recipient = mail["recipient"]
    contents = (yield statement("email_contents", invitation_id=mail["invitation_id"]))[0]
    suppressed = yield statement(
        "suppression_get", workspace_id=mail["workspace_id"], email_sha256=email_sha256(recipient)
    )
    return Mail(
        id=mail["id"],
        recipient=recipient,
        message_id=mail["message_id"],
        attempts_made=mail["attempts_made"],
        invitation_id=mail["invitation_id"],
        token_version=contents["token_version"],
        customer_name=contents["customer_name"],
        workspace_name=contents["workspace_name"],
        intro_text=contents["intro_text"],
        is_suppressed=bool(suppressed) or contents["erased_at"] is not None,
    )


def settled(outcome: MailOutcome, attempts_made: int) -> MailOutcome:
    """An outcome that asks for another try, when there was none left, is a failure."""
    if outcome.state is MailState.QUEUED and attempts_made > len(RETRY_SCHEDULE_S):
        return MailOutcome(MailState.FAILED, outcome.error)
    return outcome


@work
def settle(mail: Mail, outcome: MailOutcome, now_ms: int) -> Steps[None]:
    """Keep what came of a try."""
    outcome = settled(outcome, mail.attempts_made)
    again = outcome.state is MailState.QUEUED
    yield statement(
        "email_settle",
        id=mail.id,
        state=outcome.state.value,
        next_attempt_at=now_ms + RETRY_SCHEDULE_S[mail.attempts_made - 1] * 1000 if again else None,
        completed_at=None if again else now_ms,
        last_error=outcome.error,
    )


@work
def put_back(mail_id: str, now_ms: int) -> Steps[None]:
    """Nothing of it was handed in, and not for want of trying: it is due at once, and this was no try."""
    yield statement("email_put_back", id=mail_id, now=now_ms)


@work
def set_back(now_ms: int, by_ms: int) -> Steps[None]:
    """The clock was set back by so much, to `now_ms`: what waits for a time of before waits no longer than it did."""
    yield statement("email_set_back", now=now_ms, was=now_ms + by_ms, by=by_ms)


@work
def abandon(now_ms: int) -> Steps[None]:
    """What a process was sending when it died is `unknown`: the server may have taken it.

    So is what was claimed at a time yet to come: the clock was set back, and nobody is at it.
    """
    yield statement("email_abandon", now=now_ms, claimed_before=now_ms - SENDING_LIMIT_MS)


@work
def waiting() -> Steps[int]:
    """How many mails are queued."""
    rows = yield statement("email_waiting")
    count: int = rows[0]["waiting"]
    return count


@work
def suppress(workspace_id: str, email: str, reason: SuppressionReason, now_ms: int) -> Steps[None]:
    """Write to this address no more."""
    yield statement(
        "suppression_add",
        workspace_id=workspace_id,
        email_sha256=email_sha256(email),
        reason=reason.value,
        now=now_ms,
    )


@dataclass(frozen=True, slots=True)
class MailRecord:
    """How a mail stands, for the operator."""

    state: MailState
    attempts_made: int
    next_attempt_at_ms: int | None
    last_error: str | None


@work
def of_invitation(invitation_id: str) -> Steps[MailRecord | None]:
    """The mail of an invitation, or None when none was ever queued."""
    rows = yield statement("email_of_invitation", invitation_id=invitation_id)
    if not rows:
        return None
    row = rows[0]
    return MailRecord(MailState(row["state"]), row["attempts_made"], row["next_attempt_at"], row["last_error"])
