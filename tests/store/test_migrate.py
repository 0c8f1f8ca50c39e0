"""Bringing a file to the schema of this release: all or nothing, never backwards, and with a copy kept."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from relay.core.errors import StartError
from relay.store.migrate import Migration, load_migrations, migrate

FIRST = Migration(1, "first", "CREATE TABLE one (id TEXT PRIMARY KEY); -- a comment; with a semicolon\n")
SECOND = Migration(2, "second", "CREATE TABLE two (id TEXT PRIMARY KEY); INSERT INTO two SELECT id FROM one;")
BROKEN = Migration(2, "broken", "CREATE TABLE two (id TEXT PRIMARY KEY); INSERT INTO nowhere VALUES (1);")


def tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "relay.db"


@pytest.fixture
def connection(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def test_the_migrations_are_numbered_without_a_gap() -> None:
    assert [migration.number for migration in load_migrations()] == list(range(1, len(load_migrations()) + 1))


def test_each_is_applied_once(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection, [FIRST], path)
    connection.execute("INSERT INTO one VALUES ('kept')")
    migrate(connection, [FIRST, SECOND], path)
    migrate(connection, [FIRST, SECOND], path)

    assert tables(connection) == {"migrations", "one", "two"}
    assert connection.execute("SELECT id FROM two").fetchall() == [("kept",)]
    connection.close()


def test_an_older_file_is_copied_first(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection, [FIRST], path)
    connection.execute("INSERT INTO one VALUES ('kept')")
    migrate(connection, [FIRST, SECOND], path)
    connection.close()

    copy = sqlite3.connect(path.with_name("relay.db.before-0002"))
    assert tables(copy) == {"migrations", "one"}
    assert copy.execute("SELECT id FROM one").fetchall() == [("kept",)]
    copy.close()


def test_one_that_fails_leaves_the_file_as_it_was(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection, [FIRST], path)
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, [FIRST, BROKEN], path)

    assert tables(connection) == {"migrations", "one"}
    connection.close()


def test_a_file_of_a_newer_release_is_refused(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection, [FIRST, SECOND], path)
    with pytest.raises(StartError, match="newer Relay"):
        migrate(connection, [FIRST], path)
    connection.close()


def test_a_file_with_another_past_is_refused(connection: sqlite3.Connection, path: Path) -> None:
    """A migration that was edited after its release would leave two kinds of files in the world."""
    migrate(connection, [FIRST], path)
    with pytest.raises(StartError, match="differs"):
        migrate(connection, [FIRST._replace(text="CREATE TABLE other (id TEXT)")], path)
    connection.close()
