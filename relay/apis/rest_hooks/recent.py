"""The newest events as a hook would have got them, so that a flow is built with what really happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import structlog
from aiohttp import web

from relay.apis.rest_hooks.flat import envelope, joined
from relay.apis.rest_hooks.input import Recent, read_recent
from relay.apis.rest_hooks.samples import NOBODY, sample_body
from relay.apis.rest_hooks.wire import body
from relay.core.matching import meets
from relay.core.model import Event, Subscription
from relay.store import listing
from relay.web.auth import api_key_of
from relay.web.ignored import note
from relay.web.query import given
from relay.web.wiring import CATALOGUE, DATABASE

LOOKED_AT = 200
"""How many of the newest events of the type are looked at: an editor must not wait for a search through the history."""

log = structlog.get_logger("relay")


async def recent_events(request: web.Request) -> web.Response:
    """recent_events: the newest events that a hook with these inputs would have got, the newest first.

    Where there is none, the sample: an editor that is shown nothing has no fields to offer.
    """
    catalogue = request.app[CATALOGUE]
    wanted = read_recent(given(request), catalogue.__contains__)
    note(request, wanted.unused)
    workspace_id = api_key_of(request).workspace_id
    newest = listing.newest_events(workspace_id, wanted.event_type, _matches(wanted), wanted.limit, LOOKED_AT)
    found = await request.app[DATABASE].read(newest, list_of=workspace_id)
    hook = replace(NOBODY, event_filter=(wanted.event_type,), conditions=wanted.conditions)
    # Taking large payloads apart is slow: not on the loop, where everybody would wait.
    bodies = await asyncio.to_thread(lambda: [_shown(event, hook) for event in found])
    if not bodies and (known := catalogue.get(wanted.event_type)) is not None:
        bodies = [sample_body(known)]
    return web.Response(text=f"[{','.join(bodies)}]", content_type="application/json")


def _matches(wanted: Recent) -> Callable[[str], bool]:
    return lambda payload: not wanted.conditions or meets(wanted.conditions, _payload(payload))


def _payload(text: str) -> dict[str, Any]:
    """What a payload says; one that is no JSON object says nothing, and meets no condition."""
    try:
        payload = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return payload if isinstance(payload, dict) else {}


def _shown(event: Event, hook: Subscription) -> str:
    """The body of an event; of one whose payload is not what is accepted today, what every event has.

    One row that another release or another program has written must not keep all the others from being shown.
    """
    try:
        text = body(event, hook)
        text.encode()
    except (ValueError, LookupError, RecursionError) as error:
        log.error("an event cannot be shown", event_id=event.id, error=type(error).__name__)
        return joined(envelope(event.id, event.type, event.created_at_ms // 1000), {})
    return text
