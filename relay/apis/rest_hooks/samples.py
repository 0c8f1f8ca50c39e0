"""What a platform needs to build its forms: the event types, and an event of each as a hook would get it."""

from __future__ import annotations

from aiohttp import web

from relay.apis.rest_hooks.input import ANY_EVENT_TYPE_TEXT
from relay.apis.rest_hooks.store_body import REVIEW_CREATED
from relay.apis.rest_hooks.wire import NAME, body
from relay.core.errors import InputError
from relay.core.model import Subscription
from relay.web.body import json_response
from relay.web.wiring import CATALOGUE

_NOBODY = Subscription(
    id="api-0000000000000000",
    workspace_id="sample",
    api=NAME,
    target_url="https://hooks.example.com/sample",
    event_filter=("*",),
    secret="",
    created_at_ms=0,
    updated_at_ms=0,
)


async def sample(request: web.Request) -> web.Response:
    """sample: one made-up event in an array, the same on every call and for every workspace.

    The function that writes live bodies writes this one, so both have the same keys and types.
    """
    event_type = request.app[CATALOGUE].get(request.query.get("event_type") or REVIEW_CREATED)
    if event_type is None:
        raise InputError(ANY_EVENT_TYPE_TEXT)
    return web.Response(text=f"[{body(event_type.sample, _NOBODY)}]", content_type="application/json")


async def list_event_types(request: web.Request) -> web.Response:
    """list_event_types: everything a hook can be for, sorted by id."""
    return json_response(
        [
            {"id": event_type.id, "label": event_type.label, "description": event_type.description}
            for event_type in request.app[CATALOGUE].types()
        ]
    )
