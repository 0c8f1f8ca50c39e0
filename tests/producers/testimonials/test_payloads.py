"""What events of this domain say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from relay.core.model import Workspace
from relay.producers.testimonials import payloads
from relay.producers.testimonials.links import Links
from relay.producers.testimonials.model import (
    Collector,
    Invitation,
    InvitationSource,
    Submission,
    SubmissionStatus,
)
from relay.store.secrets import Secrets

SAMPLES = sorted((Path(__file__).parents[3] / "sample_events" / "testimonials").glob("*.json"))
WORKSPACE = Workspace("ws_1", "Acme", 0)
COLLECTOR = Collector("col_1", "ws_1", "Spring", None)
SUBMISSION = Submission(
    id="sub_1",
    workspace_id="ws_1",
    collector_id="col_1",
    status=SubmissionStatus.SUBMITTED,
    customer_email="dana@example.com",
    customer_name="Dana Whitlock",
    customer_phone=None,
    hubspot_contact_id=None,
    created_at_ms=1_791_209_000_999,
    submitted_at_ms=1_791_209_060_000,
    approved_at_ms=None,
    erased_at_ms=None,
)
LINKS = Links(Secrets(["key"]), "https://relay.example.com")


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: str(path.stem))
def test_every_sample_begins_with_the_common_fields(sample: Path) -> None:
    common = payloads.common(WORKSPACE, COLLECTOR, SUBMISSION, LINKS)
    assert list(json.loads(sample.read_text("utf-8"))["payload"])[: len(common)] == list(common)


def test_times_are_told_twice() -> None:
    common = payloads.common(WORKSPACE, COLLECTOR, SUBMISSION, LINKS)
    assert (common["submission_created_at"], common["submission_created_at_iso"]) == (
        1791209000,
        "2026-10-05T14:03:20Z",
    )
    assert (common["submitted_at"], common["submitted_at_iso"]) == (1791209060, "2026-10-05T14:04:20Z")
    assert (common["approved_at"], common["approved_at_iso"]) == (None, None)


def test_an_invitation_event_holds_the_link() -> None:
    invitation = Invitation("inv_1", "ws_1", "sub_1", InvitationSource.API, 1, 0)
    text = payloads.invitation_created(WORKSPACE, COLLECTOR, SUBMISSION, invitation, LINKS, email_queued=True)
    payload = json.loads(text)
    assert payload["email_queued"] is True
    assert LINKS.read(payload["link"].removeprefix("https://relay.example.com/r/")) == ("inv_1", 1)
