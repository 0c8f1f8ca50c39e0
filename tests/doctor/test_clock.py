"""A clock that went back is seen by what was stored before it did."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

import pytest

from relay.app import wall_clock
from tests.conftest import StartRelay
from tests.doctor.patient import HOUR_MS, add_subscription, examined, found, publish, until_tried
from tests.receiver import Receiver


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("UPDATE events SET created_at = :at", "event"),
        ("UPDATE attempts SET attempted_at = :at", "attempt"),
        ("UPDATE subscriptions SET updated_at = :at", "change of a subscription"),
        ("UPDATE subscriptions SET answering_since = :at", "change of a subscription"),
        ("UPDATE installation SET value = :at WHERE name = 'started_at_ms'", "start of the server"),
    ],
)
async def test_whatever_was_stored_in_the_future_shows_that_the_clock_went_back(
    tmp_path: Path, start_relay: StartRelay, receiver: Receiver, sql: str, what: str
) -> None:
    async with start_relay() as relay:
        await add_subscription(relay, receiver.url("/ok"), event_filter="*")
        await publish(relay)
        await until_tried(relay, 1)
    assert "clock_behind" not in await found(tmp_path)
    at_ms = wall_clock() + 2 * HOUR_MS
    with contextlib.closing(sqlite3.connect(tmp_path / "relay" / "relay.db", isolation_level=None)) as connection:
        connection.execute(sql, {"at": at_ms})
    one = (await found(tmp_path))["clock_behind"]
    assert (one["newest"], one["newest_is"], one["needs_person"]) == (at_ms // 1000, what, True)
    assert "119 min later" in one["what"] or "2 h later" in one["what"]


async def test_the_file_itself_tells(tmp_path: Path, start_relay: StartRelay) -> None:
    """Where nothing was stored since."""
    async with start_relay():
        pass
    later_s = wall_clock() // 1000 + 600
    os.utime(tmp_path / "relay" / "relay.db", (later_s, later_s))
    assert (await found(tmp_path))["clock_behind"]["newest_is"] == "write to the database"


async def test_a_server_whose_clock_is_ahead_is_seen_once_the_clock_is_right(
    tmp_path: Path, start_relay: StartRelay, receiver: Receiver
) -> None:
    """As it happens: published an hour ahead, looked at now. A minute is tolerated."""
    async with start_relay(clock=lambda: wall_clock() + HOUR_MS) as relay:
        await add_subscription(relay, receiver.url("/ok"), event_filter="*")
        await publish(relay)
        await until_tried(relay, 1)
        assert (await found(tmp_path))["clock_behind"]["needs_person"]
        ahead = await examined(tmp_path, after_ms=HOUR_MS - 30_000)
        assert [one.problem for one in ahead.findings] == []


async def test_a_time_that_no_calendar_has_is_told_as_a_number(tmp_path: Path, start_relay: StartRelay) -> None:
    async with start_relay() as relay:
        await add_subscription(relay, "https://hooks.example.com/a")
    with contextlib.closing(sqlite3.connect(tmp_path / "relay" / "relay.db", isolation_level=None)) as connection:
        connection.execute("UPDATE subscriptions SET updated_at = 9223372036854775807")
    assert "9223372036854775 (Unix time)" in (await found(tmp_path))["clock_behind"]["what"]
