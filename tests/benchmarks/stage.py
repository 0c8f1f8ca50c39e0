"""Sets the stage by SQL, because a million deliveries take too long through the API."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

# Ids of this form are older than any that the server makes from now on.
_NUMBERS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)"
PAYLOAD = '{"mark":"' + "x" * 180 + '"}'
TYPE = "clip.approved"
"""What the staged events are. The load publishes another type, so that it reaches nobody here."""


@contextlib.contextmanager
def staged(data_dir: Path) -> Iterator[sqlite3.Connection]:
    """The database of a server that is not running, written without care for crashes."""
    with contextlib.closing(sqlite3.connect(data_dir / "relay.db")) as database:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -200000"):
            database.execute(f"PRAGMA {pragma}")
        yield database
        database.commit()
        database.execute("ANALYZE")
        database.execute("PRAGMA journal_mode = WAL")


def workspace_of(database: sqlite3.Connection, subscription_id: str) -> str:
    found = database.execute("SELECT workspace_id FROM subscriptions WHERE id = ?", (subscription_id,)).fetchone()
    return str(found[0])


def add_events(database: sqlite3.Connection, workspace_id: str, count: int) -> None:
    """Events of a moment ago, each with one body."""
    values = {"workspace": workspace_id, "type": TYPE, "payload": PAYLOAD, "now": _now_ms(), "count": count}
    database.execute(
        f"{_NUMBERS} INSERT INTO events (workspace_id, id, type, payload, created_at) "
        "SELECT :workspace, printf('01A%023d', i), :type, :payload, :now - :count + i FROM n",
        values,
    )
    database.execute(
        f"{_NUMBERS} INSERT INTO bodies (event_id, number, body) SELECT printf('01A%023d', i), 0, :payload FROM n",
        values,
    )


def add_deliveries(database: sqlite3.Connection, subscription_id: str, *, delivered: bool = False) -> None:
    """One delivery of each staged event: due now, or delivered long since."""
    database.execute(
        "INSERT INTO deliveries (workspace_id, id, event_id, event_type, subscription_id, body_number, state, "
        "attempts_made, next_attempt_at, final_status_code, created_at, completed_at) "
        "SELECT e.workspace_id, printf('01B%06d%017d', :number, e.rowid), e.id, e.type, :subscription, 0, :state, "
        ":made, CASE WHEN :made = 0 THEN e.created_at END, CASE WHEN :made = 1 THEN 200 END, e.created_at, "
        "CASE WHEN :made = 1 THEN e.created_at END FROM events e WHERE e.type = :type ORDER BY e.rowid",
        {
            "number": database.execute("SELECT COUNT(DISTINCT subscription_id) FROM deliveries").fetchone()[0],
            "subscription": subscription_id,
            "state": "success" if delivered else "pending",
            "made": int(delivered),
            "type": TYPE,
        },
    )


def copy_subscription(database: sqlite3.Connection, subscription_id: str, count: int, target_url: str) -> None:
    """So many more of the same, to `target_url` with their number for each `#`, each with a filter of its own."""
    columns = [row[1] for row in database.execute("PRAGMA table_info(subscriptions)")]
    chosen = {
        "id": "printf('copy-%s-%06d', :tag, i)",
        "target_url": "replace(:url, '#', i)",
        "event_filter": "printf('never.happens_%d', i)",
    }
    database.execute(
        f"{_NUMBERS} INSERT INTO subscriptions ({', '.join(columns)}) "
        f"SELECT {', '.join(chosen.get(column, f's.{column}') for column in columns)} "
        "FROM n JOIN subscriptions s ON s.id = :id",
        {"count": count, "tag": _tag(database), "url": target_url, "id": subscription_id},
    )


def add_deliveries_to_copies(database: sqlite3.Connection) -> None:
    """One delivery of each staged event to each copied subscription, due now."""
    database.execute(
        "INSERT INTO deliveries (workspace_id, id, event_id, event_type, subscription_id, body_number, state, "
        "next_attempt_at, created_at) "
        "SELECT e.workspace_id, printf('01C%05d%018d', e.rowid, s.rowid), e.id, e.type, s.id, 0, 'pending', "
        "e.created_at, e.created_at FROM events e JOIN subscriptions s ON s.id LIKE 'copy-%' WHERE e.type = ?",
        (TYPE,),
    )


def fail_copies(database: sqlite3.Connection, failures: int) -> None:
    """So many failed requests in a row, the first of them a moment ago."""
    database.execute(
        "UPDATE subscriptions SET consecutive_failures = ?, failing_since = ? WHERE id LIKE 'copy-%'",
        (failures, _now_ms()),
    )


def put_off(database: sqlite3.Connection, seconds: float) -> None:
    """Everything that waits falls due so much from now."""
    due_at_ms = _now_ms() + round(seconds * 1000)
    database.execute("UPDATE deliveries SET next_attempt_at = ? WHERE state = 'pending'", (due_at_ms,))


def _tag(database: sqlite3.Connection) -> str:
    return f"{database.execute('SELECT COUNT(*) FROM subscriptions').fetchone()[0]:06d}"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
