"""Is it up, can it work, and how much did it do: for load balancers and Prometheus."""

from __future__ import annotations

import asyncio
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, Field

from relay import __version__
from relay.core.errors import StoreError
from relay.store import workspaces
from relay.web.body import json_response
from relay.web.operation import PUBLIC, Operation
from relay.web.wiring import CONDITIONS, DATABASE, ENGINE, GAUGES, METRICS

_TIMEOUT_S = 2.0


class Health(BaseModel):
    """The server answers."""

    status: Literal["healthy"]
    version: str = Field(examples=[__version__])


class Readiness(BaseModel):
    status: Literal["ready", "not ready"]
    reasons: list[str] = []


async def healthz(request: web.Request) -> web.Response:
    """`healthz`: the process answers."""
    return json_response({"status": "healthy", "version": __version__})


async def readyz(request: web.Request) -> web.Response:
    """`readyz`: 200 when events can be taken and are being delivered, else 503; both with what is amiss."""
    refusal = None
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await request.app[DATABASE].probe()
            await request.app[DATABASE].read(workspaces.get(""))
    except TimeoutError:
        refusal = "the database does not answer in time: another program holds it, or the disk is slow"
    except StoreError as error:
        refusal = error.message
    amiss = request.app[CONDITIONS].current
    reasons = [one.words for one in amiss if one.not_ready]
    # A condition says more than the refusal that showed it.
    if refusal is not None and not reasons:
        reasons.append(refusal)
    if not request.app[ENGINE].running:
        reasons.append("deliveries are not being sent")
    if reasons:
        return json_response({"status": "not ready", "reasons": reasons}, 503)
    if amiss:
        return json_response({"status": "ready", "reasons": [condition.words for condition in amiss]})
    return json_response({"status": "ready"})


async def metrics(request: web.Request) -> web.Response:
    """`metrics`: Prometheus' text format."""
    numbers = request.app[METRICS]
    numbers.under_way(request.app[ENGINE].under_way)
    await request.app[GAUGES].refresh()
    return web.Response(body=numbers.text(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


HEALTHZ = Operation(
    "GET",
    "/v1/healthz",
    "healthz",
    "Liveness check",
    healthz,
    PUBLIC,
    answers={200: Health},
    tag="Health",
    description="Says that the process answers, not that it can work: `/readyz` says that.",
)
"""Part of the Webhook Relay contract, which lists it among its operations."""
OPERATIONS = (
    Operation(
        "GET",
        "/readyz",
        "readyz",
        "Readiness check",
        readyz,
        PUBLIC,
        answers={200: Readiness, 503: Readiness},
        tag="Health",
    ),
    Operation(
        "GET", "/metrics", "metrics", "Prometheus metrics", metrics, PUBLIC, media_type="text/plain", tag="Health"
    ),
)
