"""Nothing refers to what is not there: declared references hold, and whatever deletes leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay.apis.webhook_relay.wire import NAME, WIRE
from relay.core import ids
from relay.core.errors import StoreError
from relay.core.model import Attempt, Claimed, DeliveryState, Event, Subscription, Verdict
from relay.delivery.publish import Publisher
from relay.store import deliveries, environments, events, removal, subscriptions, workspaces
from relay.store.database import Steps, statement, work
from relay.store.sqlite import SqliteDatabase, open_sqlite
from tests.store.filled import BUSY, FAR, fill, insert, schema
from tests.store.relations import LOOSE, orphans, relations

NOW_MS = 1_700_000_000_000
LATER_MS = NOW_MS + 3_600_000
SUCCESS = Verdict(DeliveryState.SUCCESS)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    async with open_sqlite(tmp_path / "relay.db", serve=True) as opened:
        yield opened


async def published(database: SqliteDatabase, *, targets: int = 1, count: int = 1) -> list[Claimed]:
    """So many events to so many subscriptions of a sandbox, each delivery claimed and on the wire."""
    workspace, _ = await database.write(environments.ensure("acme", "whk_sandbox_", NOW_MS))
    for _ in range(targets):
        subscription = Subscription(
            id=ids.ulid(NOW_MS),
            workspace_id=workspace.id,
            api=NAME,
            target_url="https://example.com/",
            event_filter=("*",),
            secret="sealed",
            created_at_ms=NOW_MS,
            updated_at_ms=NOW_MS,
        )
        await database.write(subscriptions.add(subscription))
    publisher = Publisher({NAME: WIRE})
    made: list[Claimed] = []
    for _ in range(count):
        event = Event(ids.ulid(NOW_MS), workspace.id, "order.created", "{}", NOW_MS)
        made += (await database.write(publisher.publish(event))).deliveries
    return made


async def settled(database: SqliteDatabase, claimed: Claimed, verdict: Verdict = SUCCESS) -> None:
    attempt = Attempt(claimed.id, 1, NOW_MS, "t=1,v1=a", 200, None, None, 3, None)
    await database.write(deliveries.settle(claimed, attempt, verdict, NOW_MS))


async def expired(database: SqliteDatabase, workspace_id: str, limit: int = 100) -> int:
    """Expire all that is older than later; in how many steps."""
    steps = 0
    after: str | None = ""
    while after is not None:
        after = await database.write(events.expire(workspace_id, LATER_MS, LATER_MS, limit, after))
        steps += 1
    return steps


def rows(database: SqliteDatabase, table: str) -> int:
    with contextlib.closing(sqlite3.connect(database.path)) as connection:
        (count,) = connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()
        return int(count)


def counts(database: SqliteDatabase) -> list[int]:
    return [rows(database, table) for table in ("events", "bodies", "deliveries", "attempts")]


async def swept(database: SqliteDatabase, workspace_id: str) -> None:
    await database.write(environments.sweep(workspace_id, LATER_MS, LATER_MS))
    await expired(database, workspace_id)


async def removed(database: SqliteDatabase, workspace_id: str) -> None:
    await database.write(removal.end(workspace_id, LATER_MS))
    while await database.write(removal.sweep(workspace_id, 10)):
        pass


@pytest.mark.parametrize("serve", [True, False], ids=["server", "command"])
async def test_references_hold_on_every_connection_that_writes(tmp_path: Path, serve: bool) -> None:
    async with open_sqlite(tmp_path / "relay.db", serve=True):
        pass
    async with open_sqlite(tmp_path / "relay.db", serve=serve) as opened:
        with pytest.raises(StoreError, match="FOREIGN KEY"):
            await opened.write(workspaces.add_key("ws_nowhere", "whk_live_" + "a" * 32, frozenset(), None, NOW_MS))


def test_what_is_referred_to_is_found_by_an_index(tmp_path: Path) -> None:
    """Else a row that goes would have the whole of another table looked through."""
    with contextlib.closing(schema(tmp_path / "relay.db")) as connection:
        for table, column, _, _ in relations(connection):
            leading = [
                connection.execute(f"PRAGMA index_info({index[1]})").fetchone()[2]
                for index in connection.execute(f"PRAGMA index_list({table})").fetchall()
                if not index[4]
            ]
            if (table, column) != ("deliveries", "subscription_id"):  # by its workspace, and then by itself
                assert column in leading, f"{table}.{column}"


def test_every_column_that_names_a_row_is_known(tmp_path: Path) -> None:
    """What is added to the schema is added here, or says why not."""
    with contextlib.closing(schema(tmp_path / "relay.db")) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        named = {
            (table, row[1])
            for table in tables
            for row in connection.execute(f"PRAGMA table_info({table})")
            if row[1].endswith("_id") and row[1] not in ("message_id", "after_id")
        }
        known = {(one.table, one.column) for one in relations(connection)}
    assert named == known | set(LOOSE)


async def test_a_reference_that_breaks_with_the_commit_is_refused_alone(database: SqliteDatabase) -> None:
    """An invitation may come before its submission; that there is none shows when all of the group are committed."""

    @work
    def invite() -> Steps[None]:
        yield statement(
            "invitation_add", id="i", workspace_id="ws_1", submission_id="none", email_lower="a", source="api", now=1
        )

    @work
    def add(name: str) -> Steps[str]:
        yield statement("workspace_add", id=name, name=name, created_at=1)
        return name

    await database.write(add("ws_1"))

    @work
    def slow() -> Steps[None]:
        time.sleep(0.1)  # the others gather meanwhile
        yield statement("workspace_get", id="ws_1")

    results = await asyncio.gather(
        database.write(slow()),
        *[database.write(add(f"ws_a{number}")) for number in range(5)],
        database.write(invite()),
        *[database.write(add(f"ws_b{number}")) for number in range(5)],
        return_exceptions=True,
    )
    assert [type(one) for one in results if isinstance(one, Exception)] == [StoreError]
    assert rows(database, "workspaces") == 11
    assert rows(database, "invitations") == 0


async def test_what_expires_takes_everything_with_it(database: SqliteDatabase) -> None:
    made = await published(database, targets=3, count=4)
    for one in made:
        await settled(database, one)
    assert counts(database) == [4, 4, 12, 12]
    await expired(database, made[0].subscription.workspace_id)
    assert counts(database) == [0, 0, 0, 0]
    assert orphans(database.path) == []


async def test_an_event_with_many_deliveries_goes_in_steps(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No step deletes more than so many; between two of them nothing is left that refers to nothing."""
    monkeypatch.setattr(events, "DELIVERIES_A_STEP", 7)
    made = await published(database, targets=10, count=3)
    for one in made:
        await settled(database, one)
    workspace_id, before = made[0].subscription.workspace_id, 30
    after: str | None = ""
    while after is not None:
        after = await database.write(events.expire(workspace_id, LATER_MS, LATER_MS, 2, after))
        left = rows(database, "deliveries")
        assert before - left <= 7
        assert orphans(database.path) == []
        before = left
    assert counts(database) == [0, 0, 0, 0]


