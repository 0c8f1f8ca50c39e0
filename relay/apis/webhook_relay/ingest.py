"""Ingest: an event is stored once for each idempotency key, with its deliveries, in one commit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson

from relay.apis.webhook_relay.input import Draft
from relay.core import ids
from relay.core.model import Claimed, Event
from relay.delivery.publish import Published
from relay.store import events
from relay.store.database import Steps, Work, statement, work

WINDOW_MS = 24 * 3600 * 1000
"""For how long an idempotency key is remembered."""

Publish = Callable[[Event], Work[Published]]


class Incoming(NamedTuple):
    """An event to be accepted. The fingerprint is that of its draft, None when it has no idempotency key."""

    event: Event
    fingerprint: str | None


class Accepted(NamedTuple):
    """An accepted event, the same for every request with its idempotency key."""

    event: Event
    deliveries: int
    """How many it had when it was accepted: a repeated request is told the same as the first."""
    published: tuple[Claimed, ...]
    """The deliveries that were made just now; none when the event was there before."""


def incoming(
    draft: Draft, workspace_id: str, idempotency_key: str | None, source_ip: str | None, now_ms: int
) -> Incoming:
    event = Event(
        id=ids.ulid(now_ms),
        workspace_id=workspace_id,
        type=draft.type,
        payload=draft.payload,
        created_at_ms=now_ms,
        idempotency_key=idempotency_key,
        source_ip=source_ip,
    )
    return Incoming(event, None if idempotency_key is None else fingerprint(draft))


def fingerprint(draft: Draft) -> str:
    """Equal for requests that say the same: blanks, the order of members, and how a character is escaped do not count.

    A number counts as it is written: 1.50 is not 1.5. What a double cannot hold must not make two events one, and a
    client that sends a request again writes it the same again.
    """
    members: Any = draft.members
    # What is written anew as it came has lost nothing, and that is found out ten times as fast as the digits are kept.
    if orjson.dumps(members) != draft.payload.encode():
        members = json.loads(draft.payload, parse_int=orjson.Fragment, parse_float=orjson.Fragment)
    canonical = orjson.dumps(members, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(b"%s\n%s" % (draft.type.encode(), canonical)).hexdigest()


@work
def accept(one: Incoming, publish: Publish) -> Steps[Accepted | None]:
    """Publish an event, or find it published; None when its idempotency key stands for another one.

    None rather than an error: a work that fails makes everybody in its commit start again.
    """
    event = one.event
    if event.idempotency_key is not None:
        first = yield statement(
            "idempotency_claim",
            workspace_id=event.workspace_id,
            key=event.idempotency_key,
            fingerprint=one.fingerprint,
            event_id=event.id,
            expires_at=event.created_at_ms + WINDOW_MS,
            now=event.created_at_ms,
        )
        if not first:
            return (yield from _earlier(one))
    published = yield from publish(event)
    return Accepted(event, len(published.deliveries), published.deliveries)


@work
def _earlier(one: Incoming) -> Steps[Accepted | None]:
    rows = yield statement("idempotency_earlier", workspace_id=one.event.workspace_id, key=one.event.idempotency_key)
    if rows[0]["fingerprint"] != one.fingerprint:
        return None
    return Accepted(events.from_row(rows[0]), rows[0]["deliveries"], ())


@work
def accept_all(batch: Sequence[Incoming], publish: Publish) -> Steps[list[Accepted | None]]:
    """Accept many in one commit, in their order."""
    accepted = []
    for one in batch:
        accepted.append((yield from accept(one, publish)))  # noqa: PERF401 - a comprehension cannot yield
    return accepted
