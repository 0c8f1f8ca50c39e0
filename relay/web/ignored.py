"""What of a request has no effect here: it is named in `Relay-Ignored`, or refused when the client prefers that.

What an operation takes is what its models document. Everything else that a client has given a value would be passed
over in silence, and the client believe that it was heard.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias, get_args
from urllib.parse import quote

from aiohttp import web
from pydantic import BaseModel

from relay.core.errors import InputError
from relay.web.headers import answer_headers
from relay.web.operation import Operation

HEADER = "Relay-Ignored"
MOST = 20
"""How many names are told; more of them end in `...`."""
NAME_BYTES = 64

Shape: TypeAlias = Mapping[str, "Shape | None"]
"""The members of an object, each with the shape of what is in it, or None where anything may be."""


@dataclass(frozen=True, slots=True)
class Takes:
    """What an operation has a use for."""

    query: frozenset[str]
    body: Shape | None
    """None when it reads no body."""
    is_flat: bool
    """Whether only the names in the body itself are known, and none in what is inside."""
    headers_of_others: frozenset[str]
    """Request headers that other operations have a use for, and this one has not."""


_TAKES: web.RequestKey[Takes] = web.RequestKey("relay.takes")
_IS_STRICT: web.RequestKey[bool] = web.RequestKey("relay.is_strict")
_IGNORED: web.RequestKey[dict[str, None]] = web.RequestKey("relay.ignored")


def takes_of(operation: Operation, operations: Iterable[Operation]) -> Takes:
    """`operations` are all there are."""
    headers = {name for one in operations for name in _names(one.headers)}
    body = None if operation.request is None else _shape(operation.request)
    return Takes(
        query=frozenset(_names(operation.query)),
        body=body,
        is_flat=body is not None and not any(body.values()),
        headers_of_others=frozenset(headers.difference(_names(operation.headers))),
    )


def _names(model: type[BaseModel] | None) -> Iterator[str]:
    if model is not None:
        yield from (field.alias or name for name, field in model.model_fields.items())


def _shape(model: type[BaseModel]) -> Shape:
    fields = model.model_fields.items()
    return {field.alias or name: _shape_of_type(field.annotation) for name, field in fields}


def _shape_of_type(annotation: Any) -> Shape | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _shape(annotation)
    return next((shape for part in get_args(annotation) if (shape := _shape_of_type(part)) is not None), None)


def look_at_head(request: web.Request, takes: Takes) -> None:
    """Parameters and headers. Raises InputError when something has no effect and the client prefers a refusal."""
    headers = request.headers
    request[_TAKES] = takes
    if "Prefer" in headers and _prefers_strict(headers.getall("Prefer")):
        request[_IS_STRICT] = True
        answer_headers(request)["Preference-Applied"] = "handling=strict"
    if request.rel_url.raw_query_string:
        note(request, _without_effect(request.query.items(), takes.query))
    for name in takes.headers_of_others:
        if headers.get(name):
            note(request, [name])


def _without_effect(given: Iterable[tuple[str, str]], known: frozenset[str]) -> Iterator[str]:
    """Unknown parameters, and those that come again: the first that is not empty counts."""
    seen: set[str] = set()
    for name, value in given:
        if _is_empty(value):
            continue
        if name not in known or name in seen:
            yield name
        seen.add(name)


def look_at_body(request: web.Request, members: Mapping[str, Any]) -> None:
    """The members of the JSON object that came as the body. Raises as `look_at_head` does."""
    takes = request.get(_TAKES)
    if takes is None or takes.body is None or (takes.is_flat and members.keys() <= takes.body.keys()):
        return
    note(request, _unknown(takes.body, members))


def look_at_unread_body(request: web.Request, value: Any) -> None:
    """What a body says that nothing reads: its members, or all of it when it is no object. Raises as `look_at_head`."""
    if type(value) is dict:
        note(request, _unknown({}, value))
    elif value:
        note(request, ["body"])


def _unknown(shape: Shape, members: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for key, value in members.items():
        if key not in shape:
            if not _is_empty(value):
                yield path + key
        elif (inner := shape[key]) is not None:
            if type(value) is dict:
                yield from _unknown(inner, value, f"{path}{key}.")
            elif type(value) is list:
                for one in value:
                    if type(one) is dict:
                        yield from _unknown(inner, one, f"{path}{key}[].")


def _is_empty(value: Any) -> bool:
    """Empty means not given."""
    return value is None or (type(value) is str and not value.strip())


def note(request: web.Request, names: Iterable[str]) -> None:
    """These were given and have no effect: the answer says so. Raises InputError when the client prefers a refusal."""
    found = request.get(_IGNORED, {})
    told = (one for name in names if (one := _told(name)) not in found)
    new = dict.fromkeys(islice(told, MOST + 1 - len(found)))
    if not new:
        return
    if request.get(_IS_STRICT):
        have = "has" if len(new) == 1 else "have"
        raise InputError(
            f"{', '.join(new)} {have} no effect here, and the request prefers strict handling",
            fields={name: ["has no effect here"] for name in new},
        )
    found = request[_IGNORED] = found | new
    shown = [quote(name, safe="[]") for name in islice(found, MOST)]
    answer_headers(request)[HEADER] = ", ".join(shown if len(found) <= MOST else [*shown, "..."])


def _told(name: str) -> str:
    """A name as it may be told: not too long, and no half of a character."""
    return name.encode(errors="replace")[:NAME_BYTES].decode(errors="ignore")


def _prefers_strict(values: Iterable[str]) -> bool:
    """RFC 7240: of preferences that come again the first counts; their parameters are none of ours."""
    for value in values:
        for preference in value.split(","):
            name, _, wanted = preference.partition(";")[0].partition("=")
            if name.strip().lower() == "handling":
                return wanted.strip().strip('"').lower() == "strict"
    return False
