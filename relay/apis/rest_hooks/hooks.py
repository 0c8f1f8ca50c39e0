"""Subscribe, list and unsubscribe: a hook is a subscription to one event type, made by a platform for a flow."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncGenerator
from typing import Any

import orjson
from aiohttp import web

from relay.apis.rest_hooks.input import App, app_of, read_hook
from relay.apis.rest_hooks.wire import NAME
from relay.core import signing
from relay.core.errors import InputError, NotFound
from relay.core.model import Subscription, SubscriptionState
from relay.core.moments import iso_s
from relay.store import listing, subscriptions
from relay.web.answers import streamed
from relay.web.auth import api_key_of
from relay.web.body import json_object, json_response
from relay.web.ignored import note
from relay.web.wiring import (
    CATALOGUE,
    CLOCK,
    DATABASE,
    ENGINE,
    GUARD,
    SECRETS,
    SETTINGS,
)

_NOT_AN_OBJECT = "body must be a JSON object"
_ID = re.compile(r"[a-z0-9_]{1,20}-[0-9a-f]{16}")


async def subscribe(request: web.Request) -> web.Response:
    """subscribe: a new hook with an id and a secret of its own, however often the same is asked for.

    Nothing is sent to the target here, and the secret is never shown again.
    """
    hook = read_hook(
        await _body(request),
        check_target=request.app[GUARD].check_target,
        is_event_type=request.app[CATALOGUE].__contains__,
    )
    note(request, hook.unused)
    now_ms = request.app[CLOCK]()
    secret = signing.new_secret()
    key = api_key_of(request)
    subscription = Subscription(
        id=f"{hook.source}-{secrets.token_hex(8)}",
        workspace_id=key.workspace_id,
        api=NAME,
        api_key_id=key.id,
        target_url=hook.target_url,
        event_filter=(hook.event_type,),
        secret=request.app[SECRETS].seal(secret),
        created_at_ms=now_ms,
        updated_at_ms=now_ms,
        conditions=hook.conditions,
        source=hook.source,
        external_ref=hook.external_ref,
    )
    await request.app[DATABASE].write(subscriptions.add(subscription))
    answer = {"id": subscription.id, "secret": secret, **_about(hook.app), "event_type": hook.event_type}
    return json_response(answer, headers={"Location": _location(request, subscription.id)})


async def list_hooks(request: web.Request) -> web.StreamResponse:
    """list_hooks: the hooks that get events, oldest first. One that was switched off is left out.

    n8n looks for its own hook here when it starts, and subscribes again when it is missing.
    """
    return await streamed(_hook_list(request))


async def unsubscribe(request: web.Request) -> web.Response:
    """unsubscribe: nothing more is sent, what waits is dropped. NotFound for an id that is not, or no longer, there."""
    hook_id = request.match_info["id"]
    app = request.app
    removed = None
    if _ID.fullmatch(hook_id) is not None:
        workspace_id = api_key_of(request).workspace_id
        removed = await app[DATABASE].write(subscriptions.remove(workspace_id, hook_id, NAME, app[CLOCK]()))
    if removed is None:
        raise NotFound("no hook with that id")
    app[ENGINE].removed(removed)
    return web.Response(status=204)


async def list_apps(request: web.Request) -> web.Response:
    """list_apps: the apps that live hooks are for, each once, with an id and a label for drop-downs."""
    apps = set()
    async for page in _live_hooks(request):
        apps |= {app for hook in page if (app := _app(hook)) is not None}
    in_order = sorted(apps, key=lambda app: (app.store, app.app_id, app.country))
    return json_response([_app_view(app) for app in in_order])


async def _hook_list(request: web.Request) -> AsyncGenerator[str, None]:
    before = "["
    async for page in _live_hooks(request):
        if page:
            yield before + orjson.dumps([_view(hook) for hook in page]).decode()[1:-1]
            before = ","
    yield "[]" if before == "[" else "]"


async def _live_hooks(request: web.Request) -> AsyncGenerator[list[Subscription], None]:
    """The workspace's hooks that get events, oldest first, a page at a time."""
    workspace_id = api_key_of(request).workspace_id
    async for page in listing.of_api(request.app[DATABASE], workspace_id, NAME):
        yield [hook for hook in page if hook.state is SubscriptionState.ACTIVE]


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        return await json_object(request)
    except InputError as error:
        if error.message.startswith(_NOT_AN_OBJECT):
            raise InputError(_NOT_AN_OBJECT) from error  # clients know the bare sentence
        raise


def _location(request: web.Request, hook_id: str) -> str:
    # Power Automate unsubscribes at this URL; it has to be whole when it is known.
    return f"{(request.app[SETTINGS].public_url or '').rstrip('/')}/api/v1/hooks/{hook_id}"


def _app(hook: Subscription) -> App | None:
    return app_of(hook.conditions)


def _about(app: App | None) -> dict[str, str]:
    return {} if app is None else {"store": app.store, "app_id": app.app_id, "country": app.country}


def _view(hook: Subscription) -> dict[str, Any]:
    return {
        "id": hook.id,
        "source": hook.source,
        "target_url": hook.target_url,
        "external_ref": hook.external_ref,
        "event_type": hook.event_filter[0],
        **_about(_app(hook)),
        "created_at": iso_s(hook.created_at_ms // 1000),
    }


def _app_view(app: App) -> dict[str, Any]:
    return {
        "id": f"{app.store}:{app.app_id}:{app.country}",
        "label": f"{app.app_id} ({app.store}, {app.country})",
        "name": None,
        **_about(app),
    }
