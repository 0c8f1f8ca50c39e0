"""Writes the OpenAPI document of an API from its operations, models and wire, so that it cannot drift from them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import orjson
from aiohttp import web

from relay.catalogue import EventType
from relay.web.api import Api
from relay.web.openapi.document import document
from relay.web.operation import PUBLIC, Operation

__all__ = ["document", "operations"]


def operations(apis: Sequence[Api], url: str, event_types: Sequence[EventType] = ()) -> list[Operation]:
    """`/openapi/<api>.json` for each API. `url` is how others reach this server, a path prefix included."""
    return [
        Operation(
            "GET",
            f"/openapi/{api.name}.json",
            f"openapi_{api.name}",
            f"OpenAPI document of the {api.title}",
            partial(_answer, orjson.dumps(document(api, url, event_types))),
            PUBLIC,
        )
        for api in apis
    ]


async def _answer(body: bytes, request: web.Request) -> web.Response:
    return web.Response(body=body, content_type="application/json")
