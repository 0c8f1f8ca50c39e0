"""The clocks of a machine, in the hands of a test: time passes, and the wall clock is set."""

from __future__ import annotations

import time

from relay.app import wall_clock

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
YEARS_MS = 365 * DAY_MS


class Machine:
    """Runs with the real clocks, and from where it was put by hand."""

    def __init__(self) -> None:
        self._set_ms = 0
        self._passed_ms = 0

    def clock(self) -> int:
        """Its wall clock."""
        return wall_clock() + self._set_ms + self._passed_ms

    def uptime(self) -> float:
        """Its seconds that never go back."""
        return time.monotonic() + self._passed_ms / 1000

    def set_clock(self, by_ms: int) -> None:
        """Set the wall clock, forth or back."""
        self._set_ms += by_ms

    def pass_time(self, ms: int) -> None:
        """Let time pass; nothing notices but what looks at the clocks."""
        self._passed_ms += ms
