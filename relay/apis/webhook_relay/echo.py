"""echoStream: what becomes of the workspace's deliveries, as it happens, for browsers (Server-Sent Events)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable

import orjson
from aiohttp import web

from relay.apis.webhook_relay.admission import admit
from relay.core.errors import Forbidden, RateLimited, Unauthorized
from relay.core.moments import iso
from relay.delivery.live import Listener, Live
from relay.delivery.settle import Settled
from relay.web.auth import authenticate, authorize, key_in_headers, reauthorize
from relay.web.headers import answer_headers
from relay.web.query import given
from relay.web.watchdog import cut_off

SCOPE = "deliveries"
WRITE_LIMIT_S = 5.0
"""A reader that takes nothing for so long is let go of."""
RECHECK_S = 0.3
"""How often a stream asks whether its key may still listen, ..."""
TRUSTED_MS = 400
"""... and how old the answer may be: together less than a second."""
BUFFER_BYTES = 32 * 1024
"""How much may lie unread of a stream, here and in the kernel."""
_KEEP_ALIVE = b": keep-alive\n\n"


def message(event: str, value: object) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (event.encode(), orjson.dumps(value))


def delivery_message(one: Settled) -> bytes:
    """The state of a delivery after an attempt."""
    return message(
        "delivery",
        {
            "id": one.claimed.id,
            "event_id": one.claimed.event_id,
            "subscription_id": one.claimed.subscription.id,
            "status": one.verdict.state.value,
            "attempts_made": one.attempt.number,
            "final_status_code": one.attempt.status,
            "updated_at": iso(one.attempt.attempted_at_ms + (one.attempt.latency_ms or 0)),
        },
    )


class Echo:
    """Streams to everybody who listens, each for a limited time."""

    def __init__(self, live: Live[bytes], *, lasts_s: float = 60.0, keep_alive_s: float = 5.0) -> None:
        self.live = live
        self._lasts_s = lasts_s
        self._keep_alive_s = keep_alive_s

    async def stream(self, request: web.Request, workspace_id: str) -> web.StreamResponse:
        with self.live.listening(workspace_id) as listener:
            response = web.StreamResponse(
                headers={
                    "Content-Type": "text/event-stream; charset=utf-8",
                    "Cache-Control": "no-store",
                    # The URL of this page holds a key.
                    "Referrer-Policy": "no-referrer",
                    "X-Content-Type-Options": "nosniff",
                    "X-Accel-Buffering": "no",
                    **answer_headers(request),
                }
            )
            await response.prepare(request)
            transport = request.transport
            if transport is not None:
                _keep_little(transport)
            try:
                await self._run(response, listener, lambda: reauthorize(request, TRUSTED_MS))
            except ConnectionError:
                pass  # the reader has gone
            except TimeoutError:
                if transport is not None:
                    cut_off(transport)
        return response

    async def _run(
        self, response: web.StreamResponse, listener: Listener[bytes], may_listen: Callable[[], Awaitable[None]]
    ) -> None:
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + self._lasts_s
        await self._write(response, message("ready", {"lasts_s": self._lasts_s}))
        silent_since_s = loop.time()
        while not listener.ended and (left_s := ends_s - loop.time()) > 0:
            messages = await listener.next(min(left_s, self._keep_alive_s, RECHECK_S))
            try:
                await may_listen()
            except (Unauthorized, Forbidden, RateLimited):
                listener.end("revoked")
                break
            if messages or loop.time() - silent_since_s >= self._keep_alive_s:
                await self._write(response, b"".join(messages) or _KEEP_ALIVE)
                silent_since_s = loop.time()
        await self._write(response, message("closing", {"reason": listener.ended or "reconnect"}))

    async def _write(self, response: web.StreamResponse, data: bytes) -> None:
        async with asyncio.timeout(WRITE_LIMIT_S):
            await response.write(data)


def _keep_little(transport: asyncio.WriteTransport) -> None:
    transport.set_write_buffer_limits(high=BUFFER_BYTES)
    connection = transport.get_extra_info("socket")
    if connection is not None:
        # Left alone, the kernel keeps megabytes for a reader that does not read.
        with contextlib.suppress(OSError):  # the reader may have gone this moment
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)


ECHO: web.AppKey[Echo] = web.AppKey("webhook_relay_echo")


async def echo_stream(request: web.Request) -> web.StreamResponse:
    """echoStream: the key comes in the query, because a browser's EventSource cannot send headers."""
    key = await authenticate(request, given(request).get("key") or key_in_headers(request))
    await admit(request)
    authorize(request, SCOPE)
    return await request.app[ECHO].stream(request, key.workspace_id)
