"""Answers that are large: how many bytes of them may lie unread, and those that are made while they are read."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Iterator

from aiohttp import web

from relay.core.errors import Overloaded
from relay.web.auth import owner_of, reauthorize

PLAIN_BYTES = 64 * 1024
"""As much as every connection may have unread. Only what is larger is counted."""
ROOM_BYTES = 64 * 1024 * 1024
"""How many bytes of large answers may be under way."""
SHARE_BYTES = 16 * 1024 * 1024
"""How many of them may belong to one workspace, or to one address that shows no key."""
STREAMED_BYTES = 512 * 1024
"""What an answer that is made while it is read counts as: the part that is being written, and the one that is made."""
_KERNEL_BYTES = 128 * 1024
"""How much of a large answer the system may hold unsent. Left alone it takes megabytes, where nobody counts them."""


class Room:
    """The bytes of large answers that have not been read yet."""

    def __init__(self, room_bytes: int = ROOM_BYTES, share_bytes: int = SHARE_BYTES) -> None:
        self._free = room_bytes
        self._share_bytes = share_bytes
        self._taken: dict[str, int] = {}

    @contextlib.contextmanager
    def taken(self, owner: str, size_bytes: int) -> Iterator[None]:
        """Count an answer for as long as the block lasts. Raises Overloaded when too much lies unread."""
        taken = self._taken.get(owner, 0)
        # The first of an owner fits whatever its size: else one that is larger than the share could never be had.
        if taken and taken + size_bytes > self._share_bytes:
            raise Overloaded("too many large answers are unread in this workspace; read them, or ask again later")
        if size_bytes > self._free:
            raise Overloaded("too many large answers are unread; try again later")
        self._free -= size_bytes
        self._taken[owner] = taken + size_bytes
        try:
            yield
        finally:
            self._free += size_bytes
            left = self._taken[owner] - size_bytes
            if left:
                self._taken[owner] = left
            else:
                del self._taken[owner]


ROOM: web.AppKey[Room] = web.AppKey("room")


class Streamed(web.StreamResponse):
    """A JSON answer of which only a part is there at a time."""

    def __init__(self, begun: str, rest: AsyncGenerator[str, None]) -> None:
        super().__init__(headers={"Content-Type": "application/json; charset=utf-8"})
        self.begun = begun
        self.rest = rest


async def streamed(texts: AsyncGenerator[str, None]) -> web.StreamResponse:
    """An answer with these parts of a JSON text. What is small is there at once; of what is not, the parts are made one
    after the other, each when the one before has been read."""
    begun = ""
    async for text in texts:
        begun += text
        if len(begun) > PLAIN_BYTES:
            return Streamed(begun, texts)
    return web.Response(text=begun, content_type="application/json")


def is_large(response: web.StreamResponse) -> bool:
    if isinstance(response, Streamed):
        return True
    body = response.body if isinstance(response, web.Response) else None
    return isinstance(body, bytes) and len(body) > PLAIN_BYTES


async def send(request: web.Request, response: web.StreamResponse) -> None:
    """Write a large answer to its end. Raises Overloaded, with nothing written, when too much lies unread."""
    if request.method == "HEAD":
        if isinstance(response, Streamed):
            await response.rest.aclose()
        return
    size_bytes = STREAMED_BYTES if isinstance(response, Streamed) else response.content_length or 0
    with request.app[ROOM].taken(owner_of(request), size_bytes), contextlib.suppress(ConnectionError):
        _keep_little(request.transport)
        await response.prepare(request)
        if isinstance(response, Streamed):
            await response.write(response.begun.encode())
            response.begun = ""
            async with contextlib.aclosing(response.rest) as rest:
                async for text in rest:
                    await reauthorize(request)
                    await response.write(text.encode())
        await response.write_eof()


def _keep_little(transport: asyncio.Transport | None) -> None:
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    connection = None if transport is None else transport.get_extra_info("socket")
    if option is not None and connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, option, _KERNEL_BYTES)
