"""Every operation of this API: its route, its scope, and what the OpenAPI document says about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from relay.apis.webhook_relay import batch, deliveries, echo, events, ping, recover, schemas, subscriptions
from relay.web.health import HEALTHZ
from relay.web.operation import PUBLIC, Operation

_PROBLEM = schemas.Problem


def _operation(
    tag: str,
    scope: str,
    route: str,
    operation_id: str,
    summary: str,
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    answer: type[BaseModel] | None,
    *,
    status: int = 200,
    also: int | None = None,
    errors: tuple[int, ...] = (),
    request: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    headers: type[BaseModel] | None = None,
    body_is_optional: bool = False,
    meanings: Mapping[int, str] = MappingProxyType({}),
    description: str,
) -> Operation:
    method, path = route.split(" ")
    answers: dict[int, Any] = {status: answer} if also is None else {also: answer, status: answer}
    found = set(errors) | {401, 403, 429}
    if query is not None or request is not None:
        found.add(400)
    if "{id" in path:
        found.add(404)
    answers |= dict.fromkeys(sorted(found), _PROBLEM)
    return Operation(
        method,
        path,
        operation_id,
        summary,
        handler,
        scope,
        request=request,
        query=query,
        answers=answers,
        tag=tag,
        description=description,
        headers=headers,
        meanings=meanings,
        body_is_optional=body_is_optional,
    )


_EVENTS = ("Events", "events")
_SUBSCRIPTIONS = ("Subscriptions", "subscriptions")
_DELIVERIES = ("Deliveries", "deliveries")
_DEAD_LETTERS = ("Dead Letters", "deliveries")

OPERATIONS = (
    HEALTHZ,
    _operation(
        *_EVENTS,
        "POST /v1/events",
        "createEvent",
        "Publish an event",
        events.create_event,
        schemas.Event,
        status=202,
        errors=(409,),
        request=schemas.EventCreate,
        headers=schemas.EventHeaders,
        meanings={
            202: "The event and its deliveries are on the disk.",
            409: "The `Idempotency-Key` was used within 24 hours for an event with another type or payload.",
        },
        description=(
            "Answered when the event and its deliveries are on the disk. With an `Idempotency-Key` it can be sent "
            "again safely: for 24 hours the same event gets the same answer, another one a 409."
        ),
    ),
    _operation(
        *_EVENTS,
        "POST /v1/events/batch",
        "createEventBatch",
        "Publish up to 1,000 events in one commit",
        batch.create_event_batch,
        schemas.BatchResults,
        status=202,
        request=schemas.EventBatch,
        meanings={202: "What became of each event; those that were taken are on the disk with their deliveries."},
        description="Each event has its own answer, in its place; one that cannot be taken holds up no other.",
    ),
    _operation(
        *_EVENTS,
        "GET /v1/events",
        "listEvents",
        "List events, newest first",
        events.list_events,
        schemas.EventPage,
        query=schemas.EventQuery,
        description="Every event of the workspace, whoever caused it, with its payload.",
    ),
    _operation(
        *_EVENTS,
        # Not `batch`: that path takes POST, and a GET there is no event that is missing.
        "GET /v1/events/{id:(?!batch$)[^/]+}",
        "getEvent",
        "Read an event and how its deliveries stand",
        events.get_event,
        schemas.Event,
        description="The payload is as it was written, to the digit.",
    ),
    _operation(
        *_EVENTS,
        "POST /v1/webhooks/test",
        "testWebhook",
        "Send a signed sample event to a URL",
        ping.test_webhook,
        schemas.TestPingResult,
        request=schemas.TestPing,
        description="Waits for the receiver, at most 10 seconds. Nothing is stored. At most 10 a minute.",
    ),
    _operation(
        *_SUBSCRIPTIONS,
        "POST /v1/subscriptions",
        "createSubscription",
        "Subscribe an address",
        subscriptions.create_subscription,
        schemas.SubscriptionWithSecret,
        status=201,
        request=schemas.SubscriptionCreate,
        description="The answer holds the signing secret. Keep it: it is not shown again.",
    ),
    _operation(
        *_SUBSCRIPTIONS,
        "GET /v1/subscriptions",
        "listSubscriptions",
        "List subscriptions, newest first",
        subscriptions.list_subscriptions,
        schemas.SubscriptionPage,
        query=schemas.SubscriptionQuery,
        description="Those that were made by this API, without their secrets.",
    ),
    _operation(
        *_SUBSCRIPTIONS,
        "GET /v1/subscriptions/{id}",
        "getSubscription",
        "Read a subscription",
        subscriptions.get_subscription,
        schemas.Subscription,
        description="Without its signing secret.",
    ),
    _operation(
        *_SUBSCRIPTIONS,
        "PATCH /v1/subscriptions/{id}",
        "updateSubscription",
        "Change name, url or event_filter",
        subscriptions.update_subscription,
        schemas.Subscription,
        request=schemas.SubscriptionUpdate,
        description="A member that is left out stays as it is. What waits to be sent goes to the new url.",
    ),
    _operation(
        *_SUBSCRIPTIONS,
        "DELETE /v1/subscriptions/{id}",
        "deleteSubscription",
        "Unsubscribe an address",
        subscriptions.delete_subscription,
        None,
        status=204,
        description="What waits for it ends dead, unsent. Its deliveries stay readable.",
    ),
    _operation(
        *_SUBSCRIPTIONS,
        "POST /v1/subscriptions/{id}/pause",
        "pauseSubscription",
        "Pause a subscription",
        subscriptions.pause_subscription,
        schemas.Subscription,
        description="What is published meanwhile makes no delivery; a request that is under way is not cut off.",
    ),
    _operation(
        *_SUBSCRIPTIONS,
        "POST /v1/subscriptions/{id}/resume",
        "resumeSubscription",
        "Resume a subscription",
        subscriptions.resume_subscription,
        schemas.Subscription,
        errors=(409, 413),
        request=schemas.Resume,
        body_is_optional=True,
        meanings={409: "`replay_missed` while ten recoveries of this subscription are under way."},
        description=(
            'Active again, with no failures counted. The body may be left out; `{"replay_missed": true}` has what '
            "was published meanwhile delivered too."
        ),
    ),
    _operation(
        *_SUBSCRIPTIONS,
        "POST /v1/subscriptions/{id}/rotate-secret",
        "rotateSubscriptionSecret",
        "Make a new signing secret",
        subscriptions.rotate_subscription_secret,
        schemas.SubscriptionWithSecret,
        errors=(413,),
        request=schemas.Rotate,
        body_is_optional=True,
        description=(
            "For 48 hours the earlier secrets sign beside the new one, whose signature is the last; at most five sign "
            'one request. The body may be left out; `{"now": true}` ends the earlier ones at once.'
        ),
    ),
    _operation(
        *_SUBSCRIPTIONS,
        "POST /v1/subscriptions/{id}/recover",
        "recoverSubscription",
        "Deliver what died or was missed in a span of time",
        recover.recover_subscription,
        schemas.Recovery,
        status=202,
        also=200,
        errors=(409,),
        request=schemas.Recover,
        meanings={
            200: "What would be delivered (`dry_run`).",
            202: "What goes back on the schedule; it has begun, and goes on in the background.",
            409: "Ten recoveries of this subscription are under way.",
        },
        description=(
            "Everything that was published in that time and is dead, or never became a delivery, goes back on the full "
            "schedule, behind live events. `dry_run` only counts, and is answered with 200."
        ),
    ),
    _operation(
        *_DELIVERIES,
        "GET /v1/deliveries",
        "listDeliveries",
        "List deliveries, newest first",
        deliveries.list_deliveries,
        schemas.DeliveryPage,
        query=schemas.DeliveryQuery,
        description="Those of every subscription of the workspace, whichever API made it, without their attempts.",
    ),
    _operation(
        *_DELIVERIES,
        "GET /v1/deliveries/{id}",
        "getDelivery",
        "Read a delivery with its attempts",
        deliveries.get_delivery,
        schemas.Delivery,
        description="Each attempt has the signature that was sent and what came back.",
    ),
    _operation(
        *_DELIVERIES,
        "POST /v1/deliveries/{id}/retry",
        "retryDelivery",
        "Send a delivery again, whatever its state",
        deliveries.retry_delivery,
        schemas.Delivery,
        description="At once. Its attempts go on being counted; one that has used up its schedule gets this attempt.",
    ),
    _operation(
        *_DEAD_LETTERS,
        "GET /v1/dead-letters",
        "listDeadLetters",
        "List what was given up, the newest first",
        deliveries.list_dead_letters,
        schemas.DeliveryPage,
        query=schemas.DeadLetterQuery,
        description="`dead_reason` says why.",
    ),
    _operation(
        *_DEAD_LETTERS,
        "POST /v1/dead-letters/{id}/replay",
        "replayDeadLetter",
        "Send again what was given up",
        deliveries.replay_dead_letter,
        schemas.Delivery,
        errors=(409,),
        meanings={409: "The delivery is not dead; retryDelivery takes any state."},
        description="At once, under the same delivery id; its attempts go on being counted.",
    ),
    Operation(
        "GET",
        "/v1/echo/stream",
        "echoStream",
        "Watch deliveries as they happen",
        echo.echo_stream,
        PUBLIC,
        query=schemas.EchoQuery,
        answers=dict.fromkeys((401, 403, 429), _PROBLEM),
        tag="Deliveries",
        media_type="text/event-stream",
        meanings={
            200: "Messages as they happen, until the stream closes.",
            403: "The API key is good but lacks the scope `deliveries`.",
            429: "Too many requests, or streams.",
        },
        description=(
            "Server-Sent Events for 60 seconds: `ready`, a `delivery` after every attempt, comments to keep the line "
            "open, `closing`. A reader that does not keep up is let go of."
        ),
    ),
)
