"""The values that move through Relay: each is frozen, and a change makes a new one.

Those that are made for every event or attempt are named tuples: a frozen dataclass takes five times as long to make.
Times are Unix milliseconds (`*_at_ms`), durations carry their unit, and JSON travels as the text that was accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Workspace:
    """Who owns data: every other row names one."""

    id: str
    name: str
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A credential of one workspace; only its SHA-256 is stored, so the key itself is shown once."""

    id: str
    workspace_id: str
    prefix: str
    last4: str
    scopes: frozenset[str]
    label: str | None
    created_at_ms: int
    revoked_at_ms: int | None = None


class Event(NamedTuple):
    """Something that happened, as one row whoever caused it."""

    id: str
    workspace_id: str
    type: str
    payload: str
    """A JSON object, exactly the text that was accepted: key order and numbers are the producer's."""
    created_at_ms: int
    idempotency_key: str | None = None
    source_ip: str | None = None


class SubscriptionState(StrEnum):
    """Derived from the nullable times of a subscription, never stored."""

    ACTIVE = "active"
    PAUSED = "paused"
    """By a person or by the breaker; `resume` brings it back."""
    DISABLED = "disabled"
    """Its receiver said 410 Gone, or it failed for too long."""


class PreviousSecret(NamedTuple):
    """A signing secret that was rotated and still signs, encrypted like the one that took its place."""

    secret: str
    until_ms: int


@dataclass(frozen=True, slots=True)
class Subscription:
    """The wish to receive events of some types at one target."""

    id: str
    workspace_id: str
    api: str
    """Which API made it, and so which `Wire` its deliveries are written with."""
    target_url: str
    event_filter: tuple[str, ...]
    secret: str
    """The signing secret, encrypted at rest; `store.secrets` opens it."""
    created_at_ms: int
    updated_at_ms: int
    conditions: Mapping[str, Any] = field(default_factory=dict)
    """What a payload must meet besides its event type (`core.matching`); empty means nothing."""
    api_key_id: str | None = None
    """The key it was made with."""
    name: str | None = None
    source: str | None = None
    external_ref: str | None = None
    previous_secrets: tuple[PreviousSecret, ...] = ()
    """Those that sign beside `secret` for a while, oldest first (`core.rotation`)."""
    secret_rotated_at_ms: int | None = None
    paused_at_ms: int | None = None
    disabled_at_ms: int | None = None
    disabled_reason: str | None = None
    removed_at_ms: int | None = None
    consecutive_failures: int = 0
    failing_since_ms: int | None = None
    """When the first of the consecutive failures happened."""
    answering_since_ms: int | None = None
    """Since when its target answers; None when nothing is known of it, or it failed last."""

    @property
    def state(self) -> SubscriptionState:
        if self.disabled_at_ms is not None:
            return SubscriptionState.DISABLED
        if self.paused_at_ms is not None:
            return SubscriptionState.PAUSED
        return SubscriptionState.ACTIVE


class DeliveryState(StrEnum):
    """The stored states of a delivery; each API maps them to its own words."""

    PENDING = "pending"
    """Waits for its `next_attempt_at_ms`, or is being sent."""
    SUCCESS = "success"
    """The receiver answered 2xx."""
    DEAD = "dead"
    """Given up, with a `DeadReason`; a person may retry or replay it."""


class DeadReason(StrEnum):
    """Why a delivery was given up."""

    EXHAUSTED = "exhausted"
    """Every try of the schedule failed."""
    REFUSED = "refused"
    """A 4xx that the API's policy takes as final."""
    TOO_LARGE = "too_large"
    """The receiver answered 413: the same body can never fit."""
    GONE = "gone"
    """The receiver answered 410: it will not come back."""
    TARGET_REFUSED = "target_refused"
    """The guard refused the address the target resolved to."""
    PAUSED = "paused"
    """Its subscription was paused when it fell due."""
    DISABLED = "disabled"
    """Its subscription was switched off."""
    UNSUBSCRIBED = "unsubscribed"
    """Its subscription was removed."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one subscription; its id is the same over every attempt, retry and replay."""

    id: str
    workspace_id: str
    event_id: str
    event_type: str
    subscription_id: str
    state: DeliveryState
    attempts_made: int
    created_at_ms: int
    next_attempt_at_ms: int | None = None
    dead_reason: DeadReason | None = None
    final_status_code: int | None = None
    """The status of the newest answer, whatever the state."""
    completed_at_ms: int | None = None


class Attempt(NamedTuple):
    """One try of a delivery, as it is kept in the log."""

    delivery_id: str
    number: int
    attempted_at_ms: int
    signature: str
    status: int | None
    headers: str | None
    """JSON object of the few response headers that are kept."""
    snippet: str | None
    latency_ms: int | None
    error_code: str | None


class Claimed(NamedTuple):
    """A due delivery in the hands of the engine, with what sending it needs."""

    id: str
    event_id: str
    event_type: str
    body_number: int
    body: str | None
    """None for a large one: it is read when its turn to be sent has come."""
    attempts_made: int
    created_at_ms: int
    subscription: Subscription
    body_chars: int = 0
    """How long the body is."""
    schedule_base: int = 0
    """How many of the attempts do not count in the schedule: a recovery put the delivery back on all of it."""


class SignedRequest(NamedTuple):
    """A request ready for the wire. `timeout_s` covers everything from connecting to the end of the snippet."""

    target_url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    timeout_s: float
    owner_id: str
    """Whose it is, most often a workspace: a connection that was kept is used for the same owner only."""
    method: str = "POST"


class Outcome(NamedTuple):
    """What came of one POST: a status, or an `ErrorCode` when no usable answer came."""

    status: int | None
    error_code: ErrorCode | None
    latency_ms: int
    headers: tuple[tuple[str, str], ...] = ()
    """The response headers worth keeping, lower-case names, cleaned text."""
    snippet: str | None = None
    """At most 4 KB of the answer, cleaned text."""
    retry_after: str | None = None
    """The Retry-After header as it came."""
    detail: str | None = None
    """For the operator's log only: it may name addresses, which a client must not see."""


class ErrorCode(StrEnum):
    """Why a POST got no usable answer. A closed list, so that it can be a metric label and be documented."""

    TIMEOUT = "timeout"
    CONNECTION_ERROR = "connection_error"
    TLS_ERROR = "tls_error"
    DNS_ERROR = "dns_error"
    BAD_RESPONSE = "bad_response"
    """What came back was not HTTP, or had no end to its headers."""
    TARGET_REFUSED = "target_refused"
    SIGNING_ERROR = "signing_error"
    """Written by 0.1.0 alone: the signing secret could not be opened. Nothing was sent, and now nothing is used up."""


class Verdict(NamedTuple):
    """What follows from an outcome: exactly one of success, another try at a time, or dead with a reason."""

    state: DeliveryState
    retry_at_ms: int | None = None
    dead_reason: DeadReason | None = None
