"""Backup and restore of a SQLite file: a whole copy while the server runs, and a way back that throws nothing away.

A plain copy of the file would miss what is still in the write-ahead log; SQLite's own backup does not.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from relay.core.errors import StoreError
from relay.store.migrate import check_past, load_migrations
from relay.store.ownership import KEPT, owned, real_path
from relay.store.sqlite import BUSY_TIMEOUT_MS, dialect, need_database

SIDE_FILES = ("-wal", "-shm", "-journal")


class Contents(NamedTuple):
    """What is in a backup."""

    size_bytes: int
    events: int
    pending: int
    """Deliveries that were still to be sent: a restore sends them."""
    newest_event_at_ms: int | None
    unreadable: int | None
    """Signing secrets that the keys at hand cannot open; None without keys."""


CanOpen = Callable[[str], bool] | None
"""Whether the keys at hand open a sealed text; None when there are none."""


class Restored(NamedTuple):
    contents: Contents
    kept: Path | None
    """Where the former file is now; None when there was none."""


def back_up(database: Path, target: Path, can_open: CanOpen = None) -> Contents:
    """Copy a database, as it is at one moment, into a new file for its owner only.

    Nobody who writes has to wait. Raises StoreError, and leaves no file, when there is no database, when the target
    exists, when there is no room.
    """
    need_database(database)
    database = real_path(database)
    _new_file(target)
    try:
        _copy(database, target)
        return _inspected(target, database, can_open)
    except BaseException:
        _remove(target)
        raise


def restore(source: Path, database: Path, can_open: CanOpen = None) -> Restored:
    """Put a backup in the place of a database that nobody serves; the former file stays beside it.

    A path that is a link stays one: the file it leads to is replaced. Raises StoreError when the backup is not a whole
    database of Relay, and StartError when it was written by a newer release or a server has the file. The file is then
    as it was.
    """
    if not source.is_file():
        raise StoreError(f"there is no backup {source}")
    database = real_path(database)
    with owned(database):
        if database.exists() and database.samefile(source):
            raise StoreError(f"{source} is the database itself")
        arriving = database.with_name(f"{database.name}.restoring")
        _remove(arriving)  # of a restore that was cut off
        _new_file(arriving)
        try:
            _copy(source, arriving)
            contents = _inspected(arriving, source, can_open)
            kept = _keep(database) if database.exists() else None
            # A log of the former file would be taken for one of this.
            for suffix in SIDE_FILES:
                database.with_name(database.name + suffix).unlink(missing_ok=True)
            arriving.replace(database)
            _sync_folder(database.parent)
        except BaseException:
            _remove(arriving)
            raise
    return Restored(contents, kept)


def _new_file(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise StoreError(f"{path} exists already; nothing is overwritten") from None
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from None


def _copy(source: Path, target: Path) -> None:
    with _told_in_one_line(source), _connected(source) as original, _connected(target) as copy:
        original.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        # All pages at once: in steps it would begin again whenever the server writes.
        original.backup(copy)
        # One file, that needs no log beside it to be read.
        copy.execute("PRAGMA journal_mode = DELETE")


def _inspected(path: Path, original: Path, can_open: CanOpen) -> Contents:
    """What is in a copy. Raises StoreError unless it is a whole database of a schema this release knows."""
    with _told_in_one_line(original), _connected(path) as connection:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise StoreError(f"{original} is damaged ({found})")
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "migrations" not in tables:
            raise StoreError(f"{original} is no database of Relay")
        check_past(connection, [one._replace(text=dialect(one.text)) for one in load_migrations()], original)
        events, newest_at_ms = connection.execute("SELECT COUNT(*), MAX(created_at) FROM events").fetchone()
        pending = connection.execute("SELECT COUNT(*) FROM deliveries WHERE state = 'pending'").fetchone()[0]
        sealed = connection.execute("SELECT secret FROM subscriptions WHERE removed_at IS NULL")
        unreadable = None if can_open is None else sum(not can_open(text) for (text,) in sealed)
    return Contents(path.stat().st_size, events, pending, newest_at_ms, unreadable)


def _keep(database: Path) -> Path:
    """Give the database a second name, under which it stays; it is never without its first."""
    # What is in the log belongs to it. If the file is too damaged for that, the log is kept as it is.
    with contextlib.suppress(sqlite3.Error), _connected(database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    kept = database.with_name(database.name + KEPT)
    number = 1
    while kept.exists():
        number += 1
        kept = database.with_name(f"{database.name}{KEPT}-{number}")
    for suffix in ("", "-wal"):
        file = database.with_name(database.name + suffix)
        if file.exists():
            _link(file, kept.with_name(kept.name + suffix))
    return kept


def _link(file: Path, name: Path) -> None:
    try:
        name.hardlink_to(file)
    except OSError:  # not every file system has them
        shutil.copy2(file, name)


@contextlib.contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


@contextlib.contextmanager
def _told_in_one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path} cannot be copied or read: {error}") from error


def _remove(path: Path) -> None:
    for suffix in ("", *SIDE_FILES):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
