"""Look up the addresses of a host: own threads, a limit on each look-up, and a short memory."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from relay.core.conditions import Condition
from relay.core.errors import NotSent
from relay.outbound.shortage import descriptors_are_short, shortage_in

LIMIT_S = 5.0
"""For one look-up, as far as those who wait for it are concerned; it begins when a thread has taken it up."""
KEEP_S = 30.0
KEEP_FAILURE_S = 5.0
CACHE_SIZE = 4096

Lookup = Callable[[str], list[str]]
"""host → its addresses as text. Blocking, called in a thread; raises OSError."""


_Value = TypeVar("_Value")


class LookupFailed(OSError):
    """No address is known for a host; the text is the reason."""


def system_lookup(host: str) -> list[str]:
    """The operating system's answer, in the order in which it wants the addresses tried."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _Found(NamedTuple):
    """What came of a look-up: addresses, or why there are none."""

    addresses: tuple[str, ...]
    failure: str = ""
    condition: Condition | None = None
    """Set when the failure is our own: it says nothing about the host."""


class _Known(NamedTuple):
    until: float
    found: _Found


@dataclass(slots=True, eq=False)
class _Asked:
    """A look-up that runs, or waits for a thread."""

    begun_s: float | None = None
    """Monotonic."""
    ended: asyncio.Future[_Found] = field(init=False)


class Resolver:
    """Asks `lookup`, at most once at a time for a host.

    A look-up cannot be cancelled, so a name that hangs keeps its thread; because callers share the one look-up of a
    name and a name that hung is asked next on threads of its own, dead names do not take the threads of the living.
    """

    def __init__(
        self,
        lookup: Lookup = system_lookup,
        *,
        threads: int = 32,
        limit_s: float = LIMIT_S,
        keep_failure_s: float = KEEP_FAILURE_S,
    ) -> None:
        self._lookup = lookup
        self._limit_s = limit_s
        self._keep_failure_s = keep_failure_s
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="relay-dns")
        self._slow_threads = ThreadPoolExecutor(max(1, threads // 8), thread_name_prefix="relay-dns-slow")
        self._slow: OrderedDict[str, None] = OrderedDict()
        self._running: dict[str, _Asked] = {}
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def addresses(self, host: str) -> tuple[str, ...]:
        """The addresses of a host name, at least one.

        Raises `LookupFailed`, or `NotSent` when this machine could not ask.
        """
        known = self._known.get(host)
        if known is not None and known.until > asyncio.get_running_loop().time():
            found = known.found
        else:
            found = await self._ask(host)
        if found.condition is not None:
            raise NotSent(f"{host} could not be looked up: {found.failure}", condition=found.condition)
        if not found.addresses:
            raise LookupFailed(found.failure)
        return found.addresses

    def is_waiting(self, host: str) -> bool:
        """Whether no thread has taken up its look-up yet, and not because the name hung before: the delay is ours."""
        asked = self._running.get(host)
        return asked is not None and asked.begun_s is None and host not in self._slow

    def close(self) -> None:
        """Look-ups that still run are left to end by themselves; nobody waits for them any more."""
        for asked in self._running.values():
            asked.ended.cancel()
        for threads in (self._threads, self._slow_threads):
            threads.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, host: str) -> _Found:
        asked = self._running.get(host)
        if asked is None:
            try:
                asked = self._begin(host)
            except RuntimeError as error:  # a thread cannot be started
                return _Found((), str(error), Condition.THREADS_SHORT)
        wait_s = self._limit_s
        while wait_s > 0 and not asked.ended.done():
            # wait(), because a timeout or a caller that is cancelled must not cancel the look-up others share.
            await asyncio.wait((asked.ended,), timeout=wait_s)
            wait_s = 0.0 if asked.begun_s is None else asked.begun_s + self._limit_s - time.monotonic()
        if asked.ended.cancelled():
            return _Found((), "the look-up was cancelled")
        if asked.ended.done():
            self._slow.pop(host, None)
            return asked.ended.result()
        if self.is_waiting(host):
            return _Found((), "all threads are taken by look-ups that hang", Condition.LOOKUPS_BUSY)
        _put(self._slow, host, None)
        return self._remember(host, _Found((), f"the look-up took longer than {self._limit_s:g} s"))

    def _begin(self, host: str) -> _Asked:
        asked = _Asked()
        threads = self._slow_threads if host in self._slow else self._threads
        asked.ended = asyncio.get_running_loop().run_in_executor(threads, self._look_up, host, asked)
        self._running[host] = asked
        asked.ended.add_done_callback(lambda ended: self._ended(host, ended))
        return asked

    def _look_up(self, host: str, asked: _Asked) -> _Found:
        """In a thread. It gives the failure, and does not raise it: perhaps nobody waits any more."""
        asked.begun_s = time.monotonic()
        try:
            addresses = tuple(self._lookup(host))
        except Exception as error:
            condition = shortage_in(error)
            if condition is None and descriptors_are_short():
                # The C library then says "not found", or that the name server does not answer.
                condition = Condition.DESCRIPTORS_SHORT
            return _Found((), getattr(error, "strerror", None) or type(error).__name__, condition)
        return _Found(addresses, "" if addresses else "the name has no address")

    def _ended(self, host: str, ended: asyncio.Future[_Found]) -> None:
        del self._running[host]
        if not ended.cancelled() and ended.result().condition is None:
            self._remember(host, ended.result())

    def _remember(self, host: str, found: _Found) -> _Found:
        keep_s = KEEP_S if found.addresses else self._keep_failure_s
        _put(self._known, host, _Known(asyncio.get_running_loop().time() + keep_s, found))
        return found


def _put(store: OrderedDict[str, _Value], host: str, value: _Value) -> None:
    store[host] = value
    store.move_to_end(host)
    if len(store) > CACHE_SIZE:
        store.popitem(last=False)
