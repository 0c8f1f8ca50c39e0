"""Subscriptions: createSubscription, listSubscriptions, getSubscription, updateSubscription, deleteSubscription,
pauseSubscription, resumeSubscription, rotateSubscriptionSecret."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from aiohttp import web

from relay.apis.webhook_relay import recovery
from relay.apis.webhook_relay.input import is_id, read_flag, read_subscription, refuse
from relay.apis.webhook_relay.paging import Page
from relay.apis.webhook_relay.views import subscription_view
from relay.apis.webhook_relay.wire import NAME
from relay.core import ids
from relay.core.errors import NotFound
from relay.core.model import Subscription, SubscriptionState
from relay.core.signing import new_secret
from relay.store import listing, narrowing, subscriptions
from relay.store.database import Steps, Work, work
from relay.web.auth import api_key_of
from relay.web.body import json_object, json_response, optional_json_object
from relay.web.query import given
from relay.web.wiring import CLOCK, DATABASE, ENGINE, GUARD, REPORT, SECRETS

MISSING_TEXT = "No subscription with that id exists in this workspace."

Change = Callable[[Subscription], Work[Subscription]]


async def create_subscription(request: web.Request) -> web.Response:
    """createSubscription: the signing secret is in this answer and in no other. Nothing is sent to the target."""
    app = request.app
    given = read_subscription(await json_object(request), app[GUARD].check_target, needs_url=True)
    secret, now_ms = new_secret(), app[CLOCK]()
    subscription = Subscription(
        id=ids.ulid(now_ms),
        workspace_id=api_key_of(request).workspace_id,
        api=NAME,
        target_url=given.target_url or "",
        event_filter=(given.event_filter or "*",),
        secret=app[SECRETS].seal(secret),
        created_at_ms=now_ms,
        updated_at_ms=now_ms,
        name=given.name,
    )
    await app[DATABASE].write(subscriptions.add(subscription))
    return json_response({**subscription_view(subscription), "signing_secret": secret}, 201)


async def list_subscriptions(request: web.Request) -> web.Response:
    """listSubscriptions: those made by this API, newest first."""
    state = given(request).get("state")
    if state is not None and state not in list(SubscriptionState):
        raise refuse("state", "must be active, paused or disabled")
    page = Page(request, "listSubscriptions", {"state": state})
    workspace_id, wanted = api_key_of(request).workspace_id, SubscriptionState(state) if state else None
    found = await request.app[DATABASE].read(
        listing.subscription_page(workspace_id, NAME, page.before, page.limit)
        if wanted is None
        else narrowing.subscription_page(workspace_id, NAME, wanted, page.before, page.limit),
        list_of=workspace_id,
    )
    data = [subscription_view(one) for one in found.items]
    return json_response({"data": data, "next_cursor": page.cursor(found.next)})


async def get_subscription(request: web.Request) -> web.Response:
    """getSubscription: without its secret."""
    return json_response(subscription_view(await subscription_of(request)))


async def update_subscription(request: web.Request) -> web.Response:
    """updateSubscription: name, url and event_filter. What waits to be sent goes to the new url."""
    app = request.app
    given = read_subscription(await json_object(request), app[GUARD].check_target, needs_url=False)
    now_ms = app[CLOCK]()

    def update(now: Subscription) -> Work[Subscription]:
        return subscriptions.update(
            now.workspace_id,
            now.id,
            now_ms,
            name=given.name if given.has_name else now.name,
            target_url=given.target_url or now.target_url,
            event_filter=(given.event_filter,) if given.event_filter else now.event_filter,
        )

    return json_response(subscription_view(await _change(request, update)))


async def delete_subscription(request: web.Request) -> web.Response:
    """deleteSubscription: what waits ends dead (`unsubscribed`); its deliveries stay readable."""
    app, subscription_id = request.app, request.match_info["id"]
    removed = None
    if is_id(subscription_id):
        workspace_id = api_key_of(request).workspace_id
        removed = await app[DATABASE].write(subscriptions.remove(workspace_id, subscription_id, NAME, app[CLOCK]()))
    if removed is None:
        raise NotFound(MISSING_TEXT)
    app[ENGINE].removed(removed)
    return web.Response(status=204)


async def pause_subscription(request: web.Request) -> web.Response:
    """pauseSubscription: events published from now on make no delivery; what falls due ends dead (`paused`)."""
    now_ms = request.app[CLOCK]()
    paused = await _change(request, lambda one: subscriptions.pause(one.workspace_id, one.id, now_ms))
    return json_response(subscription_view(paused))


async def resume_subscription(request: web.Request) -> web.Response:
    """resumeSubscription: active again, no failures counted; with `replay_missed`, what was published meanwhile is
    delivered too."""
    replay_missed = read_flag(await optional_json_object(request), "replay_missed")
    resume = partial(_resume, now_ms=request.app[CLOCK](), replay_missed=replay_missed)
    return json_response(subscription_view(await _change(request, resume)))


@work
def _resume(one: Subscription, *, now_ms: int, replay_missed: bool) -> Steps[Subscription]:
    stopped = [at_ms for at_ms in (one.paused_at_ms, one.disabled_at_ms) if at_ms is not None]
    if replay_missed and stopped:
        yield from recovery.begin(recovery.Span.of(one, min(stopped), now_ms), now_ms)
    return (yield from subscriptions.resume(one.workspace_id, one.id, now_ms))


async def rotate_subscription_secret(request: web.Request) -> web.Response:
    """rotateSubscriptionSecret: for 48 hours the old secret signs beside the new one, whose signature is the last.

    With `now` every earlier secret ends at once.
    """
    at_once = read_flag(await optional_json_object(request), "now")
    secret, now_ms = new_secret(), request.app[CLOCK]()
    sealed = request.app[SECRETS].seal(secret)
    rotated = await _change(request, lambda one: subscriptions.rotate(one, sealed, now_ms, at_once=at_once))
    return json_response({**subscription_view(rotated), "signing_secret": secret})


async def subscription_of(request: web.Request) -> Subscription:
    """The subscription that the path names. Raises NotFound, for that of another workspace or API too."""
    subscription_id, found = request.match_info["id"], None
    if is_id(subscription_id):
        workspace_id = api_key_of(request).workspace_id
        found = await request.app[DATABASE].read(subscriptions.get_of_api(workspace_id, subscription_id, NAME))
    if found is None:
        raise NotFound(MISSING_TEXT)
    return found


async def _change(request: web.Request, change: Change) -> Subscription:
    app, key, subscription_id, both = request.app, api_key_of(request), request.match_info["id"], None
    if is_id(subscription_id):
        both = await app[DATABASE].write(_changing(key.workspace_id, subscription_id, change))
    if both is None:
        raise NotFound(MISSING_TEXT)
    before, changed = both
    app[ENGINE].forget(subscription_id)
    if changed.state is not before.state:
        app[REPORT].switched(changed, key.id)
    return changed


@work
def _changing(
    workspace_id: str, subscription_id: str, change: Change
) -> Steps[tuple[Subscription, Subscription] | None]:
    """The subscription as it was and as it is now."""
    found = yield from subscriptions.get_of_api(workspace_id, subscription_id, NAME)
    return None if found is None else (found, (yield from change(found)))
