"""Whom Relay trusts, and for how long a look at a certificate holds."""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from relay.core.errors import StartError
from relay.core.model import ErrorCode, Outcome
from relay.outbound.guard import Allowed, Guard
from relay.outbound.pool import Pool
from relay.outbound.post import Poster
from relay.outbound.resolve import Resolver
from relay.outbound.tls import LOOK_AGAIN_S, ResumingContext, trusting_context
from tests.outbound.test_post import request_to
from tests.receiver import Receiver

AUTHORITY = trustme.CA()
INTERMEDIATE = AUTHORITY.create_child_ca()
DAY_S = 86_400


class Clocks:
    """Moved by hand."""

    def __init__(self) -> None:
        self.now_s = dt.datetime.now(dt.UTC).timestamp()
        self.passed_s = 0.0

    def monotonic(self) -> float:
        return self.passed_s

    def wall(self) -> float:
        return self.now_s

    def pass_(self, seconds: float) -> None:
        self.passed_s += seconds
        self.now_s += seconds


@asynccontextmanager
async def closing_receiver(version: ssl.TLSVersion, lasts_s: float = DAY_S) -> AsyncIterator[tuple[str, list[bool]]]:
    """It closes after each answer; the list says of each connection whether it resumed a session."""
    resumed: list[bool] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        resumed.append(writer.get_extra_info("ssl_object").session_reused)
        await reader.readuntil(b'{"a":1}')
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.transport.abort()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = version
    not_after = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=lasts_s)
    AUTHORITY.issue_cert("localhost", not_after=not_after).configure_cert(context)
    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}/", resumed


def poster_trusting(context: ResumingContext, pool: Pool | None = None) -> Poster:
    return Poster(
        Guard(Allowed.parse("127.0.0.0/8,localhost")),
        resolver=Resolver(lambda host: ["127.0.0.1"], threads=1),
        ssl_context=context,
        pool=pool,
    )


def context_with(clocks: Clocks) -> ResumingContext:
    context = ResumingContext(ssl.PROTOCOL_TLS_CLIENT, monotonic=clocks.monotonic, wall=clocks.wall)
    AUTHORITY.configure_trust(context)
    return context


async def post(poster: Poster, url: str) -> Outcome:
    outcome = await poster.post(request_to(url))
    assert outcome.status == 200, outcome
    return outcome


# --- how long a look holds


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_session_that_is_resumed_again_and_again_lasts_no_longer_for_it(version: ssl.TLSVersion) -> None:
    clocks = Clocks()
    poster = poster_trusting(context_with(clocks))
    async with closing_receiver(version) as (url, resumed):
        for _ in range(9):
            await post(poster, url)
            clocks.pass_(LOOK_AGAIN_S / 4)
    await poster.close()
    assert resumed == [False, True, True, True, False, True, True, True, False]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_session_does_not_outlast_its_certificate(version: ssl.TLSVersion) -> None:
    clocks = Clocks()
    poster = poster_trusting(context_with(clocks))
    async with closing_receiver(version, lasts_s=60) as (url, resumed):
        await post(poster, url)
        clocks.pass_(30)
        await post(poster, url)
        clocks.pass_(31)
        await post(poster, url)
    await poster.close()
    assert resumed == [False, True, False]


async def test_a_wall_clock_that_steps_back_does_not_lengthen_a_session() -> None:
    clocks = Clocks()
    poster = poster_trusting(context_with(clocks))
    async with closing_receiver(ssl.TLSVersion.TLSv1_3) as (url, resumed):
        await post(poster, url)
        clocks.pass_(LOOK_AGAIN_S + 1)
        clocks.now_s -= 10 * LOOK_AGAIN_S
        await post(poster, url)
    await poster.close()
    assert resumed == [False, False]


def secure_receiver(lasts_s: float = DAY_S) -> Receiver:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    not_after = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=lasts_s)
    AUTHORITY.issue_cert("localhost", not_after=not_after).configure_cert(context)
    return Receiver(tls=context)


async def test_a_kept_connection_does_not_outlast_its_certificate_either() -> None:
    """However often it is used; one that was made by a resumed session neither."""
    clocks = Clocks()
    poster = poster_trusting(context_with(clocks))
    async with secure_receiver(lasts_s=60) as receiver:
        for _ in range(3):
            await post(poster, receiver.url(host="localhost"))
        assert receiver.connections == 1
        clocks.pass_(59.8)
        receiver.script("/hook", "/connection-close", "/ok")
        await post(poster, receiver.url("/hook", host="localhost"))
        await post(poster, receiver.url("/hook", host="localhost"))
        assert receiver.connections == 2
        await asyncio.sleep(0.3)
        await post(poster, receiver.url("/hook", host="localhost"))
        assert receiver.connections == 3
    await poster.close()


