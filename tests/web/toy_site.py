"""A small site of two toy APIs on a real port, with a real database and a clock that the test holds."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
from aiohttp import web
from pydantic import BaseModel, Field

from relay.core import errors
from relay.core.conditions import Conditions
from relay.core.keys import new_key
from relay.core.model import SubscriptionState
from relay.core.retry import RetryPolicy
from relay.core.wire import Wire
from relay.store import workspaces
from relay.store.sqlite import SqliteDatabase, open_sqlite
from relay.web.answers import ROOM, Room, streamed
from relay.web.api import Api, Problem
from relay.web.auth import api_key_of
from relay.web.body import (
    MAX_BODY_BYTES,
    json_object,
    json_object_and_text,
    json_response,
    member_text,
)
from relay.web.headers import answer_headers
from relay.web.health import HEALTHZ
from relay.web.health import OPERATIONS as HEALTH
from relay.web.middleware import register
from relay.web.openapi import operations as documents
from relay.web.operation import ANY_KEY, PUBLIC, Operation
from relay.web.query import whole_number
from relay.web.watchdog import Patience, watched_runner
from relay.web.wiring import CLOCK, CONDITIONS, DATABASE, ENGINE

NOW_MS = 1_780_000_000_000


class Entry(BaseModel):
    """What the toy ledger takes."""

    type: str
    payload: dict[str, Any]


class Line(BaseModel):
    """What is inside of a note."""

    text: str


class Note(BaseModel):
    """What the toy notes take."""

    payload: dict[str, Any] = {}
    lines: list[Line] = []
    first: Line | None = None


class EntryHeaders(BaseModel):
    """What may come with an entry."""

    idempotency_key: str | None = Field(None, alias="Idempotency-Key")


class EntryQuery(BaseModel):
    """How the toy ledger is listed."""

    limit: int = Field(default=25, ge=1, le=100, description="How many.")


class ProblemBody(BaseModel):
    """The toy ledger's errors."""

    title: str
    status: int


async def echo(request: web.Request) -> web.Response:
    members, text = await json_object_and_text(request)
    payload = member_text(text, members, "payload") if "payload" in members else ""
    return json_response({"keys": list(members), "payload": payload, "workspace": api_key_of(request).workspace_id})


async def item(request: web.Request) -> web.Response:
    raise errors.NotFound(f"no item {request.match_info['id'][:20]!r}")


async def number(request: web.Request) -> web.Response:
    return json_response(whole_number(request, "limit", 25, 1, 100))


async def entry(request: web.Request) -> web.Response:
    return json_response(await json_object(request))


async def fail(request: web.Request) -> web.Response:
    match request.match_info["how"]:
        case "bug":
            raise ZeroDivisionError("secret-looking details")
        case "peer":
            raise ConnectionResetError("another server hung up")
        case "conflict":
            raise errors.Conflict("it has ended")
        case "busy":
            raise errors.StoreBusy
        case "limited":
            answer_headers(request)["X-RateLimit-Limit"] = "10"
            raise errors.RateLimited("too many requests", retry_after_s=7)
    raise errors.InputError("how is unknown", fields={"how": ["is unknown"]})


async def stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(b"event: ready\n\n")
    raise ZeroDivisionError


async def large(request: web.Request) -> web.Response:
    return web.Response(body=b"x" * (int(request.match_info["kb"]) * 1024))


PARTS_MADE: list[int] = []
"""The parts of streamed answers that were made so far."""


async def parts(request: web.Request) -> web.StreamResponse:
    async def made() -> AsyncGenerator[str, None]:
        for number in range(int(request.match_info["count"])):
            PARTS_MADE.append(number)
            yield "x" * 10_240

    return await streamed(made())


def notes_error(problem: Problem) -> web.Response:
    return json_response({"error": problem.message}, problem.status)


def ledger_error(problem: Problem) -> web.Response:
    body = {"title": problem.message, "status": problem.status, "errors": dict(problem.fields)}
    response = json_response(body, problem.status)
    response.content_type = "application/problem+json"
    return response


