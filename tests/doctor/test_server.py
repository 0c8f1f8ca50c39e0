"""The process that serves the database: whether it answers, is ready, and is of this version."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
from pathlib import Path

from relay import __version__
from tests.conftest import Relay, StartRelay
from tests.doctor.patient import examined, found
from tests.whole.process import free_port, serve


async def test_a_server_that_is_well_is_no_finding(tmp_path: Path, relay: Relay) -> None:
    report = await examined(tmp_path)
    assert report.findings == []
    server = report.checked["server"]
    assert (server["pid"], server["running"], server["ready"]) == (os.getpid(), True, True)
    assert (server["version"], server["listens"]) == (__version__, [relay.url])
    assert report.checked["settings"] == "left by the server"


async def test_a_server_that_does_not_answer_is_found(tmp_path: Path) -> None:
    """It is held up, and holds its database."""
    async with serve(tmp_path / "relay", free_port()) as serving:
        serving.process.send_signal(signal.SIGSTOP)
        one = (await found(tmp_path))["not_answering"]
        serving.process.send_signal(signal.SIGCONT)
    assert (one["pid"], one["url"], one["needs_person"]) == (serving.process.pid, serving.url, True)
    assert "does not answer within 3 s" in one["what"]


async def test_a_server_out_of_sight_is_not_judged(tmp_path: Path, start_relay: StartRelay) -> None:
    """In another container its process is not here, and neither is its loopback."""
    async with start_relay():
        side = tmp_path / "relay" / "relay.db.lock"
        with contextlib.closing(sqlite3.connect(tmp_path / "relay" / "relay.db", isolation_level=None)) as connection:
            connection.execute(
                "UPDATE installation SET value = :listens WHERE name = 'listens'",
                {"listens": f'["http://127.0.0.1:{free_port()}"]'},
            )
        assert (await found(tmp_path))["not_answering"]["needs_person"] is True
        side.write_text("4194305\n")  # above what any Linux gives to a process
        assert (await found(tmp_path))["not_answering"]["needs_person"] is False
        side.write_text("")
        assert (await examined(tmp_path)).checked["server"] | {"running": True, "pid": None} == (
            await examined(tmp_path)
        ).checked["server"]


async def test_what_a_server_says_is_amiss_is_passed_on(tmp_path: Path, relay: Relay) -> None:
    """As `/readyz` has it."""
    await relay.server.engine.stop()
    one = (await found(tmp_path))["not_ready"]
    assert one["reasons"] == ["deliveries are not being sent"]
    assert "deliveries are not being sent" in one["what"]


async def test_a_server_of_another_version_is_a_note(tmp_path: Path, relay: Relay) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "relay" / "relay.db", isolation_level=None)) as connection:
        connection.execute("UPDATE installation SET value = '\"0.0.7\"' WHERE name = 'version'")
    one = (await found(tmp_path))["other_version"]
    assert (one["version"], one["needs_person"]) == ("0.0.7", False)


async def test_listening_on_every_network_is_asked_on_the_loopback(tmp_path: Path, start_relay: StartRelay) -> None:
    async with start_relay(host="0.0.0.0", public_url="https://relay.example.com"):
        assert (await examined(tmp_path)).checked["server"]["ready"] is True
