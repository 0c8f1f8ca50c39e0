"""Events: createEvent, listEvents, getEvent."""

from __future__ import annotations

from aiohttp import web

from relay.apis.webhook_relay.ingest import Accepted, accept, incoming
from relay.apis.webhook_relay.input import (
    could_be,
    header_idempotency_key,
    is_event_type,
    is_id,
    query_narrowing,
    read_event,
)
from relay.apis.webhook_relay.paging import Page
from relay.apis.webhook_relay.views import event_text, json_text, page_text
from relay.apis.webhook_relay.wire import NAME
from relay.core.errors import Conflict, NotFound
from relay.store import listing, narrowing
from relay.store.deliveries import NEVER_MS
from relay.web.auth import api_key_of
from relay.web.body import json_object_and_text
from relay.web.query import given
from relay.web.wiring import CLOCK, DATABASE, ENGINE

CONFLICT_TEXT = "this Idempotency-Key was used within the last 24 hours for an event with another type or payload"


async def create_event(request: web.Request) -> web.Response:
    """createEvent: 202 when the event and its deliveries are on the disk; a repeated request gets the same bytes."""
    app = request.app
    body, text = await json_object_and_text(request)
    draft = read_event(body, text)
    app[ENGINE].check(draft.type, draft.members)
    idempotency_key = header_idempotency_key(request)
    one = incoming(draft, api_key_of(request).workspace_id, idempotency_key, request.remote, app[CLOCK]())
    engine = app[ENGINE]
    accepted = await app[DATABASE].write(accept(one, engine.publish))
    if accepted is None:
        raise Conflict(CONFLICT_TEXT)
    if accepted.event is one.event:
        engine.send(accepted.published, by=NAME)
    return json_text(accepted_text(accepted), 202)


def accepted_text(accepted: Accepted) -> str:
    """An event as it was when it was accepted: everything still pending."""
    return event_text(accepted.event, accepted.deliveries, 0, 0)


async def list_events(request: web.Request) -> web.Response:
    """listEvents: every event of the workspace, whoever caused it."""
    subscription_id, narrow = given(request).get("subscription_id"), query_narrowing(request)
    page = Page(request, "listEvents", {"subscription_id": subscription_id, **narrow._asdict()})
    workspace_id, event_type = api_key_of(request).workspace_id, narrow.event_type
    if not could_be(subscription_id) or not (event_type is None or is_event_type(event_type)):
        return json_text(page_text([], None))
    if subscription_id is not None:
        wanted = narrowing.event_page(workspace_id, subscription_id, narrow, page.before, page.limit)
    else:
        after_ms = -NEVER_MS if narrow.after_ms is None else narrow.after_ms
        wanted = listing.event_page(workspace_id, event_type, after_ms, narrow.below(page.before), page.limit)
    found = await request.app[DATABASE].read(wanted, list_of=workspace_id)
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
