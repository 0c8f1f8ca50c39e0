"""What clients send, checked: everything that is wrong is told at once, by field."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson
from aiohttp import web

from relay.core.errors import InputError, TargetError
from relay.core.matching import check_filter
from relay.core.moments import moment_ms
from relay.store.narrowing import Narrowing
from relay.web.body import member_text
from relay.web.query import given

MAX_PAYLOAD_BYTES = 262_144
MAX_NAME = 255
MAX_IDEMPOTENCY_KEY = 255
IDEMPOTENCY_KEY = "Idempotency-Key"

_TYPE = re.compile(r"[a-z0-9._-]{1,128}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

TOO_LONG_TEXT = f"must be at most {MAX_PAYLOAD_BYTES} bytes of JSON"
_TYPE_TEXT = "must be 1 to 128 lower-case letters, digits, dots, underscores and hyphens"
_KEY_TEXT = f"must be a text of at most {MAX_IDEMPOTENCY_KEY} characters, the character 0 not among them"
_MOMENT_TEXT = "must be a date and time such as 2026-10-07T09:12:05Z"


class Draft(NamedTuple):
    """An event as a client gave it. `payload` is the text that came, `members` what it says."""

    type: str
    payload: str
    members: dict[str, Any]


class Faults:
    """Gathers what is wrong, by field; `check` raises all of it as one InputError."""

    def __init__(self) -> None:
        self.of_field: dict[str, list[str]] = {}

    def add(self, field: str, text: str) -> None:
        self.of_field.setdefault(field, []).append(text)

    def check(self) -> None:
        if self.of_field:
            texts = [f"{field} {text}" for field, found in self.of_field.items() for text in found]
            raise InputError("; ".join(texts), fields=self.of_field)


def refuse(field: str, text: str) -> InputError:
    """The error for one field."""
    return InputError(f"{field} {text}", fields={field: [text]})


def read_event(body: dict[str, Any], text: str) -> Draft:
    """An event to publish; `text` is the source of `body`."""
    faults = Faults()
    event_type: Any = body.get("type")
    members: Any = body.get("payload")
    if event_type is None or event_type == "":
        faults.add("type", "is required")
    elif type(event_type) is not str or not _TYPE.fullmatch(event_type):
        faults.add("type", _TYPE_TEXT)
    payload = ""
    if "payload" not in body:
        faults.add("payload", "is required")
    elif type(members) is not dict:
        faults.add("payload", "must be a JSON object")
    else:
        payload = member_text(text, body, "payload")
        if not fits(payload, members):
            faults.add("payload", TOO_LONG_TEXT)
    faults.check()
    return Draft(event_type, payload, members)


def fits(text: str, members: Any) -> bool:
    """Whether a payload is short enough; `members` is what its text says."""
    # What counts is the compact form; it is made only for a text that is too long as it came.
    return (
        len(text) * 4 <= MAX_PAYLOAD_BYTES
        or len(text.encode()) <= MAX_PAYLOAD_BYTES
        or len(orjson.dumps(members)) <= MAX_PAYLOAD_BYTES
    )


def read_idempotency_key(value: object, field: str = "idempotency_key") -> str | None:
    """Any text; the character 0 is the one that not every database has room for. Empty means not given."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > MAX_IDEMPOTENCY_KEY or "\0" in value:
        raise refuse(field, _KEY_TEXT)
    return value


def header_idempotency_key(request: web.Request) -> str | None:
    """The key in the header, whose bytes are UTF-8 or, where they cannot be, Latin-1."""
    values = request.headers.getall(IDEMPOTENCY_KEY, ())
    if not values:
        return None
    if len(values) > 1:
        raise refuse(IDEMPOTENCY_KEY, "must be given once")
    value = values[0]
    if not value.isascii():
        data = value.encode(errors="surrogateescape")
        try:
            value = data.decode()
        except UnicodeDecodeError:
            value = data.decode("latin-1")
    return read_idempotency_key(value.strip(), IDEMPOTENCY_KEY)


def read_event_type(body: Mapping[str, Any], default: str) -> str:
    event_type = body.get("event_type", default)
    if event_type == "":
        return default
    if not isinstance(event_type, str) or not _TYPE.fullmatch(event_type):
        raise refuse("event_type", _TYPE_TEXT)
    return event_type


class SubscriptionInput(NamedTuple):
    """The members of a subscription that a client sets; None is a member that was not given."""

    target_url: str | None
    event_filter: str | None
    name: str | None
    has_name: bool


def read_subscription(
    body: Mapping[str, Any], check_target: Callable[[object], str], *, needs_url: bool
) -> SubscriptionInput:
    """A subscription to create or to change. An empty text is a form's field that was left empty: not given."""
    body = {name: value for name, value in body.items() if value != ""}
    faults = Faults()
    target_url: str | None = None
    if "url" in body:
        try:
            target_url = check_target(body["url"])
        except TargetError as error:
            faults.add("url", error.message.removeprefix("url "))
    elif needs_url:
        faults.add("url", "is required")
    event_filter = body.get("event_filter")
    if "event_filter" in body:
        try:
            check_filter(event_filter if isinstance(event_filter, str) else "")
        except InputError as error:
            faults.add("event_filter", error.message)
    name = body.get("name")
    if name is not None and (not isinstance(name, str) or len(name) > MAX_NAME or "\0" in name):
        faults.add("name", f"must be a text of at most {MAX_NAME} characters")
    faults.check()
    return SubscriptionInput(target_url, event_filter, name, "name" in body)


def read_flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if value == "":
        return False
    if not isinstance(value, bool):
        raise refuse(name, "must be true or false")
    return value


def read_moment(value: object, field: str) -> int:
    """Unix milliseconds."""
    at_ms = moment_ms(value) if isinstance(value, str) else None
    if at_ms is None:
        raise refuse(field, _MOMENT_TEXT)
    return at_ms


def query_moment(request: web.Request, name: str) -> int | None:
    text = given(request).get(name)
    return None if text is None else read_moment(text, name)


def query_narrowing(request: web.Request) -> Narrowing:
    """The filters that every list of events and deliveries takes: `type`, `created_after` and `created_before`."""
    return Narrowing(
        given(request).get("type"), query_moment(request, "created_after"), query_moment(request, "created_before")
    )


def is_id(text: str) -> bool:
    """Whether a text could be the id of anything; what could not is not looked for."""
    return _ID.fullmatch(text) is not None


def could_be(given: str | None) -> bool:
    """The same of a filter, which need not be given."""
    return given is None or is_id(given)


def is_event_type(text: str) -> bool:
    return _TYPE.fullmatch(text) is not None
