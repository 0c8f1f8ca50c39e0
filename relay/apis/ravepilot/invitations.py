"""Invitations: createInvitation and createMagicLink."""

from __future__ import annotations

from aiohttp import web

from relay.apis.ravepilot import schemas
from relay.apis.ravepilot.input import read_collector_id, read_customer, read_send_email
from relay.producers.testimonials import invitations
from relay.producers.testimonials.invitations import Wanted
from relay.producers.testimonials.model import InvitationSource
from relay.producers.testimonials.wiring import TESTIMONIALS
from relay.web.auth import api_key_of
from relay.web.body import json_object, json_response
from relay.web.wiring import CLOCK, DATABASE, ENGINE


async def create_invitation(request: web.Request) -> web.Response:
    """createInvitation: invite a customer, and mail them their link unless `send_email` is false."""
    return await _invite(request, InvitationSource.API)


async def create_magic_link(request: web.Request) -> web.Response:
    """createMagicLink: the same without mail, whatever `send_email` says."""
    return await _invite(request, InvitationSource.MAGIC_LINK)


async def _invite(request: web.Request, source: InvitationSource) -> web.Response:
    app = request.app
    testimonials, engine = app[TESTIMONIALS], app[ENGINE]
    body = await json_object(request)
    customer = read_customer(body)
    collector_id = read_collector_id(body)
    wants_mail = source is InvitationSource.API and read_send_email(body)
    wanted = Wanted(
        workspace_id=api_key_of(request).workspace_id,
        customer=customer,
        collector_id=collector_id,
        source=source,
        mail_from=testimonials.mailer.sender_wanted() if wants_mail else None,
    )
    invited = await app[DATABASE].write(invitations.invite(wanted, testimonials.links, engine.publish, app[CLOCK]()))
    if invited.published is not None:
        engine.send(invited.published.deliveries, by=invitations.PRODUCER)
    if invited.mail_queued:
        testimonials.mailer.wake()
    token = testimonials.links.token_of(invited.invitation)
    answer = schemas.InvitationResponse(
        reused=invited.reused,
        link=testimonials.links.url(token),
        invite_token=token,
        submission=schemas.Submission.of(invited.submission),
    )
    return json_response(answer.model_dump(mode="json"))
