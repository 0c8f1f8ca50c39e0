"""What an API hands to the engine: how its deliveries look and how they are retried."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from relay.core.model import Claimed, Event, Subscription
from relay.core.retry import RetryPolicy

Headers = tuple[tuple[str, str], ...]


class Signing(NamedTuple):
    """What a signature is made of, at the moment of sending."""

    timestamp_s: int
    body: bytes
    secrets: tuple[str, ...]
    """The secrets that are valid now, the newest last."""


@dataclass(frozen=True, slots=True)
class Wire:
    """One API's way out. The engine knows nothing else about it.

    `body` turns an event into the JSON text that is frozen with the delivery. `headers` gives the API's own headers
    for one attempt (1 is the first), `signature` the header value that is kept with the attempt.
    """

    api: str
    body: Callable[[Event, Subscription], str]
    signature: Callable[[Signing], str]
    headers: Callable[[Claimed, Signing, int, str], Headers]
    """(claimed, signing, attempt number, signature) → the API's headers."""
    retry: RetryPolicy
    personal_types: frozenset[str] = frozenset()
    """The event types whose body differs from subscription to subscription; any other is made once and shared."""
    when_off: str = "subscribe it anew"
    """For the log: how a subscription that was switched off gets events again; `{subscription}` stands for its id."""
    when_dead: str = "POST /v1/deliveries/{delivery}/retry"
    """For the log: how what died is sent again; `{delivery}` and `{subscription}` stand for the ids."""
    checks: Mapping[str, Callable[[Mapping[str, Any]], None]] = field(default_factory=dict)
    """By event type, what a payload of it is asked before its event is accepted, whoever receives it. Raises InputError
    for one that no body can be made of."""
