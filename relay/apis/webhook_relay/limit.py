"""How many requests a minute a workspace may make: a bucket for each, which refills evenly.

It is asked before every request, the ingest of events included, so it is one number for a workspace and a few lines of
arithmetic: a fifth of what `limits` takes for the same answer, which it counts and then asks for.
"""

from __future__ import annotations

import math
import time
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
    """One bucket for each workspace, kept as the time at which it will be full again.

    That time is one that never goes back: only what a client is told is a time of day.
    """

    def __init__(
        self, a_minute: int, clock: Callable[[], int], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`a_minute` is how much a bucket holds, and what flows into it in a minute; `clock` is Unix milliseconds."""
        self._limit = a_minute
        self._each_ms = _WINDOW_MS / a_minute
        self._clock = clock
        self._monotonic = monotonic
        self._full_at_ms: dict[str, float] = {}

    def take(self, workspace_id: str) -> Allowance:
        """Take one request out of the workspace's bucket, if there is one in it."""
        now_ms = self._monotonic() * 1000
        full_at_ms = max(self._full_at_ms.get(workspace_id, 0.0), now_ms)
        after_ms = full_at_ms + self._each_ms
        wait_ms = after_ms - (now_ms + _WINDOW_MS)
        if wait_ms > 1e-6:
            self._full_at_ms[workspace_id] = full_at_ms
            return Allowance(self._limit, 0, self._wall_s(full_at_ms - now_ms), max(1, math.ceil(wait_ms / 1000)))
        if len(self._full_at_ms) >= _REMEMBERED:
            self._full_at_ms = {key: at_ms for key, at_ms in self._full_at_ms.items() if at_ms > now_ms}
        self._full_at_ms[workspace_id] = after_ms
        return Allowance(self._limit, int(-wait_ms / self._each_ms + 1e-6), self._wall_s(after_ms - now_ms), 0)

    def _wall_s(self, in_ms: float) -> int:
        """The Unix time then."""
        return math.ceil((self._clock() + in_ms) / 1000)
