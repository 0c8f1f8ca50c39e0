"""The embedded database: shared commits, isolated failures, and what it says when the disk or the file lets it down."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay.core.errors import StartError, StoreBusy, StoreCorrupt, StoreError, StoreFull
from relay.store import workspaces
from relay.store.database import Statement, Steps, statement, work
from relay.store.sqlite import SqliteDatabase, open_sqlite
from tests.conftest import Relay, StartRelay
from tests.delivery.test_engine import log, publish, webhook
from tests.receiver import Receiver


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    async with open_sqlite(tmp_path / "relay.db", serve=True) as opened:
        yield opened


@work
def add(name: str, *, fail: bool = False) -> Steps[str]:
    rows = yield statement("workspace_add", id=f"ws_{name}", name=name, created_at=1)
    if fail:
        raise ValueError("changed its mind after writing")
    return str(rows[0]["id"])


async def names(database: SqliteDatabase) -> set[str]:
    return {workspace.name for workspace in await database.read(workspaces.list_all())}


async def test_works_that_come_together_share_a_commit(database: SqliteDatabase) -> None:
    """Each commit appends a frame with its own mark to the write-ahead log, so the log says how many there were."""
    await asyncio.gather(*[database.write(add(f"n{number}")) for number in range(500)])

    assert len(await names(database)) == 500
    assert _commits(database.path) < 100


def _commits(path: Path) -> int:
    log = path.with_name(path.name + "-wal").read_bytes()
    page = int.from_bytes(log[8:12], "big")
    frames = range(32, len(log), 24 + page)
    # A frame's second word is the size of the database after the commit it ends; 0 in every other frame.
    return sum(int.from_bytes(log[at + 4 : at + 8], "big") > 0 for at in frames)


async def test_one_that_fails_leaves_nothing_and_its_neighbours_stand(database: SqliteDatabase) -> None:
    works = [database.write(add(f"n{number}", fail=number % 7 == 3)) for number in range(50)]
    results = await asyncio.gather(*works, return_exceptions=True)

    failed = {number for number, result in enumerate(results) if isinstance(result, ValueError)}
    assert failed == {number for number in range(50) if number % 7 == 3}
    assert await names(database) == {f"n{number}" for number in range(50) if number not in failed}


async def test_a_statement_that_breaks_a_rule_is_refused_alone(database: SqliteDatabase) -> None:
    @work
    def orphan() -> Steps[None]:
        yield statement("workspace_subscriptions_changed", id="ws_kept", stamp="not a number, but SQLite takes it")
        yield Statement("workspace_add", {"id": None, "name": None, "created_at": 1})

    kept, refused = await asyncio.gather(database.write(add("kept")), database.write(orphan()), return_exceptions=True)

    assert kept == "ws_kept"
    assert isinstance(refused, StoreError)
    assert await names(database) == {"kept"}


async def test_a_caller_that_went_away_does_not_disturb_the_others(database: SqliteDatabase) -> None:
    tasks = [asyncio.create_task(database.write(add(f"n{number}"))) for number in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert {f"n{number}" for number in range(1, 20, 2)} <= await names(database)


async def test_a_commit_is_on_the_disk_before_anybody_is_told(database: SqliteDatabase) -> None:
    """The settings that make it so hold on the connection that writes."""
    modes = {name: database._writer.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")}

    assert modes == {"synchronous": 2, "journal_mode": "wal"}


async def test_what_a_write_has_returned_is_seen_by_another_program(database: SqliteDatabase) -> None:
    """Each commit is a large one, so that whoever is told before its end looks too early."""
    other = sqlite3.connect(database.path)
    for number in range(20):
        await database.write(add(f"{number}" + "x" * 300_000))
        assert other.execute("SELECT COUNT(*) FROM workspaces").fetchone() == (number + 1,)
    other.close()


async def test_files_are_for_their_owner_only(database: SqliteDatabase) -> None:
    assert stat.S_IMODE(database.path.stat().st_mode) == 0o600


async def test_a_full_disk_refuses_and_recovers_by_itself(database: SqliteDatabase) -> None:
    pages = database._writer.execute("PRAGMA page_count").fetchone()[0]
    database._writer.execute(f"PRAGMA max_page_count = {pages + 20}")
    accepted = 0
    with contextlib.suppress(StoreFull):
        for _ in range(1000):
            await database.write(add("x" * 2000 + str(accepted)))
            accepted += 1
    assert 0 < accepted < 1000
    assert len(await names(database)) == accepted, "reading goes on, and what was accepted is there"

    database._writer.execute("PRAGMA max_page_count = 1000000")
    await database.write(add("after"))


async def test_a_lock_of_another_program_is_waited_for(database: SqliteDatabase) -> None:
    other = sqlite3.connect(database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(database.write(add("patient")))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    other.execute("ROLLBACK")
    other.close()

    assert await waiting == "ws_patient"


async def test_a_lock_that_is_not_let_go_ends_in_busy(database: SqliteDatabase) -> None:
    database._writer.execute("PRAGMA busy_timeout = 100")
    other = sqlite3.connect(database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StoreBusy):
            await database.write(add("impatient"))
    finally:
        other.close()
    await database.write(add("later"))


async def test_damage_that_shows_while_running_is_said_for_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "relay.db"
    async with open_sqlite(path, serve=True) as database:
        await asyncio.gather(*[database.write(add(f"n{number}" * 50)) for number in range(400)])
    content = bytearray(path.read_bytes())
    content[4096 * 3 :] = os.urandom(len(content) - 4096 * 3)
    path.write_bytes(bytes(content))

    with pytest.raises(StartError, match="damaged"):
        async with open_sqlite(path, serve=True):
            pass
    assert path.read_bytes() == bytes(content), "a damaged file is never changed"


async def test_corruption_is_its_own_error(database: SqliteDatabase) -> None:
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT

    assert isinstance(database._store_error(error), StoreCorrupt)
    async with asyncio.timeout(5):
        assert "restore it" in (await database.damaged).message


async def test_a_second_server_on_the_file_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "relay.db"
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert holder.stdout is not None
        await asyncio.to_thread(holder.stdout.readline)
        with pytest.raises(StartError, match=f"already served by process {holder.pid}"):
            async with open_sqlite(path, serve=True):
                pass
        async with open_sqlite(path, serve=False) as beside:
            await beside.write(add("beside"))
    finally:
        holder.kill()
        holder.communicate()
    async with open_sqlite(path, serve=True) as database:
        assert await names(database) == {"beside"}


_HOLD = """
import asyncio, sys
from pathlib import Path
from relay.store.sqlite import open_sqlite
async def hold():
    async with open_sqlite(Path(sys.argv[1]), serve=True):
        print("holding", flush=True)
        await asyncio.sleep(60)