async def test_what_still_waits_is_passed_over_once(database: SqliteDatabase) -> None:
    """However much of it there is, each step goes on where the last one ended."""
    made = await published(database, count=25)
    await settled(database, made[7])
    assert await expired(database, made[0].subscription.workspace_id, limit=5) == 7
    assert counts(database) == [24, 24, 24, 0]


@pytest.mark.parametrize("going", [swept, removed], ids=["swept", "removed"])
async def test_an_attempt_that_comes_after_its_delivery_is_gone_leaves_nothing(
    database: SqliteDatabase, going: object
) -> None:
    """The request was on the wire when its workspace was swept, or removed."""
    made = await published(database, targets=2)
    workspace_id = made[0].subscription.workspace_id
    await settled(database, made[0])
    await going(database, workspace_id)  # type: ignore[operator]
    await settled(database, made[1])
    await settled(database, made[1], Verdict(DeliveryState.PENDING, retry_at_ms=LATER_MS))
    assert counts(database) == [0, 0, 0, 0]
    assert orphans(database.path) == []


async def test_an_attempt_that_comes_after_an_unsubscription_is_still_recorded(database: SqliteDatabase) -> None:
    (made,) = await published(database)
    owner = made.subscription
    assert await database.write(subscriptions.remove(owner.workspace_id, owner.id, NAME, NOW_MS))
    await settled(database, made, Verdict(DeliveryState.PENDING, retry_at_ms=LATER_MS))
    await settled(database, made, Verdict(DeliveryState.PENDING, retry_at_ms=LATER_MS))
    assert counts(database) == [1, 1, 1, 1]
    found = await database.read(deliveries.get(owner.workspace_id, made.id))
    assert found is not None
    assert (found.state, found.attempts_made, found.final_status_code) == (DeliveryState.DEAD, 1, 200)


async def test_idempotency_keys_expire_a_page_at_a_time(database: SqliteDatabase) -> None:
    with contextlib.closing(sqlite3.connect(database.path)) as connection, connection:
        insert(connection, "workspaces", id="ws_1", name="one", created_at=1)
        for number in range(25):
            record = {"workspace_id": "ws_1", "key": f"{number}", "fingerprint": "f", "event_id": "e"}
            insert(connection, "idempotency", **record, expires_at=number)
    assert await database.write(events.expire_idempotency(19, 15))
    assert not await database.write(events.expire_idempotency(19, 15))
    assert rows(database, "idempotency") == 5


BREAK = (
    "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries ORDER BY id LIMIT 2)",
    "DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id LIMIT 5)",
    "DELETE FROM submissions WHERE id = 'submission-1'",
    "DELETE FROM collectors WHERE id = 'collector-2'",
    "DELETE FROM subscriptions WHERE id = 'sub_dead'",
    "DELETE FROM subscriptions WHERE id = 'off-3'",
    "DELETE FROM workspaces WHERE id IN ('ws_000004', 'ws_busy')",
)


@pytest.mark.parametrize("broken", [*[(one,) for one in BREAK], BREAK, ()], ids=[*map(str, range(7)), "all", "none"])
async def test_an_older_file_with_orphans_opens_without_them(tmp_path: Path, broken: tuple[str, ...]) -> None:
    path = tmp_path / "relay.db"
    with contextlib.closing(schema(path, up_to=5)) as connection:
        fill(connection, 10)
        (before,) = connection.execute("SELECT COUNT(*) FROM attempts").fetchone()
        for text in broken:
            connection.execute(text)
        assert bool(orphans(connection)) == bool(broken)
    async with open_sqlite(path, serve=True) as opened:
        assert orphans(path) == []
        assert opened._writer.execute("PRAGMA foreign_key_check").fetchall() == []
        if not broken:
            assert tuple(opened._writer.execute("SELECT COUNT(*) FROM attempts").fetchone()) == (before,)
            # The log of the RavePilot API is found by a column that the older file did not have.
            log = await opened.read(newest())
            assert log == FAR


@work
def newest() -> Steps[int]:
    return len((yield statement("webhook_delivery_newest", workspace_id=BUSY, n=100)))
