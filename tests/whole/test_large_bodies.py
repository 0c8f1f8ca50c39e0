"""Large bodies on their way to receivers that do not read: on a real process, what they cost in memory."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from tests.receiver import Receiver
from tests.whole.process import Serve, free_port, serve

SUBSCRIPTIONS = 400
LARGE = 250_000
ROOM_MB = 100
"""How far the memory may grow: bodies for all slots at once, and what connections and the database hold besides."""


def memory_mb(server: Serve) -> float:
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


@asynccontextmanager
async def never_reading(tls: ssl.SSLContext | None) -> AsyncIterator[str]:
    """A receiver that takes connections, with room for very little, and reads no body. Without TLS, nothing at all."""
    if tls is not None:
        async with Receiver(tls=tls) as receiver:
            yield receiver.url("/never-read", host="localhost")
        return
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen(2 * SUBSCRIPTIONS)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/never-read"


async def subscribe(server: Serve, url: str, event_filter: str) -> None:
    status, body = await server.post("/v1/subscriptions", {"url": url, "event_filter": event_filter})
    assert status == 201, body


async def publish(server: Serve, event_type: str, size: int) -> None:
    status, body = await server.post("/v1/events", {"type": event_type, "payload": {"x": "x" * size}})
    assert status == 202, body


@pytest.mark.parametrize(
    ("secure", "events"),
    [pytest.param(False, 1, id="one body"), pytest.param(False, SUBSCRIPTIONS, id="a body each"),
     pytest.param(True, 1, id="one body over TLS")],
)  # fmt: skip
async def test_bodies_that_nobody_reads_take_a_bounded_room_and_a_healthy_target_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secure: bool, events: int
) -> None:
    tls = None
    if secure:
        authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(tls)
        authority.cert_pem.write_to_path(tmp_path / "authority.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    async with (
        never_reading(tls) as deaf,
        Receiver() as receiver,
        serve(
            tmp_path / "data",
            free_port(),
            allow_targets="127.0.0.0/8,[::1],localhost",
            delivery_timeout="60",
            rate_limit="0",
        ) as server,
    ):
        await subscribe(server, receiver.url("/ok"), "healthy")
        for number in range(SUBSCRIPTIONS):
            await subscribe(server, f"{deaf}/{number}", f"deaf.{number % events}")
        await publish(server, "healthy", 10)
        await receiver.wait_for(1)
        before_mb = memory_mb(server)
        highest_mb = 0.0
        for number in range(events):
            await publish(server, f"deaf.{number}", LARGE)
        for sent in range(2, 12):
            await publish(server, "healthy", LARGE)
            await receiver.wait_for(sent)
            await asyncio.sleep(0.3)  # for the queue to move on
            highest_mb = max(highest_mb, memory_mb(server))
        assert highest_mb - before_mb < ROOM_MB
