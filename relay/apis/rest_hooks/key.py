"""The key of a request, as far as a platform needs to see it: to test a connection, and to name it."""

from __future__ import annotations

from aiohttp import web

from relay.core.errors import Unauthorized
from relay.store import workspaces
from relay.web.auth import api_key_of
from relay.web.body import json_response
from relay.web.wiring import DATABASE


async def show_key(request: web.Request) -> web.Response:
    """show_key: whose the key is and what it may do. Of the key itself only how it begins and ends."""
    key = api_key_of(request)
    workspace = await request.app[DATABASE].read(workspaces.get(key.workspace_id))
    if workspace is None:  # deleted a moment ago, and its key with it
        raise Unauthorized("invalid API key")
    return json_response(
        {
            "workspace": workspace.name,
            "prefix": key.prefix,
            "last4": key.last4,
            "label": key.label,
            "scopes": sorted(key.scopes),
        }
    )
