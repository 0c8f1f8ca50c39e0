"""The catalogue: every event type Relay knows, each read from one JSON file.

The built-in files lie in `sample_events/<producer>/<event type>.json`; an operator's folder may add to them and
replace them. Such a file holds

- `{"label", "description", "payload", …}` like the built-in ones, or
- a delivery as an API client sees it, `{"event", "created_at", "data"}`, or
- just the payload, a JSON object.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relay.core.errors import StartError
from relay.core.model import Event
from relay.core.moments import moment_ms

FIELD_TYPES = frozenset({"string", "integer", "number", "boolean", "datetime", "object", "list"})
PAYLOAD_LIMIT_BYTES = 256 * 1024
DEPTH_LIMIT = 100
SAMPLE_WORKSPACE = "sample"
CUSTOM_PRODUCER = "custom"
"""The producer of a file that lies directly in the operator's folder."""

_EVENT_TYPE = re.compile(r"[a-z0-9._-]{1,128}")
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?")
_FILE_KEYS = frozenset({"label", "description", "occurred_at", "event_id", "fields", "payload"})
_DELIVERY_KEYS = frozenset({"event", "created_at", "data"})
_SAMPLE_AT = "2026-10-07T09:12:05Z"
"""When a sample happened whose file does not say: samples must not change between calls."""
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_UPPER_CASE_WORDS = frozenset({"id", "ids", "iso", "uid", "url"})


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a payload, as a field picker shows it. `type` is one of FIELD_TYPES."""

    key: str
    label: str
    type: str
    help: str | None = None


@dataclass(frozen=True, slots=True)
class EventType:
    """A kind of event: what a drop-down shows, the fields of its payload, and a sample with stable values."""

    id: str
    label: str
    description: str
    producer: str
    fields: tuple[Field, ...]
    sample: Event


class Catalogue:
    """The event types by id."""

    def __init__(self, event_types: Iterable[EventType]) -> None:
        self._types = {event_type.id: event_type for event_type in sorted(event_types, key=lambda one: one.id)}

    @classmethod
    def load(cls, extra_folder: Path | None = None) -> Catalogue:
        """The built-in event types and those of the operator's folder, which win; raises StartError."""
        package = Path(str(importlib.resources.files("relay")))
        built_in = first_folder([package / "sample_events", package.parent / "sample_events"])
        types = {one.id: one for one in read_folder(built_in)}
        if extra_folder is not None:
            types |= {one.id: one for one in read_folder(extra_folder)}
        return cls(types.values())

    def types(self) -> tuple[EventType, ...]:
        """All of them, sorted by id."""
        return tuple(self._types.values())

    def ids(self) -> tuple[str, ...]:
        return tuple(self._types)

    def get(self, event_type: str) -> EventType | None:
        return self._types.get(event_type)

    def __contains__(self, event_type: object) -> bool:
        return event_type in self._types

    def __len__(self) -> int:
        return len(self._types)


def first_folder(candidates: Iterable[Path]) -> Path:
    """Where the built-in files are: inside the installed package, or beside it in a checkout."""
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise StartError("the built-in sample_events folder is missing: install Relay again")


def read_folder(folder: Path) -> list[EventType]:
    """Every event type of a folder and the folders below it; raises StartError naming the first bad file."""
    if not folder.is_dir():
        raise StartError(f"{folder}: must be an existing folder of event types, <event type>.json")
    found: dict[str, Path] = {}
    types = []
    for path in _json_files(folder):
        event_type = path.name.removesuffix(".json")
        if event_type in found:
            raise StartError(f"{path}: the same event type is also in {found[event_type]}; keep one of them")
        found[event_type] = path
        producer = path.parent.name if path.parent != folder else CUSTOM_PRODUCER
        try:
            types.append(_read_file(path, event_type, producer))
        except _BadFile as bad:
            raise StartError(f"{path}: {bad}") from None
    return types


def _json_files(folder: Path) -> Iterator[Path]:
    # A mounted Kubernetes ConfigMap keeps second copies of its files in hidden folders.
    for path in sorted(folder.rglob("*.json")):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


class _BadFile(Exception):
    """What to fix in the file at hand."""


def _read_file(path: Path, event_type: str, producer: str) -> EventType:
    if not _EVENT_TYPE.fullmatch(event_type):
        raise _BadFile("the name must be <event type>.json, of at most 128 characters from a-z 0-9 . _ -")
    content = _parse(path)
    if not isinstance(content, dict):
        raise _BadFile("must be a JSON object")
    if "payload" in content:
        if unknown := sorted(content.keys() - _FILE_KEYS):
            raise _BadFile(f"unknown key {unknown[0]!r}; beside payload only {', '.join(sorted(_FILE_KEYS))} are known")
    elif content.keys() == _DELIVERY_KEYS:
        content = _from_delivery(content, event_type)
    else:
        content = {"payload": content}
    payload = content["payload"]
    if not isinstance(payload, dict):
        raise _BadFile("payload must be a JSON object")
    text = _compact(payload)
    if len(text.encode()) > PAYLOAD_LIMIT_BYTES:
        raise _BadFile(f"payload must be at most {PAYLOAD_LIMIT_BYTES // 1024} KB")
    created_at_ms = _time_ms(content)
    return EventType(
        id=event_type,
        label=_text(content, "label") or _words(event_type).capitalize(),
        description=_text(content, "description") or f"Triggers when {event_type} is published.",
        producer=producer,
        fields=_fields(payload, content.get("fields")),
        sample=Event(
            id=_event_id(content, event_type, created_at_ms),
            workspace_id=SAMPLE_WORKSPACE,
            type=event_type,
            payload=text,
            created_at_ms=created_at_ms,
        ),
    )


