"""A key is revoked or a workspace deleted from the command line: what ends, whom Relay tells, and what is left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from relay.app import wall_clock
from relay.core.keys import SCOPES
from relay.delivery.removal import GRACE_MS, remove_workspaces
from relay.outbound.resolve import Resolver
from relay.store import workspaces
from tests.apis.contract.scene import play
from tests.apis.rest_hooks.platform import publish, until
from tests.conftest import KEY, Relay, StartRelay
from tests.receiver import Received, Receiver
from tests.store.relations import orphans
from tests.whole.process import environment, relay_command

ZAPIER = "hooks.zapier.com"
SETTINGS = {"allow_targets": f"127.0.0.0/8,{ZAPIER},eu.{ZAPIER},hook.eu1.make.com", "retry_delays": "0.1,0.1,0.1,0.1"}


def at_this_machine() -> Resolver:
    """A network on which every platform is here."""
    return Resolver(lambda host: ["127.0.0.1"])


def folder(tmp_path: Path) -> tuple[str, str]:
    return "--data-dir", str(tmp_path / "relay")


async def made_key(tmp_path: Path, workspace: str = "default") -> dict[str, str]:
    code, out, err = await relay_command("keys", "create", "--workspace", workspace, "--json", *folder(tmp_path))
    assert code == 0, err
    made: dict[str, str] = json.loads(out)
    return made


async def hook(relay: Relay, target_url: str, key: str, **body: Any) -> str:
    answer = await relay.json(
        "POST", "/api/v1/hooks", {"target_url": target_url, "event_type": "clip.approved", **body}, key=key
    )
    return str(answer["id"])


def deletes(receiver: Receiver) -> list[Received]:
    return [request for request in receiver.received() if request.method == "DELETE"]


def waiting(tmp_path: Path) -> int:
    """How many farewells are still to be said."""
    with contextlib.closing(sqlite3.connect(tmp_path / "relay" / "relay.db")) as connection:
        count: int = connection.execute("SELECT COUNT(*) FROM farewells").fetchone()[0]
        return count


async def until_all_are_told(tmp_path: Path) -> None:
    async def none_waits() -> bool:
        return waiting(tmp_path) == 0

    await until(none_waits)


async def test_zapier_is_told_once_when_a_key_is_revoked(
    tmp_path: Path, start_relay: StartRelay, receiver: Receiver
) -> None:
    """Of the hooks that live until then. Not of one that the platform ended itself, by unsubscribing or with 410, and
    not of a target that another key's hook goes to as well; no other platform is told."""
    async with start_relay(resolver=at_this_machine(), **SETTINGS) as relay:
        revoked, kept = await made_key(tmp_path), await made_key(tmp_path)
        told = [receiver.url("/standard/1/", host=ZAPIER), receiver.url("/eu?x=1", host=f"eu.{ZAPIER}")]
        for target_url in (*told, told[0]):
            await hook(relay, target_url, revoked["key"])
        for path, host in (("/make", "hook.eu1.make.com"), ("/n8n", "127.0.0.1")):
            await hook(relay, receiver.url(path, host=host), revoked["key"])
        await hook(relay, receiver.url("/of-both", host=ZAPIER), revoked["key"])
        await hook(relay, receiver.url("/of-both", host=ZAPIER), kept["key"])
        unsubscribed = await hook(relay, receiver.url("/unsubscribed", host=ZAPIER), revoked["key"])
        assert (await relay.call("DELETE", f"/api/v1/hooks/{unsubscribed}")).status == 204
        gone = await hook(relay, receiver.url("/gone", host=ZAPIER), revoked["key"])
        await publish(relay)

        async def is_ended() -> bool:
            return gone not in [row["id"] for row in await relay.json("GET", "/api/v1/hooks")]

        await until(is_ended)
        code, out, _ = await relay_command("keys", "revoke", revoked["id"], *folder(tmp_path))
        assert (code, out) == (0, f"{revoked['id']} is revoked; 7 hooks ended; Zapier is told of 2 targets\n")
        await until_all_are_told(tmp_path)
        assert sorted(request.path for request in deletes(receiver)) == ["/eu?x=1", "/standard/1/"]
        assert [row["target_url"] for row in await relay.json("GET", "/api/v1/hooks")] == [
            receiver.url("/of-both", host=ZAPIER)
        ]

        code, out, _ = await relay_command("keys", "revoke", kept["id"], "--keep-hooks", *folder(tmp_path))
        assert (code, out) == (0, f"{kept['id']} is revoked; 0 hooks ended\n")
        assert waiting(tmp_path) == 0


