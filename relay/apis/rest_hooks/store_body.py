"""The bodies of the two app-store events: a fixed set of keys, whatever the producer left out, seen by one hook."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from relay.apis.rest_hooks.flat import envelope, joined, quoted
from relay.apis.rest_hooks.members import as_number, as_text, members
from relay.core import matching
from relay.core.errors import InputError
from relay.core.model import Event, Subscription
from relay.core.moments import is_impossible, iso_s, moment_ms

REVIEW_CREATED = "review.created"
RATING_DROPPED = "rating.dropped"
STORE_TYPES = (REVIEW_CREATED, RATING_DROPPED)
"""The event types of the app stores. Their hooks name an app."""

_OF_PAYLOAD = {
    REVIEW_CREATED: (
        *("store", "app_id", "review_id", "rating", "title", "body", "author", "app_version", "country"),
        *("app_name", "review_url"),
    ),
    RATING_DROPPED: (
        *("store", "app_id", "previous_rating", "current_rating", "rating_count", "country"),
        *("app_name", "store_url"),
    ),
}
"""What only the producer knows: null when it does not say."""
_IDENTITY = {
    REVIEW_CREATED: ("store", "app_id", "review_id"),
    RATING_DROPPED: ("store", "app_id", "current_rating", "rating_count"),
}
_RECOMPUTED = (
    "occurred_at_unix",
    "observed_at_unix",
    "schema_version",
    "subscriber_id",
    "fingerprint",
    "transition_id",
)
_TRIGGERS = {"below": '"threshold"', "by": '"delta"', None: "null"}


def store_body(event: Event, hook: Subscription) -> str:
    """The JSON text for one hook. `occurrence_id` is the same for all hooks, `event_id` for every try of one hook."""
    payload = members(event.payload)
    occurrence = as_text(payload.pop("occurrence_id", None)) or _occurrence(event, payload)
    occurred_s = _unix_s(payload.pop("occurred_at", None), event)
    observed_s = _unix_s(payload.pop("observed_at", None), event)
    for key in _RECOMPUTED:
        payload.pop(key, None)
    first = envelope(_digest(occurrence, hook.id), event.type, occurred_s)
    first |= {
        "occurrence_id": quoted(occurrence),
        "subscriber_id": quoted(hook.id),
        "observed_at": quoted(iso_s(observed_s)),
        "observed_at_unix": str(observed_s),
        "schema_version": "1",
    }
    first |= {key: payload.pop(key, "null") for key in _OF_PAYLOAD[event.type]}
    if event.type == REVIEW_CREATED:
        first["fingerprint"] = quoted(occurrence)
        first["content_hash"] = payload.pop("content_hash", _content_hash(first))
    else:
        first["transition_id"] = quoted(occurrence)
        first |= _fall(first, payload, hook)
    return joined(first, payload)


def check_store_payload(payload: Mapping[str, Any]) -> None:
    """Raises InputError for a time that no body can show: a date in the year 10000, or one the calendar has not got.

    What does not look like a date and time is no time of the event; then that of its publication is sent.
    """
    for key in ("occurred_at", "observed_at"):
        value = payload.get(key)
        if isinstance(value, str) and is_impossible(value):
            text = "must be a date and time in the years 1 to 9999 of UTC, such as 2026-10-07T09:12:05Z"
            raise InputError(f"payload.{key} {text}", fields={f"payload.{key}": [text]})


def _occurrence(event: Event, payload: dict[str, str]) -> str:
    # A review stays one through its edits; a rating that two watches see fall is one fall in each country.
    identity = [as_text(payload.get(key)) for key in _IDENTITY[event.type]]
    if None in identity:
        return _digest(event.id)
    country = as_text(payload.get("country")) if event.type == RATING_DROPPED else None
    return _digest(*[part or "" for part in identity], country or "")


def _content_hash(body: dict[str, str]) -> str:
    """Differs when the author edits the review."""
    return quoted(_digest(*[as_text(body[key]) or "" for key in ("rating", "title", "body")]))


def _fall(body: dict[str, str], payload: dict[str, str], hook: Subscription) -> dict[str, str]:
    said = {key: payload.pop(key, "null") for key in ("delta", "trigger", "threshold")}
    ratings = {key: as_number(body[key]) for key in ("previous_rating", "current_rating")}
    before, after = (matching.number(rating) for rating in ratings.values())
    if before is not None and after is not None:
        delta = float(after - before)
        said["delta"] = str(delta) if math.isfinite(delta) else "null"
    # A sample is for no hook's rule: it shows the one its file tells of.
    if rule := hook.conditions.get("falls"):
        said["trigger"] = _TRIGGERS[matching.fall(rule, ratings)]
        said["threshold"] = json.dumps(rule.get("below"))
    return said


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _unix_s(value: str | None, event: Event) -> int:
    """A date and time with its offset as Unix seconds; when the event was published for anything else."""
    at_ms = moment_ms(as_text(value) or "", needs_offset=True)
    return (event.created_at_ms if at_ms is None else at_ms) // 1000
