"""Who is calling: takes the API key from a request and finds the workspace and the scopes it stands for."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from aiohttp import web

from relay.core.errors import Forbidden, Unauthorized
from relay.core.keys import key_hash, prefix_of
from relay.core.model import ApiKey
from relay.web.failures import Failures
from relay.web.operation import ANY_KEY

if TYPE_CHECKING:
    from relay.web.wiring import Clock

CACHE_MS = 1000
"""How long an answer of the database is trusted: a revoked key stops working within this."""
CACHE_SIZE = 4096
FAILURES_A_MINUTE = 300
"""How many wrong keys one address may send a minute before it is told to wait. A right key always works."""

_BEARER = re.compile(r"bearer[ \t]+(\S+)", re.IGNORECASE)
_API_KEY = web.RequestKey("relay.api_key", ApiKey)
_GIVEN: web.RequestKey[str | None] = web.RequestKey("relay.given_key")
_SCOPE = web.RequestKey("relay.scope", str)

T = TypeVar("T")

FindKey = Callable[[str], Awaitable[ApiKey | None]]
"""SHA-256 of a key in hex → the key, also a revoked one."""


class Keys:
    """The keys of the database, with a short memory."""

    def __init__(self, find: FindKey, clock: Clock, *, failures_a_minute: int = FAILURES_A_MINUTE) -> None:
        self._find = find
        self._clock = clock
        # Apart, so that a flood of made-up keys cannot push the real ones out.
        self._known: dict[str, tuple[int, ApiKey]] = {}
        self._unknown: dict[str, int] = {}
        self._failures = Failures(failures_a_minute, "too many requests with a wrong API key")

    async def check(self, key: str | None, remote: str | None, trusted_ms: int = CACHE_MS) -> ApiKey:
        """The key if it is live, as of `trusted_ms` ago at the most. Raises Unauthorized, or RateLimited for an address
        with too many wrong ones."""
        if key is None or prefix_of(key) is None:
            await self._failures.count(remote)
            raise Unauthorized("missing or malformed API key")
        found = await self._look_up(key_hash(key), trusted_ms)
        if found is None or found.revoked_at_ms is not None:
            await self._failures.count(remote)
            raise Unauthorized("invalid API key")
        return found

    async def _look_up(self, hashed: str, trusted_ms: int) -> ApiKey | None:
        now_ms = self._clock()
        if (known := self._known.get(hashed)) and 0 <= now_ms - known[0] < trusted_ms:
            return known[1]
        unknown_at_ms = self._unknown.get(hashed)
        if unknown_at_ms is not None and 0 <= now_ms - unknown_at_ms < CACHE_MS:
            return None
        found = await self._find(hashed)
        if found is None:
            self._known.pop(hashed, None)
            _remember(self._unknown, hashed, now_ms)
        else:
            self._unknown.pop(hashed, None)
            _remember(self._known, hashed, (now_ms, found))
        return found


KEYS: web.AppKey[Keys] = web.AppKey("keys")


def _remember(memory: dict[str, T], key: str, value: T) -> None:
    memory[key] = value
    if len(memory) > CACHE_SIZE:
        del memory[next(iter(memory))]


def key_in_headers(request: web.Request) -> str | None:
    """The key of `Authorization: Bearer <key>` or of `X-API-Key`; the first wins when both are given."""
    headers = request.headers
    if bearer := _BEARER.fullmatch(headers.get("Authorization", "").strip()):
        return bearer[1]
    key = headers.get("X-API-Key")
    return None if key is None else key.strip()


async def authenticate(request: web.Request, key: str | None) -> ApiKey:
    """Check a key that came with the request and remember whose request it is. Raises Unauthorized, RateLimited."""
    found = await request.app[KEYS].check(key, request.remote)
    request[_API_KEY] = found
    request[_GIVEN] = key
    return found


def authorize(request: web.Request, scope: str) -> None:
    """Raises Forbidden when the key of the request lacks the scope."""
    request[_SCOPE] = scope
    if scope != ANY_KEY and scope not in api_key_of(request).scopes:
        raise Forbidden(f"this key lacks the {scope} scope")


async def reauthorize(request: web.Request, trusted_ms: int = CACHE_MS) -> None:
    """Ask again what was asked at the start of a request that goes on for long. Raises what was raised there when the
    key is revoked meanwhile, its workspace deleted, or the scope taken from it."""
    if _API_KEY in request:
        request[_API_KEY] = await request.app[KEYS].check(request[_GIVEN], request.remote, trusted_ms)
        authorize(request, request[_SCOPE])


def owner_of(request: web.Request) -> str:
    """On whose account a request is: the workspace of its key, or where it comes from."""
    return request[_API_KEY].workspace_id if _API_KEY in request else request.remote or ""


def api_key_of(request: web.Request) -> ApiKey:
    """The key a request came with, after it was checked."""
    return request[_API_KEY]
