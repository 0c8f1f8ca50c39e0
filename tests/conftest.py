"""What every test can ask for: a Relay that really listens, and a receiver that misbehaves on command."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvloop

from relay.app import Running, running, wall_clock
from relay.core.keys import DEFAULT_SCOPES, new_key
from relay.delivery.clocks import uptime_s
from relay.settings import load_settings
from relay.store import workspaces
from tests.npm import Packages
from tests.receiver import Receiver

KEY = "rp_live_" + "b" * 32
"""The bootstrap key of every Relay under test: all scopes, workspace `default`."""


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that `relay serve` runs on; for the engine and the store also the one it falls back to."""
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"uvloop": uvloop.new_event_loop}
    if item.path.parent.name in ("delivery", "outbound", "store"):
        factories["asyncio"] = asyncio.new_event_loop
    return factories


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything a test needs has to be there, a test that skips has failed."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and with CI=true nothing may be: {report.longrepr}"
    return report


async def has(packages: Packages) -> Path:
    """The folder of the programs of npm packages; skips where they are not installed."""
    programs = await asyncio.to_thread(packages.installed)
    if programs is None:
        pytest.skip(packages.advice)
    return programs


StartRelay = Callable[..., AbstractAsyncContextManager["Relay"]]


class Relay:
    """A running server with a client that holds a key."""

    def __init__(self, server: Running, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.url = server.url
        self.session = session

    async def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = KEY, **kwargs: Any
    ) -> aiohttp.ClientResponse:
        """A request with a JSON body; the answer is read and its connection is free again."""
        headers = dict(kwargs.pop("headers", {}))
        if key is not None:
            headers.setdefault("Authorization", f"Bearer {key}")
        if body is not None:
            kwargs["json"] = body
        async with self.session.request(method, self.url + path, headers=headers, **kwargs) as response:
            await response.read()
            return response

    async def json(self, method: str, path: str, body: Any = None, *, status: int = 200, **kwargs: Any) -> Any:
        """The JSON of an answer that must have this status."""
        response = await self.call(method, path, body, **kwargs)
        assert response.status == status, await response.text()
        return await response.json(content_type=None)

    async def new_key(self, workspace: str = "default", prefix: str = "rp_live_", scopes: Any = None) -> str:
        """A key of a workspace, which is made if there is none of that name."""
        database, now_ms = self.server.database, wall_clock()
        owner, _ = await database.write(workspaces.ensure(workspace, now_ms))
        key = new_key(prefix)
        chosen = DEFAULT_SCOPES[prefix] if scopes is None else frozenset(scopes)
        await database.write(workspaces.add_key(owner.id, key, chosen, None, now_ms))
        return key


@pytest.fixture
def start_relay(tmp_path: Path) -> StartRelay:
    """Start a Relay with settings of one's own; its data stays in the test's folder, so it can be started again."""

    @contextlib.asynccontextmanager
    async def start(clock: Callable[[], int] = wall_clock, **flags: Any) -> AsyncIterator[Relay]:
        resolver, uptime = flags.pop("resolver", None), flags.pop("uptime", uptime_s)
        settings = load_settings(
            **{
                "port": 0,
                "data_dir": tmp_path / "relay",
                "allow_targets": "127.0.0.0/8,[::1],localhost",
                "bootstrap_key": KEY,
                "rate_limit": 0,
                **flags,
            }
        )
        async with (
            running(settings, clock=clock, uptime=uptime, resolver=resolver) as server,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        ):
            yield Relay(server, session)

    return start


@pytest.fixture
async def relay(start_relay: StartRelay) -> AsyncIterator[Relay]:
    """A Relay that retries after a tenth of a second, so that tests need not wait long."""
    async with start_relay(retry_delays="0.1,0.1,0.1,0.1,0.1") as started:
        yield started


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as started:
        yield started
