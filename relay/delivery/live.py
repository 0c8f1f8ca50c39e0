"""Live: tells whoever listens what became of each attempt, and never waits for any of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from relay.core.errors import RateLimited
from relay.delivery.settle import Settled

T = TypeVar("T")

QUEUE_LIMIT = 256
"""How many messages a listener may leave unread before it is dropped."""
WORKSPACE_LIMIT = 200
LIMIT = 1_000
RETRY_AFTER_S = 5


class Listener(Generic[T]):
    """What one reader has not read yet."""

    def __init__(self) -> None:
        self._messages: deque[T] = deque()
        self._woken = asyncio.Event()
        self.ended = ""
        """Why nothing more comes; empty while something may."""

    async def next(self, wait_s: float) -> list[T]:
        """Everything unread, as soon as there is something; nothing after `wait_s`, or when it has ended."""
        if not self._messages and not self.ended:
            try:
                async with asyncio.timeout(wait_s):
                    await self._woken.wait()
            except TimeoutError:
                pass
        self._woken.clear()
        messages = list(self._messages)
        self._messages.clear()
        return messages

    def put(self, message: T) -> None:
        if len(self._messages) >= QUEUE_LIMIT:
            self.end("too slow")
        if not self.ended:
            self._messages.append(message)
            self._woken.set()

    def end(self, reason: str) -> None:
        if reason == "too slow":
            self._messages.clear()
        self.ended = reason
        self._woken.set()


class Live(Generic[T]):
    """The listeners of every workspace. A message is made once for all of them, and only when there is one."""

    def __init__(self, render: Callable[[Settled], T]) -> None:
        self._render = render
        self._listeners: dict[str, set[Listener[T]]] = {}
        self._count = 0
        self._closed = False

    @contextlib.contextmanager
    def listening(self, workspace_id: str) -> Iterator[Listener[T]]:
        """Listen to a workspace. Raises RateLimited when too many do, there or in all."""
        listeners = self._listeners.get(workspace_id, set())
        if self._closed or self._count >= LIMIT or len(listeners) >= WORKSPACE_LIMIT:
            raise RateLimited("too many open streams; close some, or try again later", retry_after_s=RETRY_AFTER_S)
        listener: Listener[T] = Listener()
        self._listeners.setdefault(workspace_id, listeners).add(listener)
        self._count += 1
        try:
            yield listener
        finally:
            self._count -= 1
            listeners.discard(listener)
            if not listeners and self._listeners.get(workspace_id) is listeners:
                del self._listeners[workspace_id]

    def settled(self, batch: Sequence[Settled]) -> None:
        """For `Engine.on_settled`."""
        for one in batch:
            listeners = self._listeners.get(one.claimed.subscription.workspace_id)
            if listeners:
                message = self._render(one)
                for listener in listeners:
                    listener.put(message)

    def close(self) -> None:
        """End every stream: a server that stops must not wait for them."""
        self._closed = True
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.end("shutdown")
