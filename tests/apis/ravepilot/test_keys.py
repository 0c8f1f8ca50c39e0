"""Who may call what, and what an error looks like."""

from __future__ import annotations

import pytest

from tests.apis.ravepilot.client import Relay

CALLS = [
    ("POST", "/v1/invitations", "invitations"),
    ("POST", "/v1/magic-link", "invitations"),
    ("GET", "/v1/submissions", "submissions"),
    ("GET", "/v1/submissions/sub_x", "submissions"),
    ("POST", "/v1/webhooks", "webhooks"),
    ("GET", "/v1/webhooks", "webhooks"),
    ("DELETE", "/v1/webhooks/wh_x", "webhooks"),
    ("GET", "/v1/webhook-deliveries", "webhooks"),
]


@pytest.mark.parametrize(("method", "path", "scope"), CALLS)
async def test_every_call_needs_a_key_with_its_scope(relay: Relay, method: str, path: str, scope: str) -> None:
    nobody = await relay.client_without_key.call(method, path)
    assert (nobody.status, nobody.body) == (401, {"error": "missing or malformed API key", "status": 401})

    stranger = await relay.client_without_key.call(
        method, path, headers={"Authorization": "Bearer rp_live_" + "a" * 32}
    )
    assert (stranger.status, stranger.body) == (401, {"error": "invalid API key", "status": 401})

    others = {"invitations", "submissions", "webhooks"} - {scope}
    limited = await (await relay.client_of("default", others)).call(method, path)
    assert (limited.status, limited.body) == (403, {"error": f"this key lacks the {scope} scope", "status": 403})


@pytest.mark.parametrize("header", ["Authorization: Bearer", "authorization: bearer", "X-API-Key:"])
async def test_the_key_may_come_in_either_header(relay: Relay, header: str) -> None:
    name, _, scheme = header.partition(":")
    answer = await relay.client_without_key.get(
        "/v1/submissions", headers={name: f"{scheme} {relay.client.key}".strip()}
    )
    assert answer.status == 200


async def test_a_workspace_never_sees_what_another_has(relay: Relay) -> None:
    other = await relay.client_of("other")
    invited = await relay.client.post("/v1/invitations", {"customer_email": "dana@example.com"})
    webhook = await relay.client.post("/v1/webhooks", {"url": "https://hooks.example.com/"})
    submission_id, webhook_id = invited.body["submission"]["id"], webhook.body["id"]

    foreign = await other.get(f"/v1/submissions/{submission_id}")
    unknown = await other.get("/v1/submissions/sub_unknown")
    assert (foreign.status, foreign.body) == (404, {"error": "submission not found", "status": 404})
    assert (foreign.status, foreign.body) == (unknown.status, unknown.body)
    assert (await other.delete(f"/v1/webhooks/{webhook_id}")).body == {"ok": True, "deleted": False}
    assert (await other.get("/v1/submissions")).body["submissions"] == []
    assert (await other.get("/v1/webhooks")).body["webhooks"] == []
    assert (await other.get("/v1/webhook-deliveries")).body["deliveries"] == []
    assert (await relay.client.get("/v1/webhooks")).body["webhooks"][0]["id"] == webhook_id


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/invitations", 405),
        ("PUT", "/v1/webhooks", 405),
        ("DELETE", "/v1/webhook-deliveries", 405),
        ("GET", "/v1/submissions/a/b", 404),
        ("GET", "/v1/webhooks/wh_x/y", 404),
        ("GET", "/v1/submissions/%00", 404),
        ("GET", "/v1/submissions/%ff", 404),
        ("GET", "/v1/submissions/..%2f", 404),
    ],
)
async def test_errors_of_the_router_have_the_shape_too(relay: Relay, method: str, path: str, status: int) -> None:
    answer = await relay.client.call(method, path)
    assert answer.status == status
    assert answer.body["status"] == status
    assert isinstance(answer.body["error"], str)


async def test_a_body_that_is_too_large_has_the_shape_too(relay: Relay) -> None:
    answer = await relay.client.post("/v1/invitations", data=b'{"a":"' + b"x" * 500_000 + b'"}')
    assert answer.status == 413
    assert answer.body["status"] == 413
