"""A made-up event of each type, as a hook would get it."""

from __future__ import annotations

from aiohttp import web

from relay.apis.rest_hooks.input import ANY_EVENT_TYPE_TEXT
from relay.apis.rest_hooks.store_body import REVIEW_CREATED
from relay.apis.rest_hooks.wire import NAME, body
from relay.catalogue import EventType
from relay.core.errors import InputError
from relay.core.model import Subscription
from relay.web.query import given
from relay.web.wiring import CATALOGUE

NOBODY = Subscription(
    id="api-0000000000000000",
    workspace_id="sample",
    api=NAME,
    target_url="https://hooks.example.com/sample",
    event_filter=("*",),
    secret="",
    created_at_ms=0,
    updated_at_ms=0,
)
"""Who a body is written for that no hook gets."""


async def sample(request: web.Request) -> web.Response:
    """sample: one made-up event in an array, the same on every call and for every workspace.

    The function that writes live bodies writes this one, so both have the same keys and types.
    """
    event_type = request.app[CATALOGUE].get(given(request).get("event_type", REVIEW_CREATED))
    if event_type is None:
        raise InputError(ANY_EVENT_TYPE_TEXT)
    return web.Response(text=f"[{sample_body(event_type)}]", content_type="application/json")


def sample_body(event_type: EventType) -> str:
    """The JSON text that a hook for nobody would get."""
    return body(event_type.sample, NOBODY)
