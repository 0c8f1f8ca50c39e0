"""Clocks: the wall clock can be set, forth and back, by years; here it is noticed, and said what to believe then."""

from __future__ import annotations

import time
from collections.abc import Callable

from relay.core.conditions import Condition, Conditions

LEAST_STEP_MS = 1_000
"""A wall clock that is set by less has not been set: nothing here is told to the second."""
DAY_MS = 86_400_000
STOOD_S = 86_400.0
"""For how long a time must have stood, after a jump of more than a day, before anything is deleted by it."""
SAME_MS = 3_600_000
"""A time that moves by more than this while it should stand has jumped again."""


def uptime_s() -> float:
    """Seconds that never go back; where the system can say so, those for which the machine slept are among them."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class StepBack:
    """Notices that a wall clock was set back."""

    def __init__(self, clock: Callable[[], int]) -> None:
        """`clock` gives Unix milliseconds."""
        self._clock = clock
        self._latest_ms = clock()

    def look(self) -> int:
        """By how many milliseconds it was set back since the newest look that saw it ahead; 0 when it was not.

        As good as one looks often: what passed between the look before the step and the step is missing.
        """
        now_ms = self._clock()
        by_ms = self._latest_ms - now_ms
        if 0 < by_ms < LEAST_STEP_MS:
            return 0
        self._latest_ms = now_ms
        return max(0, by_ms)


class TrustedClock:
    """What may be deleted by: the wall clock, as long as it runs at most a day off what it must have come to.

    That is told by the uptime since then and, over restarts, by the newest time that this database has seen. After a
    jump of more than a day nothing is deleted by the new time until it has stood for a day of uptime; meanwhile the old
    one goes on, so what is really old still goes. A server that was off for longer looks the same, and waits a day too.
    """

    def __init__(self, clock: Callable[[], int], uptime: Callable[[], float], conditions: Conditions) -> None:
        """`clock` gives Unix milliseconds, `uptime` seconds."""
        self._clock = clock
        self._uptime = uptime
        self._conditions = conditions
        self._believe(clock())
        self._jump_ms = 0
        self._jumped_at_s = 0.0

    def seen(self, newest_ms: int) -> None:
        """At the start: the newest time that this database has seen."""
        if abs(self._clock() - newest_ms) > DAY_MS:
            self._believe(newest_ms)

    def __call__(self) -> int:
        """Unix milliseconds that may be deleted by. Never later than the wall clock."""
        wall_ms = self._clock()
        return min(wall_ms, self._judge(wall_ms))

    @property
    def newest_ms(self) -> int:
        """The time to remember as seen."""
        return self._judge(self._clock())

    def _believe(self, at_ms: int) -> None:
        self._at_ms, self._at_s = at_ms, self._uptime()

    def _judge(self, wall_ms: int) -> int:
        """The wall clock's time, or what it must have come to when it has jumped."""
        now_s = self._uptime()
        due_ms = self._at_ms + round((now_s - self._at_s) * 1000)
        off_ms = wall_ms - due_ms
        if abs(off_ms) <= DAY_MS:
            if now_s - self._at_s >= STOOD_S:
                self._believe(wall_ms)  # so that it may run off by a day a day, and not by a day for ever
            self._conditions.end(Condition.CLOCK_JUMPED)
            return wall_ms
        if not self._conditions.holds(Condition.CLOCK_JUMPED) or abs(off_ms - self._jump_ms) > SAME_MS:
            self._jump_ms, self._jumped_at_s = off_ms, now_s
            self._conditions.begin(Condition.CLOCK_JUMPED, _words(off_ms))
        elif now_s - self._jumped_at_s >= STOOD_S:
            self._believe(wall_ms)
            self._conditions.end(Condition.CLOCK_JUMPED, "it has stood for a day, and is believed")
            return wall_ms
        return due_ms


def _words(off_ms: int) -> str:
    days, way = abs(off_ms) / DAY_MS, "ahead of" if off_ms > 0 else "behind"
    return f"{days:.1f} days {way} what this database has seen; nothing is deleted by it until it has stood for a day"
