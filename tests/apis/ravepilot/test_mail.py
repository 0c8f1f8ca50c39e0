"""Invitation mails from the call to the mail server, over HTTP and SMTP."""

from __future__ import annotations

import asyncio
import re

from tests.apis.ravepilot.client import Relay
from tests.conftest import StartRelay
from tests.producers.testimonials.mail_server import mail_server

DANA = {"customer_email": "dana@example.com", "customer_name": "Dana\r\nBcc: eve@example.com"}
SENDER = "Acme <stories@acme.example>"


async def test_an_invitation_is_mailed_once_however_often_it_is_asked_for(start_relay: StartRelay) -> None:
    async with mail_server() as mails, start_relay(smtp_url=mails.url, mail_from=SENDER) as server:
        relay = Relay(server)
        answers = await asyncio.gather(*(relay.client.post("/v1/invitations", DANA) for _ in range(20)))
        await mails.until(1)
        await relay.client.post("/v1/invitations", DANA | {"customer_email": "eve@example.com"})
        await mails.until(2)
        assert mails.recipients == ["dana@example.com", "eve@example.com"]
        text = mails.mails[0].get_body(("plain",))
        assert text is not None
        assert answers[0].body["link"] in text.get_content()


async def test_nothing_is_mailed_when_mail_is_not_wanted(start_relay: StartRelay) -> None:
    async with mail_server() as mails, start_relay(smtp_url=mails.url, mail_from=SENDER) as server:
        relay = Relay(server)
        await relay.client.post("/v1/invitations", {"customer_email": "a@example.com", "send_email": "false"})
        await relay.client.post("/v1/magic-link", {"customer_email": "b@example.com", "send_email": True})
        await relay.client.post("/v1/invitations", {"customer_email": "c@example.com"})
        await mails.until(1)
        assert mails.recipients == ["c@example.com"]
        # Whoever has never been mailed can still be.
        await relay.client.post("/v1/invitations", {"customer_email": "a@example.com"})
        await mails.until(2)


async def test_without_a_mail_server_inviting_works_the_same(start_relay: StartRelay) -> None:
    """And once there is one, the same call mails the customer."""
    async with start_relay() as server:
        relay = Relay(server)
        first = await relay.client.post("/v1/invitations", DANA)
        assert first.status == 200
    async with mail_server() as mails, start_relay(smtp_url=mails.url, mail_from=SENDER) as server:
        relay = Relay(server)
        again = await relay.client.post("/v1/invitations", DANA)
        assert again.body["reused"] is True
        await mails.until(1)


async def test_one_click_ends_mail_and_looking_does_not(start_relay: StartRelay) -> None:
    async with mail_server() as mails, start_relay(smtp_url=mails.url, mail_from=SENDER) as server:
        relay = Relay(server)
        made = await relay.client.post("/v1/magic-link", {"customer_email": "dana@example.com"})
        path = f"/r/{made.body['invite_token']}/unsubscribe"
        customer = relay.client_without_key
        assert (await customer.get(path)).status == 200
        done = await customer.post(path, data={"List-Unsubscribe": "One-Click"})
        assert done.status == 200
        assert re.search("no further mail", done.body)
        assert (await customer.post(path)).status == 200
        await relay.client.post("/v1/invitations", {"customer_email": "dana@example.com"})
        await relay.client.post("/v1/invitations", {"customer_email": "eve@example.com"})
        await mails.until(1)
        assert mails.recipients == ["eve@example.com"]
