"""Answers: whoever does not read one is cut off, and what lies unread has a limit."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from relay.core.errors import Overloaded
from relay.store import workspaces
from relay.web.answers import Room
from relay.web.watchdog import Patience
from tests.web.toy_site import PARTS_MADE, Site, toy_site

IMPATIENT = Patience(answer_s=0.5, look_every_s=0.05)
KB = 1024


@pytest.fixture
async def impatient(tmp_path: Path) -> AsyncIterator[Site]:
    async with toy_site(tmp_path, IMPATIENT, Room(share_bytes=4096 * KB)) as running:
        yield running


def ask(site: Site, *requests: str) -> socket.socket:
    """A connection that has asked, and reads nothing."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", site.port))
    connection.sendall("".join(f"{one}\r\nHost: x\r\nX-API-Key: {site.key}\r\n\r\n" for one in requests).encode())
    connection.setblocking(False)
    return connection


@contextlib.contextmanager
def asking(site: Site, *requests: str) -> Iterator[socket.socket]:
    with contextlib.closing(ask(site, *requests)) as connection:
        yield connection


def is_cut_off(connection: socket.socket) -> bool:
    poll = select.poll()
    poll.register(connection, 0)
    return any(happened & (select.POLLHUP | select.POLLERR) for _, happened in poll.poll(0))


async def until_cut_off(connection: socket.socket, timeout_s: float = 10) -> None:
    async with asyncio.timeout(timeout_s):
        while not is_cut_off(connection):
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "requests",
    [
        ["GET /notes/large/2000 HTTP/1.1"],
        ["GET /notes/large/2000 HTTP/1.1\r\nConnection: close"],
        ["GET /notes/large/2000 HTTP/1.0"],
        ["GET /notes/parts/2000 HTTP/1.1"],
        ["GET /notes/large/60 HTTP/1.1"] * 20,
        ["GET /openapi/ledger.json HTTP/1.1"] * 500,
        ["GET /nowhere HTTP/1.1"] * 2000,
        ["GET /notes/large/60 HTTP/1.1", "POST /notes HTTP/1.1\r\nContent-Length: 9999"] * 3,
    ],
    ids=["large", "last of its connection", "old protocol", "streamed", "several", "document", "errors", "mixed"],
)
async def test_an_answer_that_is_not_read_is_cut_off(impatient: Site, requests: list[str]) -> None:
    with asking(impatient, *requests) as connection:
        await until_cut_off(connection)


@pytest.mark.parametrize("path", ["/notes/large/3000", "/notes/parts/300"])
async def test_an_answer_that_is_read_slowly_is_not_cut_off(impatient: Site, path: str) -> None:
    """Three times as long as one may lie unread, with a step of it taken now and then."""
    with asking(impatient, f"GET {path} HTTP/1.1\r\nConnection: close") as connection:
        received, loop = 0, asyncio.get_running_loop()
        ends_s = loop.time() + 3 * IMPATIENT.answer_s
        while loop.time() < ends_s:
            for _ in range(20):
                with contextlib.suppress(BlockingIOError):
                    received += len(connection.recv(4096))
                await asyncio.sleep(0.005)
        while some := await loop.sock_recv(connection, 65536):
            received += len(some)
        assert received > 3000 * KB


async def test_a_reader_that_takes_a_byte_now_and_then_is_cut_off(impatient: Site) -> None:
    with asking(impatient, "GET /notes/large/2000 HTTP/1.1") as connection:
        async with asyncio.timeout(10):
            while not is_cut_off(connection):
                with contextlib.suppress(BlockingIOError, ConnectionError):
                    connection.recv(16)
                await asyncio.sleep(0.05)


async def test_a_streamed_answer_is_made_as_it_is_read(impatient: Site) -> None:
    PARTS_MADE.clear()
    with asking(impatient, "GET /notes/parts/5000 HTTP/1.1") as connection:
        await until_cut_off(connection)
    assert len(PARTS_MADE) < 100


@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 500])
async def test_a_streamed_answer_arrives_whole(impatient: Site, count: int) -> None:
    async with impatient.http.get(f"{impatient.url}/notes/parts/{count}", headers=impatient.headers()) as answer:
        assert answer.status == 200
        assert answer.content_type == "application/json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert len(await answer.read()) == count * 10_240
    async with impatient.http.head(f"{impatient.url}/notes/parts/{count}", headers=impatient.headers()) as answer:
        assert (answer.status, await answer.read()) == (200, b"")
    assert (await impatient.raw(b"GET /notes/number HTTP/1.1\r\nHost: x\r\n\r\n")).endswith(b"25")


async def test_a_streamed_answer_ends_when_its_key_is_revoked(tmp_path: Path) -> None:
    """What was allowed at the start is not for ever."""
    async with toy_site(tmp_path) as site:
        site.key, key_id = await site.new_key("events")
        with asking(site, "GET /notes/parts/100000 HTTP/1.1") as connection:
            loop = asyncio.get_running_loop()
            assert await loop.sock_recv(connection, 65536)
            await site.database.write(workspaces.revoke_key(key_id, site.now_ms))
            site.now_ms += 1001
            async with asyncio.timeout(10):
                received = 0
                with contextlib.suppress(ConnectionError):
                    while some := await loop.sock_recv(connection, 65536):
                        received += len(some)
            assert received < 50 * 1024 * KB


async def test_too_many_unread_answers_of_one_workspace_are_refused_and_others_served(impatient: Site) -> None:
    other = "whk_live_" + "o" * 32
    workspace, _ = await impatient.database.write(workspaces.ensure("others", 1))
    await impatient.database.write(workspaces.add_key(workspace.id, other, frozenset(["events"]), None, 1))
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(asking(impatient, "GET /notes/large/1000 HTTP/1.1"))
        await asyncio.sleep(0.2)
        async with impatient.http.get(f"{impatient.url}/notes/large/1000", headers=impatient.headers()) as answer:
            assert answer.status == 503
            assert answer.headers["Retry-After"] == "5"
            assert "unread" in (await answer.json())["error"]
        async with impatient.http.get(f"{impatient.url}/notes/large/60", headers=impatient.headers()) as answer:
            assert answer.status == 200  # a small one is nobody's burden
        headers = {"X-API-Key": other}
        async with impatient.http.get(f"{impatient.url}/notes/large/1000", headers=headers) as answer:
            assert (answer.status, len(await answer.read())) == (200, 1000 * KB)
    async with asyncio.timeout(10):
        while True:  # those that do not read are cut off, and there is room again
            async with impatient.http.get(f"{impatient.url}/notes/large/1000", headers=impatient.headers()) as answer:
                if answer.status == 200:
                    break
            await asyncio.sleep(0.05)


def test_the_room_is_given_back_whatever_happens() -> None:
    room = Room(room_bytes=100, share_bytes=60)
    with room.taken("a", 60), room.taken("b", 40):
        with pytest.raises(Overloaded), room.taken("a", 1):
            pass
        with pytest.raises(Overloaded), room.taken("c", 1):
            pass
    with contextlib.suppress(ZeroDivisionError), room.taken("a", 60):
        raise ZeroDivisionError
    with room.taken("a", 100):  # the first of its owner
        pass
    with room.taken("b", 60), room.taken("a", 40):
        pass
