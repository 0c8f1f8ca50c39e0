"""Events, subscriptions and deliveries as this API shows them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import orjson
from aiohttp import web

from relay.core.model import Attempt, Delivery, ErrorCode, Event, Subscription
from relay.core.moments import iso, iso_or_none

_ERROR_CODES = {
    ErrorCode.TARGET_REFUSED: "ssrf:private_ip_blocked",
    ErrorCode.DNS_ERROR: "ssrf:dns_failed",
}
"""The contract has its own names for these; the others are the same everywhere."""


def event_text(event: Event, total: int, succeeded: int, failed: int) -> str:
    """The JSON text of an event. The payload's text stands in it unchanged: it is spliced in, never written anew."""
    return (
        f'{{"id":"{event.id}","type":{_quoted(event.type)},"payload":{event.payload},'
        f'"idempotency_key":{_quoted(event.idempotency_key)},"source_ip":{_quoted(event.source_ip)},'
        f'"created_at":"{iso(event.created_at_ms)}","deliveries_summary":{{"total":{total},"succeeded":{succeeded},'
        f'"failed":{failed},"pending":{total - succeeded - failed}}}}}'
    )


def _quoted(text: str | None) -> str:
    return "null" if text is None else orjson.dumps(text).decode()


def page_text(texts: Iterable[str], next_cursor: str | None) -> str:
    return f'{{"data":[{",".join(texts)}],"next_cursor":{_quoted(next_cursor)}}}'


def json_text(text: str, status: int = 200) -> web.Response:
    """An answer whose JSON was put together as a text."""
    return web.Response(body=text.encode(), status=status, content_type="application/json")


def subscription_view(subscription: Subscription) -> dict[str, Any]:
    return {
        "id": subscription.id,
        "name": subscription.name,
        "url": subscription.target_url,
        "event_filter": " ".join(subscription.event_filter),
        "state": subscription.state.value,
        "consecutive_failures": subscription.consecutive_failures,
        "paused_at": iso_or_none(subscription.paused_at_ms),
        "secret_rotated_at": iso_or_none(subscription.secret_rotated_at_ms),
        "created_at": iso(subscription.created_at_ms),
        "updated_at": iso(subscription.updated_at_ms),
    }


def delivery_view(delivery: Delivery) -> dict[str, Any]:
    """A delivery as it is listed; `event_type` and `dead_reason` are ours."""
    return {
        "id": delivery.id,
        "event_id": delivery.event_id,
        "event_type": delivery.event_type,
        "subscription_id": delivery.subscription_id,
        "status": delivery.state.value,
        "dead_reason": delivery.dead_reason.value if delivery.dead_reason else None,
        "attempts_made": delivery.attempts_made,
        "next_attempt_at": iso_or_none(delivery.next_attempt_at_ms),
        "final_status_code": delivery.final_status_code,
        "completed_at": iso_or_none(delivery.completed_at_ms),
        "created_at": iso(delivery.created_at_ms),
    }


def whole_delivery_view(delivery: Delivery, attempts: Iterable[Attempt]) -> dict[str, Any]:
    """A delivery with its attempts."""
    return {**delivery_view(delivery), "attempts": [_attempt_view(attempt) for attempt in attempts]}


def _attempt_view(attempt: Attempt) -> dict[str, Any]:
    return {
        "attempt_number": attempt.number,
        "request_signature": attempt.signature,
        "response_status": attempt.status,
        "response_headers": None if attempt.headers is None else json.loads(attempt.headers),
        "response_body_snippet": attempt.snippet,
        "latency_ms": attempt.latency_ms,
        "error_code": None if attempt.error_code is None else error_code(attempt.error_code),
        "attempted_at": iso(attempt.attempted_at_ms),
    }


def error_code(code: str) -> str:
    """The contract's name for why a POST got no answer."""
    return _ERROR_CODES.get(ErrorCode(code), code)
