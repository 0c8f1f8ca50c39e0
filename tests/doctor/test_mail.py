"""The mail server is greeted and logged in to, and nothing is sent; mail that did not go out is found."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sqlite3
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult

from relay.app import wall_clock
from tests.conftest import Relay, StartRelay
from tests.doctor.patient import HOUR_MS, examined, found, until
from tests.producers.testimonials.mail_server import MailServer, mail_server
from tests.whole.process import free_port

SENDER = "Relay <relay@example.com>"


def allow(server: Any, session: Any, envelope: Any, mechanism: str, login: Any) -> AuthResult:
    return AuthResult(success=login.password == b"right", handled=False)


@contextlib.asynccontextmanager
async def strict_server(**options: Any) -> AsyncIterator[tuple[MailServer, int]]:
    """One that knows a password."""
    told = MailServer()

    def connected() -> SMTP:
        return SMTP(told, hostname="mail.test", authenticator=allow, **options)

    server = await asyncio.get_running_loop().create_server(connected, "127.0.0.1", 0)
    try:
        yield told, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def test_a_mail_server_that_lets_us_in_is_no_finding(tmp_path: Path, start_relay: StartRelay) -> None:
    """And gets no mail."""
    async with mail_server() as server, start_relay(smtp_url=server.url, mail_from=SENDER, allow_targets=""):
        report = await examined(tmp_path, offline=False)
        assert report.findings == []
        assert report.checked["mail"] == {"reached": True, "with_login": False}
        assert (server.mails, server.dialogues) == ([], 0)
        assert (await examined(tmp_path)).checked["mail"] is None


async def test_a_mail_server_that_is_not_there_is_found(tmp_path: Path, start_relay: StartRelay) -> None:
    port = free_port()
    async with start_relay(smtp_url=f"smtp://user:canary@localhost:{port}", mail_from=SENDER, allow_targets=""):
        one = (await found(tmp_path, offline=False))["mail_server"]
    assert (one["about"], one["needs_person"]) == (f"smtp://localhost:{port}", True)
    assert "canary" not in str(one)


@pytest.mark.parametrize("password", ["right", "wrong"])
async def test_the_login_is_tried(tmp_path: Path, start_relay: StartRelay, password: str) -> None:
    """It is sealed in the database, and opened with the key of the data folder."""
    async with (
        strict_server(auth_require_tls=False) as (_, port),
        start_relay(smtp_url=f"smtp://user:{password}@127.0.0.1:{port}", mail_from=SENDER, allow_targets=""),
    ):
        report = await examined(tmp_path, offline=False)
    reasons = [one.details["reason"] for one in report.findings if one.problem == "mail_server"]
    assert len(reasons) == len(report.findings) == (password == "wrong")
    assert all("535" in reason for reason in reasons)
    assert report.checked["mail"] == {"reached": password == "right", "with_login": True}


async def test_without_the_key_the_server_is_greeted_only(tmp_path: Path, start_relay: StartRelay) -> None:
    async with (
        strict_server(auth_require_tls=False) as (_, port),
        start_relay(
            smtp_url=f"smtp://user:wrong@127.0.0.1:{port}",
            mail_from=SENDER,
            allow_targets="",
            secret_key="the key of the server",
        ),
    ):
        report = await examined(tmp_path, offline=False)
    assert report.findings == []
    assert report.checked["mail"] == {"reached": True, "with_login": False}


@pytest.mark.parametrize("is_trusted", [True, False])
async def test_encryption_is_begun_and_its_certificate_checked_as_the_server_does(
    tmp_path: Path, start_relay: StartRelay, monkeypatch: pytest.MonkeyPatch, is_trusted: bool
) -> None:
    """With the SSL_CERT_FILE that the server was started with, which is not set here."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    trusted = tmp_path / "trusted.pem"
    (authority if is_trusted else trustme.CA()).cert_pem.write_to_path(trusted)
    async with strict_server(tls_context=context, require_starttls=True) as (_, port):
        with monkeypatch.context() as patch:
            patch.setenv("SSL_CERT_FILE", str(trusted))
            started = start_relay(smtp_url=f"smtp://user:right@localhost:{port}", mail_from=SENDER, allow_targets="")
            await started.__aenter__()
        try:
            problems = [one.problem for one in (await examined(tmp_path, offline=False)).findings]
        finally:
            await started.__aexit__(None, None, None)
    assert problems == ([] if is_trusted else ["mail_server"])


async def test_a_mail_server_that_says_nothing_is_waited_for_a_while_only(
    tmp_path: Path, start_relay: StartRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.doctor.network.MAIL_LIMIT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with start_relay(
            smtp_url=f"smtp://127.0.0.1:{silent.getsockname()[1]}", mail_from=SENDER, allow_targets=""
        ):
            one = (await found(tmp_path, offline=False))["mail_server"]
    assert "0.3" in one["what"] or "timed out" in one["what"].lower()


async def invite(relay: Relay) -> None:
    await relay.json("POST", "/v1/invitations", {"customer_email": "dana@example.com", "customer_name": "Dana"})


def mails(tmp_path: Path, sql: str, **parameters: Any) -> list[Any]:
    with contextlib.closing(sqlite3.connect(tmp_path / "relay" / "relay.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA busy_timeout = 5000")
        return connection.execute(sql, parameters).fetchall()


async def test_mail_that_is_refused_again_and_again_is_found(tmp_path: Path, start_relay: StartRelay) -> None:
    """With the server's own words, which cannot play with the terminal."""
    async with mail_server() as server, start_relay(smtp_url=server.url, mail_from=SENDER, allow_targets="") as relay:
        server.rcpt_answers = ["450 greylisted, try again"]
        await invite(relay)

        async def was_refused() -> bool:
            return mails(tmp_path, "SELECT state FROM emails WHERE attempts_made = 1 AND state = 'queued'") != []

        await until(was_refused)
        one = (await found(tmp_path))["mail_refused"]
    assert (one["count"], one["needs_person"]) == (1, True)
    assert "1 mail was refused" in one["what"]
    assert "greylisted" in one["reason"]


@pytest.mark.parametrize(("state", "needs_person"), [("unknown", True), ("failed", False)])
async def test_mail_that_ended_without_arriving_is_found_for_a_day(
    tmp_path: Path, start_relay: StartRelay, state: str, needs_person: bool
) -> None:
    """Whether `unknown` mail arrived only a person can tell."""
    async with mail_server() as server, start_relay(smtp_url=server.url, mail_from=SENDER, allow_targets="") as relay:
        await invite(relay)
        await server.until(1)

        async def was_sent() -> bool:
            return mails(tmp_path, "SELECT state FROM emails WHERE state = 'sent'") != []

        await until(was_sent)
        mails(tmp_path, "UPDATE emails SET state = :state, completed_at = :at", state=state, at=wall_clock())
        one = (await found(tmp_path))[f"mail_{state}"]
        later = await found(tmp_path, after_ms=25 * HOUR_MS)
    assert (one["count"], one["needs_person"]) == (1, needs_person)
    assert f"mail_{state}" not in later
