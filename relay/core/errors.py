"""Every error Relay raises on purpose.

    RelayError
    ├── InputError          the client sent something that cannot be used; the message says what to fix
    │   ├── TargetError     a target URL that is malformed or that the guard refuses
    │   └── TooLarge        more bytes than are accepted
    ├── Unauthorized        no key, or none that is known
    ├── Forbidden           a good key without the scope
    ├── NotFound            no such thing in this workspace
    ├── Conflict            the thing exists, but not in a state that allows this
    ├── RateLimited         too many requests; carries `retry_after_s`
    ├── Overloaded          more is under way than there is room for: try again later
    ├── NotSent             nothing was sent, for a reason of our own; never charged to a receiver
    ├── StoreError          the database could not do it; nothing was changed
    │   ├── StoreBusy       another process holds the database, or too much is waiting: try again
    │   ├── StoreFull       no room left on the disk
    │   ├── StoreReadOnly   the file or the disk cannot be written
    │   └── StoreCorrupt    the file is damaged; fatal
    └── StartError          Relay cannot start; the message is the one line the operator sees

Only `relay.web` knows which HTTP status each one means, and only an API knows its shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from relay.core.conditions import Condition


class RelayError(Exception):
    """Something went wrong."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__)

    @property
    def message(self) -> str:
        return str(self)


class InputError(RelayError):
    """The request cannot be used."""

    def __init__(self, message: str, *, fields: Mapping[str, list[str]] | None = None) -> None:
        super().__init__(message)
        self.fields: Mapping[str, list[str]] = fields or {}
        """What is wrong with which field, for the APIs whose errors list fields."""


class TargetFault(StrEnum):
    """What is wrong with a target URL, so that each API can word it in its own way."""

    MALFORMED = "malformed"
    """No URL, or one that two programs could read differently."""
    TOO_LONG = "too_long"
    SCHEME = "scheme"
    """Neither http nor https."""
    INSECURE = "insecure"
    """Plain http to a target that is not allow-listed."""
    PRIVATE = "private"
    """It points into a private network, at this machine, or at a port no web server uses."""


class TargetError(InputError):
    """The target URL is not acceptable."""

    def __init__(self, message: str, *, kind: TargetFault = TargetFault.MALFORMED) -> None:
        super().__init__(message)
        self.kind = kind


class TooLarge(InputError):
    """The request body is too large."""


class Unauthorized(RelayError):
    """missing or malformed API key"""


class Forbidden(RelayError):
    """this key lacks the scope"""


class NotFound(RelayError):
    """not found"""


class Conflict(RelayError):
    """the current state does not allow this"""


class RateLimited(RelayError):
    """too many requests"""

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Overloaded(RelayError):
    """too much is under way; try again later"""


class NotSent(RelayError):
    """Nothing was sent, and the receiver had no part in it: nothing counts, nothing is used up, it is tried again."""

    def __init__(self, message: str, *, condition: Condition) -> None:
        super().__init__(message)
        self.condition = condition


class StoreError(RelayError):
    """the database could not do this; nothing was changed"""


class StoreBusy(StoreError):
    """the database is busy; try again"""


class StoreFull(StoreError):
    """no room is left on the disk"""


class StoreReadOnly(StoreError):
    """the database cannot be written"""


class StoreCorrupt(StoreError):
    """the database file is damaged"""


class StartError(RelayError):
    """Relay cannot start"""
