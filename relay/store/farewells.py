"""Farewells: the platforms that are still to be told that Relay has ended a hook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from relay.core.model import Subscription
from relay.store.database import Steps, statement, work


@dataclass(frozen=True, slots=True)
class Farewell:
    """One that was claimed to be said."""

    target_url: str
    subscription_id: str
    attempts_made: int
    """This one included."""


@work
def add(ended: Subscription, now_ms: int) -> Steps[bool]:
    """Have the platform behind a target told; False when another hook goes there and lives on.

    To be part of the transaction that ends the hook.
    """
    if (yield from _is_in_use(ended.target_url)):
        return False
    yield statement("farewell_add", target_url=ended.target_url, subscription_id=ended.id, now=now_ms)
    return True


@work
def any_due(now_ms: int) -> Steps[bool]:
    rows = yield statement("farewell_due", now=now_ms, n=1)
    return bool(rows)


@work
def claim(now_ms: int, waits_s: Sequence[float]) -> Steps[Farewell | None]:
    """Take the one that has been due the longest, None when none is.

    `waits_s` has a wait for each further try. This try is counted, and the next put off, before it is made: nothing is
    sent that cannot be recorded. Meanwhile somebody may have subscribed the target again, and then nothing is said.
    """
    while rows := (yield statement("farewell_due", now=now_ms, n=1)):
        target_url, made = rows[0]["target_url"], rows[0]["attempts_made"]
        if made > len(waits_s) or (yield from _is_in_use(target_url)):
            yield from done(target_url)
            continue
        wait_s = waits_s[min(made, len(waits_s) - 1)] if waits_s else 0
        rows = yield statement("farewell_claim", target_url=target_url, next_attempt_at=now_ms + round(wait_s * 1000))
        return Farewell(target_url, rows[0]["subscription_id"], rows[0]["attempts_made"])
    return None


@work
def put_off(target_url: str, until_ms: int) -> Steps[None]:
    """Say it again then."""
    yield statement("farewell_put_off", target_url=target_url, next_attempt_at=until_ms)


@work
def put_back(target_url: str, until_ms: int) -> Steps[None]:
    """The try that was claimed was not made: say it then."""
    yield statement("farewell_put_back", target_url=target_url, next_attempt_at=until_ms)


@work
def set_back(now_ms: int, by_ms: int) -> Steps[None]:
    """The clock was set back by so much, to `now_ms`: what waits for a time of before waits no longer than it did."""
    yield statement("farewell_set_back", now=now_ms, was=now_ms + by_ms, by=by_ms)


@work
def done(target_url: str) -> Steps[None]:
    """It was said, or never can be."""
    yield statement("farewell_done", target_url=target_url)


@work
def _is_in_use(target_url: str) -> Steps[bool]:
    rows = yield statement("farewell_target_in_use", target_url=target_url)
    return bool(rows)
