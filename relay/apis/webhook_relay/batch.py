"""A batch of events: createEventBatch, for producers with volume."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import orjson
from aiohttp import web

from relay.apis.webhook_relay.events import CONFLICT_TEXT, accepted_text
from relay.apis.webhook_relay.ingest import Accepted, Incoming, accept_all, incoming
from relay.apis.webhook_relay.input import Draft, read_event, read_idempotency_key, refuse
from relay.apis.webhook_relay.problem import details
from relay.apis.webhook_relay.views import json_text
from relay.apis.webhook_relay.wire import NAME
from relay.core.errors import InputError
from relay.web.api import Problem
from relay.web.auth import api_key_of
from relay.web.body import member_text, parse_object, read_body
from relay.web.ignored import look_at_body
from relay.web.wiring import CLOCK, DATABASE, ENGINE

LIMIT = 1_000
MAX_BYTES = 4 * 1024 * 1024

Check = Callable[[str, Mapping[str, Any]], None]
"""(event type, payload) → raises InputError for what could not be delivered."""

_VALUE = json.JSONDecoder()
_BLANKS = " \t\r\n"


async def create_event_batch(request: web.Request) -> web.Response:
    """createEventBatch: one commit, and an answer for each event in its place: 202, 400 or 409.

    An event that cannot be taken does not hold up the others.
    """
    app = request.app
    data = await read_body(request, MAX_BYTES)
    # Taking apart megabytes of JSON would hold up every other request.
    read = await asyncio.to_thread(_read, data, partial(look_at_body, request), app[ENGINE].check)
    now_ms, workspace_id = app[CLOCK](), api_key_of(request).workspace_id
    batch = [
        one if isinstance(one, InputError) else incoming(*_of(one, workspace_id, request.remote, now_ms))
        for one in read
    ]
    taken = [one for one in batch if isinstance(one, Incoming)]
    engine = app[ENGINE]
    accepted = await app[DATABASE].write(accept_all(taken, engine.publish))
    new = [one for one, item in zip(accepted, taken, strict=True) if one is not None and one.event is item.event]
    engine.send((claimed for one in new for claimed in one.published), by=NAME, events=len(new))
    return json_text(_answer(batch, accepted), 202)


def _of(
    read: tuple[Draft, str | None], workspace_id: str, source_ip: str | None, now_ms: int
) -> tuple[Draft, str, str | None, str | None, int]:
    draft, idempotency_key = read
    return draft, workspace_id, idempotency_key, source_ip, now_ms


def _read(
    data: bytes, look: Callable[[Mapping[str, Any]], None], check: Check
) -> list[tuple[Draft, str | None] | InputError]:
    """Each event of the body, or what is wrong with it. Raises InputError when the body is no batch."""
    body = parse_object(data)
    look(body)
    events = body.get("events")
    if type(events) is not list or not 1 <= len(events) <= LIMIT:
        raise refuse("events", f"must be an array of 1 to {LIMIT} events")
    sources = _sources(data.decode(), body)
    return [_read_one(members, text, check) for members, text in zip(events, sources, strict=True)]


def _sources(text: str, body: dict[str, Any]) -> list[str]:
    """The source of each event: payloads are kept as they were written."""
    array = member_text(text, body, "events")
    sources, at = [], _skip(array, 1)
    while array[at] != "]":
        end = _VALUE.raw_decode(array, at)[1]
        sources.append(array[at:end])
        at = _skip(array, end)
        if array[at] == ",":
            at = _skip(array, at + 1)
    return sources


def _skip(text: str, at: int) -> int:
    while text[at] in _BLANKS:
        at += 1
    return at


def _read_one(members: Any, text: str, check: Check) -> tuple[Draft, str | None] | InputError:
    try:
        if type(members) is not dict:
            raise InputError("an event must be a JSON object")
        draft = read_event(members, text)
        check(draft.type, draft.members)
        return draft, read_idempotency_key(members.get("idempotency_key"))
    except InputError as error:
        return error


def _answer(batch: Sequence[Incoming | InputError], accepted: Sequence[Accepted | None]) -> str:
    results = iter(accepted)
    texts = []
    for one in batch:
        if isinstance(one, InputError):
            texts.append(_refused(Problem(400, one.message, one.fields)))
        elif (result := next(results)) is None:
            texts.append(_refused(Problem(409, CONFLICT_TEXT)))
        else:
            texts.append(f'{{"status":202,"event":{accepted_text(result)}}}')
    return f'{{"data":[{",".join(texts)}]}}'


def _refused(problem: Problem) -> str:
    return f'{{"status":{problem.status},"problem":{orjson.dumps(details(problem)).decode()}}}'
