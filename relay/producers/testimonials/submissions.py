"""Submissions and their clips."""

from __future__ import annotations

from relay.core.ids import ulid_floor
from relay.producers.testimonials.model import Clip, ClipStatus, Submission, SubmissionStatus
from relay.store.database import Row, Steps, statement, work

ABOVE_ALL = "Z" * 27
"""A position above every one."""


def from_row(row: Row) -> Submission:
    return Submission(
        id=row["id"],
        workspace_id=row["workspace_id"],
        collector_id=row["collector_id"],
        status=SubmissionStatus(row["status"]),
        customer_email=row["customer_email"],
        customer_name=row["customer_name"],
        customer_phone=row["customer_phone"],
        hubspot_contact_id=row["hubspot_contact_id"],
        created_at_ms=row["created_at"],
        submitted_at_ms=row["submitted_at"],
        approved_at_ms=row["approved_at"],
        erased_at_ms=row["erased_at"],
    )


def clip_from_row(row: Row) -> Clip:
    return Clip(
        id=row["id"],
        submission_id=row["submission_id"],
        script_key=row["script_key"],
        status=ClipStatus(row["status"]),
        duration_ms=row["duration_ms"],
        transcript=row["transcript"],
        stream_video_uid=row["stream_video_uid"],
        used_in_marketing_at_ms=row["used_in_marketing_at"],
        created_at_ms=row["created_at"],
    )


@work
def get(workspace_id: str, submission_id: str) -> Steps[Submission | None]:
    rows = yield statement("submission_get", id=submission_id, workspace_id=workspace_id)
    return from_row(rows[0]) if rows else None


@work
def with_clips(workspace_id: str, submission_id: str) -> Steps[tuple[Submission, list[Clip]] | None]:
    """A submission of a workspace with its clips, every take, oldest first."""
    rows = yield statement("submission_get", id=submission_id, workspace_id=workspace_id)
    if not rows:
        return None
    clips = yield statement("clip_of_submission", submission_id=submission_id, workspace_id=workspace_id)
    return from_row(rows[0]), [clip_from_row(clip) for clip in clips]


@work
def newest(
    workspace_id: str,
    status: SubmissionStatus | None,
    customer_email: str | None,
    created: tuple[int | None, int | None],
    limit: int,
    offset: int,
) -> Steps[list[Submission]]:
    """A page of a workspace's submissions, newest first. `customer_email` is an identity (`customer.email`).

    `created` is a span of Unix milliseconds, what was made in the first or the last of them left out.
    """
    after_ms, before_ms = created
    page = {
        "workspace_id": workspace_id,
        # A position holds the time at which it was given.
        "from": ulid_floor(max(0, after_ms + 1)) if after_ms is not None else "",
        "below": ulid_floor(max(0, before_ms)) if before_ms is not None else ABOVE_ALL,
        "n": limit,
        "skip": offset,
    }
    if customer_email is not None:
        rows = yield statement(
            "submission_list_by_customer",
            **page,
            status=None if status is None else status.value,
            customer_email=customer_email,
        )
    elif status is not None:
        rows = yield statement("submission_list_by_status", **page, status=status.value)
    else:
        rows = yield statement("submission_list", **page)
    return [from_row(row) for row in rows]
