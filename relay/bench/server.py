"""A real `relay serve` in a process of its own, with a client that holds a key of every scope."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, cast

import aiohttp

from relay.core.errors import RelayError
from relay.core.keys import new_key

STOP_S = 3.0
"""How long it may take to stop in order; after that it is killed."""


class Server:
    """The process, once it is ready."""

    def __init__(self, pid: int, port: int, key: str, session: aiohttp.ClientSession, start_s: float) -> None:
        self.pid = pid
        self.port = port
        self.key = key
        self.start_s = start_s
        """From the start of the process until `/readyz` said yes."""
        self._session = session

    async def call(self, method: str, path: str, body: object = None, *, key: str | None = None, **query: str) -> Any:
        """The JSON of an answer; with a `key` for what another workspace asks. Raises RelayError when it is no 2xx."""
        headers = {"Authorization": f"Bearer {key or self.key}"}
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self._session.request(method, url, json=body, params=query, headers=headers) as response:
            if not response.ok:
                raise RelayError(f"{method} {path} was answered {response.status}: {(await response.text())[:200]}")
            return await response.json(content_type=None) if response.status != 204 else None

    async def nothing_pending(self) -> bool:
        """Whether every attempt is recorded and nothing waits for another."""
        return not (await self.call("GET", "/v1/deliveries", status="pending", limit="1"))["data"]


@contextlib.asynccontextmanager
async def serve(
    data_dir: Path,
    *,
    command: Sequence[str] = ("relay", "serve"),
    start_limit_s: float = 60.0,
    stop_s: float = STOP_S,
    environment: dict[str, str] | None = None,
) -> AsyncIterator[Server]:
    """Start it on a free port and wait until it is ready; whatever happens, it is gone afterwards.

    `command` is a module and its arguments. Nothing of the caller's own settings counts.
    """
    key = _key_of(data_dir)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RELAY_")}
    settings = {
        "RELAY_HOST": "127.0.0.1",
        "RELAY_PORT": "0",
        "RELAY_DATA_DIR": str(data_dir),
        "RELAY_BOOTSTRAP_KEY": key,
        "RELAY_ALLOW_TARGETS": "127.0.0.1",
        "RELAY_RATE_LIMIT": "0",
        "RELAY_LOG_FORMAT": "json",
    }
    with (data_dir / "server.log").open("ab") as log:
        started_s = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *command,
            env={**clean, **settings, **(environment or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        # No proxies and no limits: all of it is loopback.
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            async with asyncio.timeout(start_limit_s):
                port = await _port_of(process)
                while not await _is_ready(session, port):  # noqa: ASYNC110 - it is in another process
                    await asyncio.sleep(0.01)
            yield Server(process.pid, port, key, session, time.monotonic() - started_s)
    except TimeoutError:
        raise RelayError(f"the server was not ready within {start_limit_s:g} s") from None
    finally:
        await _stop(process, stop_s)


def _key_of(data_dir: Path) -> str:
    """The same key at every start on the same data."""
    data_dir.mkdir(parents=True, exist_ok=True)
    kept = data_dir / "bench.key"
    if not kept.exists():
        kept.write_text(new_key("rp_live_"))
        kept.chmod(0o600)
    return kept.read_text()


async def _port_of(process: asyncio.subprocess.Process) -> int:
    """The first line says where it listens."""
    line = (await cast("asyncio.StreamReader", process.stdout).readline()).decode()
    if "listens on" not in line:
        raise RelayError("the server did not start; server.log in its data folder says why")
    return int(line.rstrip().rpartition(":")[2])


async def _is_ready(session: aiohttp.ClientSession, port: int) -> bool:
    try:
        async with session.get(f"http://127.0.0.1:{port}/readyz") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


async def _stop(process: asyncio.subprocess.Process, stop_s: float) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(stop_s):
            await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