asyncio.run(hold())
"""


async def test_a_process_whose_start_fails_ends_at_once(tmp_path: Path) -> None:
    """An open reader would keep the process alive for ever."""
    (tmp_path / "relay.db").write_bytes(b"this is no database" * 100)
    started = time.monotonic()
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "relay", "serve", "--port", "0", "--data-dir", str(tmp_path)],
        capture_output=True,
        timeout=30,
        check=False,
    )

    assert ended.returncode == 1
    assert b"is not a database or is damaged" in ended.stderr
    assert time.monotonic() - started < 20


async def test_when_the_disk_is_full_the_api_says_503_and_deliveries_are_not_sent_again(
    start_relay: StartRelay, receiver: Receiver
) -> None:
    """A delivery that cannot be recorded is kept in memory: recorded later, not sent in a hot loop."""
    async with start_relay() as relay:
        await webhook(relay, receiver.url("/slow/0.3"))
        await publish(relay)
        await receiver.wait_for(1)
        limit = _limit_pages(relay)
        answer = await _until_full(relay)

        assert answer[0] == 503
        assert answer[1]["status"] == 503
        assert int(answer[2]) >= 1

        await asyncio.sleep(1.5)
        assert len(receiver.received()) == 1
        relay.server.database._writer.execute(f"PRAGMA max_page_count = {limit}")
        async with asyncio.timeout(10):
            while [one.state for one in await log(relay)] != ["success"]:
                await asyncio.sleep(0.05)
        await relay.json("POST", "/v1/magic-link", {"customer_email": "after@example.com"})
        assert len(receiver.received()) == 1


def _limit_pages(relay: Relay) -> int:
    writer = relay.server.database._writer
    pages: int = writer.execute("PRAGMA page_count").fetchone()[0]
    before: int = writer.execute("PRAGMA max_page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count = {pages}")
    return before


async def _until_full(relay: Relay) -> tuple[int, dict[str, object], str]:
    for number in range(2000):
        response = await relay.call("POST", "/v1/magic-link", {"customer_email": f"n{number}@example.com"})
        if response.status != 200:
            return response.status, await response.json(), response.headers.get("Retry-After", "")
    raise AssertionError("the disk never filled up")
