"""A client of the RavePilot API with one key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from aiohttp import web

from relay.core.keys import SCOPES
from relay.store.sqlite import SqliteDatabase
from tests.conftest import KEY
from tests.conftest import Relay as Server


class Answer(NamedTuple):
    status: int
    body: Any
    headers: Any


class Client:
    """Speaks to a server with one key, or with none."""

    def __init__(self, server: Server, key: str | None) -> None:
        self._server = server
        self.key = key

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        response = await self._server.call(method, path, body, key=self.key, **options)
        is_json = response.content_type == "application/json"
        return Answer(response.status, await (response.json() if is_json else response.text()), response.headers)

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.call("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        return await self.call("POST", path, body, **options)

    async def delete(self, path: str) -> Answer:
        return await self.call("DELETE", path)


class Relay:
    """A server under test: `client` has every scope in the workspace `default`."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.url = server.url
        self.client = Client(server, KEY)
        self.client_without_key = Client(server, None)

    @property
    def app(self) -> web.Application:
        return self._server.server.app

    @property
    def database(self) -> SqliteDatabase:
        return self._server.server.database

    async def client_of(self, workspace: str, scopes: Iterable[str] = SCOPES) -> Client:
        """A client of a workspace, made if missing, with these scopes."""
        return Client(self._server, await self._server.new_key(workspace, scopes=scopes))
