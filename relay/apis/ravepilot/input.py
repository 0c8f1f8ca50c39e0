"""Reads what clients of this API send, and says what to fix in its own words. Null and empty text mean: not given."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from relay.core.errors import InputError
from relay.core.model import DeliveryState
from relay.core.moments import moment_ms
from relay.outbound.guard import Guard
from relay.producers.testimonials import customer
from relay.producers.testimonials.model import Customer, SubmissionStatus

MAX_LIMIT = 200
MAX_OFFSET = 10**15
MAX_URL = 2048

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NUMBER = re.compile(r"[0-9]{1,100}")
_SECONDS = re.compile(r"[0-9]{1,11}")
_STATES = {"pending": DeliveryState.PENDING, "delivered": DeliveryState.SUCCESS, "failed": DeliveryState.DEAD}

Body = Mapping[str, Any]


def is_id(text: str) -> bool:
    """Whether something could have been an id at all; what could not is never looked for."""
    return _ID.fullmatch(text) is not None


def _given(body: Body, name: str) -> Any:
    value = body.get(name)
    return None if isinstance(value, str) and not value.strip() else value


def read_customer(body: Body) -> Customer:
    """`customer_email`, `customer_name` and `customer_phone`."""
    return Customer(_email(body), _name(body), _phone(body))


def _email(body: Body) -> str:
    email = read_email(body)
    if email is None:
        raise InputError("customer_email is required")
    return email


def read_email(given: Mapping[str, Any]) -> str | None:
    """`customer_email` of a body or of the query string, in the one spelling that invitations keep."""
    text = _given(given, "customer_email")
    if text is None:
        return None
    email = customer.email(text) if isinstance(text, str) else None
    if email is None:
        raise InputError("customer_email must be a valid email address")
    return email


def _name(body: Body) -> str | None:
    text = _given(body, "customer_name")
    if text is None:
        return None
    if not isinstance(text, str):
        raise InputError("customer_name must be text")
    name = customer.name(text)
    if name is not None and len(name) > customer.NAME_LENGTH:
        raise InputError(f"customer_name must be at most {customer.NAME_LENGTH} characters")
    return name


def _phone(body: Body) -> str | None:
    value = _given(body, "customer_phone")
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    phone = customer.phone(value) if isinstance(value, str) else None
    if phone is None:
        raise InputError("customer_phone must be a 10-digit North American number")
    return phone


def read_collector_id(body: Body) -> str | None:
    """`collector_id`; whether there is such a collector is found out later."""
    value = _given(body, "collector_id")
    if value is not None and not (isinstance(value, str) and is_id(value)):
        raise InputError("collector_id does not match a collector in this workspace")
    return value


def read_send_email(body: Body) -> bool:
    """`send_email`; no-code platforms send it as text."""
    value = _given(body, "send_email")
    if value is None:
        return True
    if isinstance(value, bool):
        return value
    text = value.strip().lower() if isinstance(value, str) else ""
    if text not in ("true", "false"):
        raise InputError("send_email must be true or false")
    return text == "true"


def read_url(body: Body, guard: Guard) -> str:
    """`url`: where a webhook may send."""
    value = _given(body, "url")
    if not isinstance(value, str):
        raise InputError("url must be an https:// address")
    if len(value) > MAX_URL:
        raise InputError(f"url must be at most {MAX_URL} characters")
    return guard.check_target(value)


def read_events(body: Body, known: Sequence[str]) -> tuple[str, ...]:
    """`events`: each name once; `*` swallows the others."""
    value = _given(body, "events")
    if value is None or value == "*":
        return ("*",)
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise InputError('events must be an array of event names, or "*"')
    if not value:
        raise InputError("events must name at least one event")
    for name in value:
        if name != "*" and name not in known:
            shown = json.dumps(name[:100], ensure_ascii=False)
            raise InputError(f"unknown event {shown}; valid events: {', '.join(known)}")
    return ("*",) if "*" in value else tuple(dict.fromkeys(value))


def read_status(query: Mapping[str, str]) -> SubmissionStatus | None:
    """`status` of the query string."""
    text = query.get("status")
    if not text:
        return None
    try:
        return SubmissionStatus(text)
    except ValueError:
        raise InputError(f"status must be one of {', '.join(SubmissionStatus)}") from None


def read_limit(query: Mapping[str, str]) -> int:
    """`limit` of the query string; more than there may be is taken as the most."""
    text = query.get("limit") or "50"
    if not _NUMBER.fullmatch(text) or int(text) < 1:
        raise InputError(f"limit must be a whole number between 1 and {MAX_LIMIT}")
    return min(int(text), MAX_LIMIT)


def read_moment(query: Mapping[str, str], name: str) -> int | None:
    """A time of the query string, as Unix milliseconds: Unix seconds, as this API shows times, or ISO 8601."""
    text = query.get(name)
    if text is None:
        return None
    at_ms = int(text) * 1000 if _SECONDS.fullmatch(text) else moment_ms(text)
    if at_ms is None:
        raise InputError(f"{name} must be Unix seconds, or a date and time such as 2026-10-07T09:12:05Z")
    return at_ms


def read_shown_state(query: Mapping[str, str]) -> DeliveryState | None:
    """`status` of the delivery log, in the words of this API."""
    text = query.get("status")
    if text is None:
        return None
    if text not in _STATES:
        raise InputError(f"status must be one of {', '.join(_STATES)}")
    return _STATES[text]


def read_offset(query: Mapping[str, str]) -> int:
    """`offset` of the query string."""
    text = query.get("offset") or "0"
    if not _NUMBER.fullmatch(text):
        raise InputError("offset must be a whole number of 0 or more")
    return min(int(text), MAX_OFFSET)
