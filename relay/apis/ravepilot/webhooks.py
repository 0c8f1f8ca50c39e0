"""Webhooks: createWebhook, listWebhooks, deleteWebhook, listWebhookDeliveries."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import orjson
from aiohttp import web

from relay.apis.ravepilot import schemas
from relay.apis.ravepilot.input import is_id, read_events, read_moment, read_shown_state, read_url
from relay.apis.ravepilot.wire import WIRE
from relay.core import ids
from relay.core.model import Delivery, Subscription
from relay.core.signing import new_secret
from relay.store import deliveries, listing, narrowing, subscriptions
from relay.store.database import Steps, statement, work
from relay.web.answers import streamed
from relay.web.auth import api_key_of
from relay.web.body import json_object, json_response
from relay.web.query import given
from relay.web.wiring import CATALOGUE, CLOCK, DATABASE, ENGINE, GUARD, SECRETS

LOG_LENGTH = 50
"""How many deliveries the log shows."""


async def create_webhook(request: web.Request) -> web.Response:
    """createWebhook: subscribe. The secret is in this answer and in no other."""
    app = request.app
    body = await json_object(request)
    url = read_url(body, app[GUARD])
    events = read_events(body, app[CATALOGUE].ids())
    secret = new_secret()
    now_ms = app[CLOCK]()
    subscription = Subscription(
        id=ids.prefixed("wh"),
        workspace_id=api_key_of(request).workspace_id,
        api=WIRE.api,
        target_url=url,
        event_filter=events,
        secret=app[SECRETS].seal(secret),
        created_at_ms=now_ms,
        updated_at_ms=now_ms,
    )
    await app[DATABASE].write(subscriptions.add(subscription))
    answer = schemas.WebhookCreated(id=subscription.id, url=url, events=list(events), secret=secret)
    return json_response(answer.model_dump())


async def list_webhooks(request: web.Request) -> web.StreamResponse:
    """listWebhooks: the webhooks that were not deleted, disabled ones included, and the event names there are."""
    return await streamed(_webhook_list(request))


async def _webhook_list(request: web.Request) -> AsyncGenerator[str, None]:
    """The text of a `schemas.WebhookList`."""
    yield f'{{"ok":true,"events":{orjson.dumps(list(request.app[CATALOGUE].ids())).decode()},"webhooks":['
    before = ""
    async for page in listing.of_api(request.app[DATABASE], api_key_of(request).workspace_id, WIRE.api):
        webhooks = [schemas.Webhook.of(subscription).model_dump() for subscription in page]
        yield before + orjson.dumps(webhooks).decode()[1:-1]
        before = ","
    yield "]}"


async def delete_webhook(request: web.Request) -> web.Response:
    """deleteWebhook: unsubscribe; what waits for it ends as failed. Deleting what is not there is no error."""
    app = request.app
    webhook_id = request.match_info["id"]
    removed = None
    if is_id(webhook_id):
        workspace_id = api_key_of(request).workspace_id
        removed = await app[DATABASE].write(subscriptions.remove(workspace_id, webhook_id, WIRE.api, app[CLOCK]()))
    if removed is not None:
        app[ENGINE].removed(removed)
    return json_response(schemas.WebhookDeleted(deleted=removed is not None).model_dump())


async def list_webhook_deliveries(request: web.Request) -> web.Response:
    """listWebhookDeliveries: the newest deliveries of the workspace's webhooks, deleted ones included."""
    query, workspace_id = given(request), api_key_of(request).workspace_id
    webhook_id, state = query.get("webhook_id"), read_shown_state(query)
    span = read_moment(query, "created_after"), read_moment(query, "created_before")
    narrow = narrowing.Narrowing(query.get("event"), *span)
    if webhook_id is not None and not is_id(webhook_id):
        return json_response(schemas.DeliveryList(deliveries=[]).model_dump())
    if webhook_id is None and state is None and narrow.is_any:
        newest = _newest(workspace_id)
    else:
        newest = narrowing.newest_of_api(workspace_id, WIRE.api, webhook_id, state, narrow, LOG_LENGTH)
    found = await request.app[DATABASE].read(newest, list_of=workspace_id)
    answer = schemas.DeliveryList(deliveries=[schemas.Delivery.of(delivery) for delivery in found])
    return json_response(answer.model_dump())


@work
def _newest(workspace_id: str) -> Steps[list[Delivery]]:
    rows = yield statement("webhook_delivery_newest", workspace_id=workspace_id, n=LOG_LENGTH)
    return [deliveries.from_row(row) for row in rows]
