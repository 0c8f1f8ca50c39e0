"""What refers to what, and the rows that refer to nothing."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import NamedTuple


class Relation(NamedTuple):
    """Each row of a table with a value in a column needs one of another table."""

    table: str
    column: str
    parent: str
    key: str = "id"


UNDECLARED = (
    # On the way of every event: declared, each would be looked up once more with each insert.
    Relation("events", "workspace_id", "workspaces"),
    Relation("bodies", "event_id", "events"),
    Relation("deliveries", "workspace_id", "workspaces"),
    Relation("deliveries", "event_id", "events"),
    Relation("deliveries", "event_id", "bodies", "event_id"),
    Relation("deliveries", "subscription_id", "subscriptions"),
    Relation("attempts", "delivery_id", "deliveries"),
    Relation("idempotency", "workspace_id", "workspaces"),
    Relation("recoveries", "subscription_id", "subscriptions"),
)
LOOSE = {
    ("idempotency", "event_id"): "an event may go before the window of its key has passed; the key is then taken over",
    (
        "subscriptions",
        "api_key_id",
    ): "the keys of a deleted workspace go at once, its subscriptions with its deliveries",
    ("farewells", "subscription_id"): "a platform is told of a hook that may be gone by then",
    ("submissions", "hubspot_contact_id"): "an id of somebody else",
}
"""Columns that name a row which may be gone, and why."""


def relations(connection: sqlite3.Connection) -> list[Relation]:
    """The declared ones and the others."""
    declared = [
        Relation(table, row[3], row[2], row[4] or "id")
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for row in connection.execute(f"PRAGMA foreign_key_list({table})")
    ]
    return [*declared, *UNDECLARED]


def orphans(database: sqlite3.Connection | Path) -> list[str]:
    """The rows that refer to nothing, by relation: `table.column`, and how many."""
    if isinstance(database, Path):
        with contextlib.closing(sqlite3.connect(database)) as connection:
            return orphans(connection)
    found = []
    for table, column, parent, key in relations(database):
        (count,) = database.execute(
            f"SELECT COUNT(*) FROM {table} WHERE {column} IS NOT NULL AND {column} NOT IN (SELECT {key} FROM {parent})"
        ).fetchone()
        if count:
            found.append(f"{table}.{column}: {count} without a row of {parent}")
    return found
