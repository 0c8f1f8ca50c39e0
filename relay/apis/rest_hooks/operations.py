"""The operations of the REST Hooks API: one entry for each route."""

from __future__ import annotations

from relay.apis.rest_hooks import event_types, hooks, samples
from relay.apis.rest_hooks.schemas import (
    AppView,
    ErrorResponse,
    EventTypeDescription,
    EventTypeView,
    HookView,
    SampleEvent,
    SampleQuery,
    SubscribeBody,
    SubscribeResponse,
)
from relay.web.operation import ANY_KEY, Operation

SCOPE = "hooks"

OPERATIONS = (
    Operation(
        method="POST",
        path="/api/v1/hooks",
        operation_id="subscribe",
        summary="Subscribe a target to an event type",
        description="Every call makes a new hook. The answer has its `Location`.",
        handler=hooks.subscribe,
        scope=SCOPE,
        request=SubscribeBody,
        answers={
            200: SubscribeResponse,
            400: ErrorResponse,
            401: ErrorResponse,
            403: ErrorResponse,
            413: ErrorResponse,
        },
        tag="hooks",
    ),
    Operation(
        method="GET",
        path="/api/v1/hooks",
        operation_id="list_hooks",
        summary="List the hooks that get events",
        handler=hooks.list_hooks,
        scope=SCOPE,
        answers={200: list[HookView], 401: ErrorResponse, 403: ErrorResponse},
        tag="hooks",
    ),
    Operation(
        method="DELETE",
        path="/api/v1/hooks/{id}",
        operation_id="unsubscribe",
        summary="Unsubscribe a hook",
        description="What waits to be sent to it is dropped.",
        handler=hooks.unsubscribe,
        scope=SCOPE,
        answers={204: None, 401: ErrorResponse, 403: ErrorResponse, 404: ErrorResponse},
        tag="hooks",
    ),
    Operation(
        method="GET",
        path="/api/v1/apps",
        operation_id="list_apps",
        summary="List the apps that hooks are for",
        handler=hooks.list_apps,
        scope=SCOPE,
        answers={200: list[AppView], 401: ErrorResponse, 403: ErrorResponse},
        tag="apps",
    ),
    Operation(
        method="GET",
        path="/api/v1/sample",
        operation_id="sample",
        summary="Show a made-up event as a hook would get it",
        handler=samples.sample,
        scope=ANY_KEY,
        query=SampleQuery,
        answers={200: list[SampleEvent], 400: ErrorResponse, 401: ErrorResponse},
        tag="samples",
    ),
    Operation(
        method="GET",
        path="/api/v1/event-types",
        operation_id="list_event_types",
        summary="List the event types a hook can be for",
        handler=event_types.list_event_types,
        scope=ANY_KEY,
        answers={200: list[EventTypeView], 401: ErrorResponse},
        tag="samples",
    ),
    Operation(
        method="GET",
        path="/api/v1/event-types/{id}",
        operation_id="show_event_type",
        summary="Show what an event type asks for and what its hooks get",
        handler=event_types.show_event_type,
        scope=ANY_KEY,
        answers={200: EventTypeDescription, 401: ErrorResponse, 404: ErrorResponse},
        tag="samples",
    ),
)
