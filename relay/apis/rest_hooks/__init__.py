"""The REST Hooks API: subscribe, unsubscribe and sample, as no-code platforms do it (contract: Rustle)."""

from __future__ import annotations

from aiohttp import web

from relay.apis.rest_hooks.operations import OPERATIONS
from relay.apis.rest_hooks.schemas import ErrorResponse, HookHeaders, SampleEvent
from relay.apis.rest_hooks.wire import NAME, WIRE
from relay.web.api import Api, Problem, Remedies, Sent
from relay.web.body import json_response

_ROOT = "/api/v1"
_TEXTS = {401: "missing or invalid API token", 403: "this token lacks the hooks scope"}


def _owns(method: str, path: str) -> bool:
    return path == _ROOT or path.startswith(f"{_ROOT}/")


def _error(problem: Problem) -> web.Response:
    text = _TEXTS.get(problem.status, problem.message)
    return json_response({"error": text}, status=problem.status, headers=problem.headers)


API = Api(
    name=NAME,
    title="Relay REST Hooks API",
    description=(
        "Turns events into calls of no-code platforms: subscribe a target URL to an event type, list, unsubscribe, and"
        " look at samples. Send an API key as `Authorization: Bearer …` or `X-API-Key: …`."
    ),
    error_model=ErrorResponse,
    sent=Sent(SampleEvent, HookHeaders),
    tags={
        "hooks": "What a platform subscribes when a flow is turned on, and unsubscribes when it is turned off.",
        "apps": "The apps of the two stores that hooks are for.",
        "samples": "What a platform builds its forms and field pickers from.",
        "keys": "Whose a key is.",
    },
    operations=OPERATIONS,
    owns=_owns,
    error=_error,
    wire=WIRE,
    remedies=Remedies(
        noun="hook",
        stopped=(
            "If the flow is wanted, turn it off and on again, which subscribes it anew. If this one is still reported"
            " then, or the flow is not wanted, unsubscribe it with DELETE /api/v1/hooks/{id}."
        ),
        unwanted="unsubscribe it with DELETE /api/v1/hooks/{id}",
        duplicate=(
            "Turn the flow off, which unsubscribes the one the platform knows; unsubscribe the other with"
            " DELETE /api/v1/hooks/{id} or DELETE /api/v1/hooks/{first}; turn the flow on again."
        ),
        answers_wrongly="See that the flow is on, and that this is its URL.",
    ),
)
