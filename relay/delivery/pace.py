"""Pace: how many requests a second a no-code platform takes at one catch URL before it answers 429."""

from __future__ import annotations

from yarl import URL

PLATFORMS = {
    "zapier.com": 25.0,
    "make.com": 25.0,
    "integromat.com": 25.0,
    "workato.com": 20.0,
    "pipedream.net": 10.0,
}
"""Requests a second by the platform's domain, a little below what each documents. Any other host is not paced."""


class Pace:
    """One target's rhythm: requests at even distances, none saved up."""

    __slots__ = ("_interval_ms", "_next_at_ms")

    def __init__(self, per_second: float) -> None:
        self._interval_ms = 1000 / per_second
        self._next_at_ms = 0.0

    def next_at_ms(self) -> int:
        """The earliest time for the next request."""
        return round(self._next_at_ms)

    def step(self, now_ms: int) -> None:
        """A request leaves now."""
        self._next_at_ms = max(self._next_at_ms, now_ms) + self._interval_ms

    def set_back(self, by_ms: int) -> None:
        """The clock that the times here are of was set back."""
        self._next_at_ms -= by_ms


def pace_of(target_url: str) -> Pace | None:
    """The pace of a target on a known platform, else None."""
    labels = (URL(target_url).host or "").lower().split(".")
    per_second = PLATFORMS.get(".".join(labels[-2:]))
    return Pace(per_second) if per_second else None
