"""Points in time as this API writes and reads them: ISO 8601, UTC, milliseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?)(Z|z|[+ -][0-9]{2}:?[0-9]{2})?"
)


def iso(at_ms: int) -> str:
    return f"{_second(at_ms // 1000)}.{at_ms % 1000:03d}Z"


def iso_or_none(at_ms: int | None) -> str | None:
    return None if at_ms is None else iso(at_ms)


@lru_cache(maxsize=256)
def _second(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def moment_ms(text: str) -> int | None:
    """Unix milliseconds of an ISO 8601 date and time, rounded down; None when it is none.

    Without an offset it is UTC. A plus sign that a query string turned into a blank is read as what it was.
    """
    match = _MOMENT.fullmatch(text)
    if match is None:
        return None
    date, time, offset = match.groups()
    offset = "+00:00" if offset in (None, "Z", "z") else offset.replace(" ", "+")
    try:
        at = datetime.fromisoformat(f"{date}T{time}{offset}")
        elapsed = at - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return elapsed.days * 86_400_000 + elapsed.seconds * 1000 + elapsed.microseconds // 1000
