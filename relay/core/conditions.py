"""Conditions: what is wrong with this installation itself at the moment, told when it begins and when it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple


class Condition(Enum):
    """What can be wrong on our side. None of it is ever charged to a receiver."""

    DISK_FULL = ("disk full", "free some room on the disk of the database; nothing accepted is lost", True)
    READ_ONLY = ("database read-only", "make the database file and its folder writable again", True)
    LOCKED = ("database locked", "close the other program that holds the database", True)
    UNREADABLE = ("database unreadable", "look at the disk of the database and at what else the log says of it", True)
    MOVED = ("database file gone", "put the file back, or stop the server and restore a backup", True)
    DESCRIPTORS_SHORT = ("descriptors short", "raise the limit of open files (ulimit -n, LimitNOFILE=)", True)
    MEMORY_SHORT = ("memory short", "give this machine more memory, or lower RELAY_DELIVERY_CONCURRENCY", True)
    THREADS_SHORT = ("threads short", "raise the limit of processes and threads (ulimit -u, TasksMax=)", True)
    PORTS_SHORT = ("local ports used up", "widen net.ipv4.ip_local_port_range, or add an address", False)
    LOOKUPS_BUSY = (
        "look-ups of names wait",
        "look at the name servers of this machine (/etc/resolv.conf): too many look-ups take too long",
        False,
    )
    SECRET_UNREADABLE = (
        "signing secret unreadable",
        "put the key it was sealed with back into RELAY_SECRET_KEY",
        False,
    )
    CLOCK_JUMPED = ("clock jumped", "look at the time synchronisation of this machine", False)
    MAIL_REFUSED = (
        "mail server refused",
        "look at RELAY_SMTP_URL and RELAY_MAIL_FROM, and at the mail server's log",
        False,
    )

    def __init__(self, words: str, advice: str, not_ready: bool) -> None:
        self.words = words
        self.advice = advice
        """The next step for the operator."""
        self.not_ready = not_ready
        """Whether `/readyz` says so: events cannot be taken, or nothing can be sent."""

    @property
    def key(self) -> str:
        """Its name in logs and metrics."""
        return self.name.lower()


class Change(NamedTuple):
    """A condition has begun, or ended after `lasted_s` seconds."""

    condition: Condition
    detail: str
    """What showed it, in the words of the operating system or the database. It may be hostile: escape it."""
    lasted_s: float | None


class Conditions:
    """Those that hold now. Any thread may begin and end them; `report` is called there, once for each change."""

    def __init__(self, monotonic: Callable[[], float], report: Callable[[Change], None]) -> None:
        """`monotonic` gives seconds that never go back."""
        self._monotonic = monotonic
        self._report = report
        self._lock = threading.Lock()
        self._since_s: dict[Condition, tuple[float, str]] = {}

    def begin(self, condition: Condition, detail: str = "") -> None:
        """It holds; nothing happens when that is known."""
        with self._lock:
            if condition in self._since_s:
                return
            self._since_s[condition] = (self._monotonic(), detail)
        self._report(Change(condition, detail, None))

    def end(self, condition: Condition, detail: str = "") -> None:
        """It holds no more; nothing happens when it did not: said with every commit, so no lock is taken then."""
        if condition not in self._since_s:
            return
        with self._lock:
            found = self._since_s.pop(condition, None)
        if found is not None:
            self._report(Change(condition, detail or found[1], self._monotonic() - found[0]))

    def holds(self, condition: Condition) -> bool:
        return condition in self._since_s

    @property
    def current(self) -> tuple[Condition, ...]:
        """Those that hold, the first to begin first."""
        return tuple(self._since_s)
