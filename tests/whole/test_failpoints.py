"""The process is killed at the points where it would hurt most: nothing that was answered is lost, nothing comes twice.

`RELAY_FAILPOINT=<name>:<n>` makes `relay serve` kill itself with SIGKILL when it passes that point for the n-th time.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import signal
import sqlite3
import struct
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import relay
from relay.settings import load_settings
from relay.store.migrate import Migration, load_migrations, migrate
from relay.store.sqlite import dialect
from tests.conftest import KEY
from tests.receiver import Receiver
from tests.whole.load import Load, arrivals, stored_events
from tests.whole.process import environment, free_port, serve

PATHS = ("/ok/first", "/ok/second")
POINTS = ("before-commit", "before-answer", "after-claim", "before-record")
KILLS = 8
"""How often it dies at most; what is looked for has mostly shown after two."""


@contextlib.asynccontextmanager
async def doomed(data_dir: Path, port: int, failpoint: str = "") -> AsyncIterator[asyncio.subprocess.Process]:
    """A `relay serve` that nobody waits for: it may die while it starts."""
    settings = {"failpoint": failpoint} if failpoint else {}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "relay", "serve", "--port", str(port), "--data-dir", str(data_dir)),
        env=environment(
            bootstrap_key=KEY, allow_targets="127.0.0.0/8", retry_delays="0.2,0.2,0.2", rate_limit="0", **settings
        ),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def dies(data_dir: Path, port: int, failpoint: str) -> None:
    async with doomed(data_dir, port, failpoint) as process, asyncio.timeout(30):
        assert await process.wait() == -signal.SIGKILL


async def subscribe(data_dir: Path, port: int, receiver: Receiver) -> None:
    async with serve(data_dir, port) as server:
        for path in PATHS:
            status, _ = await server.post("/v1/subscriptions", {"url": receiver.url(path)})
            assert status == 201
        assert await server.stop() == 0


def stored_keys(data_dir: Path, scratch: Path) -> set[str]:
    """The idempotency keys in a copy of what a dead process left, write-ahead log included: the file stays as it is."""
    scratch.mkdir(exist_ok=True)
    for name in ("relay.db", "relay.db-wal"):
        shutil.copy(data_dir / name, scratch / name)
    copy = sqlite3.connect(scratch / "relay.db")
    try:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return {key for (key,) in copy.execute("SELECT key FROM idempotency")}
    finally:
        copy.close()


async def everything_arrived_once(url: str, load: Load, receiver: Receiver) -> None:
    """Each key became one event, and each event reached both subscriptions, each under one delivery id."""
    stored = await stored_events(url)
    assert sorted(stored) == sorted(load.answered.values())
    expected = {(path, event_id) for path in PATHS for event_id in stored}
    async with asyncio.timeout(40):
        while not expected <= arrivals(receiver).keys():
            await asyncio.sleep(0.1)
    arrived = arrivals(receiver)
    assert arrived.keys() == expected
    assert {pair: ids for pair, ids in arrived.items() if len(set(ids)) > 1} == {}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("point", POINTS)
async def test_what_was_answered_survives_a_death_at_a_named_point(
    point: str, tmp_path: Path, receiver: Receiver
) -> None:
    data_dir, port = tmp_path / "relay", free_port()
    await subscribe(data_dir, port, receiver)
    load = Load(f"http://127.0.0.1:{port}")
    stored_unanswered: set[str] = set()
    async with load.running():
        for kill in range(KILLS):
            await dies(data_dir, port, f"{point}:{30 + 7 * kill}")
            stored = stored_keys(data_dir, tmp_path / "copy")
            assert load.answered.keys() <= stored, "answered, and not on the disk"
            stored_unanswered |= stored - load.answered.keys()
            if kill and (point != "before-answer" or stored_unanswered):
                break
        async with serve(data_dir, port, rate_limit="0") as server:
            await asyncio.sleep(0.2)
            await load.end()
            await everything_arrived_once(server.url, load, receiver)
            assert await server.stop() == 0

    assert load.retried, "every death left somebody without an answer"
    if point == "before-answer":
        assert stored_unanswered, "the events were on the disk, their clients did not know"
    if point == "before-record":
        assert any(len(ids) > 1 for ids in arrivals(receiver).values()), "sent, not recorded, sent again"


@pytest.mark.timeout(120)
async def test_a_death_in_a_checkpoint_leaves_a_whole_file(tmp_path: Path, receiver: Receiver) -> None:
    """Pages go from the write-ahead log into the file only then, so the first change of the file gives it away.

    The log's index says afterwards how far the checkpoint was: begun, and not ended.
    """
    data_dir, port = tmp_path / "relay", free_port()
    await subscribe(data_dir, port, receiver)
    load = Load(f"http://127.0.0.1:{port}", {"text": "x" * 100_000})
    caught_in_the_middle = False
    async with load.running(clients=3):
        for _ in range(KILLS):
            async with doomed(data_dir, port) as process, asyncio.timeout(30):
                before = len(load.answered)
                while len(load.answered) < before + 3:
                    await asyncio.sleep(0.01)
                killer = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-c", _KILL_WHEN_IT_CHANGES, str(data_dir / "relay.db"), str(process.pid))
                )
                assert await process.wait() == -signal.SIGKILL
                await killer.wait()
            caught_in_the_middle = _in_the_middle(data_dir / "relay.db-shm")
            assert load.answered.keys() <= stored_keys(data_dir, tmp_path / "copy")
            if caught_in_the_middle:
                break
        async with serve(data_dir, port, rate_limit="0") as server:
            await load.end()
            await everything_arrived_once(server.url, load, receiver)
            assert await server.stop() == 0

    assert caught_in_the_middle, f"not one of {KILLS} deaths was within a checkpoint"
    assert load.retried


_KILL_WHEN_IT_CHANGES = """
import os, signal, sys
path, pid = sys.argv[1], int(sys.argv[2])
before = os.stat(path).st_mtime_ns
while os.stat(path).st_mtime_ns == before:
    pass
