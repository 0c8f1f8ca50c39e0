"""Connections that are kept: what a receiver does to one is felt by nobody else, and never taken for an answer."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from relay.outbound.guard import Allowed, Guard
from relay.outbound.post import Poster
from tests.conftest import Relay, StartRelay
from tests.outbound.test_post import request_to
from tests.receiver import Receiver

GONE = b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
async def poster() -> AsyncIterator[Poster]:
    poster = Poster(Guard(Allowed.parse("127.0.0.0/8")))
    yield poster
    await poster.close()


@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 204 No\r\nContent-Length: %d\r\n\r\n" % len(GONE), GONE),
        (b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", GONE),
        (b"HTTP/1.1 304 Same\r\nContent-Length: %d\r\n\r\n" % len(GONE), GONE),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(GONE), GONE),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + GONE,),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", GONE),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", GONE[:9], GONE[9:]),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
)  # fmt: skip
async def test_bytes_after_an_answer_are_not_the_next_answer(
    receiver: Receiver, poster: Poster, pieces: tuple[bytes, ...]
) -> None:
    receiver.say("/trap", *pieces)
    first = await poster.post(request_to(receiver.url("/trap")))
    await asyncio.sleep(0.1)
    second = await poster.post(request_to(receiver.url("/ok")))
    assert first.status in (200, 204, 304)
    assert (second.status, second.snippet) == (200, "ok")
    assert receiver.connections == 2


async def test_a_connection_is_used_again_by_its_owner_only(receiver: Receiver, poster: Poster) -> None:
    for owner_id in ("wsp_1", "wsp_2", "wsp_1", "wsp_2"):
        assert (await poster.post(request_to(receiver.url(), owner_id=owner_id))).status == 200
    assert [got.connection for got in receiver.received()] == [1, 2, 1, 2]


async def test_an_answer_before_the_request_is_out_ends_the_connection(receiver: Receiver, poster: Poster) -> None:
    """Also when the receiver goes on to take all of the request while it answers."""
    for size in (300_000, 8_000_000):
        outcome = await poster.post(request_to(receiver.url("/early-and-read"), body=b"x" * size))
        assert outcome.status == 200
    connections = receiver.connections
    assert (await poster.post(request_to(receiver.url()))).status == 200
    assert receiver.connections == connections + 1


@contextlib.contextmanager
def threaded_trap(after_s: float, extra: bytes) -> Iterator[tuple[str, list[int]]]:
    """A receiver in a thread, which says more after its first answer also while the event loop stands still."""
    requests: list[int] = []

    def serve(connection: socket.socket, number: int) -> None:
        with connection, contextlib.suppress(OSError):
            while connection.recv(65536):
                requests.append(number)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                if len(requests) == 1:
                    time.sleep(after_s)
                    if not extra:
                        return
                    connection.sendall(extra)

    def accept() -> None:
        with contextlib.suppress(OSError):
            for number in range(1, 9):
                threading.Thread(target=serve, args=(listener.accept()[0], number), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/", requests
        listener.shutdown(socket.SHUT_RDWR)  # to close it does not end an `accept` that waits
        accepting.join()


@pytest.mark.parametrize("extra", [GONE, b"x", b""])
async def test_what_the_event_loop_has_yet_to_read_is_noticed(poster: Poster, extra: bytes) -> None:
    """Nothing: the receiver has closed."""
    with threaded_trap(0.05, extra) as (url, requests):
        assert (await poster.post(request_to(url))).status == 200
        time.sleep(0.15)  # noqa: ASYNC251 - the loop stands still
        assert (await poster.post(request_to(url))).status == 200
        assert requests == [1, 2]


async def test_a_host_cannot_answer_for_another_workspace(start_relay: StartRelay, receiver: Receiver) -> None:
    """One workspace's path of it answers with more than it may; another workspace's subscription goes on."""
    receiver.say("/trap", b"HTTP/1.1 204 No\r\nContent-Length: %d\r\n\r\n" % len(GONE), GONE)
    async with start_relay() as relay:
        evil, good = [await relay.new_key(name, "whk_live_") for name in ("evil", "good")]
        subscription_ids = [
            (await relay.json("POST", "/v1/subscriptions", {"url": receiver.url(path)}, key=key, status=201))["id"]
            for key, path in ((evil, "/trap"), (good, "/ok"))
        ]
        for sent in range(1, 4):
            await publish(relay, evil)
            await receiver.wait_for(sent, "/trap")
            await publish(relay, good)
            await receiver.wait_for(sent, "/ok")
        shown = await relay.json("GET", f"/v1/subscriptions/{subscription_ids[1]}", key=good)
        assert shown["state"] == "active"
        by_path = [{got.connection for got in receiver.received(path)} for path in ("/trap", "/ok")]
        assert by_path[0].isdisjoint(by_path[1])


async def publish(relay: Relay, key: str) -> None:
    event = {"type": "order.created", "payload": {}}
    await relay.json("POST", "/v1/events", event, key=key, status=202)
