"""Webhooks: createWebhook, listWebhooks, deleteWebhook, listWebhookDeliveries."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import orjson
from aiohttp import web

from relay.apis.ravepilot import schemas
from relay.apis.ravepilot.input import is_id, read_events, read_url
from relay.apis.ravepilot.wire import WIRE
from relay.core import ids
from relay.core.model import Delivery, Subscription
from relay.core.signing import new_secret
from relay.store import deliveries, listing, subscriptions
from relay.store.database import Steps, statement, work
from relay.web.answers import streamed
from relay.web.auth import api_key_of
from relay.web.body import json_object, json_response
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
    deleted = False
    if is_id(webhook_id):
        workspace_id = api_key_of(request).workspace_id
        deleted = await app[DATABASE].write(subscriptions.remove(workspace_id, webhook_id, WIRE.api, app[CLOCK]()))
    if deleted:
        app[ENGINE].forget(webhook_id)
    return json_response(schemas.WebhookDeleted(deleted=deleted).model_dump())


async def list_webhook_deliveries(request: web.Request) -> web.Response:
    """listWebhookDeliveries: the newest deliveries of the workspace's webhooks, deleted ones included."""
    workspace_id = api_key_of(request).workspace_id
    found = await request.app[DATABASE].read(_newest(workspace_id), list_of=workspace_id)
    answer = schemas.DeliveryList(deliveries=[schemas.Delivery.of(delivery) for delivery in found])
    return json_response(answer.model_dump())


@work
def _newest(workspace_id: str) -> Steps[list[Delivery]]:
    rows = yield statement("webhook_delivery_newest", workspace_id=workspace_id, n=LOG_LENGTH)
    return [deliveries.from_row(row) for row in rows]
