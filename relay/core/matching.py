"""Whether a subscription wants an event: globs on the event type, declarative conditions on the payload."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from relay.core.errors import InputError

_FILTER = re.compile(r"[a-z0-9._*-]{1,128}")


def check_filter(text: str) -> None:
    """Raises InputError when the text is neither an event type nor a glob over event types."""
    if not _FILTER.fullmatch(text):
        raise InputError(
            'must be "*", an event type such as order.created, or a glob such as order.*: '
            "1 to 128 lower-case letters, digits, dots, underscores, hyphens and asterisks"
        )


def matches_type(event_filter: tuple[str, ...], event_type: str) -> bool:
    """Whether any of the globs matches. An asterisk alone matches everything.

    A glob is compared segment by segment, and segments are parted by dots. An asterisk stays within its segment; only
    one that is the whole last segment stands for one or more of them.
    """
    return any(glob == "*" or glob == event_type or _matches(glob, event_type) for glob in event_filter)


@lru_cache(maxsize=4096)
def _matches(glob: str, event_type: str) -> bool:
    if "*" not in glob:
        return False
    segments, wanted = event_type.split("."), _parts(glob)
    if glob.endswith(".*"):
        if len(segments) < len(wanted):
            return False
        wanted = wanted[:-1]
        segments = segments[: len(wanted)]
    return len(segments) == len(wanted) and all(map(_segment_matches, wanted, segments))


@lru_cache(maxsize=4096)
def _parts(glob: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(segment.split("*")) for segment in glob.split("."))


def _segment_matches(parts: tuple[str, ...], segment: str) -> bool:
    # Looking for the parts from left to right never has to go back: a hostile glob costs no more than a kind one.
    first, *middle = parts
    if not middle:
        return segment == first
    if not segment.startswith(first):
        return False
    at, last = len(first), middle.pop()
    for part in middle:
        found = segment.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return segment.endswith(last) and len(segment) - len(last) >= at


def meets(conditions: Mapping[str, Any], payload: Mapping[str, Any]) -> bool:
    """Whether a payload meets all the conditions that are stored with a subscription; none always hold.

    `equals` and `equals_if_present` map keys to values; in the second a missing or null value holds too. `between`
    maps keys to [lowest, highest]. `falls` is a fall rule (see `fall`). `shown` is only shown with the subscription
    and compared with nothing. What is not understood is never met: a subscription must not receive what it may have
    meant to leave out.
    """
    return all(part in _PARTS and _PARTS[part](rule, payload) for part, rule in conditions.items())


def fall(rule: Mapping[str, Any], payload: Mapping[str, Any]) -> str | None:
    """Which rule of `{"from": key, "to": key, "below": number?, "by": number?}` a payload meets: `below`, `by` or None.

    `below` wants the number under `from` at or above the limit and the number under `to` below it; `by` wants a fall
    of at least so much, and 0 any fall at all. When both hold the answer is `below`.
    """
    before, after = number(payload.get(str(rule.get("from")))), number(payload.get(str(rule.get("to"))))
    if before is None or after is None or after >= before:
        return None
    below, by = number(rule.get("below")), number(rule.get("by"))
    if below is not None and before >= below > after:
        return "below"
    if by is not None and before - after >= by:
        return "by"
    return None


def number(value: object) -> Decimal | None:
    """A JSON number as the decimal it was written as (4.5 - 4.2 is 0.3), None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # str() refuses integers of more than 4,300 digits, and the floats beyond every number are no JSON.
    decimal = Decimal(value) if isinstance(value, int) else Decimal(str(value))
    return decimal if decimal.is_finite() else None


def _same(wanted: object, value: object) -> bool:
    if isinstance(wanted, bool) or isinstance(value, bool):
        return wanted is value  # to Python, true is also 1
    return value is not None and wanted == value


def _equals(rule: object, payload: Mapping[str, Any]) -> bool:
    return isinstance(rule, Mapping) and all(_same(wanted, payload.get(key)) for key, wanted in rule.items())


def _equals_if_present(rule: object, payload: Mapping[str, Any]) -> bool:
    return isinstance(rule, Mapping) and all(
        payload.get(key) is None or _same(wanted, payload[key]) for key, wanted in rule.items()
    )


def _between(rule: object, payload: Mapping[str, Any]) -> bool:
    return isinstance(rule, Mapping) and all(_within(limits, payload.get(key)) for key, limits in rule.items())


def _within(limits: object, value: object) -> bool:
    if not isinstance(limits, list | tuple) or len(limits) != 2:
        return False
    low, high, found = number(limits[0]), number(limits[1]), number(value)
    return low is not None and high is not None and found is not None and low <= found <= high


def _falls(rule: object, payload: Mapping[str, Any]) -> bool:
    return isinstance(rule, Mapping) and fall(rule, payload) is not None


_PARTS: Mapping[str, Callable[[object, Mapping[str, Any]], bool]] = {
    "equals": _equals,
    "equals_if_present": _equals_if_present,
    "between": _between,
    "falls": _falls,
    "shown": lambda _rule, _payload: True,
}
