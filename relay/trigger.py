"""Trigger: publish a catalogue sample for real, from the command line and beside a running server."""

from __future__ import annotations

import json

from relay.app import open_store, wall_clock, wires_of
from relay.catalogue import Catalogue
from relay.core import ids
from relay.core.errors import InputError, NotFound
from relay.core.model import Event
from relay.delivery.publish import Published, Publisher
from relay.settings import Settings
from relay.store import workspaces
from relay.web.body import parse_object


async def trigger_sample(settings: Settings, event_type: str, workspace_name: str, data: str | None) -> Published:
    """Publish the sample of an event type in a workspace; `data` is a JSON object that replaces members of it.

    A running server finds it within a second. Raises InputError and NotFound with what to do instead.
    """
    catalogue = Catalogue.load(settings.sample_events)
    known = catalogue.get(event_type)
    if known is None:
        raise InputError(f'unknown event type "{event_type}"; there are: {", ".join(catalogue.ids())}')
    payload = known.sample.payload
    if data is not None:
        payload = json.dumps({**json.loads(payload), **parse_object(data.encode())}, ensure_ascii=False)
    publisher = Publisher(wires_of(settings))
    publisher.check(event_type, json.loads(payload))
    async with open_store(settings) as database:
        workspace = await database.read(workspaces.by_name(workspace_name))
        if workspace is None:
            raise NotFound(f'there is no workspace "{workspace_name}"')
        now_ms = wall_clock()
        event = Event(ids.ulid(now_ms), workspace.id, event_type, payload, now_ms)
        return await database.write(publisher.publish(event))
