"""The customer's page behind the personal link, over HTTP."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from relay.producers.testimonials import WRONG_LINKS_A_MINUTE, invitations
from relay.producers.testimonials.wiring import TESTIMONIALS
from relay.store import workspaces
from tests.apis.ravepilot.client import Relay


def _change(relay: Relay, sql: str) -> None:
    with contextlib.closing(sqlite3.connect(relay.database.path)) as connection, connection:
        connection.execute(sql)


async def test_the_link_shows_a_page_that_nobody_keeps(relay: Relay) -> None:
    made = await relay.client.post(
        "/v1/magic-link", {"customer_email": "dana@example.com", "customer_name": "<i>Dana</i> Whitlock"}
    )
    page = await relay.client_without_key.get(f"/r/{made.body['invite_token']}")
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "Hello &lt;i&gt;Dana&lt;/i&gt;," in page.body
    assert "dana@example.com" not in page.body


async def test_looking_changes_nothing(relay: Relay) -> None:
    made = await relay.client.post("/v1/magic-link", {"customer_email": "dana@example.com"})
    before = (await relay.client.get("/v1/submissions")).body
    for method in ("GET", "HEAD", "GET"):
        answer = await relay.client_without_key.call(method, f"/r/{made.body['invite_token']}")
        assert answer.status == 200
    assert (await relay.client.get("/v1/submissions")).body == before


@pytest.mark.parametrize("token", ["x", "WyJpbnZfMSIsMV0.forged", "%00", "%ff", "a" * 2000, "..%2f..%2f"])
@pytest.mark.parametrize("rest", ["", "/unsubscribe"])
async def test_a_link_that_is_not_ours_is_a_404_page(relay: Relay, token: str, rest: str) -> None:
    page = await relay.client_without_key.get(f"/r/{token}{rest}", headers={"Accept": "text/html"})
    assert page.status == 404
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Content-Type"].startswith("text/html")


async def test_who_tries_links_without_end_is_told_to_wait_while_a_right_one_opens(relay: Relay) -> None:
    made = await relay.client.post("/v1/magic-link", {"customer_email": "dana@example.com"})
    customer, browser = relay.client_without_key, {"Accept": "text/html"}
    for number in range(WRONG_LINKS_A_MINUTE):
        assert (await customer.get(f"/r/guess{number}")).status == 404
    for path in ("/r/guess", "/r/guess/unsubscribe"):
        refused = await customer.get(path, headers=browser)
        assert refused.status == 429
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert refused.headers["Content-Type"].startswith("text/html")
        assert "guess" not in refused.body
    assert (await customer.get(f"/r/{made.body['invite_token']}")).status == 200


async def test_a_revoked_link_is_gone_and_the_next_one_works(relay: Relay) -> None:
    body = {"customer_email": "dana@example.com"}
    old = (await relay.client.post("/v1/magic-link", body)).body["invite_token"]
    named = relay.app[TESTIMONIALS].links.read(old)
    assert named is not None
    workspace, _ = await relay.database.write(workspaces.ensure("default", 1))
    assert await relay.database.write(invitations.revoke(workspace.id, named.invitation_id, 1))
    customer = relay.client_without_key
    assert (await customer.get(f"/r/{old}")).status == 410
    new = (await relay.client.post("/v1/magic-link", body)).body["invite_token"]
    assert new != old
    assert (await customer.get(f"/r/{new}")).status == 200
    assert (await customer.post(f"/r/{old}/unsubscribe")).status == 200


async def test_the_link_of_an_erased_customer_is_gone(relay: Relay) -> None:
    body = {"customer_email": "dana@example.com", "customer_name": "Dana"}
    token = (await relay.client.post("/v1/magic-link", body)).body["invite_token"]
    _change(relay, "UPDATE submissions SET erased_at = 1, customer_email = NULL, customer_name = NULL")
    assert (await relay.client_without_key.get(f"/r/{token}")).status == 410
    again = await relay.client.post("/v1/invitations", body)
    assert again.status == 200
    assert again.body["submission"]["customer_name"] is None


async def test_a_customer_who_has_submitted_is_thanked(relay: Relay) -> None:
    token = (await relay.client.post("/v1/magic-link", {"customer_email": "d@example.com"})).body["invite_token"]
    _change(relay, "UPDATE submissions SET status = 'submitted', submitted_at = 1")
    assert "Thank you" in (await relay.client_without_key.get(f"/r/{token}")).body
