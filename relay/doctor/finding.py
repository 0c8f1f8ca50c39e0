"""A finding: one thing that is wrong, in plain words, and the next step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from relay.log import printable


class Area(StrEnum):
    """What a finding is about; each has its part in the README."""

    SERVER = "server"
    DATABASE = "database"
    QUEUE = "queue"
    SUBSCRIPTIONS = "subscriptions"
    NETWORK = "network"
    MAIL = "mail"
    SETTINGS = "settings"


class Problem(StrEnum):
    """What is wrong, in a word for programs; the README says what each means, and what to do."""

    NOT_RUNNING = "not_running"
    NOT_ANSWERING = "not_answering"
    NOT_READY = "not_ready"
    OTHER_VERSION = "other_version"

    DAMAGED = "damaged"
    UNREADABLE = "unreadable"
    OTHER_SCHEMA = "other_schema"
    OLDER_SCHEMA = "older_schema"
    READ_ONLY = "read_only"
    LITTLE_ROOM = "little_room"
    LARGE_LOG = "large_log"
    OPEN_TO_OTHERS = "open_to_others"
    KEY_MISSING = "key_missing"
    KEY_WRONG = "key_wrong"
    CLOCK_BEHIND = "clock_behind"

    NOT_SENT = "not_sent"
    STUCK = "stuck"
    BEHIND = "behind"
    PUT_OFF = "put_off"
    DEAD_LETTERS = "dead_letters"

    PAUSED = "paused"
    DISABLED = "disabled"
    REFUSED = "refused"
    FAILING = "failing"
    NEVER_SUCCEEDED = "never_succeeded"
    DUPLICATE = "duplicate"

    NO_NAMES = "no_names"
    NOT_FOUND = "not_found"
    NO_TRUST = "no_trust"
    BAD_CERTIFICATE = "bad_certificate"
    CERTIFICATE_EXPIRES = "certificate_expires"
    NOT_REACHED = "not_reached"
    PROXY_IGNORED = "proxy_ignored"

    MAIL_SERVER = "mail_server"
    MAIL_REFUSED = "mail_refused"
    MAIL_UNKNOWN = "mail_unknown"
    MAIL_FAILED = "mail_failed"

    UNKNOWN_SETTING = "unknown_setting"
    NO_EFFECT = "no_effect"
    NO_PUBLIC_URL = "no_public_url"
    FEW_DESCRIPTORS = "few_descriptors"
    UNUSED_TARGET = "unused_target"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    area: Area
    problem: Problem
    about: str
    """Which one it is: an id, a host, a file, a setting."""
    what: str
    advice: str
    needs_person: bool = True
    """False for a note: worth knowing, and nothing has to be done about it now."""
    context: tuple[str, ...] = ()
    """What makes it easier to recognise, a line each."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What the sentences say, for programs. Times are Unix seconds."""


def as_row(one: Finding) -> dict[str, Any]:
    """A finding for JSON."""
    return {
        "area": one.area.value,
        "problem": one.problem.value,
        "about": one.about,
        "needs_person": one.needs_person,
        **one.details,
        "what": one.what,
        "advice": one.advice,
    }


def as_lines(one: Finding) -> list[str]:
    """A finding for a terminal, which nothing in it can play with."""
    head = f"{'' if one.needs_person else 'note, '}{one.problem.value}: {one.about}"
    return [printable(head), *(printable(f"  {line}") for line in (*one.context, one.what, one.advice))]


def span(seconds: float) -> str:
    """`40 s`, `12 min`, `5 h`, `3 days`: how long something lasts, to be read by a person."""
    seconds = max(0, round(seconds))
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 2 * 3600:
        return f"{seconds // 60} min"
    if seconds < 2 * 86_400:
        return f"{seconds // 3600} h"
    return f"{seconds // 86_400} days"


def size(count_bytes: int) -> str:
    """`512 B`, `1.5 MB`."""
    value, units = float(count_bytes), ("B", "KB", "MB", "GB", "TB")
    for unit in units:
        if value < 1000 or unit == units[-1]:
            break
        value /= 1000
    return f"{value:.1f}".removesuffix(".0") + f" {unit}"


def moment(at_ms: int) -> str:
    """A time as text, UTC; one that no calendar has, as its number."""
    try:
        return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{at_ms // 1000} (Unix time)"
