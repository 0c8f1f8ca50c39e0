"""Look up the addresses of a host: own threads, a limit on each look-up, and a short memory."""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

LIMIT_S = 5.0
"""For one look-up, as far as those who wait for it are concerned."""
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


class _Known(NamedTuple):
    until: float
    addresses: tuple[str, ...]
    failure: str


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
        self._running: dict[str, asyncio.Future[list[str]]] = {}
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def addresses(self, host: str) -> tuple[str, ...]:
        """The addresses of a host name, at least one. Raises `LookupFailed`."""
        now = asyncio.get_running_loop().time()
        known = self._known.get(host)
        if known is None or known.until <= now:
            known = await self._ask(host)
        if not known.addresses:
            raise LookupFailed(known.failure)
        return known.addresses

    def close(self) -> None:
        """Look-ups that still run are left to end by themselves; nobody waits for them any more."""
        for running in self._running.values():
            running.cancel()
        for threads in (self._threads, self._slow_threads):
            threads.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, host: str) -> _Known:
        running = self._running.get(host)
        if running is None:
            threads = self._slow_threads if host in self._slow else self._threads
            running = asyncio.get_running_loop().run_in_executor(threads, self._lookup, host)
            self._running[host] = running
            running.add_done_callback(lambda future: self._ended(host, future))
        # wait(), because a timeout or a caller that is cancelled must not cancel the look-up others share.
        await asyncio.wait((running,), timeout=self._limit_s)
        if not running.done():
            _put(self._slow, host, None)
            return self._remember(host, (), f"the look-up took longer than {self._limit_s:g} s")
        self._slow.pop(host, None)
        return self._known[host]

    def _ended(self, host: str, running: asyncio.Future[list[str]]) -> None:
        del self._running[host]
        if running.cancelled():
            self._remember(host, (), "the look-up was cancelled")
        elif error := running.exception():
            self._remember(host, (), getattr(error, "strerror", None) or type(error).__name__)
        else:
            self._remember(host, tuple(running.result()), "the name has no address")

    def _remember(self, host: str, addresses: tuple[str, ...], failure: str) -> _Known:
        keep_s = KEEP_S if addresses else self._keep_failure_s
        known = _Known(asyncio.get_running_loop().time() + keep_s, addresses, failure)
        _put(self._known, host, known)
        return known


def _put(store: OrderedDict[str, _Value], host: str, value: _Value) -> None:
    store[host] = value
    if len(store) > CACHE_SIZE:
        store.popitem(last=False)
