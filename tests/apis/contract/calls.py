"""A call of every operation with valid input, for whichever generated client is to make it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from relay.web.api import Api
from tests.apis.contract.documents import Described, operations_served
from tests.apis.contract.scene import Scene, in_order

Step = str | int


@dataclass(frozen=True)
class Call:
    """What is sent besides a path and the good body of `scene.py`, and what has to be read from the typed answer.

    `reads` leads there: names of members and numbers of elements; it is empty where there is no body.
    """

    reads: tuple[Step, ...]
    gives: Any
    body: Any = None
    query: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


_NOTHING = Call((), None)

CALLS: dict[str, Call] = {
    "createInvitation": Call(("submission", "customer_email"), "new@example.com"),
    "createMagicLink": Call(("submission", "customer_phone"), "2125550187"),
    "listSubmissions": Call(("submissions", 0, "status"), "approved", query={"status": "approved", "limit": 10}),
    "getSubmission": Call(("clips", 0, "transcript"), "It works."),
    "createWebhook": Call(("events", 0), "clip.approved"),
    "listWebhooks": Call(("webhooks", 0, "active"), True),
    "deleteWebhook": Call(("deleted",), True),
    "listWebhookDeliveries": Call(("deliveries", 0, "status"), "delivered"),
    "healthz": Call(("status",), "healthy"),
    "createEvent": Call(("deliveries_summary", "succeeded"), 0, headers={"Idempotency-Key": "order-42"}),
    "createEventBatch": Call(
        ("data", 1, "event", "type"),
        "order.created",
        body={
            "events": [
                {"type": "clip.approved", "payload": {"clip_id": "clip_2"}, "idempotency_key": "clip-2"},
                {"type": "order.created", "payload": {"lines": [{"sku": "a", "price": 4.5}], "note": None}},
            ]
        },
    ),
    "listEvents": Call(
        ("data", 0, "type"),
        "clip.approved",
        query={"type": "clip.approved", "created_after": "2026-01-01T00:00:00Z", "limit": 1},
    ),
    "getEvent": Call(("type",), "clip.approved"),
    "testWebhook": Call(("status",), 200),
    "createSubscription": Call(("event_filter",), "clip.*"),
    "listSubscriptions": Call(("data", 0, "state"), "active", query={"state": "active"}),
    "getSubscription": Call(("consecutive_failures",), 0),
    "updateSubscription": Call(("name",), "renamed"),
    "deleteSubscription": _NOTHING,
    "pauseSubscription": Call(("state",), "paused"),
    "resumeSubscription": Call(("state",), "active"),
    "rotateSubscriptionSecret": Call(("name",), None),
    "recoverSubscription": Call(("dry_run",), False),
    "listDeliveries": Call(("data", 0, "status"), "success", query={"status": "success"}),
    "getDelivery": Call(("attempts", 0, "response_status"), 200),
    "retryDelivery": Call(("status",), "pending"),
    "listDeadLetters": Call(("data", 0, "dead_reason"), "refused", query={"since": "2026-01-01T00:00:00Z"}),
    "replayDeadLetter": Call(("dead_reason",), None),
    "echoStream": _NOTHING,  # every client reads a stream in its own way
    "subscribe": Call(("event_type",), "review.created"),
    "list_hooks": Call((0, "event_type"), "clip.approved"),
    "unsubscribe": _NOTHING,
    "list_apps": Call((0, "store"), "apple"),
    "sample": Call((0, "event_type"), "clip.approved", query={"event_type": "clip.approved"}),
    "recent_events": Call((0, "event_type"), "clip.approved", query={"event_type": "clip.approved", "limit": 1}),
    "list_event_types": Call((0, "id"), "clip.approved"),
    "show_event_type": Call(("sample", "event_type"), "clip.approved"),
    "show_key": Call(("prefix",), "rp_live_"),
}
"""By operationId."""


@dataclass(frozen=True)
class Prepared:
    """A call in one scene, with everything that goes into it."""

    name: str
    method: str
    path: str
    tag: str
    id_: str | None
    query: dict[str, Any]
    headers: dict[str, str]
    body: Any
    reads: tuple[Step, ...]
    gives: Any
    streams: bool


def prepared(api: Api, scene: Scene) -> list[Prepared]:
    """Every operation of an API, those that delete last. A KeyError names one that has no call yet."""
    return [_prepared(name, operation, scene) for name, operation in in_order(operations_served(api))]


def _prepared(name: str, operation: Described, scene: Scene) -> Prepared:
    call, body = CALLS[name], None
    if operation.request is not None:
        body = scene.body_of(name) if call.body is None else call.body
    return Prepared(
        name=name,
        method=operation.method,
        path=operation.path,
        tag=operation.described["tags"][0],
        id_=scene.id_for(operation) if "{id}" in operation.path else None,
        # A browser's EventSource cannot send a header, so the stream takes the key here.
        query={"key": scene.key} if operation.streams else call.query,
        headers=call.headers,
        body=body,
        reads=call.reads,
        gives=call.gives,
        streams=operation.streams,
    )
