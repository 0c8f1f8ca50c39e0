"""Identifiers: sortable ones for what is listed by time, unguessable ones for what is handed out."""

from __future__ import annotations

import random
import secrets
import threading
from base64 import b32encode

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [a + b for a in _CROCKFORD for b in _CROCKFORD]
_LAST_MS = 2**48 - 1
"""A ULID has 48 bits for its time, which is enough until the year 10889."""


def _base32(value: int, pairs: int) -> str:
    return "".join([_PAIRS[value >> shift & 1023] for shift in range((pairs - 1) * 10, -1, -10)])


def _time_of_ulid(at_ms: int) -> int:
    """The nearest time that a ULID can hold. Cut off to its bits, one before 1970 would be one yet to come."""
    return min(max(at_ms, 0), _LAST_MS)


class UlidClock:
    """Makes ULIDs that never go down, also within one millisecond and when the wall clock steps back.

    A listing pages by id, so an id that sorts before an earlier one would be skipped by a reader that is half-way.
    ULIDs are no secret: the quick random source is enough.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at_ms = -1
        self._begin = ""
        """The time, and the first half of the random part: the same for all of a millisecond."""
        self._low = 0
        """The second half, which goes up."""

    def next(self, now_ms: int) -> str:
        now_ms = _time_of_ulid(now_ms)
        with self._lock:
            if now_ms > self._at_ms:
                self._at_ms = now_ms
                self._renew()
            else:
                self._low += random.getrandbits(24) + 1
                if self._low >> 40:  # a million of one millisecond: what follows is as if made a little later
                    self._at_ms += 1
                    self._renew()
            low = self._low
            pairs = _PAIRS
            return (
                f"{self._begin}{pairs[low >> 30]}{pairs[low >> 20 & 1023]}{pairs[low >> 10 & 1023]}{pairs[low & 1023]}"
            )

    def _renew(self) -> None:
        self._begin = _base32(self._at_ms << 40 | random.getrandbits(40), 9)
        self._low = random.getrandbits(39)


ulid = UlidClock().next
"""`ulid(now_ms)`: the next ULID of this process, 26 characters."""


def token(length: int = 12) -> str:
    """Random base-32 characters, lower case: 5 bits each."""
    return b32encode(secrets.token_bytes(-(-length * 5 // 8)))[:length].decode().lower()


def prefixed(prefix: str, length: int = 16) -> str:
    """An unguessable id such as `sub_k3v9…`: the prefix, an underscore, random base-32 characters."""
    return f"{prefix}_{token(length)}"


def ulid_floor(at_ms: int) -> str:
    """The smallest ULID of that millisecond: every ULID made before it sorts below.

    Any whole number is a time here: none sorts below that of one before 1970.
    """
    return _base32(_time_of_ulid(at_ms), 5) + "0" * 16
