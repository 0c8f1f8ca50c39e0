"""How the process starts, refuses to start, and stops."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import sys
import time
from pathlib import Path

import aiohttp

from tests.conftest import KEY
from tests.producers.testimonials.mail_server import MailServer, mail_server
from tests.receiver import Receiver
from tests.whole.process import environment, free_port, relay_command, serve


async def test_a_second_serve_on_the_same_file_refuses_to_start_and_names_the_process(tmp_path: Path) -> None:
    async with serve(tmp_path, free_port()) as server:
        code, out, err = await relay_command("serve", "--port", "0", "--data-dir", str(tmp_path))

    assert code == 1
    assert out == ""
    assert f"already served by process {server.process.pid}" in err
    assert len(err.strip().splitlines()) == 1


async def test_a_start_that_fails_says_why_in_one_line_and_exits_at_once(tmp_path: Path) -> None:
    junk = tmp_path / "junk.db"
    junk.write_bytes(b"this is no database, and long enough not to be taken for an empty one" * 20)
    port = free_port()
    cases = [
        (("--database", f"sqlite:///{junk}"), {}, "junk.db"),
        ((), {"port": "eighty"}, "RELAY_PORT must be"),
        ((), {"allow_targets": "not/a/network"}, "RELAY_ALLOW_TARGETS"),
        ((), {"data_dir": "/proc/nowhere"}, "/proc/nowhere"),
        (("--database", "postgresql://localhost/relay"), {}, "PostgreSQL"),
    ]
    async with serve(tmp_path / "running", port):
        cases.append((("--port", str(port)), {}, f"cannot listen on 127.0.0.1:{port}"))
        for arguments, settings, expected in cases:
            code, out, err = await relay_command(
                "serve", *arguments, **{"data_dir": str(tmp_path / "other"), **settings}
            )
            assert code == 1, (arguments, settings)
            assert expected in err, err
            assert len(err.strip().splitlines()) == 1, err
            assert out == ""
    assert junk.read_bytes().startswith(b"this is no database"), "a file that is no database is never touched"


async def test_the_first_start_prints_the_keys_once(tmp_path: Path) -> None:
    async def output_of_a_start() -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "relay", "serve", "--port", "0", "--data-dir", str(tmp_path)),
            env=environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(20):
                line = (await process.stdout.readline()).decode()
                process.terminate()
                rest = (await process.stdout.read()).decode()
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return line + rest

    first, second = await output_of_a_start(), await output_of_a_start()

    for prefix in ("rp_live_", "whk_live_", "rsk_"):
        assert first.count(f"  {prefix}") == 1
        assert prefix not in second
    assert "listens on http://127.0.0.1:" in second


async def test_sigterm_lets_requests_that_are_under_way_finish(tmp_path: Path, receiver: Receiver) -> None:
    """What was on the wire is recorded, so the next start does not send it again."""
    port = free_port()
    async with serve(tmp_path, port) as server:
        await server.post("/v1/webhooks", {"url": receiver.url("/slow/1")})
        await server.post("/v1/magic-link", {"customer_email": "dana@example.com"})
        await receiver.wait_for(1)
        started = time.monotonic()
        assert await server.stop() == 0
        assert time.monotonic() - started < 15

    async with serve(tmp_path, port) as server:
        async with server.session.get(f"{server.url}/v1/webhook-deliveries", headers={"X-API-Key": KEY}) as response:
            [delivery] = (await response.json())["deliveries"]
        await asyncio.sleep(0.5)
    assert delivery["status"] == "delivered"
    assert len(receiver.received()) == 1


async def test_sigterm_lets_a_mail_that_is_being_sent_get_through(tmp_path: Path) -> None:
    async with mail_server() as mails:
        mails.slow_s["data"] = 2
        code, mail, log = await stopped_at(mails, "data", tmp_path)
        assert (code, mail, mails.recipients) == (0, ("sent", 1), ["dana@example.com"])
        assert "Traceback" not in log


async def test_sigterm_puts_back_a_mail_of_which_nothing_was_handed_in(tmp_path: Path) -> None:
    """The mail server takes longer than the server has left: the next start sends it, once."""
    async with mail_server() as mails:
        mails.slow_s["rcpt"] = 60
        started = time.monotonic()
        code, mail, log = await stopped_at(mails, "rcpt", tmp_path)
        assert time.monotonic() - started < 25
        assert (code, mail, mails.recipients) == (0, ("queued", 0), [])
        assert "Traceback" not in log
        mails.slow_s["rcpt"] = 0
        async with serve(tmp_path, free_port(), smtp_url=mails.url, mail_from="a@example.com"):
            await mails.until(1)
        assert mails.recipients == ["dana@example.com"]


async def stopped_at(mails: MailServer, step: str, folder: Path) -> tuple[int, tuple[str, int], str]:
    """Stop a server whose mail server is that far: its exit code, the mail's state and tries, and its log."""
    log = folder / "log"
    async with serve(folder, free_port(), log, smtp_url=mails.url, mail_from="a@example.com") as server:
        await server.post("/v1/invitations", {"customer_email": "dana@example.com"})
        async with asyncio.timeout(10):
            await mails.at[step].wait()
        code = await server.stop()
    with contextlib.closing(sqlite3.connect(folder / "relay.db")) as file:
        [mail] = file.execute("SELECT state, attempts_made FROM emails").fetchall()
    return code, mail, log.read_text()


