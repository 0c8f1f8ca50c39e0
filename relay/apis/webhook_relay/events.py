"""Events: createEvent, listEvents, getEvent."""

from __future__ import annotations

from aiohttp import web

from relay.apis.webhook_relay.ingest import Accepted, accept, incoming
from relay.apis.webhook_relay.input import is_event_type, is_id, query_moment, read_event, read_idempotency_key
from relay.apis.webhook_relay.paging import Page
from relay.apis.webhook_relay.views import event_text, json_text, page_text
from relay.core.errors import Conflict, NotFound
from relay.store import listing
from relay.web.auth import api_key_of
from relay.web.body import json_object_and_text
from relay.web.wiring import CLOCK, DATABASE, ENGINE, METRICS

CONFLICT_TEXT = "this Idempotency-Key was used within the last 24 hours for an event with another type or payload"


async def create_event(request: web.Request) -> web.Response:
    """createEvent: 202 when the event and its deliveries are on the disk; a repeated request gets the same bytes."""
    app = request.app
    body, text = await json_object_and_text(request)
    draft = read_event(body, text)
    idempotency_key = read_idempotency_key(request.headers.get("Idempotency-Key"))
    one = incoming(draft, api_key_of(request).workspace_id, idempotency_key, request.remote, app[CLOCK]())
    engine = app[ENGINE]
    accepted = await app[DATABASE].write(accept(one, engine.publish))
    if accepted is None:
        raise Conflict(CONFLICT_TEXT)
    if accepted.event is one.event:
        engine.send(accepted.published)
        app[METRICS].published()
    return json_text(accepted_text(accepted), 202)


def accepted_text(accepted: Accepted) -> str:
    """An event as it was when it was accepted: everything still pending."""
    return event_text(accepted.event, accepted.deliveries, 0, 0)


async def list_events(request: web.Request) -> web.Response:
    """listEvents: every event of the workspace, whoever caused it."""
    event_type = request.query.get("type")
    after_ms = query_moment(request, "created_after")
    page = Page(request, "listEvents", {"type": event_type, "created_after": after_ms})
    if event_type is not None and not is_event_type(event_type):
        return json_text(page_text([], None))
    workspace_id = api_key_of(request).workspace_id
    found = await request.app[DATABASE].read(
        listing.event_page(workspace_id, event_type, -1 if after_ms is None else after_ms, page.before, page.limit),
        list_of=workspace_id,
    )
    return json_text(page_text([_text(one) for one in found.items], page.cursor(found.next)))


async def get_event(request: web.Request) -> web.Response:
    """getEvent: an event, with how its deliveries stand now."""
    event_id = request.match_info["id"]
    workspace_id = api_key_of(request).workspace_id
    found = await request.app[DATABASE].read(listing.event(workspace_id, event_id)) if is_id(event_id) else None
    if found is None:
        raise NotFound("No event with that id exists in this workspace.")
    return json_text(_text(found))


def _text(one: listing.Counted) -> str:
    return event_text(one.event, one.total, one.succeeded, one.dead)
