"""One operation of an API: its route, who may call it, and what its OpenAPI document says about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from pydantic import BaseModel

PUBLIC = "public"
"""The scope of an operation that asks for no key."""
ANY_KEY = "any"
"""The scope of an operation that any valid key may call."""
NOT_GIVEN: Any = None
"""The default of a documented member that may be left out and then stands for nothing."""


@dataclass(frozen=True, slots=True)
class Operation:
    """The one place a route is written: the router, the key check and the OpenAPI document are made from it.

    `request` and `query` are models that document the body and the query string; handlers parse for themselves, because
    each API words its errors in its own way. What is not in them has no effect, and clients are told so (`ignored.py`):
    an operation without `request` reads no body. `answers` maps each status to the model of its body, None for none.
    """

    method: str
    path: str
    operation_id: str
    summary: str
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    scope: str
    request: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    answers: Mapping[int, Any] = field(default_factory=dict)
    tag: str = ""
    description: str = ""
    media_type: str = "application/json"
    """Of the answers with a body; `text/event-stream` marks an operation that has no HEAD."""
    headers: type[BaseModel] | None = None
    """Documents the request headers; a field's alias is the header's name."""
    answer_headers: type[BaseModel] | None = None
    """Documents the headers of the answer to a good request, likewise."""
    meanings: Mapping[int, str] = field(default_factory=dict)
    """What a status means here, where that is more than it means everywhere."""
    body_is_optional: bool = False
    """Whether the body may be left out."""
