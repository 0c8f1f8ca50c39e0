"""How a delivery of this API looks: the event in an envelope, the payload as it came, a timestamped signature."""

from __future__ import annotations

import orjson

from relay.core import signing
from relay.core.model import Claimed, Event, Subscription, SubscriptionState
from relay.core.moments import iso
from relay.core.retry import RetryPolicy
from relay.core.wire import Headers, Signing, Wire

NAME = "webhook_relay"


def envelope(event_id: str, event_type: str, created_at_ms: int, payload: str) -> str:
    """The JSON text that is sent: the payload's own text stands in it unchanged."""
    return (
        f'{{"id":"{event_id}","type":{orjson.dumps(event_type).decode()},'
        f'"created_at":"{iso(created_at_ms)}","data":{payload}}}'
    )


def signature(signed: Signing) -> str:
    return signing.timestamped(signed.secrets, signed.timestamp_s, signed.body)


def headers(
    delivery_id: str, event_id: str, event_type: str, timestamp_s: int, attempt: int, signature_: str
) -> Headers:
    """The headers of one attempt; a test ping has them too."""
    return (
        ("X-Webhook-Signature", signature_),
        ("X-Webhook-Event-Id", event_id),
        ("X-Webhook-Event-Type", event_type),
        ("X-Webhook-Timestamp", str(timestamp_s)),
        ("X-Webhook-Delivery-Id", delivery_id),
        ("X-Webhook-Attempt", str(attempt)),
    )


def _body(event: Event, subscription: Subscription) -> str:
    return envelope(event.id, event.type, event.created_at_ms, event.payload)


def _headers(claimed: Claimed, signed: Signing, attempt: int, signature_: str) -> Headers:
    return headers(claimed.id, claimed.event_id, claimed.event_type, signed.timestamp_s, attempt, signature_)


WIRE = Wire(
    api=NAME,
    body=_body,
    signature=signature,
    headers=_headers,
    retry=RetryPolicy(
        schedule_s=(30, 120, 600, 3600, 21600),
        client_errors_are_final=True,
        switch_off_after=8,
        switch_off_to=SubscriptionState.PAUSED,
    ),
    when_off="POST /v1/subscriptions/{subscription}/resume, and /recover for what it missed",
    when_dead="POST /v1/deliveries/{delivery}/retry, or /v1/subscriptions/{subscription}/recover for all of a time",
)
