"""A past that never happened: events and deliveries of chosen times and states, written into the database itself."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from relay.core import ids
from tests.conftest import Relay

FAR_MS = 2**50


class Past(NamedTuple):
    """An event, and in which state its delivery to each subscription is."""

    at_ms: int
    event_type: str
    states: Sequence[tuple[str, str]]


def write(relay: Relay, past: Sequence[Past]) -> list[str]:
    """Store what happened, the oldest first; the ids of the events. What died did so ten seconds after its event."""
    made = []
    with contextlib.closing(sqlite3.connect(relay.server.database.path)) as connection, connection:
        (workspace_id,) = connection.execute("SELECT id FROM workspaces WHERE name = 'default'").fetchone()
        for one in past:
            event_id = ids.ulid(one.at_ms)
            made.append(event_id)
            connection.execute(
                "INSERT INTO events (workspace_id, id, type, payload, created_at) VALUES (?, ?, ?, '{}', ?)",
                (workspace_id, event_id, one.event_type, one.at_ms),
            )
            connection.execute("INSERT INTO bodies VALUES (?, 0, '{}')", (event_id,))
            for subscription_id, state in one.states:
                due = FAR_MS if state == "pending" else None
                ended = None if state == "pending" else one.at_ms + 10_000
                reason = "refused" if state == "dead" else None
                [api] = connection.execute("SELECT api FROM subscriptions WHERE id = ?", (subscription_id,)).fetchone()
                row = {
                    "workspace_id": workspace_id,
                    "id": ids.ulid(one.at_ms),
                    "event_id": event_id,
                    "event_type": one.event_type,
                    "subscription_id": subscription_id,
                    "api": api,
                    "body_number": 0,
                    "state": state,
                    "dead_reason": reason,
                    "next_attempt_at": due,
                    "created_at": one.at_ms,
                    "completed_at": ended,
                }
                marks = ", ".join("?" * len(row))
                add = f"INSERT INTO deliveries ({', '.join(row)}) VALUES ({marks})"
                connection.execute(add, list(row.values()))
    return made
