"""Notices: what the log says of this installation itself: its start, its stop, and what is wrong with it meanwhile."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import structlog

from relay import __version__
from relay.core.conditions import Change, Condition
from relay.settings import Settings

OFTEN = 3
"""A condition that begins so many times within a minute comes and goes: its end is not said at once any more."""
MINUTE_S = 60.0

log = structlog.get_logger("relay")


class Waiting(NamedTuple):
    """What waits to be sent."""

    deliveries: int
    targets: int


def started(
    settings: Settings,
    *,
    schema: int,
    listens: Sequence[str],
    public_url: str,
    event_types: int,
    waiting: Waiting,
) -> None:
    """The server takes requests. `listens` are its real sockets."""
    log.info(
        "Relay started",
        version=__version__,
        schema=schema,
        data_dir=str(settings.data_dir.absolute()),
        database=str(settings.database_path.absolute()),
        listens=", ".join(listens),
        public_url=public_url,
        event_types=event_types,
        targets_waiting=waiting.targets,
        deliveries_waiting=waiting.deliveries,
    )


def not_kept(reason: str) -> None:
    """What `relay doctor` would read of this start is not in the database."""
    log.warning(
        "the settings of this start could not be kept", reason=reason, next="relay doctor sees those of the last"
    )


def stopped(*, cut_off: int, waiting: Waiting | None, mails: int | None) -> None:
    """Everything is recorded. None for what the database could not tell any more."""
    counts = {
        "requests_cut_off": cut_off,
        "targets_waiting": waiting.targets if waiting else None,
        "deliveries_waiting": waiting.deliveries if waiting else None,
        "mails_waiting": mails,
    }
    rest = any(counts.values())
    log.info(
        "Relay stopped",
        **{name: count for name, count in counts.items() if count is not None},
        next="what waits is sent after the next start, under the same ids" if rest else "nothing waits",
    )


class ConditionLog:
    """Says each condition when it begins and when it ends. Any thread may tell it.

    One that comes and goes is said to hold until it has stayed away for a minute.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """`monotonic` gives seconds that never go back."""
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._said: dict[Condition, tuple[float, str]] = {}
        """Since when each holds, as far as the log says, and what showed it."""
        self._began_s: dict[Condition, deque[float]] = {}
        self._unsaid_ends: dict[Condition, tuple[float, str]] = {}

    def changed(self, change: Change) -> None:
        """For `Conditions`."""
        condition, now_s = change.condition, self._monotonic()
        if change.lasted_s is None:
            with self._lock:
                self._began_s.setdefault(condition, deque(maxlen=OFTEN)).append(now_s)
                self._unsaid_ends.pop(condition, None)
                if condition in self._said:
                    return
                self._said[condition] = now_s, change.detail
            log.error(condition.words, condition=condition.key, detail=change.detail, next=condition.advice)
            return
        with self._lock:
            self._unsaid_ends[condition] = now_s, change.detail
            began_s = self._began_s[condition]
            if len(began_s) == OFTEN and now_s - began_s[0] < MINUTE_S:
                return
        self._say_end(condition)

    def tell(self, *, at_once: bool = False) -> None:
        """Say the ends that have lasted, or all."""
        now_s = self._monotonic()
        for condition, (ended_s, _) in list(self._unsaid_ends.items()):
            if at_once or now_s - ended_s >= MINUTE_S:
                self._say_end(condition)

    async def tell_now_and_then(self) -> None:
        """For a chore."""
        self.tell()

    def _say_end(self, condition: Condition) -> None:
        with self._lock:
            end = self._unsaid_ends.pop(condition, None)
            if end is None:
                return
            began_s, shown_by = self._said.pop(condition)
        ended_s, detail = end
        more = {"detail": detail} if detail != shown_by else {}
        log.info("%s: over", condition.words, condition=condition.key, lasted_s=round(ended_s - began_s), **more)
