"""The values of the testimonials domain; like all of Relay's they are frozen, and their times are Unix milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SubmissionStatus(StrEnum):
    """Where a recording session stands: in_progress → submitted → approved | partial_approved | rejected → paid."""

    IN_PROGRESS = "in_progress"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    PARTIAL_APPROVED = "partial_approved"
    REJECTED = "rejected"
    PAID = "paid"


class ClipStatus(StrEnum):
    """Where one recording stands; `recording` covers its transfer and encoding too."""

    RECORDING = "recording"
    UPLOADED = "uploaded"
    APPROVED = "approved"
    REJECTED = "rejected"
    REDO_REQUESTED = "redo_requested"


class InvitationSource(StrEnum):
    """Which way an invitation came about."""

    API = "api"
    MAGIC_LINK = "magic_link"
    PORTAL = "portal"


@dataclass(frozen=True, slots=True)
class Collector:
    """A campaign: what customers are asked, and what they are told before."""

    id: str
    workspace_id: str
    name: str
    intro_text: str | None


@dataclass(frozen=True, slots=True)
class Customer:
    """Who is invited. The e-mail address is the identity, in the form that `customer.email` gives it."""

    email: str
    name: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class Invitation:
    """What connects a customer of a workspace with their one submission."""

    id: str
    workspace_id: str
    submission_id: str
    source: InvitationSource
    token_version: int
    """Part of the signed link: a link of a lower version was revoked."""
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class Submission:
    """One customer's recording session. The customer's fields are null once they were erased."""

    id: str
    workspace_id: str
    collector_id: str
    status: SubmissionStatus
    customer_email: str | None
    customer_name: str | None
    customer_phone: str | None
    hubspot_contact_id: str | None
    created_at_ms: int
    submitted_at_ms: int | None
    approved_at_ms: int | None
    erased_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Clip:
    """One recorded answer to one script."""

    id: str
    submission_id: str
    script_key: str
    status: ClipStatus
    duration_ms: int | None
    transcript: str | None
    stream_video_uid: str | None
    used_in_marketing_at_ms: int | None
    created_at_ms: int
