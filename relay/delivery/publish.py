"""Publish: an event and its deliveries, in the transaction of whoever caused it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import orjson

from relay.core import ids
from relay.core.matching import matches_type, meets
from relay.core.model import Event, Subscription
from relay.core.wire import Wire
from relay.store import deliveries, events, subscriptions
from relay.store.database import Steps, Work

WORKSPACES_REMEMBERED = 1_000


class Published(NamedTuple):
    """A published event and the subscriptions that get it: wake the engine for them after the commit."""

    event: Event
    subscription_ids: tuple[str, ...]


class _Receiving:
    """The active subscriptions of a workspace as of one version, and which of them each event type reaches."""

    def __init__(self, version: int, found: list[Subscription]) -> None:
        self.version = version
        self._all = found
        self._by_type: dict[str, list[Subscription]] = {}

    def of_type(self, event_type: str) -> list[Subscription]:
        matching = self._by_type.get(event_type)
        if matching is None:
            if len(self._by_type) >= 1_000:  # a producer that invents types must not fill the memory
                self._by_type.clear()
            matching = [one for one in self._all if matches_type(one.event_filter, event_type)]
            self._by_type[event_type] = matching
        return matching


class Publisher:
    """Fans events out. What it remembers of subscriptions is checked against the workspace's version every time."""

    def __init__(self, wires: Mapping[str, Wire]) -> None:
        self._wires = wires
        self._receiving: dict[str, _Receiving] = {}

    def publish(self, event: Event) -> Work[Published]:
        """Store the event with a delivery for each subscription it matches. To be part of the cause's transaction."""
        return Work(partial(self._publish, event))

    def _publish(self, event: Event) -> Steps[Published]:
        version = yield from subscriptions.version(event.workspace_id)
        receiving = self._receiving.get(event.workspace_id)
        if receiving is None or receiving.version != version:
            receiving = _Receiving(version, (yield from subscriptions.receiving(event.workspace_id)))
            if len(self._receiving) >= WORKSPACES_REMEMBERED:
                self._receiving.clear()
            self._receiving[event.workspace_id] = receiving

        bodies: dict[str, int] = {}
        shared: dict[str, int] = {}
        rows: list[dict[str, object]] = []
        payload: Mapping[str, Any] | None = None
        for subscription in receiving.of_type(event.type):
            if subscription.conditions:
                payload = orjson.loads(event.payload) if payload is None else payload
                if not meets(subscription.conditions, payload):
                    continue
            wire = self._wires[subscription.api]
            number = shared.get(wire.api)
            if number is None:
                number = bodies.setdefault(wire.body(event, subscription), len(bodies))
                if event.type not in wire.personal_types:
                    shared[wire.api] = number
            rows.append(
                {
                    "workspace_id": event.workspace_id,
                    "id": ids.ulid(event.created_at_ms),
                    "event_id": event.id,
                    "event_type": event.type,
                    "subscription_id": subscription.id,
                    "body_number": number,
                    "now": event.created_at_ms,
                }
            )
        yield from events.add(event, list(bodies))
        yield from deliveries.add(rows)
        return Published(event, tuple(str(row["subscription_id"]) for row in rows))
