"""Turns: a few things are lent out, one owner after the other, so that nobody who asks often stands before the rest."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """What is lent out, and who waits for it. An owner's own requests are served in their order."""

    def __init__(self) -> None:
        self._free: list[T] = []
        self._waiting: dict[str, deque[asyncio.Future[T]]] = {}
        """By owner; the first is next."""

    def add(self, thing: T) -> None:
        """Lend this too; or it is given back."""
        while self._waiting:
            owner = next(iter(self._waiting))
            queue = self._waiting.pop(owner)
            future = queue.popleft()
            if queue:
                self._waiting[owner] = queue
            if not future.done():
                future.set_result(thing)
                return
        self._free.append(thing)

    @contextlib.asynccontextmanager
    async def lent(self, owner: str) -> AsyncIterator[T]:
        """One of the things, when it is the owner's turn."""
        thing = self._free.pop() if self._free else await self._wait(owner)
        try:
            yield thing
        finally:
            self.add(thing)

    async def _wait(self, owner: str) -> T:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(future)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.add(future.result())
            raise
