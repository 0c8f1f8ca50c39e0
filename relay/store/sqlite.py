"""The embedded database: one SQLite file, one writer thread that shares its commits, readers beside it.

A commit costs a sync of the disk, so the writer takes whatever has gathered while it was busy and commits it at once:
nobody waits for a full group, and under load a sync is shared by many. When one work of a group fails, the group is
rolled back and run again with a savepoint around each, so that the one is refused and the others are kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import aiosqlite

from relay.core.conditions import Condition, Conditions
from relay.core.errors import (
    StartError,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreReadOnly,
)
from relay.store.database import Sizes, Statement, Steps, T, Work, load_statements, statement, work
from relay.store.failpoint import failpoint
from relay.store.migrate import Migration, check_schema, load_migrations, migrate
from relay.store.ownership import Place, need_one_name, owned, real_path
from relay.store.turns import Turns

BUSY_TIMEOUT_MS = 5_000
GROUP_LIMIT = 512
"""How many works share a commit at most: it bounds how long the first of them waits."""
QUEUE_LIMIT = 20_000
"""How many works may wait; beyond it the database is told to be busy rather than the memory to be endless."""
READERS = 2
"""For look-ups of a few rows: keys, what is due, the health."""
LIST_READERS = 2
"""For lists: they may take long, and have others wait only for lists."""
REFUSED_S = 5.0
"""How long a refused write is taken for the state of the disk. A write that succeeds proves little: a small one may."""
LOOK_S = 0.05
"""How old a look at the place of the file may be for a commit: each look has the event loop wait for this thread."""
PROBE_S = 1.0
"""How long what a probe found is told again, so that whoever asks often costs nothing."""
CHECK_LIMIT_S = 2.0
"""How long the integrity check at the start may take; a large file is checked as far as that goes."""


_TROUBLES = (Condition.DISK_FULL, Condition.READ_ONLY, Condition.LOCKED, Condition.MOVED)
_PROBE = {
    "probe": "PRAGMA user_version",
    "probe_0": "PRAGMA user_version = 0",
    "probe_1": "PRAGMA user_version = 1",
}
"""A write that leaves no trace but one page: a number that SQLite keeps for programs, and Relay does not use."""


class _Waiting(NamedTuple):
    work: Work[Any]
    future: asyncio.Future[Any]


class SqliteDatabase:
    """A database file. Use `open_sqlite`, which also closes it."""

    def __init__(self, path: Path, conditions: Conditions) -> None:
        """`conditions` are told what keeps the file from being written, and when that is over."""
        self.path = path
        self._conditions = conditions
        self._statements = {name: dialect(text) for name, text in {**load_statements(), **_PROBE}.items()}
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._write_groups, name="relay-writer", daemon=True)
        self._writer = _connect(path)
        self._readers: Turns[aiosqlite.Connection] = Turns()
        self._list_readers: Turns[aiosqlite.Connection] = Turns()
        self._all_readers: list[aiosqlite.Connection] = []
        self._closed = False
        self._refused_at_s = -REFUSED_S
        self._place: Place | None = None
        self._found_amiss: str | None = None
        self._is_away = False
        """Whether the writer has found its file not in its place; only its thread looks at this."""
        self._looked_at_s = 0.0
        self._probing: asyncio.Task[None] | None = None
        self._probed_at_s = -PROBE_S
        self.leave_note: Callable[[str], None] = lambda note: None
        """Say something to `ownership.holder_of`, which commands beside the server ask."""
        self.damaged: asyncio.Future[StoreCorrupt] = self._loop.create_future()
        """Done when SQLite reports damage. That is fatal: an insert may still succeed on a file that cannot be read."""

    def sizes(self) -> Sizes:
        """Of the file and of its write-ahead log; 0 for one that is not there."""
        return Sizes(_size(self.path), _size(self.path.with_name(self.path.name + "-wal")))

    async def start(self, *, serve: bool, read_only: bool, named: Path) -> None:
        """`named` is the path in the settings, which may be a link that is led elsewhere one day."""
        migrations = [Migration(m.number, m.name, dialect(m.text)) for m in load_migrations()]
        prepare = _prepare if serve else _prepare_beside
        await asyncio.to_thread(prepare, self._writer, migrations, self.path)
        if serve:
            logs = [self.path.with_name(self.path.name + suffix) for suffix in ("-wal", "-shm")]
            self._place = Place(named, self.path, *logs)
        for readers in [self._readers] * READERS + [self._list_readers] * LIST_READERS:
            reader = await aiosqlite.connect(f"{self.path.as_uri()}?mode=ro", uri=True, isolation_level=None)
            self._all_readers.append(reader)
            reader.row_factory = sqlite3.Row
            await reader.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            readers.add(reader)
        if read_only:
            self._writer.execute("PRAGMA query_only = ON")
        self._thread.start()

    async def probe(self) -> None:
        """Raise StoreError as a write would get it now; it is one, shared by all who ask within a second."""
        now_s = time.monotonic()
        if self._probing is None or (self._probing.done() and now_s - self._probed_at_s >= PROBE_S):
            self._probed_at_s = now_s
            self._probing = self._loop.create_task(self.write(_probe()))
            self._probing.add_done_callback(_retrieved)
        await asyncio.shield(self._probing)

    async def look(self) -> None:
        """The chore that notices, without anybody writing, that the file is gone, or can be written again."""
        if self._amiss() is not None or any(self._conditions.holds(one) for one in _TROUBLES):
            with contextlib.suppress(StoreError):
                await self.probe()

    def _amiss(self, *, within_s: float = 0.0) -> str | None:
        """What is wrong with the place of the file, as of so long ago at most."""
        now_s = time.monotonic()
        if self._place is not None and (self._found_amiss is not None or now_s - self._looked_at_s >= within_s):
            self._found_amiss, self._looked_at_s = self._place.amiss(), now_s
        return self._found_amiss

    async def write(self, work: Work[T]) -> T:
        """Run a work in the next commit."""
        if self._closed:
            raise StoreBusy("the database is closing")
        if self._queue.qsize() >= QUEUE_LIMIT:
            raise StoreBusy("too much is waiting to be written; try again")
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(_Waiting(work, future))
        return await future

    async def read(self, work: Work[T], *, list_of: str = "") -> T:
        """Run a work that only reads; it sees what was committed before each of its statements."""
        async with (self._list_readers if list_of else self._readers).lent(list_of) as reader:
            try:
                steps = iter(work)
                step = next(steps)
                while True:
                    rows = await reader.execute_fetchall(self._statements[step.name], step.parameters)
                    step = steps.send(list(rows))  # type: ignore[arg-type]
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]
            except sqlite3.Error as error:
                raise self._store_error(error) from error

    def _report(self, damage: StoreCorrupt) -> None:
        if not self.damaged.done():
            self.damaged.set_result(damage)

    async def close(self) -> None:
        """Commit what is waiting, empty the write-ahead log of a file that was served, close."""
        if self._closed:
            return
        self._closed = True
        if self._thread.is_alive():
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)
        # An open aiosqlite connection keeps its thread, and the process, alive for ever.
        for reader in self._all_readers:
            await reader.close()
        if self._place is not None:  # a command beside a server leaves that to it
            with contextlib.suppress(sqlite3.Error):
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._writer.close()

    # From here on: the writer thread.

    def _write_groups(self) -> None:
        while True:
            waiting = self._queue.get()
            if waiting is None:
                return
            group, stop = [waiting], False
            while len(group) < GROUP_LIMIT:
                try:
                    waiting = self._queue.get_nowait()
                except queue.Empty:
                    break
                if waiting is None:
                    stop = True
                    break
                group.append(waiting)
            results = self._run_group(group)
            failpoint("before-answer")
            # One hop to the loop for the whole group: each hop wakes the loop's selector through a pipe.
            with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits any more
                self._loop.call_soon_threadsafe(_resolve, group, results)
            if stop:
                return

    def _run_group(self, group: list[_Waiting]) -> list[Any]:
        try:
            with self._transaction():
                return [self._run(waiting.work) for waiting in group]
        except Exception as error:
            # Apart they would wait as long again for a lock, and in vain for a file that is gone.
            if len(group) == 1 or isinstance(error, StoreError):
                return [self._refusal(error)] * len(group)
        try:
            with self._transaction():
                return [self._run_apart(waiting.work) for waiting in group]
        except sqlite3.IntegrityError:
            # A reference that is looked at with the commit is broken, and only one of them can have done it.
            return [self._run_alone(waiting.work) for waiting in group]
        except Exception as error:
            return [self._refusal(error)] * len(group)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        execute = self._writer.execute
        try:
            execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            self._need_place()
            raise self._store_error(error) from error
        try:
            yield
            failpoint("before-commit")
            amiss = self._amiss(within_s=LOOK_S)
            if amiss is None:
                execute("COMMIT")
        except BaseException as error:
            if self._writer.in_transaction:
                execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                self._need_place()
            raise
        if amiss is not None:
            execute("ROLLBACK")
            self._gone(amiss)
        self._is_away = False
        self._conditions.end(Condition.MOVED)
        self._conditions.end(Condition.LOCKED)
        if time.monotonic() - self._refused_at_s >= REFUSED_S:
            self._conditions.end(Condition.DISK_FULL)
            self._conditions.end(Condition.READ_ONLY)

    def _run_apart(self, work: Work[Any]) -> Any:
        execute = self._writer.execute
        execute("SAVEPOINT apart")
        try:
            result = self._run(work)
        except Exception as error:
            if not self._writer.in_transaction:
                raise  # SQLite has rolled everything back by itself: a full disk, an i/o error
            execute("ROLLBACK TO apart")
            result = self._refusal(error)
        execute("RELEASE apart")
        return result

    def _run_alone(self, work: Work[Any]) -> Any:
        try:
            with self._transaction():
                return self._run(work)
        except Exception as error:
            return self._refusal(error)

    def _run(self, work: Work[Any]) -> Any:
        statements, execute = self._statements, self._writer.execute
        steps = iter(work)
        try:
            step: Statement = next(steps)
            while True:
                name, parameters = step
                if type(parameters) is list:
                    self._writer.executemany(statements[name], parameters)
                    step = steps.send(())
                else:
                    cursor = execute(statements[name], parameters)
                    step = steps.send(cursor.fetchall() if cursor.description else ())
        except StopIteration as done:
            return done.value

    def _refusal(self, error: Exception) -> _Refusal:
        return _Refusal(self._store_error(error) if isinstance(error, sqlite3.Error) else error)

    def _store_error(self, error: sqlite3.Error) -> StoreError:
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:
            return StoreError(str(error))
        match code & 0xFF:  # the low byte is the kind, the rest says more about it
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                self._conditions.begin(Condition.LOCKED, str(error))
                return StoreBusy()
            case sqlite3.SQLITE_FULL:
                self._refused(Condition.DISK_FULL, error)
                return StoreFull()
            case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CANTOPEN:
                self._refused(Condition.READ_ONLY, error)
                return StoreReadOnly()
            case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
                damage = StoreCorrupt(f"{self.path} is damaged ({error}); restore it from a backup")
                self._loop.call_soon_threadsafe(self._report, damage)
                return damage
            case _:
                return StoreError(str(error))

    def _need_place(self) -> None:
        """SQLite may notice first that its file is not in its place, and calls that read-only or an i/o error."""
        if (amiss := self._amiss()) is not None:
            self._gone(amiss)

    def _gone(self, amiss: str) -> NoReturn:
        if not self._is_away:
            self._is_away = True
            # What is in the log alone would be lost with it, and missing in a file that was renamed.
            with contextlib.suppress(sqlite3.Error):
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._conditions.begin(Condition.MOVED, amiss)
        raise StoreReadOnly(f"the database file is not in its place: {amiss}")

    def _refused(self, condition: Condition, error: sqlite3.Error) -> None:
        self._refused_at_s = time.monotonic()
        if (amiss := self._amiss()) is not None:
            # A reader may be the first to meet it that the file is not in its place.
            self._conditions.begin(Condition.MOVED, amiss)
        else:
            self._conditions.begin(condition, str(error))


class _Refusal(NamedTuple):
    error: Exception


def _resolve(group: list[_Waiting], results: list[Any]) -> None:
    for (_, future), result in zip(group, results, strict=True):
        if future.done():
            continue  # whoever waited has been cancelled; the work stands all the same
        if type(result) is _Refusal:
            future.set_exception(result.error)
        else:
            future.set_result(result)


def dialect(text: str) -> str:
    """A statement as SQLite takes it."""
    return text.replace("/* without rowid */", "WITHOUT ROWID")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _connect(path: Path) -> sqlite3.Connection:
    try:
        # It is there: whoever may make it has done so.
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None, check_same_thread=False, cached_statements=512
        )
    except sqlite3.Error as error:
        raise StartError(f"cannot open the database {path}: {error}") from error
    connection.row_factory = sqlite3.Row
    return connection


def _prepare(connection: sqlite3.Connection, migrations: list[Migration], path: Path) -> None:
    with _refused_in_one_line(connection, path):
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA journal_mode = WAL")
        # FULL: a commit is on the disk before anybody is told of it.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -8192")
        # A page that many commits change is copied into the file once for all of them.
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        _check(connection, path)
        # A migration may take a row away before those that refer to it; from then on references hold.
        connection.execute("PRAGMA foreign_keys = OFF")
        migrate(connection, migrations, path)
        connection.execute("PRAGMA foreign_keys = ON")
        path.chmod(0o600)


def _prepare_beside(connection: sqlite3.Connection, migrations: list[Migration], path: Path) -> None:
    """For a command: the file stays as it is until something is really to be written."""
    with _refused_in_one_line(connection, path):
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        check_schema(connection, migrations, path)


@contextlib.contextmanager
def _refused_in_one_line(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        connection.close()
        raise StartError(_why_not(error, path)) from error
    except StartError:
        connection.close()
        raise


def _why_not(error: Exception, path: Path) -> str:
    kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if kind in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return f"{path} is not a database or is damaged ({error}); restore it from a backup, nothing was changed"
    if kind in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
        return f"{path} cannot be written; check the permissions of the file and its folder"
    if kind == sqlite3.SQLITE_BUSY:
        return f"{path} is locked by another program; close it and start again"
    if kind == sqlite3.SQLITE_FULL:
        return f"no room is left on the disk of {path}"
    return f"cannot open the database {path}: {error}"


def _check(connection: sqlite3.Connection, path: Path) -> None:
    # A damaged page can go unnoticed for long while inserts succeed, so look before the first of them.
    timer = threading.Timer(CHECK_LIMIT_S, connection.interrupt)
    timer.start()
    try:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return
    finally:
        timer.cancel()
    if found != "ok":
        raise StartError(f"{path} is damaged ({found}); restore it from a backup, nothing was changed")


@work
def _probe() -> Steps[None]:
    rows = yield statement("probe")
    yield statement("probe_0" if rows[0]["user_version"] else "probe_1")


def _retrieved(probing: asyncio.Task[None]) -> None:
    if not probing.cancelled():
        probing.exception()  # nobody may be waiting any more; what it found is in the conditions


@contextlib.asynccontextmanager
async def open_sqlite(
    path: Path, *, serve: bool, read_only: bool = False, conditions: Conditions | None = None
) -> AsyncIterator[SqliteDatabase]:
    """Open a database file, and close it at the end.

    `serve` makes it if need be, brings its schema up to date and claims it for this process: only one may send its
    deliveries. Without it the file has to be there, with the schema of this release, and is shared; `read_only` then
    refuses to write. Raises StartError with the one line the operator should see, StoreError when there is no file.
    """
    real = real_path(path)
    if not serve:
        need_database(path)
    with owned(real, make=True) if serve else contextlib.nullcontext(lambda note: None) as leave_note:
        database = SqliteDatabase(real, conditions or Conditions(time.monotonic, lambda change: None))
        database.leave_note = leave_note
        try:
            await database.start(serve=serve, read_only=read_only, named=path.absolute())  # noqa: ASYNC240 - no file
            yield database
        finally:
            await database.close()


def need_database(path: Path) -> None:
    """Raise StoreError when there is no such file, StartError when it must not be opened by this name."""
    if not path.is_file():
        raise StoreError(
            f"there is no database {path.absolute()}; name its folder with --data-dir, or make one with relay serve"
        )
    need_one_name(real_path(path))
