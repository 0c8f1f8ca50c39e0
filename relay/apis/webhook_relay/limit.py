"""How many requests a minute a workspace may make: a bucket for each, which refills evenly.

It is asked before every request, the ingest of events included, so it is one number for a workspace and a few lines of
arithmetic: a fifth of what `limits` takes for the same answer, which it counts and then asks for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

_WINDOW_MS = 60_000
_REMEMBERED = 10_000


class Allowance(NamedTuple):
    """What a request was told: whether it may go on, and how the bucket stands after it."""

    limit: int
    remaining: int
    full_at_s: int
    """Unix time at which the bucket is full again."""
    retry_after_s: int
    """0 when the request may go on."""

    def headers(self) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.full_at_s),
        }


class Limiter:
    """One bucket for each workspace, kept as the time at which it will be full again."""

    def __init__(self, a_minute: int, clock: Callable[[], int]) -> None:
        """`a_minute` is how much a bucket holds, and what flows into it in a minute."""
        self._limit = a_minute
        self._each_ms = _WINDOW_MS / a_minute
        self._clock = clock
        self._full_at_ms: dict[str, float] = {}

    def take(self, workspace_id: str) -> Allowance:
        """Take one request out of the workspace's bucket, if there is one in it."""
        now_ms = self._clock()
        # A clock that was set back must not leave a bucket empty for longer than it takes to fill.
        full_at_ms = min(max(self._full_at_ms.get(workspace_id, 0.0), now_ms), now_ms + _WINDOW_MS)
        after_ms = full_at_ms + self._each_ms
        wait_ms = after_ms - (now_ms + _WINDOW_MS)
        if wait_ms > 1e-6:
            self._full_at_ms[workspace_id] = full_at_ms
            return Allowance(self._limit, 0, math.ceil(full_at_ms / 1000), max(1, math.ceil(wait_ms / 1000)))
        if len(self._full_at_ms) >= _REMEMBERED:
            self._full_at_ms = {key: at_ms for key, at_ms in self._full_at_ms.items() if at_ms > now_ms}
        self._full_at_ms[workspace_id] = after_ms
        return Allowance(self._limit, int(-wait_ms / self._each_ms + 1e-6), math.ceil(after_ms / 1000), 0)
