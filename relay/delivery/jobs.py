"""Jobs: the recurring chores, all owned by one APScheduler in the process.

A delivery never waits for one of these: they are the safety net, the clean-up and the clock of slow things.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from relay.delivery.clocks import StepBack

FIRST_AFTER_S = 3.0
"""The chores begin one after the other, so far apart, so that a start is not burdened with all of them at once."""
LOOK_S = 1.0
"""How often is looked whether the wall clock, by which the scheduler goes, was set back."""
CUT_S = 2.0
"""How long a chore that is cut off may take to write down where it was."""


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to do again and again. `run` must be short or leave the loop free; it never overlaps itself."""

    name: str
    every_s: float
    run: Callable[[], Awaitable[None]]
    may_be_cut: bool = False
    """Whether the server's stop may end it wherever it is: true of one that speaks to the database alone."""
    stop: Callable[[float], Awaitable[None]] | None = None
    """Told when the server stops, with the seconds that are left: to take up nothing more, and end what it can."""


class Jobs:
    """Runs chores from `start` to `stop`. Each runs soon after the start for the first time."""

    def __init__(self, chores: list[Chore], on_run: Callable[[str, Exception | None], None]) -> None:
        """`on_run` is told of each run: the name of the chore, and what it failed with."""
        self._chores = chores
        self._on_run = on_run
        # A chore that was late is run once, never skipped: a paused machine must not lose its clean-up.
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        self._step_back = StepBack(_wall_ms)
        self._next_look: asyncio.TimerHandle | None = None
        self._running: dict[asyncio.Task[None], Chore] = {}

    def start(self) -> None:
        now = datetime.now(UTC)
        for number, chore in enumerate(self._chores, start=1):
            first = now + timedelta(seconds=min(chore.every_s, number * FIRST_AFTER_S))
            self._scheduler.add_job(self._run, _Every(chore.every_s), args=[chore], id=chore.name, next_run_time=first)
        self._scheduler.start()
        self._look()

    async def stop(self, grace_s: float) -> None:
        """Begin nothing more, and let what is under way end within the grace."""
        if self._next_look is not None:
            self._next_look.cancel()
        self._scheduler.pause()
        for run, chore in self._running.items():
            if chore.may_be_cut:
                run.cancel()
        ends = [chore.stop(grace_s) for chore in self._chores if chore.stop is not None]
        if self._running:
            ends.append(_ended(self._running, grace_s))
        await asyncio.gather(*ends)
        for run in self._running:
            run.cancel()
        if self._running:
            await _ended(self._running, CUT_S)
        self._scheduler.shutdown(wait=False)

    async def _run(self, chore: Chore) -> None:
        # In a task of its own: the scheduler logs a traceback for each run of its that is cut off.
        run = asyncio.create_task(_guarded(chore, self._on_run))
        self._running[run] = chore
        await asyncio.wait((run,))
        del self._running[run]

    def _look(self) -> None:
        """The scheduler keeps the times of day at which to run what: set back by an hour, it would wait for an hour."""
        by = timedelta(milliseconds=self._step_back.look())
        if by:
            for job in self._scheduler.get_jobs():
                job.modify(next_run_time=job.next_run_time - by)
        self._next_look = asyncio.get_running_loop().call_later(LOOK_S, self._look)


class _Every(BaseTrigger):  # type: ignore[misc]
    """Due an interval after it was looked at. The scheduler's own trigger counts every interval that was missed, and
    for a clock that is set forth by ten years these are millions."""

    def __init__(self, seconds: float) -> None:
        self._interval = timedelta(seconds=seconds)

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        return now + self._interval


def _wall_ms() -> int:
    return round(datetime.now(UTC).timestamp() * 1000)


async def _ended(runs: dict[asyncio.Task[None], Chore], limit_s: float) -> None:
    await asyncio.wait(tuple(runs), timeout=limit_s)


async def _guarded(chore: Chore, on_run: Callable[[str, Exception | None], None]) -> None:
    try:
        await chore.run()
    except Exception as error:
        on_run(chore.name, error)
    else:
        on_run(chore.name, None)
