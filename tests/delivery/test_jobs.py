"""The chores: when they run, whatever the wall clock does, and how they end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import apscheduler.schedulers.base
import pytest

from relay.delivery import jobs
from relay.delivery.jobs import FIRST_AFTER_S, Chore, Jobs


class WallClock(datetime):
    """What the scheduler and the chores read the time of day from; a test may set it."""

    set_by = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        return datetime.now(tz) + cls.set_by


@pytest.fixture
def wall_clock(monkeypatch: pytest.MonkeyPatch) -> type[WallClock]:
    WallClock.set_by = timedelta()
    monkeypatch.setattr(apscheduler.schedulers.base, "datetime", WallClock)
    monkeypatch.setattr(jobs, "datetime", WallClock)
    return WallClock


class Runs:
    """Counts the runs of a chore, and waits for them."""

    def __init__(self) -> None:
        self.count = 0
        self._more = asyncio.Event()

    async def run(self) -> None:
        self.count += 1
        self._more.set()

    async def until(self, count: int, timeout_s: float = 10.0) -> None:
        async with asyncio.timeout(timeout_s):
            while self.count < count:
                self._more.clear()
                await self._more.wait()


async def test_a_chore_runs_soon_after_the_start_and_not_only_an_interval_later() -> None:
    rare, often = Runs(), Runs()
    work = Jobs([Chore("rare", 86_400, rare.run), Chore("often", 0.05, often.run)], lambda *_: None)
    work.start()
    await asyncio.gather(rare.until(1, FIRST_AFTER_S + 5), often.until(3))
    await work.stop(1)
    assert rare.count == 1


@pytest.mark.parametrize(
    "steps",
    [
        [timedelta(hours=-1)],
        [timedelta(days=-3652)],
        [timedelta(hours=1), timedelta(hours=-1)],
        [timedelta(days=3652), timedelta(days=-3653)],
        [timedelta(days=3652)],
    ],
    ids=str,
)
async def test_chores_go_on_however_the_clock_is_set(wall_clock: type[WallClock], steps: list[timedelta]) -> None:
    """Ten years forth are three hundred million missed intervals of a second: nobody may count them."""
    runs = Runs()
    work = Jobs([Chore("often", 0.3, runs.run)], lambda *_: None)
    work.start()
    await runs.until(1)
    for step in steps:
        wall_clock.set_by += step
        await runs.until(runs.count + 2, timeout_s=6)
    await work.stop(1)


async def test_an_hourly_chore_keeps_what_was_left_of_its_hour(wall_clock: type[WallClock]) -> None:
    work = Jobs([Chore("hourly", 3600, Runs().run)], lambda *_: None)
    work.start()
    job = work._scheduler.get_job("hourly")
    job.modify(next_run_time=datetime.now(UTC) + timedelta(minutes=10))
    wall_clock.set_by = timedelta(hours=-5)
    async with asyncio.timeout(5):
        while (left := work._scheduler.get_job("hourly").next_run_time - wall_clock.now(UTC)) > timedelta(hours=1):
            await asyncio.sleep(0.05)
    await work.stop(1)
    assert timedelta(minutes=9) < left <= timedelta(minutes=10, seconds=5)


class Told:
    """A chore that can be in the middle of something."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.began = asyncio.Event()
        self.ended = self.cut = False

    async def run(self) -> None:
        self.began.set()
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cut = True
            await asyncio.sleep(0.01)  # it writes down where it was
            raise
        self.ended = True


async def stopped(chore: Callable[[Told], Chore], seconds: float, grace_s: float) -> Told:
    told = Told(seconds)
    work = Jobs([chore(told)], lambda *_: None)
    work.start()
    await told.began.wait()
    async with asyncio.timeout(5):
        await work.stop(grace_s)
    await asyncio.sleep(0.05)  # the scheduler ends in a later turn of the loop
    return told


async def test_a_chore_that_runs_at_the_stop_may_end(caplog: pytest.LogCaptureFixture) -> None:
    told = await stopped(lambda told: Chore("slow", 0.01, told.run), seconds=0.3, grace_s=4)
    assert (told.ended, told.cut) == (True, False)
    assert caplog.records == []


async def test_a_chore_that_takes_longer_than_the_grace_is_cut_off_without_a_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    told = await stopped(lambda told: Chore("slower", 0.01, told.run), seconds=60, grace_s=0.1)
    assert (told.ended, told.cut) == (False, True)
    assert [one for one in caplog.records if one.exc_info or one.levelno >= logging.ERROR] == []


async def test_a_chore_of_the_database_alone_does_not_hold_up_the_stop() -> None:
    told = await stopped(lambda told: Chore("sweep", 0.01, told.run, may_be_cut=True), seconds=60, grace_s=60)
    assert told.cut


async def test_who_has_more_to_do_is_told_to_take_up_nothing_more() -> None:
    stop_s: list[float] = []

    async def stop(grace_s: float) -> None:
        stop_s.append(grace_s)

    ended: Awaitable[Told] = stopped(lambda told: Chore("mail", 0.01, told.run, stop=stop), seconds=0.2, grace_s=3)
    assert (await ended).ended
    assert stop_s == [3]
