"""Faults: errors of Relay's own while it delivers. None ends a loop, each is counted, each kind is told in the log."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import structlog

AGAIN_S = 3600.0
"""How long after a kind of fault was told it is told again, if it happens again."""
KINDS_REMEMBERED = 256

log = structlog.get_logger()


class Where(StrEnum):
    """What was being done. A closed list, so that it can be a metric label."""

    CLAIMING = "claiming"
    SENDING = "sending"
    RECORDING = "recording"
    TELLING = "telling"
    """Whoever listens to what was recorded raised it."""


class Faults:
    """Made once for an engine."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """`monotonic` gives seconds that never go back."""
        self._monotonic = monotonic
        self._told_at_s: dict[tuple[object, ...], float] = {}
        self._listeners: list[Callable[[Where], None]] = []

    def on_fault(self, listener: Callable[[Where], None]) -> None:
        """Be told of every fault. Must be quick and must not raise."""
        self._listeners.append(listener)

    def happened(self, where: Where, error: Exception, **ids: str) -> None:
        """Count it, and say it unless the same was said of late. `ids` name what to look up."""
        for listener in self._listeners:
            listener(where)
        kind, now_s = (where, type(error), _line_of(error)), self._monotonic()
        told_at_s = self._told_at_s.get(kind)
        if told_at_s is not None and now_s - told_at_s < AGAIN_S:
            return
        if len(self._told_at_s) >= KINDS_REMEMBERED:
            self._told_at_s.clear()
        self._told_at_s[kind] = now_s
        log.error("an error of Relay's own", at=where.value, exc_info=error, **ids)


def _line_of(error: Exception) -> object:
    """Where it was raised."""
    traceback = error.__traceback__
    if traceback is None:
        return None
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