WIRE = Wire("toy", lambda *_: "{}", lambda _: "", lambda *_: (), RetryPolicy((), False, 1, SubscriptionState.PAUSED))

NOTES = Api(
    "notes",
    "Notes",
    "A toy.",
    (
        Operation("POST", "/notes", "createNote", "Echo a note", echo, "events", request=Note),
        Operation("GET", "/notes/number", "readNumber", "A number", number, PUBLIC),
        Operation("GET", "/notes/{id}", "getNote", "One note", item, ANY_KEY),
        Operation("GET", "/notes/large/{kb}", "large", "So many KB", large, ANY_KEY),
        Operation("GET", "/notes/parts/{count}", "parts", "So many parts of 10 KB", parts, "events"),
        Operation("GET", "/notes/stream/{id}", "stream", "Breaks", stream, PUBLIC, media_type="text/event-stream"),
    ),
    lambda method, path: path.startswith("/notes"),
    notes_error,
    WIRE,
)
LEDGER = Api(
    "ledger",
    "Ledger",
    "Another toy.",
    (
        Operation(
            "POST",
            "/ledger",
            "addEntry",
            "Add",
            entry,
            "hooks",
            request=Entry,
            headers=EntryHeaders,
            answers={200: Entry},
            tag="Entries",
        ),
        Operation(
            "GET", "/ledger", "listEntries", "List", number, PUBLIC, query=EntryQuery, answers={200: list[Entry]}
        ),
        Operation("DELETE", "/ledger/{id}", "dropEntry", "Drop", item, "hooks", answers={204: None}),
        Operation("GET", "/ledger/fail/{how}", "fail", "Fail", fail, PUBLIC),
    ),
    lambda method, path: path.startswith("/ledger"),
    ledger_error,
    WIRE,
    error_model=ProblemBody,
    error_media_type="application/problem+json",
)


@dataclass
class Site:
    """A running toy site."""

    port: int
    database: SqliteDatabase
    http: aiohttp.ClientSession
    key: str
    now_ms: int = NOW_MS
    engine: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(running=True, under_way=3))
    conditions: Conditions = field(default_factory=lambda: Conditions(time.monotonic, lambda change: None))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    async def new_key(self, *scopes: str) -> tuple[str, str]:
        """A fresh key with these scopes, and its id."""
        key = new_key("whk_live_")
        workspace, _ = await self.database.write(workspaces.ensure("toys", self.now_ms))
        made = await self.database.write(workspaces.add_key(workspace.id, key, frozenset(scopes), "test", self.now_ms))
        assert made is not None
        return key, made.id

    async def raw(self, sent: bytes, *, timeout_s: float = 10.0) -> bytes:
        """What the server answers to these bytes until it closes the connection, or nothing comes for 0.3 s."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(sent)
            received = await asyncio.wait_for(reader.read(65536), timeout_s)
            with contextlib.suppress(TimeoutError):
                while more := await asyncio.wait_for(reader.read(65536), 0.3):
                    received += more
            return received
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def toy_site(folder: Path, patience: Patience | None = None, room: Room | None = None) -> AsyncIterator[Site]:
    """Serve the toys until the block ends."""
    async with open_sqlite(folder / "relay.db", serve=True) as database, aiohttp.ClientSession() as http:
        site = Site(0, database, http, "")
        site.key, _ = await site.new_key("events", "hooks")
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        register(app, (NOTES, LEDGER), [HEALTHZ, *HEALTH, *documents((NOTES, LEDGER), "https://toys.example.com")])
        app[DATABASE], app[CLOCK] = database, lambda: site.now_ms
        app[ENGINE], app[CONDITIONS] = cast("Any", site.engine), site.conditions
        if room is not None:
            app[ROOM] = room
        runner = watched_runner(app) if patience is None else watched_runner(app, patience)
        await runner.setup()
        try:
            listening = web.TCPSite(runner, "127.0.0.1", 0)
            await listening.start()
            site.port = runner.addresses[0][1]
            yield site
        finally:
            await runner.cleanup()
