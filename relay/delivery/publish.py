"""Publish: an event and its deliveries, in the transaction of whoever caused it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import orjson

from relay.core import ids
from relay.core.matching import matches_type, meets
from relay.core.model import Claimed, Event, Subscription
from relay.core.wire import Wire
from relay.store import deliveries, events, subscriptions
from relay.store.database import Steps, Work

WORKSPACES_REMEMBERED = 1_000


class Published(NamedTuple):
    """A published event and its deliveries: hand them to the engine after the commit."""

    event: Event
    deliveries: tuple[Claimed, ...]


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
        self._checks: dict[str, list[Callable[[Mapping[str, Any]], None]]] = {}
        for wire in wires.values():
            for event_type, check in wire.checks.items():
                self._checks.setdefault(event_type, []).append(check)

    def check(self, event_type: str, payload: Mapping[str, Any]) -> None:
        """Raises InputError for an event that some wire could not send: it is not to be published."""
        for check in self._checks.get(event_type, ()):
            check(payload)

    def publish(self, event: Event) -> Work[Published]:
        """Store the event with a delivery for each subscription it matches. To be part of the cause's transaction."""
        return Work(partial(self._publish, event))

    def _publish(self, event: Event) -> Steps[Published]:
        version = yield from events.add(event)
        receiving = self._receiving.get(event.workspace_id)
        if receiving is None or receiving.version != version:
            receiving = _Receiving(version, (yield from subscriptions.receiving(event.workspace_id)))
            if len(self._receiving) >= WORKSPACES_REMEMBERED:
                self._receiving.clear()
            self._receiving[event.workspace_id] = receiving

        texts: list[str] = []
        bodies: dict[str, int] = {}
        shared: dict[str, int] = {}
        made: list[Claimed] = []
        payload: Mapping[str, Any] | None = None
        for subscription in receiving.of_type(event.type):
            if subscription.conditions:
                payload = orjson.loads(event.payload) if payload is None else payload
                if not meets(subscription.conditions, payload):
                    continue
            wire = self._wires[subscription.api]
            number = shared.get(wire.api)
            if number is None:
                text = wire.body(event, subscription)
                number = bodies.setdefault(text, len(bodies))
                if number == len(texts):
                    texts.append(text)
                if event.type not in wire.personal_types:
                    shared[wire.api] = number
            made.append(new_delivery(event, subscription, number, texts[number], event.created_at_ms))
        yield from events.add_bodies(event.id, texts)
        yield from deliveries.add(made)
        return Published(event, tuple(made))


def new_delivery(event: Event, subscription: Subscription, body_number: int, body: str, now_ms: int) -> Claimed:
    """An event's delivery to a subscription, with an id of its own. `deliveries.add` stores it."""
    return Claimed(
        id=ids.ulid(now_ms),
        event_id=event.id,
        event_type=event.type,
        body_number=body_number,
        body=body if len(body) <= deliveries.HELD_BODY_LIMIT else None,
        body_chars=len(body),
        attempts_made=0,
        created_at_ms=now_ms,
        subscription=subscription,
    )
