"""What the log says of the installation: conditions once at their begin and once at their end, start and stop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.core.conditions import Condition, Conditions
from relay.notices import MINUTE_S, OFTEN, ConditionLog
from tests.conftest import StartRelay
from tests.logged import Logged, logged
from tests.receiver import Receiver

HOSTILE = "\nerror  all is lost\x1b[2J\u202e" * 200


class World:
    def __init__(self, log: Logged) -> None:
        self.log = log
        self.now_s = 50.0
        self.says = ConditionLog(lambda: self.now_s)
        self.conditions = Conditions(lambda: self.now_s, self.says.changed)


@pytest.fixture
def world() -> Iterator[World]:
    with logged() as log:
        yield World(log)


@pytest.mark.parametrize("condition", list(Condition))
def test_each_condition_is_said_at_its_begin_and_at_its_end(world: World, condition: Condition) -> None:
    for _ in range(100):
        world.conditions.begin(condition, "errno 28")
    world.now_s += 75
    for _ in range(100):
        world.conditions.end(condition)
    begin, end = world.log.records
    assert (begin["event"], begin["level"], begin["condition"]) == (condition.words, "error", condition.key)
    assert (begin["detail"], begin["next"]) == ("errno 28", condition.advice)
    assert (end["event"], end["level"], end["lasted_s"]) == (f"{condition.words}: over", "info", 75)


def test_a_condition_that_comes_and_goes_floods_no_log_and_ends_when_it_stays_away(world: World) -> None:
    for _ in range(1000):
        world.conditions.begin(Condition.DISK_FULL)
        world.now_s += 0.01
        world.conditions.end(Condition.DISK_FULL)
        world.says.tell()
    assert len(world.log.lines) == 2 * OFTEN - 1
    assert world.log.records[-1]["event"] == "disk full", "as far as the log says it holds"
    world.now_s += MINUTE_S
    world.says.tell()
    world.says.tell()
    assert world.log.records[-1]["event"] == "disk full: over"
    assert len(world.log.lines) == 2 * OFTEN
    world.conditions.begin(Condition.DISK_FULL)
    world.conditions.end(Condition.DISK_FULL)
    assert len(world.log.lines) == 2 * OFTEN + 2, "after a quiet minute its end is said at once again"


def test_an_end_that_was_not_said_yet_is_said_at_the_stop(world: World) -> None:
    for _ in range(OFTEN):
        world.conditions.begin(Condition.LOCKED)
        world.conditions.end(Condition.LOCKED)
    world.says.tell(at_once=True)
    assert world.log.records[-1]["event"] == "database locked: over"


def test_a_detail_cannot_act_on_a_terminal_make_a_line_or_fill_the_disk(world: World) -> None:
    world.conditions.begin(Condition.MAIL_REFUSED, HOSTILE)
    world.conditions.end(Condition.MAIL_REFUSED, HOSTILE + "other")
    assert len(world.log.lines) == 2
    assert all(line.isprintable() and len(line) < 4500 for line in world.log.lines)
    assert "detail" in world.log.records[1]


async def test_start_and_stop_say_what_is_where_and_what_waits(start_relay: StartRelay, tmp_path: Path) -> None:
    with logged() as log:
        async with start_relay(public_url="https://relay.example.com"):
            pass
        [started], [stopped] = log.of("Relay started"), log.of("Relay stopped")
    assert started["data_dir"] == str(tmp_path / "relay")
    assert started["database"] == str(tmp_path / "relay" / "relay.db")
    assert started["listens"].startswith("http://127.0.0.1:")
    assert started["public_url"] == "https://relay.example.com"
    assert started["event_types"] >= 12
    assert started["schema"] >= 5
    assert (started["targets_waiting"], started["deliveries_waiting"]) == (0, 0)
    assert (stopped["requests_cut_off"], stopped["deliveries_waiting"], stopped["mails_waiting"]) == (0, 0, 0)


async def test_what_waits_is_said_at_the_stop_and_at_the_next_start(
    start_relay: StartRelay, receiver: Receiver
) -> None:
    with logged() as log:
        async with start_relay(retry_delays="3600") as relay:
            await relay.json("POST", "/v1/subscriptions", {"url": receiver.url("/status/503")}, status=201)
            for _ in range(3):
                await relay.json("POST", "/v1/events", {"type": "order.created", "payload": {}}, status=202)
            await receiver.wait_for(1)
        async with start_relay():
            pass
        stopped, started = log.of("Relay stopped")[0], log.of("Relay started")[1]
    for line in (stopped, started):
        assert (line["targets_waiting"], line["deliveries_waiting"]) == (1, 3)
    assert "next start" in stopped["next"]


async def test_a_start_that_fails_says_neither(start_relay: StartRelay) -> None:
    with logged() as log:
        async with start_relay():
            with pytest.raises(Exception, match="already served"):
                async with start_relay():
                    pass
        assert len(log.of("Relay started")) == len(log.of("Relay stopped")) == 1