os.kill(pid, signal.SIGKILL)
"""


def _in_the_middle(index: Path) -> bool:
    # Two copies of the 48-byte header, then nBackfill, five read marks, eight lock bytes, nBackfillAttempted.
    done, attempted = struct.unpack("=I28xI", index.read_bytes()[96:132])
    return bool(attempted > done)


@pytest.mark.parametrize("passed", [1, 2])
async def test_a_death_in_a_migration_leaves_the_old_schema_and_the_next_start_the_new(
    tmp_path: Path, passed: int
) -> None:
    """The failpoint is passed after each migration; the commit comes after the last."""
    data_dir, port = tmp_path / "relay", free_port()
    data_dir.mkdir()
    (data_dir / "secret.key").write_text("the key that was made with it\n")
    path = data_dir / "relay.db"
    first, *later = [Migration(one.number, one.name, dialect(one.text)) for one in load_migrations()]
    assert passed <= len(later)
    older = sqlite3.connect(path, isolation_level=None)
    older.execute("PRAGMA journal_mode = WAL")
    migrate(older, [first], path)
    older.execute("INSERT INTO workspaces (id, name, created_at) VALUES ('ws_old', 'default', 1)")
    older.execute(
        "INSERT INTO events (workspace_id, id, type, payload, created_at) "
        "VALUES ('ws_old', '01JAB3K5XYZQRSTUVWXYZABCDE', 'order.created', '{}', 1)"
    )
    old_schema = _schema(older)
    older.close()

    await dies(data_dir, port, f"in-migration:{passed}")
    left = sqlite3.connect(path)
    assert _schema(left) == old_schema
    assert left.execute("SELECT number FROM migrations").fetchall() == [(1,)]
    left.close()

    async with serve(data_dir, port) as server:
        assert await stored_events(server.url) == ["01JAB3K5XYZQRSTUVWXYZABCDE"]
        assert await server.stop() == 0
    new = sqlite3.connect(path)
    assert new.execute("SELECT COUNT(*) FROM migrations").fetchone() == (1 + len(later),)
    new.close()
    kept = sqlite3.connect(path.with_name("relay.db.before-0002"))
    assert _schema(kept) == old_schema
    kept.close()


def _schema(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    return connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


def test_every_failpoint_of_the_server_is_passed_here() -> None:
    source = "".join(file.read_text() for file in Path(relay.__file__).parent.rglob("*.py"))
    named = set(re.findall(r'failpoint\("([\w-]+)"\)', source))

    assert named == {*POINTS, "in-migration"}


def test_the_variable_is_not_reported_as_an_unknown_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_FAILPOINT", "before-commit:1")
    assert "RELAY_FAILPOINT" not in load_settings().unknown