def _from_delivery(body: dict[str, Any], event_type: str) -> dict[str, Any]:
    """A delivery body as file content. What the wire had added is dropped: it would be added twice."""
    if body["event"] != event_type:
        raise _BadFile(f"event must be {event_type!r} like the file name")
    if not isinstance(body["data"], dict):
        raise _BadFile("data must be a JSON object")
    payload = {key: value for key, value in body["data"].items() if key not in ("event_id", "occurred_at_iso")}
    return {"payload": payload, "created_at": body["created_at"]}


class _Number(str):
    """A number as it was written, so that 4.50 stays 4.50."""

    def is_whole(self) -> bool:
        return not any(character in ".eE" for character in self)


def _parse(path: Path) -> Any:
    try:
        return json.loads(
            path.read_bytes().decode("utf-8-sig"),
            parse_int=_Number,
            parse_float=_finite,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique_keys,
        )
    except OSError as error:
        raise _BadFile(f"cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise _BadFile("must be UTF-8 text") from None
    except RecursionError:
        raise _BadFile(f"must be nested at most {DEPTH_LIMIT} deep") from None
    except json.JSONDecodeError as error:
        raise _BadFile(f"must be JSON: {error.msg} in line {error.lineno}") from None


def _finite(text: str) -> _Number:
    if math.isinf(float(text)):
        raise _BadFile(f"the number {text} is too large")
    return _Number(text)


def _refuse_constant(name: str) -> None:
    raise _BadFile(f"{name} is not JSON; use null")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise _BadFile("must not have the same key twice in one object")
    return values


def _compact(value: Any, depth: int = 1) -> str:
    """JSON text without blanks, with the numbers and the key order of the file."""
    if depth > DEPTH_LIMIT:
        raise _BadFile(f"must be nested at most {DEPTH_LIMIT} deep")
    if isinstance(value, dict):
        return "{" + ",".join(f"{_compact(key)}:{_compact(one, depth + 1)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_compact(one, depth + 1) for one in value) + "]"
    if isinstance(value, _Number):
        return str(value)
    text = json.dumps(value, ensure_ascii=False)
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise _BadFile("must not contain half of a surrogate pair")
    return text


def _text(content: Mapping[str, Any], key: str) -> str | None:
    value = content.get(key)
    if value is not None and (not isinstance(value, str) or isinstance(value, _Number) or not value.strip()):
        raise _BadFile(f"{key} must be a text")
    return value


def _time_ms(content: Mapping[str, Any]) -> int:
    if "created_at" in content:
        seconds = content["created_at"]
        if not isinstance(seconds, _Number) or not re.fullmatch(r"\d{1,11}", seconds):
            raise _BadFile("created_at must be Unix seconds, a whole number")
        return int(seconds) * 1000
    text = _text(content, "occurred_at") or _SAMPLE_AT
    at_ms = moment_ms(text, needs_offset=True)
    if at_ms is None or at_ms < 0:
        raise _BadFile(f"occurred_at must be a time with a zone, such as {_SAMPLE_AT}")
    return at_ms


def _event_id(content: Mapping[str, Any], event_type: str, created_at_ms: int) -> str:
    given = _text(content, "event_id")
    if given is not None:
        if not _ULID.fullmatch(given):
            raise _BadFile("event_id must be a ULID of 26 characters; leave it out to have one derived")
        return given
    chance = int.from_bytes(hashlib.sha256(event_type.encode()).digest()[:10])
    value = created_at_ms << 80 | chance
    return "".join(_CROCKFORD[value >> shift & 31] for shift in range(125, -1, -5))


def _fields(payload: Mapping[str, Any], given: Any) -> tuple[Field, ...]:
    """A field for each key of the payload, with what `fields` says about it: label, help, and the type of a null."""
    given = {} if given is None else given
    if not isinstance(given, dict) or not all(isinstance(one, dict) for one in given.values()):
        raise _BadFile('fields must be an object such as {"customer_email": {"label": "Customer email"}}')
    if unknown := sorted(given.keys() - payload.keys()):
        raise _BadFile(f"fields has {unknown[0]!r}, which the payload does not have")
    return tuple(field_of(key, value, given.get(key, {})) for key, value in payload.items())


def field_of(key: str, value: Any, given: Mapping[str, Any]) -> Field:
    """What is said about a key, the rest made from its name and a sample value."""
    if unknown := sorted(given.keys() - {"label", "type", "help"}):
        raise _BadFile(f"fields: {key} has the unknown key {unknown[0]!r}; label, type and help are known")
    field_type = _text(given, "type") or _type_of(value)
    if field_type not in FIELD_TYPES:
        raise _BadFile(f"fields: the type of {key} must be one of {', '.join(sorted(FIELD_TYPES))}")
    return Field(key, _text(given, "label") or _title(key), field_type, _text(given, "help"))


def _type_of(value: Any) -> str:
    if isinstance(value, _Number):
        return "integer" if value.is_whole() else "number"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "integer" if isinstance(value, int) else "number"
    if isinstance(value, dict):
        return "object"
    if isinstance(value, list):
        return "list"
    return "datetime" if isinstance(value, str) and _ISO_TIME.fullmatch(value) else "string"


def _words(name: str) -> str:
    return " ".join(re.split(r"[._-]+", name)).strip() or name


def _title(key: str) -> str:
    words = _words(key).split(" ")
    return " ".join(word.upper() if word in _UPPER_CASE_WORDS else word[:1].upper() + word[1:] for word in words)
