"""How events leave as RavePilot webhooks: `{event, created_at, data}`, three headers, six tries."""

from __future__ import annotations

import json

from relay.core.model import Claimed, Event, Subscription, SubscriptionState
from relay.core.retry import RetryPolicy
from relay.core.signing import timestamped
from relay.core.wire import Headers, Signing, Wire
from relay.producers.testimonials.payloads import iso


def body(event: Event, subscription: Subscription) -> str:
    """The event with its time in Unix seconds; `data` is the payload, with the event's id and ISO time in front.

    The payload's own text is kept, so its numbers and key order arrive as they were published; a key of the payload
    that is named like one of the two stands.
    """
    inside = event.payload.strip()[1:-1].strip()
    added = {"event_id": event.id, "occurred_at_iso": iso(event.created_at_ms)}
    own_keys = _own_keys(event.payload)
    members = [f"{_json(key)}:{_json(value)}" for key, value in added.items() if key not in own_keys]
    if inside:
        members.append(inside)
    return f'{{"event":{_json(event.type)},"created_at":{event.created_at_ms // 1000},"data":{{{",".join(members)}}}}}'


def _own_keys(payload: str) -> frozenset[str]:
    # Nearly no payload has such a key, so the text is only parsed when it might; a key can be spelt with escapes.
    if "event_id" not in payload and "occurred_at_iso" not in payload and "\\u" not in payload:
        return frozenset()
    return frozenset(json.loads(payload))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def signature(signing: Signing) -> str:
    """`t=<unix>,v1=<hex>`: HMAC-SHA256 over `<t>.<body>`."""
    return timestamped(signing.secrets, signing.timestamp_s, signing.body)


def headers(claimed: Claimed, signing: Signing, attempt: int, signature: str) -> Headers:
    """The delivery id is the same over all tries: receivers use it to know what they have."""
    return (
        ("X-RavePilot-Event", claimed.event_type),
        ("X-RavePilot-Delivery", claimed.id),
        ("X-RavePilot-Signature", signature),
    )


WIRE = Wire(
    api="ravepilot",
    body=body,
    signature=signature,
    headers=headers,
    retry=RetryPolicy(
        schedule_s=(60, 300, 1800, 7200, 21600),
        client_errors_are_final=False,
        switch_off_after=25,
        switch_off_to=SubscriptionState.DISABLED,
    ),
    when_off="create the webhook anew with POST /v1/webhooks",
)
