"""Takes a JSON object apart into its top-level members without changing a character of any value."""

from __future__ import annotations

import json
import re

# Nothing is converted: a number of five thousand digits passes as well as any other.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)
_BLANK = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?\d")


def members(text: str) -> dict[str, str]:
    """Each key of a JSON object with the exact text of its value, in order. The text was accepted as JSON before."""
    found: dict[str, str] = {}
    at = _after_blanks(text, _after_blanks(text, 0) + 1)
    while text[at] != "}":
        key, at = _DECODER.raw_decode(text, at)
        start = _after_blanks(text, _after_blanks(text, at) + 1)
        _, end = _DECODER.raw_decode(text, start)
        found[key] = text[start:end]
        at = _after_blanks(text, end)
        if text[at] == ",":
            at = _after_blanks(text, at + 1)
    return found


def as_text(value: str | None) -> str | None:
    """What a member's text says: the string for a string, the digits for a number, None for anything else."""
    if value is None:
        return None
    if value.startswith('"'):
        return str(json.loads(value))
    return value if _NUMBER.match(value) else None


def as_number(value: str) -> float | None:
    """A member's number, None for anything else."""
    return float(value) if _NUMBER.match(value) else None


def _after_blanks(text: str, at: int) -> int:
    blanks = _BLANK.match(text, at)
    return blanks.end() if blanks else at
