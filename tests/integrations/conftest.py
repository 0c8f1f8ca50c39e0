"""What the tests of the integrations share: a real `relay serve`, and packages run by a real Node."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import KEY
from tests.whole.process import Serve, free_port, relay_command, serve

INTEGRATIONS = Path(__file__).resolve().parents[2] / "integrations"


@pytest.fixture
async def relay_process(tmp_path: Path) -> AsyncIterator[Serve]:
    """`relay serve` in a process of its own; it may post to loopback and retries after a fifth of a second."""
    settings = {"allow_targets": "127.0.0.0/8,[::1],localhost", "retry_delays": "0.2,0.2,0.2,0.2,0.2"}
    async with serve(tmp_path / "relay", free_port(), **settings) as process:
        yield process


async def run(command: list[str], folder: Path, timeout_s: float = 120, **environment: str) -> str:
    """Run a program to its end and return what it printed; fails with that when it does not end well."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(timeout_s):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            # npm starts programs of its own: all of its group has to go.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            await process.wait()
    text = out.decode(errors="replace")
    assert process.returncode == 0, f"{' '.join(command)} ended with {process.returncode}:\n{text}"
    return text


async def key_for(scope: str, data_dir: Path) -> str:
    """A new key that may do nothing else, made beside the running Relay."""
    command = ("keys", "create", "--workspace", "default", "--scopes", scope, "--json")
    code, out, err = await relay_command(*command, data_dir=str(data_dir))
    assert code == 0, err
    key: str = json.loads(out)["key"]
    return key


def connection(process: Serve) -> dict[str, str]:
    """The environment by which the JavaScript tests find Relay."""
    return {"RELAY_URL": process.url, "RELAY_KEY": KEY}
