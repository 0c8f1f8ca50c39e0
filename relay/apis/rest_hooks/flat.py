"""The flat JSON object a hook gets: what every event has first, then the payload's own members as they were."""

from __future__ import annotations

import json
from collections.abc import Mapping

from relay.core.moments import iso_s


def envelope(event_id: str, event_type: str, occurred_at_s: int) -> dict[str, str]:
    """The members every body starts with, `id` first: no-code platforms list and tell apart records by it."""
    return {
        "id": quoted(event_id),
        "event_id": quoted(event_id),
        "event_type": quoted(event_type),
        "occurred_at": quoted(iso_s(occurred_at_s)),
        "occurred_at_unix": str(occurred_at_s),
    }


def joined(first: Mapping[str, str], payload: Mapping[str, str]) -> str:
    """One JSON object of two sets of members; a key of the payload that collides gets `payload_` in front."""
    body = dict(first)
    for key, value in payload.items():
        name = key
        while name in body or (name != key and name in payload):
            name = f"payload_{name}"
        body[name] = value
    return "{" + ",".join([f"{quoted(key)}:{value}" for key, value in body.items()]) + "}"


def event_id_of(body: bytes) -> str:
    """The `id` of a body that was written here: it comes first, so nothing needs to be parsed."""
    start = len('{"id":"')
    return body[start : body.index(b'"', start)].decode()


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
