"""The query string as far as it says something: empty is not given, and of a name that comes twice the first counts."""

from __future__ import annotations

import re
from collections.abc import Mapping

from aiohttp import web

from relay.core.errors import InputError

_DIGITS = re.compile(r"-?[0-9]{1,15}")


def given(request: web.Request) -> Mapping[str, str]:
    """The parameters that have a value."""
    found: dict[str, str] = {}
    for name, value in request.query.items():
        if value.strip():
            found.setdefault(name, value)
    return found


def whole_number(request: web.Request, name: str, default: int, low: int, high: int, *, clamp: bool = False) -> int:
    """A whole number of the query string, ASCII digits only. Out of range it is clamped or refused (InputError)."""
    text = given(request).get(name)
    if text is None:
        return default
    problem = f"must be a whole number from {low} to {high}"
    if not _DIGITS.fullmatch(text):
        raise InputError(f"{name} {problem}", fields={name: [problem]})
    number = int(text)
    if low <= number <= high:
        return number
    if clamp:
        return min(max(number, low), high)
    raise InputError(f"{name} {problem}", fields={name: [problem]})
