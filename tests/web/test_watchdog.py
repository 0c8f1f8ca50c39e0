"""Slow clients: a connection that keeps the server waiting is closed, and nothing else is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay.web.watchdog import Patience
from tests.web.toy_site import Site, toy_site

IMPATIENT = Patience(headers_s=0.3, body_s=0.3, idle_s=5.0, linger_s=0.3, look_every_s=0.05)


@pytest.fixture
async def impatient(tmp_path: Path) -> AsyncIterator[Site]:
    async with toy_site(tmp_path, IMPATIENT) as running:
        yield running


async def until_closed(site: Site, sent: bytes, drip: bytes = b"") -> bytes:
    """What comes until the server closes, while one more byte of `drip` is sent every 50 ms."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)

    async def dripping() -> None:
        with contextlib.suppress(ConnectionError):
            for byte in drip:
                await asyncio.sleep(0.05)
                writer.write(bytes([byte]))
                await writer.drain()

    writer.write(sent)
    tap = asyncio.create_task(dripping())
    try:
        async with asyncio.timeout(10):
            received = b""
            with contextlib.suppress(ConnectionError):
                while some := await reader.read(65536):
                    received += some
            return received
    finally:
        tap.cancel()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_connection_that_sends_nothing_is_closed(impatient: Site) -> None:
    assert await until_closed(impatient, b"") == b""


async def test_headers_that_never_end_are_cut_off_although_they_keep_coming(impatient: Site) -> None:
    assert await until_closed(impatient, b"GET /notes/number HTTP/1.1\r\nX-A: ", b"a" * 1000) == b""


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 10000000000", b"Content-Length: 3", b"Transfer-Encoding: chunked"]
)
async def test_a_body_that_never_comes_is_not_waited_for(impatient: Site, framing: bytes) -> None:
    head = b"POST /notes HTTP/1.1\r\nHost: x\r\nX-API-Key: " + impatient.key.encode() + b"\r\n" + framing
    answer = await until_closed(impatient, head + b"\r\n\r\n")
    assert answer == b"" or b" 413 " in answer


async def test_a_body_that_drips_is_cut_off(impatient: Site) -> None:
    head = b"POST /notes HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\nX-API-Key: " + impatient.key.encode()
    assert await until_closed(impatient, head + b"\r\n\r\n", b" " * 1000) == b""


async def test_a_refused_body_that_drips_is_not_listened_to_for_long(impatient: Site) -> None:
    answer = await until_closed(
        impatient, b"POST /notes HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n", b" " * 1000
    )
    assert answer.startswith(b"HTTP/1.1 401 ")


async def test_an_idle_connection_outlives_the_time_for_headers(impatient: Site) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient.port)
    for _ in range(2):
        writer.write(b"GET /notes/number HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n25"), 5)).startswith(b"HTTP/1.1 200 OK")
        await asyncio.sleep(IMPATIENT.headers_s * 2)
    writer.close()
    await writer.wait_closed()


async def test_later_headers_that_drip_end_with_the_idle_time(tmp_path: Path) -> None:
    patience = Patience(headers_s=5.0, body_s=5.0, idle_s=0.4, look_every_s=0.05)
    async with toy_site(tmp_path, patience) as site:
        first = b"GET /notes/number HTTP/1.1\r\nHost: x\r\n\r\n"
        assert (await until_closed(site, first + b"GET / HTTP/1.1\r\nX: ", b"a" * 1000)).endswith(b"25")


async def test_one_address_cannot_hold_more_connections_than_its_share(tmp_path: Path) -> None:
    patience = Patience(per_address=3, loopback_exempt=False, look_every_s=0.05)
    async with toy_site(tmp_path, patience) as site, contextlib.AsyncExitStack() as stack:
        readers = []
        for _ in range(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
            stack.callback(writer.close)
            readers.append(reader)
            writer.write(b"GET /notes/number HTTP/1.1\r\nHost: x\r\n\r\n")
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n25"), 5)
        for reader in readers[3:]:
            assert await asyncio.wait_for(reader.read(), 5) == b""
        assert not any(reader.at_eof() for reader in readers[:3])
