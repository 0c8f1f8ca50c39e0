"""Every statement costs what it finds, whatever else is in the database.

Each is looked at in two ways. Its plan may not go through a table, nor through all that a workspace has, nor sort what
it finds. And since a plan does not show how many rows a filter passes over, each is also run on two databases, one
eight times the other, where what it looks for is at the far end: it may not take more steps on the larger one.

A statement that means to go through many rows says so, and why, with a line `-- scans: …` below its name.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from relay.store.database import load_statements
from relay.store.sqlite import dialect
from tests.store.filled import BASE_MS, BUSY, COMMON, DEAD, QUIET, RARE, SANDBOX, fill, schema, ulid

STATEMENTS = {name: dialect(text) for name, text in load_statements().items()}
SMALL, LARGE = 150, 1_200
STEPS_ALIKE = 1.25
ROUGH = 200
"""Steps that a difference in luck makes up for."""

_MARK = re.compile(r"^-- scans: (.+)$", re.MULTILINE)
_TABLE = re.compile(
    r"\b(?:FROM|JOIN|UPDATE|INTO)\s+(\w+)(?:\s+(?:AS\s+)?(?!WHERE|ON|SET|JOIN|LEFT|ORDER|LIMIT|GROUP)(\w+))?"
)
BROAD = {"workspace_id", "subscription_id", "api", "api_key_id", "state", "status", "type", "collector_id"}
"""Columns that a growing number of rows has in common: a search by these alone finds as many as there are."""


def marked(name: str) -> bool:
    return _MARK.search(STATEMENTS[name]) is not None


def parameters(name: str, **chosen: object) -> dict[str, object]:
    return {found: chosen.get(found, 1) for found in re.findall(r":(\w+)", STATEMENTS[name])}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(schema(tmp_path_factory.mktemp("small") / "relay.db")) as connection:
        fill(connection, SMALL)
        connection.execute("PRAGMA foreign_keys = ON")
        yield connection


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(schema(tmp_path_factory.mktemp("large") / "relay.db")) as connection:
        fill(connection, LARGE)
        connection.execute("PRAGMA foreign_keys = ON")
        yield connection


def complaints(connection: sqlite3.Connection, text: str, values: dict[str, object]) -> list[str]:
    """What is wrong with a plan."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    named = {table for table, _ in _TABLE.findall(text)} & tables
    known = {table: table for table in tables} | {alias: table for table, alias in _TABLE.findall(text) if alias}
    found = []
    for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", values):
        step = row[3]
        verb, what, *_ = f"{step} -".split()
        table = known.get(what, "")
        if "TEMP B-TREE" in step or "AUTOMATIC" in step or (verb == "SCAN" and table in tables):
            found.append(step)
        # A table that the statement does not name is searched because of a reference: whether any row has it.
        elif verb == "SEARCH" and table in named and "LIMIT" not in text and "MIN(" not in text:
            columns = set(re.findall(r"(\w+)(?=[=<>,)])", step.partition("(")[2]))
            if columns <= BROAD and columns not in unique_keys(connection, table):
                found.append(step)
    return found


def unique_keys(connection: sqlite3.Connection, table: str) -> list[set[str]]:
    """The columns of each unique index: a search by all of them finds one row at the most."""
    indexes = [row[1] for row in connection.execute(f"PRAGMA index_list({table})") if row[2]]
    return [{row[2] for row in connection.execute(f"PRAGMA index_info({index})")} for index in indexes]


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_every_statement_searches(large: sqlite3.Connection, name: str) -> None:
    found = complaints(large, STATEMENTS[name], parameters(name))
    assert not found or marked(name), f"{name}: {found}"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM deliveries WHERE state = 'success'",
        "SELECT * FROM deliveries d WHERE d.workspace_id = 'a'",
        "SELECT * FROM subscriptions WHERE target_url = 'a'",
        "SELECT * FROM events WHERE workspace_id = 'a' ORDER BY created_at LIMIT 5",
        "SELECT s.id FROM subscriptions s JOIN deliveries d ON d.id = s.id WHERE s.id = 'a'",
        "SELECT COUNT(*) FROM events",
    ],
)
def test_a_plan_that_scans_is_seen(large: sqlite3.Connection, text: str) -> None:
    assert complaints(large, text, {})


