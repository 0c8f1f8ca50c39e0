"""A real `relay serve` in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import IO

import aiohttp

from tests.conftest import KEY

START_S = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(**settings: str) -> dict[str, str]:
    """The environment without any setting of the machine's own, and with these."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RELAY_")}
    return {**clean, **{f"RELAY_{name.upper()}": value for name, value in settings.items()}}


async def relay_command(*arguments: str, **settings: str) -> tuple[int, str, str]:
    """Run `relay …` to its end: exit code, stdout, stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "relay",
        *arguments,
        env=environment(**settings),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(30):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


class Serve:
    """The process, once it answers."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, session: aiohttp.ClientSession) -> None:
        self.process = process
        self.url = url
        self.session = session

    async def post(self, path: str, body: object) -> tuple[int, dict[str, object]]:
        headers = {"Authorization": f"Bearer {KEY}"}
        async with self.session.post(self.url + path, json=body, headers=headers) as response:
            return response.status, await response.json(content_type=None)

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()


@contextlib.asynccontextmanager
async def serve(data_dir: Path, port: int, log: Path | None = None, /, **settings: str) -> AsyncIterator[Serve]:
    """Start `relay serve` and wait until it is ready; whatever happens, it is gone afterwards.

    `log` gets what it writes to stderr.
    """
    with contextlib.ExitStack() as opened:
        stderr = asyncio.subprocess.DEVNULL if log is None else opened.enter_context(log.open("wb"))
        process = await _start(data_dir, port, stderr, settings)
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            started = Serve(process, f"http://127.0.0.1:{port}", session)
            async with asyncio.timeout(START_S):
                while not await _is_ready(started):
                    assert process.returncode is None, "the server ended instead of starting"
                    await asyncio.sleep(0.05)
            yield started
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _start(
    data_dir: Path, port: int, stderr: IO[bytes] | int, settings: Mapping[str, str]
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "relay",
        "serve",
        "--port",
        str(port),
        "--data-dir",
        str(data_dir),
        env=environment(
            **{"bootstrap_key": KEY, "allow_targets": "127.0.0.0/8", "retry_delays": "0.2,0.2,0.2,0.2", **settings}
        ),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=stderr,
    )


async def _is_ready(server: Serve) -> bool:
    try:
        async with server.session.get(f"{server.url}/readyz") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False
