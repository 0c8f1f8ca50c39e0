"""A running Relay with keys, and a client that speaks HTTP to it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from aiohttp import web
from yarl import URL

from relay.app import Running, running
from relay.core.keys import SCOPES, new_key
from relay.settings import Settings
from relay.store import workspaces


class Answer(NamedTuple):
    status: int
    body: Any
    headers: Any


class Client:
    """Speaks to a server with one key."""

    def __init__(self, session: aiohttp.ClientSession, url: str, key: str | None) -> None:
        self._session = session
        self.url = url
        self.key = key

    async def call(self, method: str, path: str, **options: Any) -> Answer:
        headers = options.pop("headers", None)
        if headers is None:
            headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        async with self._session.request(method, self.url + path, headers=headers, **options) as answer:
            is_json = answer.content_type == "application/json"
            return Answer(answer.status, await (answer.json() if is_json else answer.text()), answer.headers)

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.call("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        return await self.call("POST", path, **({"json": body} if body is not None else {}), **options)

    async def delete(self, path: str) -> Answer:
        return await self.call("DELETE", path)


class Relay:
    """A server under test: `client` has every scope in the workspace `default`."""

    def __init__(self, server: Running, url: str, session: aiohttp.ClientSession, key: str) -> None:
        self._session = session
        self.url = url
        self.database = server.database
        self.app: web.Application = server.app
        self.client = Client(session, url, key)

    async def client_of(self, workspace: str, scopes: Iterable[str] = SCOPES) -> Client:
        """A client of a workspace, made if missing, with these scopes."""
        owner, _ = await self.database.write(workspaces.ensure(workspace, 1))
        key = new_key("rp_live_")
        await self.database.write(workspaces.add_key(owner.id, key, frozenset(scopes), None, 1))
        return Client(self._session, self.url, key)

    def client_without_key(self) -> Client:
        return Client(self._session, self.url, None)


@contextlib.asynccontextmanager
async def serve(folder: Path, **settings: Any) -> AsyncIterator[Relay]:
    """Relay on a free port, or on the one in `settings`."""
    key = new_key("rp_live_")
    given = {
        "data_dir": folder / "data",
        "port": 0,
        "bootstrap_key": key,
        "allow_targets": "127.0.0.0/8",
        "retry_delays": "0.05,0.05",
    } | settings
    async with running(Settings(**given)) as server, aiohttp.ClientSession() as session:
        yield Relay(server, f"http://127.0.0.1:{given['port'] or URL(server.url).port}", session, key)
