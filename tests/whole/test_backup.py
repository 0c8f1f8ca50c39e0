"""A backup of a running server is whole, and a restore brings back what was in it, under the same ids."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest

from relay.core.errors import StartError, StoreError
from relay.store.backup import back_up, restore
from relay.store.sqlite import open_sqlite
from tests.receiver import Receiver
from tests.whole.load import Load, arrivals, stored_events
from tests.whole.process import free_port, relay_command, serve


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


async def test_a_backup_under_load_is_whole_and_has_everything_answered_before_it_began(
    tmp_path: Path, receiver: Receiver
) -> None:
    data_dir, port, copy = tmp_path / "relay", free_port(), tmp_path / "copy.db"
    load = Load(f"http://127.0.0.1:{port}", {"text": "x" * 2_000})
    async with serve(data_dir, port, rate_limit="0") as server, load.running():
        await server.post("/v1/subscriptions", {"url": receiver.url("/ok")})
        await load.until_answered(200)
        before = set(load.answered.values())
        code, out, err = await relay_command("backup", str(copy), "--json", "--data-dir", str(data_dir))
        assert code == 0, err
        await load.until_answered(len(load.answered) + 50)
        await load.end()

    said = json.loads(out)
    stored = {event_id for (event_id,) in rows(copy, "SELECT id FROM events")}
    assert before <= stored
    assert rows(copy, "PRAGMA integrity_check") == [("ok",)]
    assert said["file"] == str(copy)
    assert (said["events"], said["size_bytes"]) == (len(stored), copy.stat().st_size)
    assert rows(copy, "SELECT COUNT(*) FROM deliveries WHERE state = 'pending'") == [(said["pending"],)]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert not list(tmp_path.glob("copy.db-*")), "one file is all of it"
    orphans = "SELECT id FROM deliveries WHERE event_id NOT IN (SELECT id FROM events)"
    assert rows(copy, orphans) == [], "as of one moment"


async def test_a_restore_sends_what_was_pending_in_the_backup_under_the_same_ids(
    tmp_path: Path, receiver: Receiver
) -> None:
    """Also what has been delivered since; what was published since is not in it, and the former file is kept."""
    data_dir, port, copy = tmp_path / "relay", free_port(), tmp_path / "copy.db"
    data = ("--data-dir", str(data_dir))
    receiver.script("/hook", "/status/503", "/ok")
    async with serve(data_dir, port, retry_delays="3") as server:
        await server.post("/v1/subscriptions", {"url": receiver.url("/hook")})
        _, pending = await server.post("/v1/events", {"type": "order.created", "payload": {}})
        await receiver.wait_for(1)
        code, out, err = await relay_command("backup", str(copy), *data)
        assert (code, "1 events, 1 deliveries pending" in out) == (0, True)
        assert str(data_dir / "secret.key") in err

        await receiver.wait_for(2, timeout_s=15)
        _, later = await server.post("/v1/events", {"type": "order.created", "payload": {}})
        await receiver.wait_for(3)
        code, _, err = await relay_command("restore", str(copy), *data)
        assert code == 1
        assert f"already served by process {server.process.pid}" in err
        assert await server.stop() == 0

    code, out, _ = await relay_command("restore", str(copy), *data)
    assert code == 0
    assert "1 deliveries that were pending in the backup are sent, under the same ids" in out
    assert str(data_dir / "relay.db.before-restore") in out
    async with serve(data_dir, port) as server:
        await receiver.wait_for(4, timeout_s=15)
        assert await stored_events(server.url) == [pending["id"]]
        assert await server.stop() == 0

    arrived = arrivals(receiver)
    assert len(arrived["/hook", str(pending["id"])]) == 3, "refused, delivered, and delivered again after the restore"
    assert len(set(arrived["/hook", str(pending["id"])])) == 1
    kept = {event_id for (event_id,) in rows(data_dir / "relay.db.before-restore", "SELECT id FROM events")}
    assert kept == {pending["id"], later["id"]}


@pytest.fixture
async def database(tmp_path: Path) -> Path:
    path = tmp_path / "relay.db"
    async with open_sqlite(path, serve=True):
        pass
    return path


def test_nothing_is_overwritten_and_nothing_half_is_left(database: Path, tmp_path: Path) -> None:
    there = tmp_path / "there.db"
    there.write_text("precious")
    with pytest.raises(StoreError, match="exists already"):
        back_up(database, there)
    assert there.read_text() == "precious"

    junk = tmp_path / "junk.db"
    junk.write_bytes(b"no database at all" * 100)
    for source in (tmp_path / "missing.db", junk):
        with pytest.raises(StoreError):
            back_up(source, tmp_path / "copy.db")
        assert not list(tmp_path.glob("copy.db*"))
    with pytest.raises(StoreError, match="cannot write"):
        back_up(database, tmp_path / "no" / "such" / "folder.db")


def test_only_a_whole_database_of_relay_is_restored(database: Path, tmp_path: Path) -> None:
    good, before = tmp_path / "good.db", database.read_bytes()
    back_up(database, good)

    empty = tmp_path / "empty.db"
    empty.touch()
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE something (id)")
    connection.close()
    torn = tmp_path / "torn.db"
    content = bytearray(good.read_bytes())
    content[4096 * 2 :] = b"\xa5" * (len(content) - 4096 * 2)
    torn.write_bytes(content)
    newer, edited = tmp_path / "newer.db", tmp_path / "edited.db"
    for path, change in (
        (newer, "INSERT INTO migrations VALUES (9999, 'later', 'x')"),
        (edited, "UPDATE migrations SET checksum = 'x'"),
    ):
        shutil.copy(good, path)
        connection = sqlite3.connect(path)
        with connection:
            connection.execute(change)
        connection.close()

    for source, why in (
        (tmp_path / "missing.db", "there is no backup"),
        (database, "is the database itself"),
        (empty, "empty.db is no database of Relay"),
        (other, "other.db is no database of Relay"),
        (torn, "torn.db"),
    ):
        with pytest.raises(StoreError, match=why):
            restore(source, database)
    for source, why in ((newer, "newer Relay"), (edited, "differs")):
        with pytest.raises(StartError, match=why):
            restore(source, database)
    assert database.read_bytes() == before
    assert not list(tmp_path.glob("*.before-restore*"))
    assert not list(tmp_path.glob("*.restoring*"))


def test_a_damaged_file_is_kept_with_its_log_and_its_log_does_not_touch_what_is_restored(
    database: Path, tmp_path: Path
) -> None:
    good = tmp_path / "good.db"
    back_up(database, good)
    database.write_bytes(b"\xa5" * 50_000)
    log = database.with_name("relay.db-wal")
    log.write_bytes(b"what was in the log")

    kept = restore(good, database).kept

    assert kept is not None
    assert kept.read_bytes() == b"\xa5" * 50_000
    assert not log.exists()
    assert rows(database, "PRAGMA integrity_check") == [("ok",)]
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    second = restore(good, database).kept
    assert second is not None
    assert second != kept
    assert kept.exists(), "what was kept before stays too"


def test_a_restore_needs_no_database_to_replace(database: Path, tmp_path: Path) -> None:
    good, elsewhere = tmp_path / "good.db", tmp_path / "new" / "relay.db"
    back_up(database, good)

    assert restore(good, elsewhere).kept is None
    assert rows(elsewhere, "PRAGMA integrity_check") == [("ok",)]


async def test_a_backup_of_a_file_that_nobody_serves_has_what_is_in_its_log(tmp_path: Path) -> None:
    """After a crash the newest part is in the write-ahead log alone."""
    data_dir, port = tmp_path / "relay", free_port()
    async with serve(data_dir, port) as server:
        for _ in range(5):
            await server.post("/v1/events", {"type": "order.created", "payload": {}})
        await server.kill()
    contents = await asyncio.to_thread(back_up, data_dir / "relay.db", tmp_path / "copy.db")

    assert contents.events == 5
