"""Counts what an address gets wrong, so that nobody can guess credentials without end."""

from __future__ import annotations

import time

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter

from relay.core.errors import RateLimited
from relay.delivery.clocks import StepBack


class Failures:
    """Only failures are counted: who shares an address with somebody who guesses is not held up."""

    def __init__(self, a_minute: int, refusal: str) -> None:
        """`refusal` is what an address is told that has had its failures for this minute."""
        self._limit = RateLimitItemPerMinute(a_minute)
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._step_back = StepBack(lambda: round(time.time() * 1000))
        self._refusal = refusal

    async def count(self, remote: str | None) -> None:
        """One more from this address. Raises RateLimited when there were too many."""
        if self._step_back.look():
            # What was counted is kept until a time of day: an hour that comes again would be one minute.
            self._limiter = FixedWindowRateLimiter(MemoryStorage())
        address = remote or ""
        if not await self._limiter.hit(self._limit, address):
            reset_s, _ = await self._limiter.get_window_stats(self._limit, address)
            raise RateLimited(self._refusal, retry_after_s=max(1, min(60, round(reset_s - time.time()))))