async def test_a_kept_connection_grows_old_however_busy_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address was looked up and judged when it was made."""
    monkeypatch.setattr("relay.outbound.connection.MAX_AGE_S", 0.2)
    poster = Poster(Guard(Allowed.parse("127.0.0.0/8")))
    async with Receiver() as receiver, asyncio.timeout(5):
        while receiver.connections < 3:
            await post(poster, receiver.url())
            await asyncio.sleep(0.02)
        assert len(receiver.received()) > 8
    await poster.close()


# --- whom it trusts


def name_in_folder(file: Path) -> str:
    """How a folder of certificates has to name one."""
    done = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", file], capture_output=True, check=True)
    return f"{done.stdout.decode().strip()}.0"


async def outcome_with_trust(url: str) -> Outcome:
    """The outcome of a POST by somebody who trusts what the environment says."""
    poster = poster_trusting(trusting_context())
    outcome = await poster.post(request_to(url))
    await poster.close()
    return outcome


LEAF = INTERMEDIATE.issue_cert("localhost")
TRUSTED = {
    "root": AUTHORITY.cert_pem,
    "intermediate": INTERMEDIATE.cert_pem,
    "leaf": LEAF.cert_chain_pems[0],
}


@pytest.mark.parametrize("trusted", TRUSTED)
@pytest.mark.parametrize("in_folder", [False, True])
async def test_whatever_is_trusted_ends_a_chain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: str, in_folder: bool
) -> None:
    """A root, an intermediate authority, or the certificate itself; in a file, or in one of two folders."""
    file = tmp_path / "trusted.pem"
    TRUSTED[trusted].write_to_path(file)
    if in_folder:
        if shutil.which("openssl") is None:
            pytest.skip("the openssl command names the certificates of a folder, and it is not here")
        folders = [tmp_path / "empty", tmp_path / "trusted"]
        for folder in folders:
            folder.mkdir()
        file.rename(folders[1] / name_in_folder(file))
        monkeypatch.setenv("SSL_CERT_DIR", ":".join(map(str, folders)))
    else:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    LEAF.configure_cert(context)
    async with Receiver(tls=context) as receiver:
        outcome = await outcome_with_trust(receiver.url(host="localhost"))
        assert (outcome.status, outcome.detail) == (200, None)


@pytest.mark.parametrize("trusted", ["another leaf", "another intermediate", "another root"])
async def test_what_is_not_trusted_is_refused_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: str
) -> None:
    """Also the name and the dates of what is trusted still have to fit."""
    other = trustme.CA().create_child_ca()
    pem = {
        "another leaf": INTERMEDIATE.issue_cert("localhost").cert_chain_pems[0],
        "another intermediate": AUTHORITY.create_child_ca().cert_pem,
        "another root": other.cert_pem,
    }[trusted]
    pem.write_to_path(tmp_path / "trusted.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    LEAF.configure_cert(context)
    async with Receiver(tls=context) as receiver:
        outcome = await outcome_with_trust(receiver.url(host="localhost"))
    assert (outcome.status, outcome.error_code) == (None, ErrorCode.TLS_ERROR)


@pytest.mark.parametrize(("name", "days"), [("elsewhere.example.com", 1), ("localhost", -1)])
async def test_a_trusted_leaf_still_has_to_name_the_host_and_to_be_in_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, days: int
) -> None:
    now = dt.datetime.now(dt.UTC)
    leaf = AUTHORITY.issue_cert(name, not_before=now - dt.timedelta(10), not_after=now + dt.timedelta(days))
    leaf.cert_chain_pems[0].write_to_path(tmp_path / "trusted.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    async with Receiver(tls=context) as receiver:
        outcome = await outcome_with_trust(receiver.url(host="localhost"))
    assert (outcome.status, outcome.error_code) == (None, ErrorCode.TLS_ERROR)


@pytest.mark.parametrize(
    "text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_file_of_trust_without_certificates_is_said_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """And not by every delivery."""
    file = tmp_path / "trusted.pem"
    file.write_text(text)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with pytest.raises(StartError, match="SSL_CERT_FILE"):
        trusting_context()
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("SSL_CERT_DIR", f"{tmp_path}:{file}")
    with pytest.raises(StartError, match="SSL_CERT_DIR"):
        trusting_context()
