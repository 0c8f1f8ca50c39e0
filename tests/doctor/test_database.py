"""The files: what is wrong with them is found, and looking changes none of them."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from relay.core.errors import StoreError
from relay.doctor.checks import database
from relay.doctor.finding import Finding
from relay.doctor.look import Look
from relay.store.standing import look_at_files
from tests.conftest import Relay, StartRelay
from tests.doctor.patient import add_subscription, add_webhook, examined, found, look, publish
from tests.receiver import Receiver


@pytest.fixture
async def stopped(tmp_path: Path, start_relay: StartRelay) -> Path:
    """The database of a server that was stopped, with a subscription in it."""
    async with start_relay() as relay:
        await add_webhook(relay, "https://hooks.example.com/a")
    return tmp_path / "relay" / "relay.db"


def files(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file with its size and the time it was written."""
    return {one.name: (one.stat().st_size, one.stat().st_mtime_ns) for one in folder.iterdir()}


def execute(path: Path, sql: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(sql)


async def database_problems(tmp_path: Path) -> list[str]:
    return [one.problem.value for one in (await examined(tmp_path)).findings if one.area == "database"]


async def test_nothing_is_wrong_with_what_a_server_made(tmp_path: Path, stopped: Path) -> None:
    report = await examined(tmp_path)
    assert [one.problem for one in report.findings] == ["not_running"]
    assert report.checked["database"]["file"] == str(stopped)
    assert report.checked["database"]["integrity"] == "whole"
    assert report.checked["database"]["data_dir"] == str(stopped.parent)
    assert report.checked["secrets_opened"] is True


async def test_looking_leaves_nothing_behind(tmp_path: Path, stopped: Path) -> None:
    """SQLite would leave a log and its index beside a database that nobody has open."""
    before = files(stopped.parent)
    await examined(tmp_path)
    assert files(stopped.parent) == before


async def test_looking_beside_a_server_changes_nothing_and_sees_what_is_only_in_the_log(
    tmp_path: Path, relay: Relay
) -> None:
    before = files(tmp_path / "relay")
    await add_subscription(relay, "https://hooks.example.com/a")
    report = await examined(tmp_path)
    assert report.checked["subscriptions"] == {"webhook_relay": 1}
    assert set(files(tmp_path / "relay")) == set(before)


async def test_what_a_crash_left_in_the_log_is_seen(tmp_path: Path, start_relay: StartRelay) -> None:
    async with start_relay() as relay:
        await add_subscription(relay, "https://hooks.example.com/a")
        left = tmp_path / "crashed" / "relay"
        left.mkdir(mode=0o700, parents=True)
        for one in (tmp_path / "relay").iterdir():
            (left / one.name).write_bytes(one.read_bytes())
            (left / one.name).chmod(0o600)
    report = await examined(tmp_path / "crashed")
    assert report.checked["subscriptions"] == {"webhook_relay": 1}
    assert report.checked["server"]["running"] is False


@pytest.mark.parametrize(
    ("name", "mode", "wanted"),
    [
        (".", 0o755, "chmod 700 "),
        (".", 0o770, "chmod 700 "),
        ("relay.db", 0o644, "chmod 600 "),
        ("relay.db", 0o620, "chmod 600 "),
        ("secret.key", 0o640, "chmod 600 "),
        ("relay.db.before-0009", 0o604, "chmod 600 "),
        ("relay.db.before-restore", 0o644, "chmod 600 "),
    ],
)
async def test_what_others_can_read_or_write_is_found(
    tmp_path: Path, stopped: Path, name: str, mode: int, wanted: str
) -> None:
    """The data folder, the database, the key, and the copies that were kept."""
    path = stopped.parent / name
    if not path.exists():
        path.write_bytes(stopped.read_bytes())
        path.chmod(0o600)
    assert await database_problems(tmp_path) == []
    path.chmod(mode)
    one = (await found(tmp_path))["open_to_others"]
    assert (one["path"], one["mode"], one["needs_person"]) == (str(path.resolve()), f"{mode:04o}", True)
    assert one["advice"] == f"{wanted}{path.resolve()}"
    assert ("can write it" in one["what"]) == (mode == 0o620)


async def test_a_log_that_others_can_read_is_found(tmp_path: Path, relay: Relay) -> None:
    """What was written last is in it."""
    (tmp_path / "relay" / "relay.db-wal").chmod(0o644)
    assert (await found(tmp_path))["open_to_others"]["path"].endswith("relay.db-wal")


async def test_a_database_that_its_owner_cannot_write_is_found(tmp_path: Path, stopped: Path) -> None:
    stopped.chmod(0o400)
    one = (await found(tmp_path))["read_only"]
    assert one["advice"] == f"chmod 600 {stopped}"


def judged(seen: Look, **standing: Any) -> list[Finding]:
    return list(database.room(replace(seen, standing=seen.standing._replace(**standing))))


async def test_little_room_needs_a_person_and_too_little_for_an_upgrade_is_a_note(
    tmp_path: Path, stopped: Path
) -> None:
    """The thresholds are 256 MB, 1 GB, and the size of the database."""
    seen = await look(tmp_path)
    assert seen.standing.free_bytes > 0
    assert judged(seen, free_bytes=1_000_000_000) == []
    [note] = judged(seen, free_bytes=999_999_999)
    assert (note.problem, note.needs_person) == ("little_room", False)
    [short] = judged(seen, free_bytes=255_999_999)
    assert (short.problem, short.needs_person, short.details["free_bytes"]) == ("little_room", True, 255_999_999)
    assert "events are refused" in short.what
    large = seen.standing.database._replace(size_bytes=5_000_000_000)
    [upgrade] = judged(seen, free_bytes=4_000_000_000, database=large)
    assert (upgrade.problem, upgrade.needs_person) == ("little_room", False)


async def test_a_disk_that_is_read_only_is_found(tmp_path: Path, stopped: Path) -> None:
    [one] = judged(await look(tmp_path), disk_read_only=True)
    assert (one.problem, one.needs_person) == ("read_only", True)


async def test_a_log_that_is_never_emptied_is_found(tmp_path: Path, relay: Relay) -> None:
    seen = await look(tmp_path)
    assert seen.standing.log_bytes > 0
    [log] = [one for one in seen.standing.beside if one.path.name.endswith("-wal")]
    [one] = judged(seen, beside=(log._replace(size_bytes=300_000_000),))
    assert (one.problem, one.details["log_bytes"]) == ("large_log", 300_000_000)


async def test_damage_is_found(tmp_path: Path, stopped: Path) -> None:
    """Whether SQLite finds it in its own structures, or cannot read the file at all."""
    with contextlib.closing(sqlite3.connect(stopped, isolation_level=None)) as connection:
        [page] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'subscriptions'").fetchone()
        [size] = connection.execute("PRAGMA page_size").fetchone()
    with stopped.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    one = (await found(tmp_path))["damaged"]
    assert one["needs_person"] is True
    assert "relay restore FILE" in one["advice"]


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be looked at" * 40, b""])
async def test_what_is_no_database_is_found(tmp_path: Path, stopped: Path, content: bytes) -> None:
    stopped.write_bytes(content)
    [one] = [one for one in (await examined(tmp_path)).findings if one.area == "database"]
    assert one.problem in ("unreadable", "other_schema")
    assert one.needs_person


async def test_a_newer_schema_is_found_and_nothing_in_it_is_judged(tmp_path: Path, stopped: Path) -> None:
    execute(stopped, "INSERT INTO migrations VALUES (9999, 'later', 'x')")
    report = await examined(tmp_path)
    [one] = [one for one in report.findings if one.area == "database"]
    assert (one.problem, one.details["schema"], one.needs_person) == ("other_schema", 9999, True)
    assert report.checked["subscriptions"] is None


async def test_an_older_schema_is_found_and_stays(tmp_path: Path, stopped: Path) -> None:
    """It is not brought up to date: an older server that runs could not start again."""
    execute(stopped, "DELETE FROM migrations WHERE number = (SELECT MAX(number) FROM migrations)")
    before = files(stopped.parent)
    [one] = [one for one in (await examined(tmp_path)).findings if one.area == "database"]
    assert (one.problem, one.needs_person) == ("older_schema", True)
    assert "relay serve" in one.advice
    assert files(stopped.parent) == before


async def test_a_key_that_is_gone_is_found(tmp_path: Path, stopped: Path) -> None:
    """And none is made in its place."""
    (stopped.parent / "secret.key").unlink()
    one = (await found(tmp_path))["key_missing"]
    assert one["about"] == str(stopped.parent / "secret.key")
    assert not (stopped.parent / "secret.key").exists()


async def test_a_key_that_does_not_open_the_secrets_is_found(tmp_path: Path, stopped: Path) -> None:
    """Every one of them is tried, not a sample."""
    (stopped.parent / "secret.key").write_text("another\n")
    one = (await found(tmp_path))["key_wrong"]
    assert one["not_opened"] == 1
    assert "1 of 1 subscriptions" in one["what"]


async def test_one_secret_among_others_that_is_sealed_with_another_key_is_found(
    tmp_path: Path, start_relay: StartRelay
) -> None:
    async with start_relay() as relay:
        for each in "abc":
            await add_webhook(relay, f"https://hooks.example.com/{each}")
    execute(tmp_path / "relay" / "relay.db", "UPDATE subscriptions SET secret = 'x' WHERE target_url LIKE '%/b'")
    assert (await found(tmp_path))["key_wrong"]["not_opened"] == 1


async def test_a_key_that_is_a_setting_of_the_server_is_not_missed(tmp_path: Path, start_relay: StartRelay) -> None:
    """It is not in this shell, so it cannot be tried."""
    async with start_relay(secret_key="the key of the server") as relay:
        await add_webhook(relay, "https://hooks.example.com/a")
    report = await examined(tmp_path)
    assert [one.problem for one in report.findings] == ["not_running"]
    assert report.checked["secrets_opened"] is None


async def test_who_serves_a_database_is_known_while_it_does(tmp_path: Path, start_relay: StartRelay) -> None:
    """And looking does not keep anybody from serving it."""
    folder = tmp_path / "relay"
    async with start_relay():
        assert look_at_files(folder / "relay.db", folder).served_by == os.getpid()
    assert look_at_files(folder / "relay.db", folder).served_by is None
    async with start_relay():
        pass


def test_files_that_are_not_there_are_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot look at .*nowhere"):
        look_at_files(tmp_path / "nowhere" / "relay.db", tmp_path)


async def test_a_busy_server_is_looked_at_beside_its_writes(tmp_path: Path, relay: Relay, receiver: Receiver) -> None:
    await add_subscription(relay, receiver.url("/ok"), event_filter="*")
    for _ in range(20):
        await publish(relay)
        assert (await examined(tmp_path)).checked["subscriptions"] == {"webhook_relay": 1}
