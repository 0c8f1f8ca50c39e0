"""createInvitation and createMagicLink, over HTTP."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from relay.producers.testimonials import collectors, submissions
from relay.store import workspaces
from tests.apis.ravepilot.client import Relay
from tests.conftest import StartRelay
from tests.receiver import Receiver

DANA = {"customer_email": "dana@example.com", "customer_name": "Dana Whitlock", "customer_phone": "(415) 555-0142"}


async def test_inviting_answers_with_link_token_and_submission(relay: Relay) -> None:
    answer = await relay.client.post("/v1/invitations", DANA)
    assert answer.status == 200
    assert set(answer.body) == {"ok", "reused", "link", "invite_token", "submission"}
    assert answer.body["ok"] is True
    assert answer.body["reused"] is False
    assert answer.body["link"] == f"{relay.url}/r/{answer.body['invite_token']}"
    submission = answer.body["submission"]
    assert submission.pop("id").startswith("sub_")
    assert isinstance(submission["created_at"], int)
    assert submission.pop("created_at") < 10**11
    assert submission == {
        "status": "in_progress",
        "customer_phone": "4155550142",
        "customer_email": "dana@example.com",
        "customer_name": "Dana Whitlock",
        "hubspot_contact_id": None,
        "submitted_at": None,
        "approved_at": None,
    }


async def test_the_same_address_in_any_case_gets_the_same_link(relay: Relay) -> None:
    first = await relay.client.post("/v1/invitations", DANA)
    second = await relay.client.post("/v1/invitations", {"customer_email": "  DANA@Example.COM "})
    third = await relay.client.post("/v1/magic-link", {"customer_email": "dana@example.com"})
    assert second.body == first.body | {"reused": True}
    assert third.body == second.body


async def test_reuse_fills_in_what_was_missing_and_overwrites_nothing(relay: Relay) -> None:
    await relay.client.post("/v1/invitations", {"customer_email": "dana@example.com", "customer_name": "Dana"})
    again = await relay.client.post("/v1/invitations", DANA)
    assert again.body["submission"]["customer_name"] == "Dana"
    assert again.body["submission"]["customer_phone"] == "4155550142"


async def test_a_dot_or_a_plus_makes_another_customer(relay: Relay) -> None:
    links = set()
    for email in ("dana@example.com", "d.ana@example.com", "dana+x@example.com"):
        links.add((await relay.client.post("/v1/invitations", {"customer_email": email})).body["link"])
    assert len(links) == 3


async def test_each_workspace_has_its_own_customers(relay: Relay) -> None:
    other = await relay.client_of("other")
    mine = await relay.client.post("/v1/invitations", DANA)
    theirs = await other.post("/v1/invitations", DANA)
    assert theirs.body["reused"] is False
    assert theirs.body["link"] != mine.body["link"]


async def test_fifty_parallel_requests_make_one_invitation_and_one_event(relay: Relay) -> None:
    """The unique address decides, whoever comes first."""
    async with Receiver() as receiver:
        await relay.client.post("/v1/webhooks", {"url": receiver.url("/hook")})
        answers = await asyncio.gather(*(relay.client.post("/v1/invitations", DANA) for _ in range(50)))
        assert {answer.status for answer in answers} == {200}
        assert len({answer.body["link"] for answer in answers}) == 1
        assert [answer.body["reused"] for answer in answers].count(False) == 1
        await receiver.wait_for(1, "/hook")
        assert len((await relay.client.get("/v1/webhook-deliveries")).body["deliveries"]) == 1
        assert len((await relay.client.get("/v1/submissions")).body["submissions"]) == 1


async def test_only_making_an_invitation_is_an_event(relay: Relay) -> None:
    """Its delivery has exactly the fields that the catalogue's sample shows, in the same order."""
    async with Receiver() as receiver:
        await relay.client.post("/v1/webhooks", {"url": receiver.url("/hook"), "events": ["invitation.created"]})
        invited = await relay.client.post("/v1/magic-link", DANA)
        await relay.client.post("/v1/invitations", DANA)
        (received,) = await receiver.wait_for(1, "/hook")
        body = json.loads(received.body)
        assert list(body) == ["event", "created_at", "data"]
        assert body["event"] == "invitation.created"
        data = body["data"]
        sample = json.loads((_samples() / "invitation.created.json").read_text("utf-8"))["payload"]
        assert list(data) == ["event_id", "occurred_at_iso", *sample]
        assert data["workspace_name"] == "default"
        assert data["customer_first_name"] == "Dana"
        assert data["invitation_source"] == "magic_link"
        assert data["email_queued"] is False
        assert data["link"] == invited.body["link"]
        assert data["submission_id"] == invited.body["submission"]["id"]
        assert data["review_url"] == f"{relay.url}/console/submissions/{data['submission_id']}"
        assert len((await relay.client.get("/v1/webhook-deliveries")).body["deliveries"]) == 1


