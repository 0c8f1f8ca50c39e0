"""A database file is known by what it is: links lead to one file, and a file that moves is missed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from relay.core.conditions import Change, Condition, Conditions
from relay.core.errors import StartError, StoreError, StoreReadOnly
from relay.store import workspaces
from relay.store.backup import back_up, restore
from relay.store.ownership import holder_of
from relay.store.sqlite import LOOK_S, SqliteDatabase, open_sqlite


@contextlib.contextmanager
def served_elsewhere(path: Path) -> Iterator[int]:
    """Another process that serves the file."""
    command = [sys.executable, "-c", _SERVE, str(path)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "serving\n"
        yield holder.pid
    finally:
        holder.kill()
        holder.communicate()


_SERVE = """
import asyncio, sys
from pathlib import Path
from relay.store import workspaces
from relay.store.sqlite import open_sqlite
async def serve():
    async with open_sqlite(Path(sys.argv[1]), serve=True) as database:
        await database.write(workspaces.ensure("acme", 1))
        database.leave_note("a note")
        print("serving", flush=True)
        await asyncio.sleep(60)
asyncio.run(serve())
"""


def soft(path: Path, name: Path) -> Path:
    name.symlink_to(path)
    return name


def soft_relative(path: Path, name: Path) -> Path:
    name.symlink_to(os.path.relpath(path, name.parent))
    return name


def soft_twice(path: Path, name: Path) -> Path:
    return soft(soft(path, name.with_name("between.db")), name)


def soft_folder(path: Path, name: Path) -> Path:
    name.with_name("folder").symlink_to(path.parent)
    return name.with_name("folder") / path.name


def hard(path: Path, name: Path) -> Path:
    name.hardlink_to(path)
    return name


def hard_in_another_folder(path: Path, name: Path) -> Path:
    name.with_name("far").mkdir()
    return hard(path, name.with_name("far") / "other.db")


def soft_to_hard(path: Path, name: Path) -> Path:
    return soft(hard(path, name.with_name("hard.db")), name)


Link = Callable[[Path, Path], Path]
LINKS = (soft, soft_relative, soft_twice, soft_folder, hard, hard_in_another_folder, soft_to_hard)


@pytest.mark.parametrize("link", LINKS)
async def test_a_served_file_is_served_under_every_name(tmp_path: Path, link: Link) -> None:
    path = tmp_path / "data" / "relay.db"
    with served_elsewhere(path) as pid:
        name = link(path, tmp_path / "name.db")
        with pytest.raises(StartError, match=f"process {pid}|has another name too"):
            async with open_sqlite(name, serve=True):
                pass
        backup = tmp_path / "copy.db"
        if "hard" not in link.__name__:
            back_up(name, backup)
            assert names_in(backup) == {"acme"}, "what is in the log belongs to it, under every name"
        else:
            with pytest.raises(StartError, match="has another name too"):
                back_up(name, backup)
            shutil.copy(path, backup)
        with pytest.raises(StartError, match=f"process {pid}|has another name too"):
            restore(backup, name)
        assert name.samefile(path)


def names_in(path: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM workspaces")}


@pytest.mark.parametrize("link", [hard, hard_in_another_folder, soft_to_hard])
async def test_a_command_does_not_open_a_file_by_a_second_name(tmp_path: Path, link: Link) -> None:
    """It would write a log of its own, beside that of the server."""
    path = tmp_path / "data" / "relay.db"
    with served_elsewhere(path):
        name = link(path, tmp_path / "name.db")
        with pytest.raises(StartError, match="has another name too"):
            async with open_sqlite(name, serve=False):
                pass
        assert list(tmp_path.rglob("*-wal")) == [path.with_name("relay.db-wal")]


async def test_a_file_that_was_renamed_is_still_served(tmp_path: Path) -> None:
    """Its new name is free, and its side file is beside the old one."""
    path = tmp_path / "relay.db"
    with served_elsewhere(path):
        path.rename(tmp_path / "renamed.db")
        with pytest.raises(StartError, match="already served, under another name"):
            async with open_sqlite(tmp_path / "renamed.db", serve=True):
                pass


async def test_a_side_file_that_was_removed_opens_no_door(tmp_path: Path) -> None:
    path = tmp_path / "relay.db"
    with served_elsewhere(path):
        path.with_name("relay.db.lock").unlink()
        with pytest.raises(StartError, match="already served"):
            async with open_sqlite(path, serve=True):
                pass
    async with open_sqlite(path, serve=True):
        pass


async def test_a_link_that_leads_nowhere_makes_nothing(tmp_path: Path) -> None:
    """As when the disk it leads to is not mounted; an empty database there would be taken for the real one."""
    name = soft(tmp_path / "unmounted" / "relay.db", tmp_path / "relay.db")
    loop = soft(tmp_path / "loop.db", tmp_path / "loop.db")
    for path, why in ((name, "there is no folder"), (loop, "leads nowhere")):
        with pytest.raises(StartError, match=why):
            async with open_sqlite(path, serve=True):
                pass
    assert not (tmp_path / "unmounted").exists()


async def test_a_restore_replaces_what_a_link_leads_to(tmp_path: Path) -> None:
    path, backup = tmp_path / "data" / "relay.db", tmp_path / "backup.db"
    async with open_sqlite(path, serve=True) as database:
        await database.write(workspaces.ensure("before", 1))
        await asyncio.to_thread(back_up, path, backup)
        await database.write(workspaces.ensure("after", 1))
    name = soft(path, tmp_path / "name.db")

    kept = restore(backup, name).kept

    assert name.is_symlink()
    assert name.resolve() == path
    assert names_in(path) == {"before"}
    assert kept == path.with_name("relay.db.before-restore")
    assert names_in(kept) == {"before", "after"}


async def test_the_second_name_that_a_cut_off_restore_leaves_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "relay.db"
    async with open_sqlite(path, serve=True):
        pass
    path.with_name("relay.db.before-restore").hardlink_to(path)
    path.with_name("relay.db.before-restore-2").hardlink_to(path)
    async with open_sqlite(path, serve=True) as database:
        await database.write(workspaces.ensure("acme", 1))


def test_who_serves_a_file_can_be_asked(tmp_path: Path) -> None:
    path = tmp_path / "relay.db"
    assert holder_of(path) is None
    with served_elsewhere(path) as pid:
        assert holder_of(path) == (str(pid), "a note")
    assert holder_of(path) is None


class Told:
    """What was said to hold, and what is over."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.conditions = Conditions(lambda: 0.0, self.changes.append)

    def said(self) -> list[tuple[Condition, bool]]:
        return [(one.condition, one.lasted_s is None) for one in self.changes]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def database(tmp_path: Path, told: Told) -> AsyncIterator[SqliteDatabase]:
    (tmp_path / "data").mkdir()
    (tmp_path / "named.db").symlink_to(tmp_path / "data" / "relay.db")
    async with open_sqlite(tmp_path / "named.db", serve=True, conditions=told.conditions) as opened:
        await opened.write(workspaces.ensure("before", 1))
        yield opened


