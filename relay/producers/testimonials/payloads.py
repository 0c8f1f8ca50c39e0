"""What an event says about a submission: flat, the same keys in the same order as `sample_events/testimonials/`.

The event's id and ISO time are not in here: every API adds them in its own way.
"""

from __future__ import annotations

from typing import Any

import orjson

from relay.core.model import Workspace
from relay.core.moments import iso_s
from relay.producers.testimonials import customer
from relay.producers.testimonials.links import Links
from relay.producers.testimonials.model import Collector, Invitation, Submission


def seconds(at_ms: int | None) -> int | None:
    """Unix seconds, as the API and the events show times."""
    return None if at_ms is None else at_ms // 1000


def iso(at_ms: int | None) -> str | None:
    """ISO 8601 in UTC with whole seconds, the twin that no-code platforms understand."""
    return None if at_ms is None else iso_s(at_ms // 1000)


def common(workspace: Workspace, collector: Collector, submission: Submission, links: Links) -> dict[str, Any]:
    """The fields that every event of this domain begins with."""
    return {
        "workspace_name": workspace.name,
        "submission_id": submission.id,
        "submission_status": submission.status.value,
        "customer_email": submission.customer_email,
        "customer_name": submission.customer_name,
        "customer_first_name": customer.first_name(submission.customer_name),
        "customer_phone": submission.customer_phone,
        "hubspot_contact_id": submission.hubspot_contact_id,
        "collector_id": collector.id,
        "collector_name": collector.name,
        "submission_created_at": seconds(submission.created_at_ms),
        "submission_created_at_iso": iso(submission.created_at_ms),
        "submitted_at": seconds(submission.submitted_at_ms),
        "submitted_at_iso": iso(submission.submitted_at_ms),
        "approved_at": seconds(submission.approved_at_ms),
        "approved_at_iso": iso(submission.approved_at_ms),
        "review_url": links.review_url(submission.id),
    }


def invitation_created(
    workspace: Workspace,
    collector: Collector,
    submission: Submission,
    invitation: Invitation,
    links: Links,
    *,
    email_queued: bool,
) -> str:
    """The payload of `invitation.created`, as JSON text. Its `link` is a bearer link: who has it can use it."""
    payload = common(workspace, collector, submission, links) | {
        "invitation_id": invitation.id,
        "invitation_source": invitation.source.value,
        "email_queued": email_queued,
        "link": links.url(links.token_of(invitation)),
    }
    return orjson.dumps(payload).decode()
