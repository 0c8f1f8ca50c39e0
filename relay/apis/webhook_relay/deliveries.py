"""Deliveries and dead letters: listDeliveries, getDelivery, retryDelivery, listDeadLetters, replayDeadLetter."""

from __future__ import annotations

from aiohttp import web

from relay.apis.webhook_relay.input import could_be, is_id, query_moment, query_narrowing, refuse
from relay.apis.webhook_relay.paging import Page
from relay.apis.webhook_relay.views import delivery_view, whole_delivery_view
from relay.core.errors import Conflict, NotFound
from relay.core.model import Attempt, Delivery, DeliveryState
from relay.store import deliveries, listing, narrowing
from relay.web.auth import api_key_of
from relay.web.body import json_response
from relay.web.query import given
from relay.web.wiring import CLOCK, DATABASE, ENGINE

STATUSES = (*(state.value for state in DeliveryState), "failed")
"""`failed` is a word of the contract for which there is no delivery: what was given up is `dead`."""


async def list_deliveries(request: web.Request) -> web.Response:
    """listDeliveries: every delivery of the workspace, to subscriptions of any API, deleted ones included."""
    query, narrow = given(request), query_narrowing(request)
    event_id, subscription_id, status = query.get("event_id"), query.get("subscription_id"), query.get("status")
    if status is not None and status not in STATUSES:
        raise refuse("status", "must be pending, success, failed or dead")
    filters = {"event_id": event_id, "subscription_id": subscription_id, "status": status, **narrow._asdict()}
    page = Page(request, "listDeliveries", filters)
    found: listing.Page[Delivery] = listing.Page([], None)
    if status != "failed" and could_be(event_id) and could_be(subscription_id):
        workspace_id, state = api_key_of(request).workspace_id, DeliveryState(status) if status else None
        chosen = (workspace_id, event_id, subscription_id, state)
        found = await request.app[DATABASE].read(
            listing.delivery_page(*chosen, page.before, page.limit)
            if narrow.is_any and (state is None or subscription_id is None)
            else narrowing.delivery_page(*chosen, narrow, page.before, page.limit),
            list_of=workspace_id,
        )
    return _page(page, found)


async def get_delivery(request: web.Request) -> web.Response:
    """getDelivery: a delivery with each attempt that was made."""
    delivery_id, workspace_id = request.match_info["id"], api_key_of(request).workspace_id
    whole = deliveries.whole(workspace_id, delivery_id)
    return _answer(await request.app[DATABASE].read(whole) if is_id(delivery_id) else None)


async def retry_delivery(request: web.Request) -> web.Response:
    """retryDelivery: due at once, whatever its state; the attempts go on being counted.

    What has used up its schedule gets this one attempt.
    """
    return await _put_back(request, only_dead=False)


async def list_dead_letters(request: web.Request) -> web.Response:
    """listDeadLetters: what was given up, in the order in which it was, `since` and `until` included."""
    query, narrow = given(request), query_narrowing(request)
    event_id, subscription_id = query.get("event_id"), query.get("subscription_id")
    since_ms, until_ms = query_moment(request, "since"), query_moment(request, "until")
    filters = {"event_id": event_id, "subscription_id": subscription_id, "since": since_ms, "until": until_ms}
    page = Page(request, "listDeadLetters", {**filters, **narrow._asdict()})
    found: listing.Page[Delivery] = listing.Page([], None)
    if could_be(event_id) and could_be(subscription_id):
        workspace_id = api_key_of(request).workspace_id
        found = await request.app[DATABASE].read(
            listing.dead_letter_page(workspace_id, subscription_id, since_ms or 0, page.before, page.limit)
            if narrow.is_any and event_id is None and until_ms is None
            else narrowing.dead_letter_page(
                workspace_id, event_id, subscription_id, (since_ms, until_ms), narrow, page.before, page.limit
            ),
            list_of=workspace_id,
        )
    return _page(page, found)


async def replay_dead_letter(request: web.Request) -> web.Response:
    """replayDeadLetter: as retryDelivery, for a dead one only."""
    return await _put_back(request, only_dead=True)


async def _put_back(request: web.Request, *, only_dead: bool) -> web.Response:
    app, delivery_id, workspace_id = request.app, request.match_info["id"], api_key_of(request).workspace_id
    found = None
    if is_id(delivery_id):
        put_back, found = await app[DATABASE].write(
            deliveries.put_back(workspace_id, delivery_id, app[CLOCK](), only_dead=only_dead)
        )
        if found is not None and not put_back:
            state = found[0].state.value
            raise Conflict(
                f"This delivery is {state}, not dead; POST /v1/deliveries/{delivery_id}/retry takes any state."
            )
    if found is not None:
        # Somebody asks for it now: it does not wait for the pause that a failing target is given.
        app[ENGINE].forget(found[0].subscription_id)
    return _answer(found)


def _page(page: Page, found: listing.Page[Delivery]) -> web.Response:
    data = [delivery_view(one) for one in found.items]
    return json_response({"data": data, "next_cursor": page.cursor(found.next)})


def _answer(found: tuple[Delivery, list[Attempt]] | None) -> web.Response:
    if found is None:
        raise NotFound("No delivery with that id exists in this workspace.")
    return json_response(whole_delivery_view(*found))