def renamed(path: Path) -> Callable[[], object]:
    path.rename(path.with_name("renamed.db"))
    return lambda: path.with_name("renamed.db").rename(path)


def folder_renamed(path: Path) -> Callable[[], object]:
    path.parent.rename(path.parent.with_name("elsewhere"))
    return lambda: path.parent.with_name("elsewhere").rename(path.parent)


def link_led_elsewhere(path: Path) -> Callable[[], object]:
    name = path.parent.with_name("named.db")
    name.unlink()
    other = path.with_name("other.db")
    shutil.copy(path, other)
    name.symlink_to(other)

    def back() -> None:
        name.unlink()
        name.symlink_to(path)

    return back


def log_renamed(path: Path) -> Callable[[], object]:
    log = path.with_name("relay.db-wal")
    log.rename(path.with_name("away"))
    return lambda: path.with_name("away").rename(log)


@pytest.mark.parametrize("move", [renamed, folder_renamed, link_led_elsewhere, log_renamed])
async def test_while_the_file_is_not_in_its_place_nothing_is_taken(
    database: SqliteDatabase, told: Told, move: Callable[[Path], Callable[[], object]]
) -> None:
    back = move(database.path)
    await asyncio.sleep(LOOK_S)  # commits that follow each other quickly share a look
    with pytest.raises(StoreReadOnly, match="not in its place"):
        await database.write(workspaces.ensure("lost", 1))
    with pytest.raises(StoreError):
        await database.probe()
    assert told.said() == [(Condition.MOVED, True)]
    back()
    await database.write(workspaces.ensure("after", 1))
    assert told.said() == [(Condition.MOVED, True), (Condition.MOVED, False)]
    assert {one.name for one in await database.read(workspaces.list_all())} == {"before", "after"}


def removed(path: Path) -> None:
    path.unlink()


def replaced(path: Path) -> None:
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    copy.replace(path)


def log_removed(path: Path) -> None:
    path.with_name("relay.db-wal").unlink()


def index_removed(path: Path) -> None:
    path.with_name("relay.db-shm").unlink()


@pytest.mark.parametrize("harm", [removed, replaced, log_removed, index_removed])
async def test_what_cannot_come_back_is_noticed_without_a_write(
    database: SqliteDatabase, told: Told, harm: Callable[[Path], None]
) -> None:
    harm(database.path)
    await database.look()
    assert told.said() == [(Condition.MOVED, True)]
    await asyncio.gather(*[database.look() for _ in range(3)])
    assert len(told.changes) == 1, "said once"
    with pytest.raises(StoreReadOnly):
        await database.write(workspaces.ensure("lost", 1))


@pytest.mark.parametrize("harm", [renamed, log_removed])
async def test_what_was_answered_is_in_the_file_when_it_or_its_log_goes(
    database: SqliteDatabase, tmp_path: Path, harm: Callable[[Path], object]
) -> None:
    """Also without an orderly stop: it is written out of the log as soon as that is noticed."""
    await database.write(workspaces.ensure("answered", 1))
    harm(database.path)
    await database.look()
    alone = tmp_path / "alone.db"
    shutil.copy(next(database.path.parent.glob("re*.db")), alone)
    assert names_in(alone) == {"before", "answered"}