VALUES: dict[str, tuple[object, ...]] = {
    "workspace_id": (BUSY, DEAD, QUIET, SANDBOX),
    "subscription_id": ("sub_busy", "sub_dead", "wh_busy", "nobody"),
    "state": ("pending", "success", "dead", None),
    "status": ("paid", "rejected", None),
    "api": ("webhook_relay", "ravepilot"),
    "type": (COMMON, RARE, "order.never"),
    "event_id": (ulid(BASE_MS), ulid(BASE_MS + 100_000)),
    "target_url": ("https://sub_busy.example.com/", "https://nobody.example.com/"),
    "now": (BASE_MS + 1,),
    "n": (25,),
    "skip": (0,),
    "before": ("Z" * 27,),
    "before_at": (2**62,),
    "before_id": ("Z" * 27,),
    "after": ("",),
    "after_at": (-1,),
    "after_id": ("",),
    "since": (0,),
    "due_before": (2**62,),
    "claimed_before": (BASE_MS,),
    "submission_id": ("submission-5",),
    "collector_id": ("collector-5",),
    "customer_email": ("5@example.com",),
    "email_lower": ("5@example.com",),
    "invitation_id": ("invitation-5",),
    "key_hash": ("hash5",),
    "api_key_id": ("key_5",),
    "id": ("ws_000001", "sub_busy", ulid(BASE_MS + 2_000, 1_000), "nobody"),
    "only": ("dead",),
}
SPECIAL: dict[str, dict[str, tuple[object, ...]]] = {
    "event_page": {"after": (-1,)},
    "event_page_of_type": {"after": (-1,)},
    "environment_old_subscriptions": {"before": (BASE_MS,)},
    "removal_waiting": {"before": (BASE_MS,)},
}


def runs(name: str) -> Iterator[dict[str, object]]:
    """The parameters to try, in every combination."""
    wanted = list(dict.fromkeys(re.findall(r":(\w+)", STATEMENTS[name])))
    values: list[tuple[Any, ...]] = [SPECIAL.get(name, {}).get(one) or VALUES.get(one, (1,)) for one in wanted]
    for chosen in itertools.product(*values):
        yield dict(zip(wanted, chosen, strict=True))


def most_steps(connection: sqlite3.Connection, name: str) -> int:
    """The most instructions of SQLite's machine that a run takes; it leaves nothing behind."""
    most = 0
    for values in runs(name):
        steps = itertools.count(1)

        def counted(steps: Iterator[int] = steps) -> int:
            next(steps)
            return 0

        connection.execute("BEGIN")
        connection.set_progress_handler(counted, 1)
        with contextlib.suppress(sqlite3.IntegrityError):
            connection.execute(STATEMENTS[name], values).fetchall()
        connection.set_progress_handler(None, 1)
        connection.execute("ROLLBACK")
        most = max(most, next(steps))
    return most


@pytest.mark.parametrize("name", sorted(name for name in STATEMENTS if not marked(name)))
def test_every_statement_takes_as_many_steps_in_a_larger_database(
    small: sqlite3.Connection, large: sqlite3.Connection, name: str
) -> None:
    few, many = most_steps(small, name), most_steps(large, name)
    assert many <= few * STEPS_ALIKE + ROUGH, f"{name}: {few} steps, then {many}"


@pytest.mark.parametrize("name", sorted(name for name in STATEMENTS if marked(name)))
def test_a_mark_is_where_it_is_needed(small: sqlite3.Connection, large: sqlite3.Connection, name: str) -> None:
    """One that is left over would hide the next mistake."""
    if not complaints(large, STATEMENTS[name], parameters(name)):
        assert most_steps(large, name) > most_steps(small, name) * STEPS_ALIKE + ROUGH
