"""What a platform builds its forms from: the event types, what each asks for, and the fields that arrive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from relay.apis.rest_hooks.samples import sample_body
from relay.apis.rest_hooks.store_body import RATING_DROPPED, REVIEW_CREATED
from relay.catalogue import EventType, field_of
from relay.core.errors import NotFound
from relay.web.body import json_response
from relay.web.wiring import CATALOGUE

_STORES = [{"value": "apple", "label": "App Store"}, {"value": "google", "label": "Google Play"}]
_STORE = {"key": "store", "label": "Store", "type": "string", "required": True, "choices": _STORES}
_APP_ID = {
    "key": "app_id",
    "label": "App",
    "type": "string",
    "required": True,
    "help": "The number in the App Store's address, or Google's package name.",
}
_COUNTRY = {
    "key": "country",
    "label": "Country",
    "type": "string",
    "required": False,
    "help": "Two-letter code of the store front; us when left empty.",
}
_MIN_STARS = {
    "key": "min_stars",
    "label": "Fewest Stars",
    "type": "integer",
    "required": False,
    "help": "Only reviews with at least so many stars, from 1.",
}
_MAX_STARS = {
    "key": "max_stars",
    "label": "Most Stars",
    "type": "integer",
    "required": False,
    "help": "Only reviews with at most so many stars, up to 5.",
}
_THRESHOLD = {
    "key": "threshold",
    "label": "Threshold",
    "type": "number",
    "required": False,
    "help": "Fires when the rating falls below this, from 1 to 5. Give this, the delta, or both.",
}
_DELTA = {
    "key": "delta",
    "label": "Delta",
    "type": "number",
    "required": False,
    "help": "Fires when the rating falls by this much, from 0 to 4; 0 is any fall.",
}
INPUTS: dict[str, tuple[dict[str, Any], ...]] = {
    REVIEW_CREATED: (_STORE, _APP_ID, _COUNTRY, _MIN_STARS, _MAX_STARS),
    RATING_DROPPED: (_STORE, _APP_ID, _COUNTRY, _THRESHOLD, _DELTA),
}
"""What subscribe takes besides the target and the event type; `input.py` checks it."""

_ENVELOPE = {
    "id": {"label": "ID", "help": "Different for each event, the same on every try."},
    "event_id": {"label": "Event ID"},
    "event_type": {"label": "Event Type"},
    "occurred_at": {"label": "Occurred At", "type": "datetime"},
    "occurred_at_unix": {"label": "Occurred At Unix", "type": "integer"},
}


async def list_event_types(request: web.Request) -> web.Response:
    """list_event_types: everything a hook can be for, sorted by id."""
    return json_response(
        [
            {"id": event_type.id, "label": event_type.label, "description": event_type.description}
            for event_type in request.app[CATALOGUE].types()
        ]
    )


async def show_event_type(request: web.Request) -> web.Response:
    """show_event_type: what subscribing to one event type asks for, and what its hooks get. NotFound otherwise."""
    event_type = request.app[CATALOGUE].get(request.match_info["id"])
    if event_type is None:
        raise NotFound("no event type with that id; GET /api/v1/event-types lists them")
    return web.Response(text=json.dumps(described(event_type), ensure_ascii=False), content_type="application/json")


def described(event_type: EventType) -> dict[str, Any]:
    """One event type as hooks see it: `inputs` for the form, `fields` of the body in their order, and a `sample`."""
    sample = json.loads(sample_body(event_type))
    return {
        "id": event_type.id,
        "label": event_type.label,
        "description": event_type.description,
        "producer": event_type.producer,
        "inputs": list(INPUTS.get(event_type.id, ())),
        "fields": list(_fields(event_type, sample)),
        "sample": sample,
    }


def _fields(event_type: EventType, sample: dict[str, Any]) -> Iterator[dict[str, Any]]:
    of_payload = {field.key: field for field in event_type.fields}
    for key, value in sample.items():
        if key in _ENVELOPE:
            field = field_of(key, value, _ENVELOPE[key])
        else:
            # A member of the payload that one of the envelope's names had taken is the same field under a longer key.
            field = of_payload.get(key) or of_payload.get(key.removeprefix("payload_")) or field_of(key, value, {})
        shown = {"key": key, "label": field.label, "type": field.type}
        yield shown if field.help is None else {**shown, "help": field.help}