def _samples() -> Path:
    return Path(__file__).parents[3] / "sample_events" / "testimonials"


EMAIL = "customer_email must be a valid email address"
PHONE = "customer_phone must be a 10-digit North American number"
COLLECTOR = "collector_id does not match a collector in this workspace"
SEND = "send_email must be true or false"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "customer_email is required"),
        ({"customer_email": None}, "customer_email is required"),
        ({"customer_email": "  "}, "customer_email is required"),
        ({"customer_email": "dana"}, EMAIL),
        ({"customer_email": "dana@localhost"}, EMAIL),
        ({"customer_email": 42}, EMAIL),
        ({"customer_email": ["dana@example.com"]}, EMAIL),
        ({"customer_email": "dana@example.com\r\nBcc: eve@example.com"}, EMAIL),
        ({"customer_email": "dana@example.com\n"}, EMAIL),
        ({"customer_email": "da na@example.com"}, EMAIL),
        ({"customer_email": "dana@example.com,eve@example.com"}, EMAIL),
        ({"customer_email": "Dana <dana@example.com>"}, EMAIL),
        ({"customer_email": "d" * 64 + "@" + ".".join(["e" * 60] * 4) + ".com"}, EMAIL),
        ({"customer_email": "dana\x00@example.com"}, EMAIL),
        ({"customer_email": "\u212aate@example.com"}, EMAIL),
        ({"customer_email": "\u0130nes@example.com"}, EMAIL),
        ({"customer_name": 5}, "customer_name must be text"),
        ({"customer_name": "x" * 256}, "customer_name must be at most 255 characters"),
        ({"customer_phone": "555-0142"}, PHONE),
        ({"customer_phone": "+44 20 7946 0958"}, PHONE),
        ({"customer_phone": "2 415 555 0142"}, PHONE),
        ({"customer_phone": "٤١٥٥٥٥٠١٤٢"}, PHONE),
        ({"customer_phone": "415-555-0142 x3"}, PHONE),
        ({"customer_phone": True}, PHONE),
        ({"customer_phone": {"number": 1}}, PHONE),
        ({"collector_id": "col_nobody"}, COLLECTOR),
        ({"collector_id": 7}, COLLECTOR),
        ({"collector_id": "\x00"}, COLLECTOR),
        ({"send_email": "yes"}, SEND),
        ({"send_email": 1}, SEND),
        ({"customer_email": "dana", "customer_phone": "1", "send_email": "x"}, EMAIL),
        ({"customer_phone": "1", "send_email": "x"}, PHONE),
    ],
)
async def test_bad_input_is_answered_with_what_to_fix(relay: Relay, body: dict[str, Any], error: str) -> None:
    given = body if not body or "customer_email" in body else {"customer_email": "dana@example.com", **body}
    answer = await relay.client.post("/v1/invitations", given)
    assert (answer.status, answer.body) == (400, {"error": error, "status": 400})
    if error != SEND:
        assert (await relay.client.post("/v1/magic-link", given)).status == 400
    assert (await relay.client.get("/v1/submissions")).body["submissions"] == []