async def test_what_is_to_be_told_waits_for_the_next_start(
    tmp_path: Path, start_relay: StartRelay, receiver: Receiver
) -> None:
    """The command line sends nothing itself, and needs no server."""
    async with start_relay(resolver=at_this_machine(), **SETTINGS) as relay:
        made = await made_key(tmp_path)
        await hook(relay, receiver.url("/hook", host=ZAPIER), made["key"])
    await relay_command("keys", "revoke", made["id"], *folder(tmp_path))
    assert (waiting(tmp_path), receiver.received()) == (1, [])
    async with start_relay(resolver=at_this_machine(), **SETTINGS):
        await until_all_are_told(tmp_path)
    assert [request.path for request in deletes(receiver)] == ["/hook"]


_SERVE = """
import asyncio
from relay.app import running
from relay.outbound.resolve import Resolver
from relay.settings import load_settings

async def main():
    async with running(load_settings(), resolver=Resolver(lambda host: ["127.0.0.1"])):
        await asyncio.Event().wait()

asyncio.run(main())
"""
"""A server on a network on which every platform is here."""


@contextlib.asynccontextmanager
async def killed_in_the_end(tmp_path: Path) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _SERVE),
        env=environment(data_dir=str(tmp_path / "relay"), port="0", **SETTINGS),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def test_a_kill_before_the_answer_is_known_forgets_nothing(
    tmp_path: Path, start_relay: StartRelay, receiver: Receiver
) -> None:
    """The next start tells it again; and once it has been answered, no start does."""
    receiver.script("/hook", "/hang", "/ok")
    async with start_relay(resolver=at_this_machine(), **SETTINGS) as relay:
        made = await made_key(tmp_path)
        await hook(relay, receiver.url("/hook", host=ZAPIER), made["key"])
    await relay_command("keys", "revoke", made["id"], *folder(tmp_path))
    async with killed_in_the_end(tmp_path):
        await receiver.wait_for(1, "/hook", timeout_s=20)
    assert waiting(tmp_path) == 1
    async with killed_in_the_end(tmp_path):
        await receiver.wait_for(2, "/hook", timeout_s=20)
        await until_all_are_told(tmp_path)
    async with start_relay(resolver=at_this_machine(), **SETTINGS) as relay:
        assert (await relay.call("GET", "/readyz")).status == 200
    assert len(deletes(receiver)) == len(receiver.received()) == 2


