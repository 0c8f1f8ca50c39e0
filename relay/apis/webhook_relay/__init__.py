"""The Webhook Relay API: publish events, subscribe addresses, and follow every delivery (contract: Webhook Relay)."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from relay.apis.webhook_relay import problem, recovery, sandbox
from relay.apis.webhook_relay.admission import PINGS, PINGS_A_MINUTE, REQUESTS, admit
from relay.apis.webhook_relay.echo import ECHO, Echo, delivery_message
from relay.apis.webhook_relay.limit import Limiter
from relay.apis.webhook_relay.operations import OPERATIONS
from relay.apis.webhook_relay.schemas import DeliveryBody, DeliveryHeaders, Problem, RateLimitHeaders
from relay.apis.webhook_relay.wire import NAME, WIRE
from relay.delivery.jobs import Chore
from relay.delivery.live import Live
from relay.web.api import Api, Remedies, Sent
from relay.web.wiring import CLOCK, ENGINE, SETTINGS

__all__ = ["API", "mount"]

RECOVERY_TICK_S = 1
SANDBOX_TICK_S = 600

_PATHS = ("/v1/events", "/v1/subscriptions", "/v1/deliveries", "/v1/dead-letters", "/v1/echo", "/v1/healthz")


def _owns(method: str, path: str) -> bool:
    """The test ping stands among the paths of the RavePilot API."""
    if path == "/v1/webhooks/test":
        return method == "POST"
    return any(path == ours or path.startswith(ours + "/") for ours in _PATHS)


def mount(app: web.Application) -> list[Chore]:
    """Put what this API remembers into an application, and say what it wants done again and again."""
    rate_limit, clock = app[SETTINGS].rate_limit, app[CLOCK]
    app[REQUESTS] = Limiter(rate_limit, clock) if rate_limit else None
    app[PINGS] = Limiter(PINGS_A_MINUTE, clock)
    live = Live(delivery_message)
    app[ECHO] = Echo(live)

    async def listen(app: web.Application) -> None:
        app[ENGINE].on_settled(live.settled)

    async def close_streams(_: web.Application) -> None:
        live.close()

    app.on_startup.append(listen)
    # Before the server waits for its requests to end: an open stream is one.
    app.on_shutdown.append(close_streams)
    return [
        Chore("recover-deliveries", RECOVERY_TICK_S, partial(recovery.advance, app), may_be_cut=True),
        Chore("sweep-sandboxes", SANDBOX_TICK_S, partial(sandbox.sweep, app), may_be_cut=True),
    ]


API = Api(
    name=NAME,
    title="Webhook Relay API",
    description=(
        "Publish events, and have each delivered to every subscription it matches: signed, at least once, tried again "
        "after failures, with a log of each attempt. Send an API key as `Authorization: Bearer …` or `X-API-Key: …`."
    ),
    admission_headers=RateLimitHeaders,
    sent=Sent(DeliveryBody, DeliveryHeaders),
    tags={
        "Health": "Whether the server answers.",
        "Events": "What happened: publish it, list it, try a receiver.",
        "Subscriptions": "Who gets which events, and where. `webhooks` below says what is sent.",
        "Deliveries": "One event for one subscription, with every attempt.",
        "Dead Letters": "Deliveries that were given up, to be sent again.",
    },
    operations=OPERATIONS,
    owns=_owns,
    error=problem.answer,
    wire=WIRE,
    remedies=Remedies(
        stopped=(
            'When its receiver works, POST /v1/subscriptions/{id}/resume, with {"replay_missed": true} for what was'
            " published since it stopped; if it is not wanted any more, DELETE /v1/subscriptions/{id}."
        ),
        unwanted="delete it with DELETE /v1/subscriptions/{id}",
        duplicate=(
            "Delete the one whose secret the receiver does not use: DELETE /v1/subscriptions/{id} or"
            " DELETE /v1/subscriptions/{first}."
        ),
        died=(
            "Mend its target; then POST /v1/subscriptions/{id}/recover with the time since when, or"
            " POST /v1/dead-letters/{delivery id}/replay for one of them."
        ),
    ),
    admit=admit,
    mount=mount,
    error_model=Problem,
    error_media_type=problem.MEDIA_TYPE,
    version="0.5.0",
)
