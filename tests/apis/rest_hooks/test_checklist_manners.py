"""The REST Hook conformance checklist, points 48 to 50: what goes for the whole API."""

from __future__ import annotations

from tests.conftest import KEY, Relay

UNKNOWN_KEY = "rsk_" + "x" * 32


async def test_a_429_says_when_to_come_back(relay: Relay) -> None:
    """48: in whole seconds, here to somebody who tries keys; a right key works all the same."""
    for _ in range(1_000):
        response = await relay.call("GET", "/api/v1/hooks", key=UNKNOWN_KEY)
        if response.status == 429:
            break
    assert response.status == 429
    assert int(response.headers["Retry-After"]) >= 1
    assert set(await response.json()) == {"error"}
    assert await relay.json("GET", "/api/v1/hooks", key=KEY) == []


async def test_every_failure_is_an_error_in_json(relay: Relay) -> None:
    """49: also for an unknown path, a wrong method and too large a body."""
    big = {"target_url": "https://example.com/" + "x" * 400_000}
    for method, path, body, status in (
        ("GET", "/api/v1/nothing", None, 404),
        ("GET", "/api/v1", None, 404),
        ("PUT", "/api/v1/hooks", {}, 405),
        ("POST", "/api/v1/sample", {}, 405),
        ("POST", "/api/v1/hooks", big, 413),
    ):
        response = await relay.call(method, path, body, headers={"Accept": "text/html"})
        assert response.status == status
        assert response.content_type == "application/json"
        assert set(await response.json()) == {"error"}


async def test_failures_of_the_other_contract_also_have_their_status(relay: Relay) -> None:
    """49: RavePilot's paths answer error and status."""
    answer = await relay.json("POST", "/v1/invitations", {}, status=400)
    assert set(answer) == {"error", "status"}
    assert answer["status"] == 400


async def test_an_invitation_that_is_repeated_is_reused(relay: Relay) -> None:
    """50: a platform may send its action twice."""
    body = {"customer_email": "dana@example.com", "send_email": False}
    first = await relay.json("POST", "/v1/invitations", body)
    second = await relay.json("POST", "/v1/invitations", body)
    assert second["submission"]["id"] == first["submission"]["id"]
    assert second["reused"] is True
    assert not first.get("reused")
