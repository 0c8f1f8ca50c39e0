"""Pages: a limit, and a cursor that says where the last page ended and is good for that one list only."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import orjson
from aiohttp import web
from itsdangerous import BadData

from relay.apis.webhook_relay.input import refuse
from relay.store.listing import FIRST_PAGE, FIRST_PAGE_AT_MS
from relay.web.auth import api_key_of
from relay.web.body import whole_number
from relay.web.wiring import SECRETS

T = TypeVar("T")

_CURSOR = re.compile(r"[A-Za-z0-9_.-]{1,400}")


class Position(NamedTuple):
    """What a page comes before."""

    id: str = FIRST_PAGE
    at_ms: int = FIRST_PAGE_AT_MS


class Page:
    """What a request asks for of a list. Raises InputError for a bad limit, or a cursor that is not of this list."""

    def __init__(self, request: web.Request, operation_id: str, filters: Mapping[str, Any]) -> None:
        self.limit = whole_number(request, "limit", 25, 1, 100)
        # The signature covers whose list it is and how it is filtered, so that the token itself need only say where.
        binding = orjson.dumps([api_key_of(request).workspace_id, operation_id, dict(filters)]).decode()
        self._signer = request.app[SECRETS].signer(f"cursor {binding}")
        self.before = self._read(request.query.get("cursor"))

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

    def cut(self, found: Sequence[T], position: Callable[[T], Position]) -> tuple[Sequence[T], str | None]:
        """The page, and the cursor of the next one or None. `found` has one more than the limit when there is more."""
        if len(found) <= self.limit:
            return found, None
        page = found[: self.limit]
        token = self._signer.dumps(list(position(page[-1])))
        return page, token.decode() if isinstance(token, bytes) else token
