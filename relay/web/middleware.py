"""The one way through the web layer: key and scope, the handler, and errors in the shape of the API they belong to."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import structlog
from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.typedefs import Handler, Middleware

from relay.store import workspaces
from relay.web import answers, auth, pages
from relay.web.api import Api, Problem
from relay.web.body import json_response, pass_over_body
from relay.web.gauges import Gauges
from relay.web.headers import headers_put_off
from relay.web.ignored import Takes, look_at_head, takes_of
from relay.web.metrics import Metrics
from relay.web.operation import PUBLIC, Operation
from relay.web.problems import UNEXPECTED, problem_of
from relay.web.wiring import APIS, CLOCK, CONDITIONS, DATABASE, GAUGES, METRICS

_log = structlog.get_logger("relay.web")

_SERVER = "relay"
"""The name in the metrics of what belongs to no API: health, documents, pages."""
_ENDS = (415, 501, 505)
"""Statuses of requests of which it is not known where they end."""
_SLASHES = re.compile(r"//+")


class _Route(NamedTuple):
    api: Api | None
    operation: Operation
    takes: Takes


def register(app: web.Application, apis: Iterable[Api], own: Iterable[Operation] = ()) -> None:
    """Put every operation on the router and the middleware in front. `own` are operations that belong to no API.

    Raises ValueError when two operations share an id. The first request needs DATABASE and CLOCK in the application.
    """
    apis = tuple(apis)
    app[APIS] = apis
    app[METRICS] = Metrics()
    names = [api.name for api in apis]
    app[GAUGES] = Gauges(
        app[METRICS].registry, lambda: app[DATABASE], lambda: app[CLOCK](), lambda: app.get(CONDITIONS), names
    )
    app[answers.ROOM] = answers.Room()
    app[auth.KEYS] = auth.Keys(lambda hashed: app[DATABASE].read(workspaces.key_by_hash(hashed)), lambda: app[CLOCK]())
    routes: dict[web.AbstractRoute, _Route] = {}
    operation_ids: set[str] = set()
    placed = [(api, operation) for api in apis for operation in api.operations]
    operations = [operation for _, operation in placed]
    for api, operation in [*placed, *((None, operation) for operation in own)]:
        if operation.operation_id in operation_ids:
            raise ValueError(f"two operations are named {operation.operation_id}")
        operation_ids.add(operation.operation_id)
        route = _Route(api, operation, takes_of(operation, operations))
        for method in _methods(operation):
            routes[app.router.add_route(method, operation.path, operation.handler)] = route
    app.middlewares.append(_edge(routes, apis, app[METRICS]))


def _methods(operation: Operation) -> tuple[str, ...]:
    # HEAD runs the handler and drops the body, which makes no sense for one that streams for a minute.
    if operation.method == "GET" and operation.media_type != "text/event-stream":
        return "GET", "HEAD"
    return (operation.method,)


def _edge(routes: Mapping[web.AbstractRoute, _Route], apis: tuple[Api, ...], metrics: Metrics) -> Middleware:
    @web.middleware
    async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
        started_s = time.perf_counter()
        route = routes.get(request.match_info.route)
        try:
            if not HttpVersion10 <= request._version <= HttpVersion11:  # noqa: SLF001 - `version` remembers what it saw
                _refuse_version(request)
            if route is not None and route.operation.scope != PUBLIC:
                await auth.authenticate(request, auth.key_in_headers(request))
                if route.api is not None and route.api.admit is not None:
                    await route.api.admit(request)
                auth.authorize(request, route.operation.scope)
            if route is not None and route.api is not None:
                look_at_head(request, route.takes)
                if route.takes.body is None:
                    await pass_over_body(request)
            response = await handler(request)
            if answers.is_large(response):
                _finish(request, response)
                await answers.send(request, response)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            response = _refusal(request, error, route, apis)
        except Exception as error:
            response = _refusal(request, error, route, apis)
        if not response.prepared:
            _finish(request, response)
        if route is None:
            metrics.answered(_SERVER, "", response.status, time.perf_counter() - started_s)
        else:
            name = _SERVER if route.api is None else route.api.name
            metrics.answered(name, route.operation.operation_id, response.status, time.perf_counter() - started_s)
        return response

    return edge


def _refuse_version(request: web.Request) -> None:
    # The parser takes HTTP/0.9 and 2.0 for what it knows, and the answer would be in a form that neither has.
    request._version = HttpVersion11  # noqa: SLF001
    raise web.HTTPVersionNotSupported


def answer_outside(apis: tuple[Api, ...], method: str, path: str, problem: Problem) -> web.StreamResponse:
    """The answer to what never became a request, in the shape of the API that owns the path."""
    api = _owner(apis, method, path)
    response = _shaped(problem, api)
    response.headers.update(problem.headers)
    _add_headers(response)
    return response


def _finish(request: web.Request, response: web.StreamResponse) -> None:
    if request.content.exception() is not None:
        # The body broke off, so nothing can follow it on this connection: say so, and keep aiohttp from reading on.
        response.force_close()
        request.content.feed_eof()
    _add_headers(response)
    if (more := headers_put_off(request)) is not None:
        response.headers.update(more)


def _add_headers(response: web.StreamResponse) -> None:
    headers = response.headers
    headers["Server"] = "relay"
    headers["X-Content-Type-Options"] = "nosniff"
    if "Cache-Control" not in headers:
        headers["Cache-Control"] = "no-store"


def _refusal(request: web.Request, error: Exception, route: _Route | None, apis: tuple[Api, ...]) -> web.StreamResponse:
    transport = request.transport
    if isinstance(error, ConnectionError) and (transport is None or transport.is_closing()):
        return web.Response(status=499)  # the client has gone: nobody will see this
    problem = problem_of(error)
    if problem is None:
        # The path and the query may hold credentials, the body anything: the name of the operation must do.
        name = route.operation.operation_id if route else None
        _log.error(
            "a request failed by a fault of ours", operation=name, next="report it with this line", exc_info=error
        )
        problem = UNEXPECTED
    if request.writer.output_size > 0 and transport is not None:
        transport.close()  # half an answer is out: only the end of the connection can tell the client
    api = route.api if route is not None else _owner(apis, request.method, request.path)
    response = _shaped(problem, api, request)
    if problem.status in _ENDS:
        response.force_close()
    response.headers.update(problem.headers)
    return response


def _owner(apis: tuple[Api, ...], method: str, path: str) -> Api | None:
    path = _SLASHES.sub("/", path)
    return next((api for api in apis if api.owns(method, path)), None)


def _shaped(problem: Problem, api: Api | None, request: web.Request | None = None) -> web.StreamResponse:
    if api is not None:
        return api.error(problem)
    if request is not None and "text/html" in request.headers.get("Accept", ""):
        return pages.page(request, "error.html", problem.status, problem=problem)
    return json_response({"error": problem.message, "status": problem.status}, problem.status)
