"""Jobs: the recurring chores, all owned by one APScheduler in the process.

A delivery never waits for one of these: they are the safety net, the clean-up and the clock of slow things.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to do again and again. `run` must be short or leave the loop free; it never overlaps itself."""

    name: str
    every_s: float
    run: Callable[[], Awaitable[None]]


class Jobs:
    """Runs chores from `start` to `stop`."""

    def __init__(self, chores: list[Chore], on_run: Callable[[str, Exception | None], None]) -> None:
        """`on_run` is told of each run: the name of the chore, and what it failed with."""
        # A chore that was late is run once, never skipped: a paused machine must not lose its clean-up.
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        for chore in chores:
            trigger = IntervalTrigger(seconds=chore.every_s, timezone=UTC)
            self._scheduler.add_job(_guarded, trigger, args=[chore, on_run], id=chore.name)

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        self._scheduler.shutdown(wait=False)


async def _guarded(chore: Chore, on_run: Callable[[str, Exception | None], None]) -> None:
    try:
        await chore.run()
    except Exception as error:
        on_run(chore.name, error)
    else:
        on_run(chore.name, None)
