"""Shortage: what this machine has run out of, so that it is not charged to a receiver."""

from __future__ import annotations

import asyncio
import errno
import socket

from relay.core.conditions import Condition, Conditions
from relay.core.errors import NotSent

SPARE = 8
"""How many descriptors must be free: a look-up needs a few at a time, and hides that it could not have them."""
LOOK_S = 1.0
OVER_S = 10.0
"""A condition ends when it was not met for so long: descriptors come and go, and nobody wants to be told each time."""

_SHORT = {
    errno.EMFILE: Condition.DESCRIPTORS_SHORT,
    errno.ENFILE: Condition.DESCRIPTORS_SHORT,
    errno.ENOMEM: Condition.MEMORY_SHORT,
    errno.ENOBUFS: Condition.MEMORY_SHORT,
}


def shortage_in(error: Exception) -> Condition | None:
    """What this machine lacked, when that is what an error says."""
    if isinstance(error, MemoryError):
        return Condition.MEMORY_SHORT
    if isinstance(error, socket.gaierror):
        return Condition.MEMORY_SHORT if error.errno == socket.EAI_MEMORY else None
    if isinstance(error, OSError) and error.errno is not None:
        return _SHORT.get(error.errno)
    return None


def descriptors_are_short() -> bool:
    """Whether few are left. May be called in any thread."""
    opened: list[socket.socket] = []
    try:
        for _ in range(SPARE):
            opened.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))  # noqa: PERF401 - what was opened is closed
    except OSError as error:
        return shortage_in(error) is Condition.DESCRIPTORS_SHORT
    finally:
        for one in opened:
            one.close()
    return False


def can_reach(address: str, port: int) -> bool:
    """Whether this machine has an address of its own to send from to this one. Nothing is sent."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, port))
    except OSError:
        return False
    return True


class Shortage:
    """Begins a condition when it is met, and looks until it is over."""

    def __init__(self, conditions: Conditions, *, look_s: float = LOOK_S, over_s: float = OVER_S) -> None:
        self._conditions = conditions
        self._look_s = look_s
        self._over_s = over_s
        self._met_s: dict[Condition, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def met(self, not_sent: NotSent) -> None:
        """Something was not sent because of it."""
        loop = asyncio.get_running_loop()
        self._conditions.begin(not_sent.condition, not_sent.message)
        self._met_s[not_sent.condition] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self._look_s, self._look)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        for condition, met_s in list(self._met_s.items()):
            if loop.time() - met_s < self._over_s:
                continue
            if condition is Condition.DESCRIPTORS_SHORT and descriptors_are_short():
                continue
            del self._met_s[condition]
            self._conditions.end(condition)
        self._timer = loop.call_later(self._look_s, self._look) if self._met_s else None
