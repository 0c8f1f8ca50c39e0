"""How a delivery to a hook looks: one flat JSON object, signed with a digest over its bytes."""

from __future__ import annotations

from relay.apis.rest_hooks.flat import envelope, event_id_of, joined
from relay.apis.rest_hooks.members import members
from relay.apis.rest_hooks.store_body import STORE_TYPES, check_store_payload, store_body
from relay.core import signing
from relay.core.model import Claimed, Event, Subscription, SubscriptionState
from relay.core.retry import RetryPolicy
from relay.core.wire import Headers, Signing, Wire

NAME = "rest_hooks"
_FIVE_DAYS_S = 5 * 24 * 3600.0


def body(event: Event, subscription: Subscription) -> str:
    """The JSON text that a hook gets for an event. The sample endpoint answers with the same function."""
    if event.type in STORE_TYPES:
        return store_body(event, subscription)
    return joined(envelope(event.id, event.type, event.created_at_ms // 1000), members(event.payload))


def _signature(signed: Signing) -> str:
    # The header has room for one digest; during a rotation the newest secret makes it.
    return signing.body_digest(signed.secrets[-1], signed.body)


def _headers(claimed: Claimed, signed: Signing, attempt: int, signature: str) -> Headers:
    return (
        ("x-radar-event-id", event_id_of(signed.body)),
        ("x-radar-signature", signature),
        ("x-radar-attempt", str(attempt)),
    )


WIRE = Wire(
    api=NAME,
    body=body,
    signature=_signature,
    headers=_headers,
    retry=RetryPolicy(
        schedule_s=(30, 120, 600, 3600, 21600),
        client_errors_are_final=False,
        switch_off_after=25,
        switch_off_to=SubscriptionState.DISABLED,
        switch_off_not_before_s=_FIVE_DAYS_S,
    ),
    personal_types=frozenset(STORE_TYPES),
    when_off="turn the flow off and on in its platform, which subscribes it anew",
    checks=dict.fromkeys(STORE_TYPES, check_store_payload),
)
