"""Points in time as they are written and read: ISO 8601, within the years 1 to 9999 of UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_S = -62_135_596_800
_LAST_S = 253_402_300_799

_MOMENT = re.compile(
    r"([0-9]{4})(-?)([0-9]{2})\2([0-9]{2})"
    r"[Tt ]([0-9]{2})(:?)([0-9]{2})(?:\6([0-9]{2})(?:[.,]([0-9]+))?)?"
    r"(?:([Zz])|([+ -])([0-9]{2}):?([0-9]{2}))?"
)
_LIKE_ONE = re.compile(
    r"[+-]?[0-9]{4,}(?:-[0-9]{2}-[0-9]{2}|[0-9]{4})[Tt ][0-9]{2}:?[0-9]{2}[0-9:.,]*([Zz]|[+-][0-9]{2}:?[0-9]{2})"
)


def iso(at_ms: int) -> str:
    """With milliseconds. What lies outside the calendar is written as its end: nothing that is shown may fail."""
    return f"{_second(at_ms // 1000)}.{at_ms % 1000:03d}Z"


def iso_or_none(at_ms: int | None) -> str | None:
    return None if at_ms is None else iso(at_ms)


def iso_s(at_s: int) -> str:
    """Unix seconds with whole seconds."""
    return _second(at_s) + "Z"


@lru_cache(maxsize=256)
def _second(at_s: int) -> str:
    at = _EPOCH + timedelta(seconds=min(max(at_s, _FIRST_S), _LAST_S))
    return at.replace(tzinfo=None).isoformat()


def moment_ms(text: str, *, needs_offset: bool = False) -> int | None:
    """Unix milliseconds of an ISO 8601 date and time, rounded down; None when it is none, or lies outside the calendar.

    Without an offset it is UTC, unless `needs_offset`. A plus sign that a query string turned into a blank is read as
    what it was. A leap second is the second after it, and 24:00 is midnight.
    """
    match = _MOMENT.fullmatch(text)
    if match is None:
        return None
    year, _, month, day, hour, _, minute, second, fraction, zulu, sign, off_hours, off_minutes = match.groups()
    if needs_offset and not (zulu or sign):
        return None
    offset_s = int(off_hours or 0) * 3600 + int(off_minutes or 0) * 60
    if offset_s >= 86_400 or int(off_minutes or 0) >= 60:
        return None
    at_s = _seconds(int(year), int(month), int(day), int(hour), int(minute), int(second or 0))
    if at_s is None:
        return None
    at_s += offset_s if sign == "-" else -offset_s
    ends_day = at_s % 86_400 == 0
    if (second == "60" and not ends_day) or (hour == "24" and (int(minute) or (fraction or "").strip("0"))):
        return None
    if not _FIRST_S <= at_s <= _LAST_S:
        return None
    return at_s * 1000 + int((fraction or "")[:3].ljust(3, "0"))


def _seconds(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int | None:
    """Unix seconds of what a clock and a calendar show in UTC; 60 seconds and 24 hours may be full."""
    if hour > 24 or minute > 59 or second > 60 or (hour == 24 and second):
        return None
    try:
        midnight = datetime(year, month, day, tzinfo=UTC) - _EPOCH
    except ValueError:
        return None
    return midnight.days * 86_400 + hour * 3600 + minute * 60 + second


def is_impossible(text: str) -> bool:
    """Whether a text has the form of a date and time with an offset, but none in the years 1 to 9999 of UTC."""
    return _LIKE_ONE.fullmatch(text) is not None and moment_ms(text) is None
