"""What the server says while its file cannot be written, and that it goes on by itself afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from relay.store import workspaces
from tests.apis.webhook_relay.client import publish, subscribe, until
from tests.conftest import Relay
from tests.receiver import Receiver
from tests.whole.load import Load
from tests.whole.process import free_port, serve

EVENT = {"type": "order.created", "payload": {"text": "x" * 4000}}


@contextlib.asynccontextmanager
async def read_only(relay: Relay) -> AsyncIterator[None]:
    writer = relay.server.database._writer
    writer.execute("PRAGMA query_only = ON")
    yield
    writer.execute("PRAGMA query_only = OFF")


@contextlib.asynccontextmanager
async def full(relay: Relay) -> AsyncIterator[None]:
    writer = relay.server.database._writer
    (before,) = writer.execute("PRAGMA max_page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count = {writer.execute('PRAGMA page_count').fetchone()[0]}")
    yield
    writer.execute(f"PRAGMA max_page_count = {before}")


@contextlib.asynccontextmanager
async def locked(relay: Relay) -> AsyncIterator[None]:
    relay.server.database._writer.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(relay.server.database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.close()


Trouble = Callable[[Relay], contextlib.AbstractAsyncContextManager[None]]


@pytest.mark.parametrize("trouble", [read_only, full, locked])
async def test_while_the_file_cannot_be_written_events_are_refused_and_nothing_is_sent_again(
    relay: Relay, receiver: Receiver, trouble: Trouble
) -> None:
    """An event is a 503 that says when to come back; an attempt that cannot be recorded is kept, and recorded later."""
    await subscribe(relay, receiver.url("/slow/0.3"))
    accepted = await publish(relay)
    await receiver.wait_for(1)
    async with trouble(relay):

        async def refusal() -> dict[str, str] | None:
            answer = await relay.call("POST", "/v1/events", EVENT)
            if answer.status == 202:  # there may be room left in the last pages
                return None
            assert answer.status == 503
            assert answer.content_type == "application/problem+json"
            assert (await answer.json(content_type=None))["status"] == 503
            return dict(answer.headers)

        refused = await until(refusal)
        assert int(refused["Retry-After"]) >= 1
        assert (await relay.json("GET", f"/v1/events/{accepted['id']}"))["id"] == accepted["id"], "reading goes on"
        sent = len(receiver.received())
        await asyncio.sleep(0.8)
        assert len(receiver.received()) == sent

    async def is_over() -> bool:
        return (await relay.call("POST", "/v1/events", EVENT)).status == 202

    await until(is_over)

    async def all_recorded() -> bool:
        page = await relay.json("GET", "/v1/deliveries", params={"limit": "100"})
        return {one["status"] for one in page["data"]} == {"success"}

    await until(all_recorded, timeout_s=20)
    ids = [request.header("webhook-id") for request in receiver.received()]
    assert len(ids) == len(set(ids))


async def test_while_the_disk_is_full_the_server_is_not_ready(relay: Relay) -> None:
    assert (await relay.call("GET", "/readyz", key=None)).status == 200
    async with full(relay):

        async def is_refused() -> bool:
            return (await relay.call("POST", "/v1/events", EVENT)).status == 503

        await until(is_refused)
        answer = await relay.json("GET", "/readyz", key=None, status=503)
        assert answer["reasons"] == ["disk full"]

    async def is_ready_again() -> bool:
        await relay.call("POST", "/v1/events", EVENT)
        return (await relay.call("GET", "/readyz", key=None)).status == 200

    await until(is_ready_again)


@contextlib.asynccontextmanager
async def gone(relay: Relay) -> AsyncIterator[None]:
    path = relay.server.database.path
    path.rename(path.with_name("away.db"))
    yield
    path.with_name("away.db").rename(path)


@contextlib.asynccontextmanager
async def full_file_system(relay: Relay) -> AsyncIterator[None]:
    """No file may grow beyond what the log has already: as near to a full disk as a test gets without one."""
    database = relay.server.database
    await database.write(workspaces.ensure("the log has begun", 1))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (database.path.with_name("relay.db-wal").stat().st_size, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (locked, "database locked"),
        (gone, "database file gone"),
        (full_file_system, "database read-only"),
    ],
)
async def test_readiness_is_what_a_write_would_get(relay: Relay, trouble: Trouble, reason: str) -> None:
    """Nobody has written anything since the trouble began; and nobody has to for its end to be seen."""
    assert (await relay.call("GET", "/readyz", key=None)).status == 200
    async with trouble(relay):

        async def reasons() -> list[str]:
            answer = await relay.call("GET", "/readyz", key=None)
            return [] if answer.status == 200 else (await answer.json())["reasons"]

        assert await until(reasons) == [reason]
        assert (await relay.call("POST", "/v1/events", EVENT)).status == 503
        assert (await relay.call("GET", "/v1/healthz", key=None)).status == 200

    async def is_ready_again() -> bool:
        return (await relay.call("GET", "/readyz", key=None)).status == 200

    await until(is_ready_again, timeout_s=20)
    assert (await relay.call("POST", "/v1/events", EVENT)).status == 202


async def test_a_lock_that_is_waited_for_is_not_ready_in_time(relay: Relay) -> None:
    """Whoever probes wants an answer before the database has given up waiting."""
    other = sqlite3.connect(relay.server.database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    async with asyncio.timeout(4):
        answers = await asyncio.gather(*[relay.call("GET", "/readyz", key=None) for _ in range(5)])
    assert {answer.status for answer in answers} == {503}
    assert "does not answer in time" in (await answers[0].json())["reasons"][0]
    other.close()


async def test_probes_cost_one_small_write_a_second(relay: Relay) -> None:
    await relay.call("GET", "/readyz", key=None)
    log = relay.server.database.path.with_name("relay.db-wal")
    before = log.stat().st_size
    for _ in range(50):
        assert (await relay.call("GET", "/readyz", key=None)).status == 200
    assert log.stat().st_size - before <= 4 * 4120, "a frame of the log is a page and its head"


@pytest.mark.timeout(90)
async def test_the_files_of_any_moment_hold_everything_answered(tmp_path: Path, receiver: Receiver) -> None:
    """As after a power cut: the process is frozen, and a copy of file and log is opened without its shared memory."""
    data_dir, port = tmp_path / "relay", free_port()
    load = Load(f"http://127.0.0.1:{port}", {"text": "x" * 5_000})
    async with serve(data_dir, port, rate_limit="0") as server:
        await server.post("/v1/subscriptions", {"url": receiver.url("/ok")})
        async with load.running():
            for moment in range(5):
                await load.until_answered(len(load.answered) + 60)
                copy = tmp_path / f"moment-{moment}.db"
                os.kill(server.process.pid, signal.SIGSTOP)
                answered = set(load.answered)
                for suffix in ("", "-wal"):
                    shutil.copy(data_dir / f"relay.db{suffix}", f"{copy}{suffix}")
                os.kill(server.process.pid, signal.SIGCONT)
                opened = sqlite3.connect(copy)
                assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                assert answered <= {key for (key,) in opened.execute("SELECT key FROM idempotency")}
                opened.close()
            await load.end()
