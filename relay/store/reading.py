"""A database file that is only looked at: its schema stays, no side file is left, and no statement takes for ever."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from relay.core.errors import StartError, StoreBusy, StoreCorrupt, StoreError
from relay.store.database import T, Work, load_statements
from relay.store.migrate import check_past, load_migrations
from relay.store.sqlite import dialect

LOCK_WAIT_S = 2.0
STATEMENT_LIMIT_S = 10.0
_STEPS = 20_000
"""How many of its instructions SQLite runs before it asks whether time is up: a few milliseconds."""


class Schema(NamedTuple):
    """How far a file has been brought, and how far this release would bring it; None when it is none of Relay's."""

    number: int | None
    newest: int
    fault: str | None
    """What keeps this release from using the file."""


class Integrity(NamedTuple):
    """What SQLite found in its own structures: a fault, or None. `complete` when there was time for all of it."""

    fault: str | None
    complete: bool


class Reading:
    """Runs works that only read. Use `open_reading`, which also closes it."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._statements = {name: dialect(text) for name, text in load_statements().items()}

    def read(self, work: Work[T]) -> T:
        """Run a work; raises StoreError when the file does not give it, or not in time."""
        steps = iter(work)
        try:
            step = next(steps)
            while True:
                with self._told(), self._within(STATEMENT_LIMIT_S):
                    rows = self._connection.execute(self._statements[step.name], step.parameters).fetchall()
                step = steps.send(rows)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]

    def schema(self) -> Schema:
        migrations = [one._replace(text=dialect(one.text)) for one in load_migrations()]
        newest = migrations[-1].number
        with self._told():
            tables = {row[0] for row in self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if "migrations" not in tables:
                return Schema(None, newest, f"{self._path} is no database of Relay")
            [number] = self._connection.execute("SELECT MAX(number) FROM migrations").fetchone()
            try:
                check_past(self._connection, migrations, self._path)
            except StartError as error:
                return Schema(number, newest, error.message)
        return Schema(number, newest, None)

    def integrity(self, limit_s: float) -> Integrity:
        """Look for damage for so long at most."""
        try:
            with self._told(), self._within(limit_s):
                found = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        except StoreBusy:
            return Integrity(None, complete=False)
        except StoreCorrupt as error:
            return Integrity(error.message, complete=True)
        return Integrity(None if found == "ok" else str(found), complete=True)

    @contextlib.contextmanager
    def _within(self, limit_s: float) -> Iterator[None]:
        until = time.monotonic() + limit_s
        self._connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
        try:
            yield
        finally:
            self._connection.set_progress_handler(None, 0)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _store_error(error, self._path) from error


@contextlib.contextmanager
def open_reading(path: Path) -> Iterator[Reading]:
    """Open a database file beside whoever serves it. Raises StoreError when it cannot be opened for reading."""
    path = path.resolve()
    # Without a log nobody has the file open, and all is in it. Asked to read only, SQLite would still make a log and
    # its index, and leave them behind.
    alone = not path.with_name(path.name + "-wal").exists()
    try:
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode=ro{'&immutable=1' if alone else ''}",
            uri=True,
            isolation_level=None,
            timeout=LOCK_WAIT_S,
        )
    except sqlite3.Error as error:
        raise _store_error(error, path) from error
    connection.row_factory = sqlite3.Row
    try:
        yield Reading(connection, path)
    finally:
        connection.close()


def _store_error(error: sqlite3.Error, path: Path) -> StoreError:
    kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if kind in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreCorrupt(f"{path} is damaged ({error})")
    if kind == sqlite3.SQLITE_INTERRUPT:
        return StoreBusy(f"{path} takes too long to be read")
    if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusy(f"{path} is locked by another program")
    return StoreError(f"{path} cannot be read: {error}")