@pytest.mark.parametrize("data", [b"", b"nonsense", b"[]", b'"text"', b"\xff", b'{"customer_email":'])
async def test_a_body_that_is_no_object_is_refused(relay: Relay, data: bytes) -> None:
    answer = await relay.client.post("/v1/invitations", data=data)
    assert answer.status == 400
    assert answer.body["error"].startswith("body must be a JSON object")


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ({"customer_phone": 14155550142}, {"customer_phone": "4155550142"}),
        ({"customer_phone": "+1 (415) 555.0142"}, {"customer_phone": "4155550142"}),
        ({"customer_phone": ""}, {"customer_phone": None}),
        ({"customer_name": ""}, {"customer_name": None}),
        ({"customer_name": " Dana \r\n Whitlock\u202e "}, {"customer_name": "Dana Whitlock"}),
        ({"customer_name": "Zoë O'Brien 🎉"}, {"customer_name": "Zoë O'Brien 🎉"}),
        ({"collector_id": None, "send_email": None}, {}),
        ({"collector_id": "", "send_email": ""}, {}),
        ({"send_email": "false"}, {}),
        ({"send_email": " True "}, {}),
        ({"customer_email": "dana@BÜCHER.example"}, {"customer_email": "dana@xn--bcher-kva.example"}),
        ({"unknown": {"deep": [1]}, "ok": False}, {}),
    ],
)
async def test_what_no_code_platforms_send_is_understood(
    relay: Relay, body: dict[str, Any], shown: dict[str, Any]
) -> None:
    answer = await relay.client.post("/v1/invitations", {"customer_email": "dana@example.com"} | body)
    assert answer.status == 200
    assert answer.body["submission"] | shown == answer.body["submission"]


async def test_magic_link_ignores_send_email(relay: Relay) -> None:
    answer = await relay.client.post("/v1/magic-link", DANA | {"send_email": "nonsense"})
    assert answer.status == 200


async def test_a_collector_is_chosen_once_and_must_be_active(relay: Relay) -> None:
    other = await relay.client_of("other")
    workspace, _ = await relay.database.write(workspaces.ensure("default", 1))
    workspace_id = workspace.id
    campaign = await relay.database.write(collectors.add(workspace_id, "Spring", None, 1))
    invited = await relay.client.post("/v1/invitations", DANA | {"collector_id": campaign.id})
    submission_id = invited.body["submission"]["id"]
    # Another campaign does not move the customer.
    await relay.client.post("/v1/invitations", DANA)
    stored = await relay.database.read(submissions.get(workspace_id, submission_id))
    assert stored is not None
    assert stored.collector_id == campaign.id

    foreign = await other.post("/v1/invitations", DANA | {"collector_id": campaign.id})
    assert (foreign.status, foreign.body["error"]) == (400, COLLECTOR)
    assert await relay.database.write(collectors.close(workspace_id, campaign.id, 2))
    closed = await relay.client.post("/v1/invitations", DANA | {"collector_id": campaign.id})
    assert (closed.status, closed.body["error"]) == (400, COLLECTOR)


async def test_the_public_url_of_the_settings_is_in_the_link(start_relay: StartRelay, unused_tcp_port: int) -> None:
    async with start_relay(port=unused_tcp_port, public_url="https://stories.example.com/") as server:
        server.url = f"http://127.0.0.1:{unused_tcp_port}"
        answer = await Relay(server).client.post("/v1/invitations", DANA)
        assert answer.body["link"] == f"https://stories.example.com/r/{answer.body['invite_token']}"


async def test_the_link_is_the_same_after_a_restart(start_relay: StartRelay, unused_tcp_port: int) -> None:
    links = []
    for _ in range(2):
        async with start_relay(port=unused_tcp_port) as server:
            links.append((await Relay(server).client.post("/v1/invitations", DANA)).body["link"])
    assert links[0] == links[1]
