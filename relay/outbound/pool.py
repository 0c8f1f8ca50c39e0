"""Idle connections, kept for the next POST of the same owner to the same place.

The newest is used first, the oldest is let go first. An owner is most often a workspace: whatever a receiver does to a
connection, no other workspace comes to feel it.
"""

from __future__ import annotations

import asyncio
import time

from relay.outbound.connection import Connection

Key = tuple[str, str, str, int]
"""(owner, scheme, host, port)"""

IDLE_S = 15.0
"""Shorter than what common servers keep an idle connection open, so that few are found dead."""
JUST_NOW_S = 0.002
"""What has been idle for less has not had the time to do anything that is not as well done a moment later."""
MAX_IDLE = 1024
MAX_IDLE_PER_KEY = 256
"""As many as the quick slots, by default: a platform's host is the target of many subscriptions."""


class Pool:
    """Holds connections that are idle and reusable, and drops those that end or get old."""

    def __init__(self, idle_s: float = IDLE_S, per_key: int = MAX_IDLE_PER_KEY) -> None:
        self._idle_s = idle_s
        self._per_key = per_key
        self._by_key: dict[Key, list[Connection]] = {}
        self._oldest_first: dict[Connection, Key] = {}
        self._sweep_timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._oldest_first)

    def take(self, key: Key) -> Connection | None:
        """An idle connection to this place that nothing has happened to, or None."""
        now_s = time.monotonic()  # the loop's own time can be that of the beginning of its turn
        while idle := self._by_key.get(key):
            connection = idle[-1]
            self.discard(connection)
            idle_s = now_s - connection.idle_since
            is_fresh = idle_s < self._idle_s and connection.good_until > now_s and connection.reusable
            # To ask the system lets the other threads go first, so it is not asked at every turn of a busy one.
            if is_fresh and (idle_s < JUST_NOW_S or connection.is_quiet):
                return connection
            connection.abort()
        return None

    def put(self, key: Key, connection: Connection) -> None:
        """Keep a connection whose exchange has ended; one that must not be used again is closed."""
        idle = self._by_key.setdefault(key, [])
        if not connection.reusable or len(idle) >= self._per_key:
            connection.abort()
            if not idle:
                del self._by_key[key]
            return
        loop = asyncio.get_running_loop()
        connection.idle_since = time.monotonic()
        idle.append(connection)
        self._oldest_first[connection] = key
        if len(self._oldest_first) > MAX_IDLE:
            self._drop(next(iter(self._oldest_first)))
        if self._sweep_timer is None:
            self._sweep_timer = loop.call_later(self._idle_s, self._sweep)

    def discard(self, connection: Connection) -> None:
        """Forget a connection, if it is here."""
        key = self._oldest_first.pop(connection, None)
        if key is not None:
            idle = self._by_key[key]
            idle.remove(connection)
            if not idle:
                del self._by_key[key]

    def close(self) -> None:
        """Close every idle connection."""
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
            self._sweep_timer = None
        for connection in list(self._oldest_first):
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        self.discard(connection)
        connection.abort()

    def _sweep(self) -> None:
        self._sweep_timer = None
        loop = asyncio.get_running_loop()
        while self._oldest_first:
            oldest = next(iter(self._oldest_first))
            if oldest.idle_since + self._idle_s > loop.time():
                self._sweep_timer = loop.call_at(oldest.idle_since + self._idle_s, self._sweep)
                return
            self._drop(oldest)
