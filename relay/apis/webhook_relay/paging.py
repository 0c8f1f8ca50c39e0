"""Pages: a limit, and a cursor that says where the last page ended and is good for that one list only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web
from itsdangerous import BadData

from relay.apis.webhook_relay.input import refuse
from relay.store.listing import Position
from relay.web.auth import api_key_of
from relay.web.query import given, whole_number
from relay.web.wiring import SECRETS

_CURSOR = re.compile(r"[A-Za-z0-9_.-]{1,400}")


class Page:
    """What a request asks for of a list. Raises InputError for a bad limit, or a cursor that is not of this list."""

    def __init__(self, request: web.Request, operation_id: str, filters: Mapping[str, Any]) -> None:
        self.limit = whole_number(request, "limit", 25, 1, 100)
        # The signature covers whose list it is and how it is filtered, so that the token itself need only say where.
        binding = orjson.dumps([api_key_of(request).workspace_id, operation_id, dict(filters)]).decode()
        self._signer = request.app[SECRETS].signer(f"cursor {binding}")
        self.before = self._read(given(request).get("cursor"))

    def _read(self, cursor: str | None) -> Position:
        if cursor is None:
            return Position()
        try:
            if not _CURSOR.fullmatch(cursor):
                raise BadData("not a cursor")
            last_id, at_ms = self._signer.loads(cursor)
        except BadData:
            raise refuse("cursor", "must be the next_cursor of the page before, with the same filters") from None
        return Position(last_id, at_ms)

    def cursor(self, position: Position | None) -> str | None:
        """The cursor of the page that comes after this one, None when there is none."""
        if position is None:
            return None
        token = self._signer.dumps(list(position))
        return token.decode() if isinstance(token, bytes) else token
