"""Brings a SQLite file to the schema of this release: numbered SQL files, each applied once, all in one transaction."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import structlog

from relay.core.errors import StartError
from relay.store.failpoint import failpoint

_PATIENCE = "wait: a large file takes some seconds for each million deliveries, and a copy of it is kept"

log = structlog.get_logger("relay.store")

_FILE_NAME = re.compile(r"(\d{4})_(\w+)\.sql")


class Migration(NamedTuple):
    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def load_migrations() -> list[Migration]:
    """The migrations of this release, in order."""
    files = (resources.files("relay") / "store" / "migrations").iterdir()
    named = [(file, match) for file in files if (match := _FILE_NAME.fullmatch(file.name))]
    return sorted(Migration(int(match[1]), match[2], file.read_text("utf-8")) for file, match in named)


def migrate(connection: sqlite3.Connection, migrations: list[Migration], path: Path) -> None:
    """Apply what is missing. An older file is first copied beside itself, so that there is always a way back.

    Raises StartError for a file of a newer release, or one whose past differs from this release's.
    """
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations (number BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL)"
    )
    applied = check_past(connection, migrations, path)
    missing = [migration for migration in migrations if migration.number not in applied]
    if not missing:
        return
    if applied:
        log.info("the database is brought up to date", detail=f"from schema {max(applied)}", next=_PATIENCE)
        _copy(connection, path.with_name(f"{path.name}.before-{missing[0].number:04d}"))
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Looked at again under the lock: two programs that start together must not both migrate.
        applied = _applied(connection)
        for migration in migrations:
            if migration.number in applied:
                continue
            for statement in _statements(migration.text):
                connection.execute(statement)
            row = (migration.number, migration.name, migration.checksum)
            connection.execute("INSERT INTO migrations VALUES (?, ?, ?)", row)
            failpoint("in-migration")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def check_schema(connection: sqlite3.Connection, migrations: list[Migration], path: Path) -> None:
    """Raise StartError unless the file has the schema of this release: only `relay serve` brings it there."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "migrations" not in tables:
        raise StartError(f"{path} is no database of Relay")
    applied, newest = check_past(connection, migrations, path), migrations[-1].number
    if any(migration.number not in applied for migration in migrations):
        raise StartError(
            f"{path} is of an older Relay (schema {max(applied, default=0)}, this one needs {newest}): use the relay"
            " command of the version that serves it, or stop that and start relay serve of this version"
        )


def check_past(connection: sqlite3.Connection, migrations: list[Migration], path: Path) -> dict[int, str]:
    """The migrations that were applied: number → checksum. Raises StartError when they are not this release's."""
    applied = _applied(connection)
    newest = migrations[-1].number
    if applied and max(applied) > newest:
        raise StartError(
            f"{path} was written by a newer Relay (schema {max(applied)}, this one knows {newest}); upgrade Relay"
        )
    for migration in migrations:
        if applied.get(migration.number, migration.checksum) != migration.checksum:
            which = f"{migration.number:04d}_{migration.name}"
            raise StartError(f"the schema of {path} differs from this release in {which}; restore it from a backup")
    return applied


def _applied(connection: sqlite3.Connection) -> dict[int, str]:
    return {row[0]: row[1] for row in connection.execute("SELECT number, checksum FROM migrations").fetchall()}


def _statements(text: str) -> list[str]:
    without_comments = re.sub(r"--[^\n]*", "", text)
    return [part for part in without_comments.split(";") if part.strip()]


def _copy(connection: sqlite3.Connection, target: Path) -> None:
    copy = sqlite3.connect(target)
    try:
        connection.backup(copy)
    finally:
        copy.close()
    target.chmod(0o600)
