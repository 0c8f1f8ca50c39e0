"""Who may go on: the workspace's rate limit, told in headers on every answer, and the tighter one of test pings."""

from __future__ import annotations

from aiohttp import web

from relay.apis.webhook_relay.limit import Limiter
from relay.core.errors import RateLimited
from relay.web.auth import api_key_of
from relay.web.headers import answer_headers

PINGS_A_MINUTE = 10

REQUESTS: web.AppKey[Limiter | None] = web.AppKey("webhook_relay_requests")
"""None when the operator wants no limit: then there is nothing to tell, and no header does."""
PINGS: web.AppKey[Limiter] = web.AppKey("webhook_relay_pings")


async def admit(request: web.Request) -> None:
    """Count a request of the workspace that its key belongs to. Raises RateLimited."""
    limiter = request.app[REQUESTS]
    if limiter is not None:
        _take(request, limiter, "too many requests in this workspace; wait as long as Retry-After says")


def limit_pings(request: web.Request) -> None:
    """Count a test ping: each is a request to a stranger that somebody waits for. Raises RateLimited."""
    _take(request, request.app[PINGS], f"at most {PINGS_A_MINUTE} test pings a minute; wait as Retry-After says")


def _take(request: web.Request, limiter: Limiter, refusal: str) -> None:
    allowance = limiter.take(api_key_of(request).workspace_id)
    answer_headers(request).update(allowance.headers())
    if allowance.retry_after_s:
        raise RateLimited(refusal, retry_after_s=allowance.retry_after_s)
