"""Puts Relay together: the settings become a running server, and everything that was opened is closed again."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from aiohttp import web

from relay import listen, notices
from relay.apis import ravepilot, rest_hooks, webhook_relay
from relay.catalogue import Catalogue
from relay.core.conditions import Conditions
from relay.core.errors import StartError, StoreError
from relay.core.keys import DEFAULT_SCOPES, SCOPES, new_key
from relay.core.model import DeliveryState
from relay.core.wire import Wire
from relay.delivery.clocks import TrustedClock, uptime_s
from relay.delivery.engine import Engine
from relay.delivery.farewell import Farewells
from relay.delivery.jobs import Chore
from relay.delivery.removal import removal_chore
from relay.delivery.report import Report
from relay.delivery.settle import Settled
from relay.doctor.installation import Installation, as_values, installation_of
from relay.notices import ConditionLog
from relay.outbound.guard import Allowed, Guard
from relay.outbound.post import Poster
from relay.outbound.resolve import Resolver
from relay.outbound.tls import trusting_context
from relay.producers import testimonials
from relay.producers.testimonials import mail
from relay.producers.testimonials.smtp import parse_server
from relay.sealed import keys_of, need_all_secrets
from relay.settings import Settings
from relay.store import workspaces
from relay.store.database import Database, Steps, work
from relay.store.installation import keep
from relay.store.migrate import load_migrations
from relay.store.sqlite import SqliteDatabase, open_sqlite
from relay.web import health, openapi, pages
from relay.web.api import Api
from relay.web.body import MAX_BODY_BYTES
from relay.web.gauges import Counted, count
from relay.web.metrics import Metrics
from relay.web.middleware import register
from relay.web.watchdog import watched_runner
from relay.web.wiring import (
    CATALOGUE,
    CLOCK,
    CONDITIONS,
    DATABASE,
    ENGINE,
    GUARD,
    METRICS,
    REPORT,
    SECRETS,
    SETTINGS,
    TRUSTED_CLOCK,
    Clock,
)

APIS: tuple[Api, ...] = (ravepilot.API, webhook_relay.API, rest_hooks.API)
"""Every API that is served. A new one is a folder, and its name here."""

FIRST_PREFIXES = ("rp_live_", "whk_live_", "rsk_")
"""The keys that the first start makes for the workspace `default`."""
DEFAULT_WORKSPACE = "default"
CONDITIONS_S = 5.0
STOP_COUNT_S = 2.0
"""How long counting what waits may delay the stop."""


def wall_clock() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Running:
    """A server that listens."""

    url: str
    """How others reach it."""
    sockets: tuple[str, ...]
    """The URLs of what it really listens on."""
    first_keys: tuple[str, ...]
    """The keys of the first start; empty at every other. They are in no database and cannot be shown again."""
    database: SqliteDatabase
    engine: Engine
    app: web.Application


def check(settings: Settings) -> None:
    """Raise StartError with all that is wrong with what parts read out of the settings for themselves."""
    smtp_url = settings.smtp_url.get_secret_value() if settings.smtp_url else None
    reads: list[Callable[[], object]] = [
        lambda: listen.addresses_of(settings.hosts, settings.port),
        lambda: Allowed.parse(settings.allow_targets),
        lambda: Catalogue.load(settings.sample_events),
        lambda: parse_server(smtp_url) if smtp_url else None,
    ]
    wrong = []
    for read in reads:
        try:
            read()
        except StartError as error:
            wrong.append(error.message)
    if settings.data_dir.exists() and not settings.data_dir.is_dir():
        wrong.append(f"RELAY_DATA_DIR must be a folder, and {settings.data_dir} is none")
    if settings.database_path.is_dir():
        wrong.append(f"RELAY_DATABASE must be a file, and {settings.database_path} is a folder")
    if wrong:
        raise StartError("; ".join(wrong))


def wires_of(settings: Settings, apis: Sequence[Api] = APIS) -> dict[str, Wire]:
    """Each API's way out, with the operator's retry delays where those are set."""
    wires = {api.name: api.wire for api in apis}
    if settings.retry_delays is None:
        return wires
    delays = settings.retry_delays
    return {name: replace(wire, retry=replace(wire.retry, schedule_s=delays)) for name, wire in wires.items()}


@contextlib.asynccontextmanager
async def open_store(settings: Settings, *, read_only: bool = False) -> AsyncIterator[SqliteDatabase]:
    """The database of the settings for a command, beside the server if one runs. It makes nothing and migrates nothing.

    Raises StoreError when there is no database, StartError when its schema is not that of this release.
    """
    async with open_sqlite(settings.database_path, serve=False, read_only=read_only) as database:
        yield database


def _is_new(path: Path) -> bool:
    """Whether there is no database yet; an empty file is what a start leaves that was cut off."""
    return not path.exists() or path.stat().st_size == 0


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"cannot make the data folder {folder}: {error.strerror}") from error


@contextlib.asynccontextmanager
async def running(
    settings: Settings,
    *,
    clock: Clock = wall_clock,
    uptime: Callable[[], float] = uptime_s,
    monotonic: Callable[[], float] = time.monotonic,
    resolver: Resolver | None = None,
    announce: Callable[[Running], None] = lambda relay: None,
) -> AsyncIterator[Running]:
    """Serve until the block ends: then requests that are under way finish, and everything is closed.

    `clock` gives Unix milliseconds, `monotonic` the seconds that the log counts its minutes by, `uptime` those that say
    whether the clock has jumped. `announce` shows what there is to show. The first keys are stored only after it: what
    it could not show, because it raised, nobody has. Raises StartError with one line when it cannot start.
    """
    check(settings)
    catalogue = Catalogue.load(settings.sample_events)
    condition_log = ConditionLog(monotonic)
    conditions = Conditions(monotonic, condition_log.changed)
    async with contextlib.AsyncExitStack() as stack:
        _make_folder(settings.data_dir)
        if _is_new(settings.database_path):
            keys_of(settings, make=True)  # before the database: one that is there is never given a new key
        database = await stack.enter_async_context(
            open_sqlite(settings.database_path, serve=True, conditions=conditions)
        )
        secrets = keys_of(settings)
        database.leave_note(secrets.fingerprint)
        await need_all_secrets(database, secrets, settings, clock())
        _allow_many_sockets()

        # Bound before anything is made: links and the guard need the port, which may be any free one.
        listeners = [stack.enter_context(one) for one in listen.listen(settings.hosts, settings.port)]
        sockets = tuple(listen.url_of(one) for one in listeners)
        url = settings.public_url or sockets[0]
        guard = Guard(Allowed.parse(settings.allow_targets), own_addresses=listen.own_addresses(listeners))
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        documents = openapi.operations(APIS, url, catalogue.types())
        register(app, APIS, [*health.OPERATIONS, *pages.OPERATIONS, *documents, *testimonials.OPERATIONS])
        app[SETTINGS], app[DATABASE], app[CLOCK], app[SECRETS] = settings, database, clock, secrets
        app[CATALOGUE], app[GUARD], app[CONDITIONS] = catalogue, guard, conditions
        trusted = TrustedClock(clock, uptime, conditions)
        app[TRUSTED_CLOCK] = trusted
        wires, trust = wires_of(settings), trusting_context()
        app[REPORT] = report = Report(clock, monotonic, wires, app[METRICS])
        resolver = Resolver() if resolver is None else resolver
        poster = Poster(guard, resolver=resolver, ssl_context=trust, conditions=conditions)
        farewell_retry = wires[rest_hooks.API.name].retry
        farewells = Farewells(database, clock, poster, farewell_retry, settings.delivery_timeout)
        engine = Engine(
            database,
            clock,
            secrets,
            poster,
            wires,
            timeout_s=settings.delivery_timeout,
            concurrency=settings.delivery_concurrency,
            retention_days=settings.retention_days,
            conditions=conditions,
            trusted=trusted,
            report=report,
            chores=[
                Chore("say-conditions", CONDITIONS_S, condition_log.tell_now_and_then),
                Chore("look-at-file", 1, database.look),
                farewells.chore,
                removal_chore(database, trusted),
                *testimonials.mount(app, url),
                *chain.from_iterable(api.mount(app) for api in APIS if api.mount),
            ],
        )
        app[ENGINE] = engine
        engine.on_settled(lambda batch: _count(app[METRICS], batch))
        engine.on_fault(lambda where: app[METRICS].faulted(where.value))
        served = asyncio.Event()
        stack.push_async_callback(_stop, engine, database, report, condition_log, served)
        runner = watched_runner(app)
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        # What waits is taken up first: a request that is answered finds the engine at work.
        await engine.start()
        await _leave(installation_of(settings, clock(), secrets, list(sockets), guard.own_addresses), database)
        # Last: they are shown once, and a start that fails shows nothing.
        first_keys = await _first_keys(database)
        relay = Running(url, sockets, first_keys, database, engine, app)
        announce(relay)
        await _ensure_keys(database, settings, first_keys, clock())
        for listener in listeners:
            await web.SockSite(runner, listener, backlog=listen.BACKLOG).start()
        notices.started(
            settings,
            schema=load_migrations()[-1].number,
            listens=sockets,
            public_url=url,
            event_types=len(catalogue.ids()),
            waiting=_waiting(await database.read(count())),
        )
        served.set()
        yield relay


async def _first_keys(database: Database) -> tuple[str, ...]:
    if await database.read(workspaces.by_name(DEFAULT_WORKSPACE)) is not None:
        return ()
    return tuple(new_key(prefix) for prefix in FIRST_PREFIXES)


async def _ensure_keys(database: Database, settings: Settings, first_keys: Sequence[str], now_ms: int) -> None:
    bootstrap = settings.bootstrap_key.get_secret_value() if settings.bootstrap_key else None
    await database.write(_keys_of_a_start(first_keys, bootstrap, now_ms))


@work
def _keys_of_a_start(first_keys: Sequence[str], bootstrap: str | None, now_ms: int) -> Steps[None]:
    # In one commit: of a start that is cut off here, the next one is the first again.
    workspace, _ = yield from workspaces.ensure(DEFAULT_WORKSPACE, now_ms)
    for key, prefix in zip(first_keys, FIRST_PREFIXES, strict=False):
        yield from workspaces.add_key(workspace.id, key, DEFAULT_SCOPES[prefix], "first start", now_ms)
    if bootstrap is not None:
        yield from workspaces.ensure_key(workspace.id, bootstrap, frozenset(SCOPES), "bootstrap", now_ms)


async def _stop(
    engine: Engine, database: Database, report: Report, condition_log: ConditionLog, served: asyncio.Event
) -> None:
    cut_off = await engine.stop()
    report.tell(at_once=True)
    condition_log.tell(at_once=True)
    if served.is_set():
        waiting = mails = None
        with contextlib.suppress(StoreError, TimeoutError):
            async with asyncio.timeout(STOP_COUNT_S):
                # Written, not read: it stands behind what is still being recorded.
                waiting = _waiting(await database.write(count()))
                mails = await database.read(mail.waiting())
        notices.stopped(cut_off=cut_off, waiting=waiting, mails=mails)


def _waiting(counted: Counted) -> notices.Waiting:
    return notices.Waiting(counted.pending, counted.targets)


async def _leave(installation: Installation, database: Database) -> None:
    """Leave word for the doctor of how the server was started."""
    try:
        await database.write(keep(as_values(installation)))
    except StoreError as error:
        # A full disk does not keep a server from delivering what waits.
        notices.not_kept(error.message)


def _allow_many_sockets() -> None:
    # A request that waits for its receiver is one open socket; the usual soft limit of 1024 would be the bottleneck.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _count(metrics: Metrics, batch: Sequence[Settled]) -> None:
    for one in batch:
        state = one.verdict.state
        outcome = "retry" if state is DeliveryState.PENDING else state.value
        metrics.attempted(one.claimed.subscription.api, outcome, one.outcome.latency_ms)