def rows_of(database: Path, workspace_id: str) -> dict[str, int]:
    """How many rows name a workspace, in each table that could."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {}
        for table in tables:
            columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
            column = "id" if table == "workspaces" else "workspace_id"
            if column in columns and (table == "workspaces" or "workspace_id" in columns):
                query = f"SELECT COUNT(*) FROM {table} WHERE {column} = ?"  # the names are the schema's own
                found[table] = connection.execute(query, [workspace_id]).fetchone()[0]
        return found


CHILDREN = {"bodies", "attempts", "scripts", "consents", "clips"}
"""The tables whose rows belong to a workspace only through another row."""
SERVERS_OWN = {"migrations", "farewells", "clock", "installation"}


@pytest.mark.timeout(90)
async def test_a_deleted_workspace_ends_at_once_and_leaves_nothing(
    tmp_path: Path, start_relay: StartRelay, receiver: Receiver
) -> None:
    """Keys, personal links and hooks work no more, Zapier is told; ten minutes later no row of it is left. Another
    workspace has all that it had."""
    now_ms = wall_clock()
    async with start_relay(resolver=at_this_machine(), clock=lambda: now_ms, **SETTINGS) as relay:
        database, path = relay.server.database, relay.server.database.path
        scene, other = await play(relay, receiver, "acme"), await play(relay, receiver, "other")
        await hook(relay, receiver.url("/hook", host=ZAPIER), scene.key)
        await relay.json(
            "POST",
            "/v1/events",
            {"type": "x", "payload": {}},
            status=202,
            key=scene.key,
            headers={"Idempotency-Key": "k"},
        )
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            ids = dict(connection.execute("SELECT name, id FROM workspaces").fetchall())
            _fill(connection, ids["acme"])
        assert {name for name, count in rows_of(path, ids["acme"]).items() if not count} == set()
        assert CHILDREN | set(rows_of(path, ids["acme"])) | SERVERS_OWN == tables(path)

        code, out, err = await relay_command("workspaces", "delete", "acme", "--yes", *folder(tmp_path))
        assert (code, out) == (0, '"acme" is deleted; 1 key and 6 subscriptions ended; Zapier is told of 1 target\n'), (
            err
        )
        now_ms += 60_000  # past the clock of the command, however long that took
        assert (await relay.call("GET", "/api/v1/hooks", key=scene.key)).status == 401
        assert (await relay.call("GET", f"/r/{scene.secrets[-1]}", key=None)).status == 410
        await until_all_are_told(tmp_path)
        assert [request.path for request in deletes(receiver)] == ["/hook"]
        code, out, _ = await relay_command("workspaces", "list", "--json", *folder(tmp_path))
        assert {one["name"] for one in json.loads(out)["workspaces"]} == {"default", "other"}

        await remove_workspaces(database, lambda: now_ms)
        assert rows_of(path, ids["acme"])["events"], "what is under way may still be recorded"
        before = rows_of(path, ids["other"])

        async def is_gone() -> bool:
            await remove_workspaces(database, lambda: now_ms + GRACE_MS)
            return not any(rows_of(path, ids["acme"]).values())

        await until(is_gone)
        assert orphans(path) == []
        assert rows_of(path, ids["other"]) == before
        assert (await relay.call("GET", "/api/v1/hooks", key=other.key)).status == 200


def tables(path: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _fill(connection: sqlite3.Connection, workspace_id: str) -> None:
    """What the scene leaves out: a mail, a customer who wants none, a consent, a script, a recovery."""
    submission_id, collector_id = connection.execute(
        "SELECT id, collector_id FROM submissions WHERE workspace_id = ?", [workspace_id]
    ).fetchone()
    connection.execute(
        "INSERT INTO emails"
        " (id, workspace_id, kind, dedupe_key, recipient, message_id, state, next_attempt_at, created_at)"
        " VALUES ('eml', ?, 'invitation', 'x', 'dana@example.com', '<x>', 'queued', 1, 1)",
        [workspace_id],
    )
    connection.execute("INSERT INTO suppressions VALUES (?, 'hash', 'bounce', 1)", [workspace_id])
    connection.execute(
        "INSERT INTO consents (id, submission_id, consent_version, text_sha256, purposes, granted_at)"
        " VALUES ('con', ?, '1', 'hash', 'marketing', 1)",
        [submission_id],
    )
    connection.execute(
        "INSERT INTO scripts (id, collector_id, script_key, prompt, position) VALUES ('scr', ?, 'intro', 'Hello?', 1)",
        [collector_id],
    )
    connection.execute(
        "INSERT INTO recoveries VALUES ('rec', ?, 'sub_of_nobody', ?, ?, '0', 1)", [workspace_id, 2**50, 2**50]
    )


async def test_deleting_asks_first_and_the_name_is_free_again(tmp_path: Path, start_relay: StartRelay) -> None:
    """Also the name `default`, which the next start makes anew with its first keys."""
    async with start_relay():
        first = await made_key(tmp_path, "acme")
    code, _, err = await relay_command("workspaces", "delete", "acme", *folder(tmp_path))
    assert (code, "Aborted" in err) == (1, True)
    code, _, _ = await relay_command("workspaces", "delete", "acme", "--yes", *folder(tmp_path))
    assert code == 0
    code, _, err = await relay_command("workspaces", "delete", "acme", "--yes", *folder(tmp_path))
    assert (code, err) == (1, 'Error: there is no workspace "acme"; relay workspaces list shows them\n')
    again = await made_key(tmp_path, "acme")
    assert again["workspace_id"] != first["workspace_id"]
    async with start_relay() as relay:
        assert (await relay.call("GET", "/api/v1/hooks", key=first["key"])).status == 401
        assert (await relay.call("GET", "/api/v1/hooks", key=again["key"])).status == 200
        code, _, _ = await relay_command("workspaces", "delete", "default", "--yes", *folder(tmp_path))
        assert code == 0

        async def is_shut_out() -> bool:
            return (await relay.call("GET", "/api/v1/hooks", key=KEY)).status == 401

        await until(is_shut_out)
    async with start_relay() as relay:
        assert len(relay.server.first_keys) == 3
        assert await relay.json("GET", "/api/v1/hooks", key=KEY) == []


async def test_a_long_history_goes_page_by_page(start_relay: StartRelay, receiver: Receiver) -> None:
    """With what still waits to be sent, and was not to be for hours."""
    now_ms = wall_clock()
    async with start_relay(retry_delays="3600", clock=lambda: now_ms) as relay:
        key = await relay.new_key("acme", scopes=SCOPES)
        await hook(relay, receiver.url("/status/503"), key)
        events = [{"type": "clip.approved", "payload": {}}] * 700
        await relay.json("POST", "/v1/events/batch", {"events": events}, status=202, key=key)
        await receiver.wait_for(1)
        database, path = relay.server.database, relay.server.database.path
        owner, _ = await database.write(workspaces.ensure("acme", now_ms))
        code, out, _ = await relay_command("workspaces", "delete", "acme", "--yes", "--data-dir", str(path.parent))
        assert (code, out) == (0, '"acme" is deleted; 1 key and 1 subscription ended\n')
        await remove_workspaces(database, lambda: now_ms + GRACE_MS + 60_000)
        assert not any(rows_of(path, owner.id).values())
        assert orphans(path) == []
        await publish(relay)
        assert (await relay.call("GET", "/readyz")).status == 200
