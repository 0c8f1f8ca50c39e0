"""The RavePilot API: invitations, submissions with their clips, and webhooks; this folder's README is its contract."""

from __future__ import annotations

from aiohttp import web

from relay.apis.ravepilot.operations import OPERATIONS
from relay.apis.ravepilot.schemas import Error, WebhookBody, WebhookHeaders
from relay.apis.ravepilot.wire import WIRE
from relay.web.api import Api, Problem, Remedies, Sent
from relay.web.body import json_response

_PATHS = ("/v1/invitations", "/v1/magic-link", "/v1/submissions", "/v1/webhooks", "/v1/webhook-deliveries")


def owns(method: str, path: str) -> bool:
    """Whether an error here is told as RavePilot tells it; the test ping belongs to the Webhook Relay API."""
    if (method, path) == ("POST", "/v1/webhooks/test"):
        return False
    return any(path == ours or path.startswith(ours + "/") for ours in _PATHS)


def error(problem: Problem) -> web.Response:
    """`{error, status}`."""
    return json_response({"error": problem.message, "status": problem.status}, problem.status, problem.headers)


API = Api(
    name="ravepilot",
    title="RavePilot API",
    description=(
        "Invite customers to record a testimonial, read what they recorded, and have every step pushed to signed "
        "webhooks. A customer is known by their e-mail address: inviting the same address again gives the same link."
    ),
    error_model=Error,
    sent=Sent(WebhookBody, WebhookHeaders),
    tags={
        "Invitations": "Personal links for customers, mailed or shown by you.",
        "Submissions": "What customers recorded: one session for each, with its clips.",
        "Webhooks": "Where events are pushed to, and the log of it. `webhooks` below says what is sent.",
    },
    operations=OPERATIONS,
    owns=owns,
    error=error,
    wire=WIRE,
    remedies=Remedies(
        noun="webhook",
        stopped=(
            "It stays disabled. When its receiver works, create it anew: POST /v1/webhooks with the same url and"
            " events, give the receiver the new secret, then DELETE /v1/webhooks/{id}."
        ),
        unwanted="delete it with DELETE /v1/webhooks/{id}",
        duplicate=(
            "Delete the one whose secret the receiver does not use: DELETE /v1/webhooks/{id} or"
            " DELETE /v1/webhooks/{first}."
        ),
    ),
)
