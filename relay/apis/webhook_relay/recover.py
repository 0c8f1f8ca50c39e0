"""recoverSubscription: count what died or was missed in a span of time, and deliver it."""

from __future__ import annotations

from aiohttp import web

from relay.apis.webhook_relay import recovery
from relay.apis.webhook_relay.input import read_flag, read_moment, refuse
from relay.apis.webhook_relay.subscriptions import subscription_of
from relay.core.moments import iso
from relay.web.body import json_object, json_response
from relay.web.wiring import CLOCK, DATABASE


async def recover_subscription(request: web.Request) -> web.Response:
    """recoverSubscription: the counts; without `dry_run` (202) it is also begun, and goes on in the background."""
    app = request.app
    subscription = await subscription_of(request)
    body, now_ms = await json_object(request), app[CLOCK]()
    since_ms = read_moment(body.get("since"), "since")
    until_ms = read_moment(body["until"], "until") if body.get("until") not in (None, "") else now_ms
    dry_run = read_flag(body, "dry_run")
    if since_ms > until_ms:
        raise refuse("since", "must not be later than until")
    until_ms = min(until_ms, now_ms)
    span = recovery.Span.of(subscription, since_ms, until_ms)
    counting = recovery.count(span, subscription.event_filter)
    found = await app[DATABASE].read(counting, list_of=subscription.workspace_id)
    if not dry_run:
        await app[DATABASE].write(recovery.begin(span, now_ms))
    answer = {
        "subscription_id": subscription.id,
        "since": iso(max(since_ms, subscription.created_at_ms)),
        "until": iso(until_ms),
        "dead": found.dead,
        "missed": found.missed,
        "counted_until": iso(found.until_ms),
        "dry_run": dry_run,
    }
    return json_response(answer, 200 if dry_run else 202)