async def test_keys_and_trigger_work_while_the_server_runs(tmp_path: Path, receiver: Receiver) -> None:
    """The command line shares the file: a new key works, a revoked one stops within a second, a trigger is sent."""
    async with serve(tmp_path, free_port()) as server:
        data = ("--data-dir", str(tmp_path))
        code, out, _ = await relay_command("keys", "create", "--workspace", "default", "--json", *data)
        made = json.loads(out)
        assert code == 0
        headers = {"X-API-Key": made["key"]}

        async def status() -> int:
            async with server.session.get(f"{server.url}/v1/webhooks", headers=headers) as response:
                return response.status

        assert await status() == 200
        await server.post("/v1/webhooks", {"url": receiver.url("/ok"), "events": ["clip.approved"]})
        code, out, _ = await relay_command("trigger", "clip.approved", "--json", *data)
        assert (code, json.loads(out)["deliveries"]) == (0, 1)
        await receiver.wait_for(1)
        assert json.loads(receiver.received()[0].body)["event"] == "clip.approved"

        hook = {"target_url": receiver.url("/hook"), "event_type": "clip.approved"}
        async with server.session.post(f"{server.url}/api/v1/hooks", json=hook, headers=headers) as response:
            assert response.status == 200
        code, out, _ = await relay_command("keys", "revoke", made["id"], *data)
        assert (code, out) == (0, f"{made['id']} is revoked; 1 hook ended\n")
        await relay_command("trigger", "clip.approved", *data)
        await receiver.wait_for(2, "/ok")
        assert receiver.received("/hook") == [], "a hook ends with its key"
        async with asyncio.timeout(3):
            while await status() == 200:
                await asyncio.sleep(0.1)
        assert await status() == 401

        code, out, _ = await relay_command("keys", "list", "--json", *data)
        assert made["key"] not in out
        assert any(key["id"] == made["id"] and key["revoked_at"] for key in json.loads(out)["keys"])


async def test_the_demo_shows_the_loop_and_exits_0_without_a_terminal() -> None:
    code, out, err = await relay_command("demo")

    assert code == 0, err
    assert "All signatures verified." in out
    assert out.count("✓") == 9


async def test_a_folder_that_cannot_be_written_refuses_to_start(tmp_path: Path) -> None:
    """F4: also for root, to whom permissions mean nothing."""
    code, _, err = await relay_command(
        "serve", "--port", "0", "--database", "sqlite:////proc/relay.db", data_dir=str(tmp_path)
    )

    assert code == 1
    assert "/proc/relay.db" in err
    assert len(err.strip().splitlines()) == 1


async def test_damage_that_shows_while_serving_ends_the_process(tmp_path: Path) -> None:
    """F5: an insert may still succeed on a file that cannot be read, so going on would be lying."""
    async with serve(tmp_path, free_port()) as server:
        for number in range(50):
            await server.post("/v1/magic-link", {"customer_email": f"n{number}@example.com"})
        file = tmp_path / "relay.db"
        wal = file.with_name("relay.db-wal")
        for damaged in (wal, file):
            size = damaged.stat().st_size
            with damaged.open("r+b") as handle:
                handle.seek(min(4096, size))
                handle.write(b"\xa5" * max(0, size - 4096))
        async with asyncio.timeout(30):
            while server.process.returncode is None:
                try:
                    await server.post("/v1/magic-link", {"customer_email": f"{time.monotonic()}@example.com"})
                except (OSError, aiohttp.ClientError):
                    await asyncio.sleep(0.05)
        assert server.process.returncode == 1
