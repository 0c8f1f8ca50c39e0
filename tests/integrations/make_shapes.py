"""What may stand in one file of Make's app: a request, the handling of its answer, a list of parameters, a sample."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
REQUEST = {"qs", "headers", "body", "type", "temp", "pagination", "response", "log"}
RESPONSE = {"type", "valid", "error", "limit", "iterate", "output", "data", "metadata"}
ERROR_TYPES = {
    *("RuntimeError", "DataError", "RateLimitError", "OutOfSpaceError", "ConnectionError"),
    *("InvalidConfigurationError", "InvalidAccessTokenError", "IncompleteDataError", "DuplicateDataError"),
}
TYPES = {
    *("any", "array", "boolean", "collection", "date", "email", "integer", "json", "number", "password", "select"),
    *("text", "timestamp", "uinteger", "url"),
}
PARAMETER = {"help", "required", "default", "advanced", "editable", "multiline", "options", "rpc", "spec", "validate"}
VALUES: dict[str, type | tuple[type, ...]] = {
    "array": list,
    "boolean": bool,
    "collection": dict,
    "integer": int,
    "number": (int, float),
    "uinteger": int,
}
"""What a value of a type is in JSON; any other type is a text."""


def keys(where: str, content: Any, required: Collection[str], optional: Collection[str] = ()) -> Iterator[str]:
    if not isinstance(content, dict):
        yield f"{where}: must be an object"
        return
    for key in sorted(set(required) - content.keys()):
        yield f"{where}: {key} is missing"
    for key in sorted(content.keys() - set(required) - set(optional)):
        yield f"{where}: {key} is not known there"


def request(path: str, content: dict[str, Any]) -> Iterator[str]:
    """What is sent, and what is made of the answer."""
    yield from keys(path, content, {"url", "method"}, REQUEST)
    method, handling = content.get("method", ""), content.get("response", {})
    if method not in METHODS and not method.startswith("{{"):
        yield f"{path}: Make has no method {method}"
    if method in ("POST", "PUT", "PATCH") and "body" not in content:
        yield f"{path}: {method} needs a body"
    yield from response(path, handling)
    if "iterate" in handling and not {"limit", "output"} <= handling.keys():
        yield f"{path}: iterate needs a limit and an output"


def response(path: str, content: dict[str, Any]) -> Iterator[str]:
    yield from keys(path, content, (), RESPONSE)
    error = content.get("error", {"message": ""})
    by_status = {key: one for key, one in error.items() if re.fullmatch("[1-5][0-9][0-9]", key)}
    yield from keys(f"{path}: error", error, {"message"}, {"type", *by_status})
    for status, one in by_status.items():
        yield from keys(f"{path}: error {status}", one, {"message"}, {"type"})
    for one in (error, *by_status.values()):
        if one.get("type", "RuntimeError") not in ERROR_TYPES:
            yield f"{path}: Make has no error type {one['type']}"


def parameters(path: str, content: Any) -> Iterator[str]:
    """The fields of a form, or what a module puts out; a text is an RPC that gives more of them."""
    if not isinstance(content, list):
        yield f"{path}: must be a list of parameters"
        return
    fields = [one for one in content if isinstance(one, dict)]
    names = [one.get("name") for one in fields]
    for name in {name for name in names if names.count(name) > 1}:
        yield f"{path}: {name} is there twice"
    for one in fields:
        yield from keys(path, one, {"name", "label", "type"}, PARAMETER)
        yield from _inside(path, one)


def _inside(path: str, one: dict[str, Any]) -> Iterator[str]:
    """The type of a parameter or of an array's items, and what goes with it."""
    kind, spec = one.get("type"), one.get("spec")
    if kind not in TYPES:
        yield f"{path}: Make has no type {kind}"
    if (kind == "select") != ("options" in one):
        yield f"{path}: options belong to a select, and a select needs them"
    if spec is not None and kind not in ("array", "collection"):
        yield f"{path}: spec belongs to an array or a collection"
    if isinstance(spec, dict):
        yield from _inside(path, spec)
    elif spec is not None:
        yield from parameters(path, spec)


def mismatches(interface: list[dict[str, Any]], bundle: dict[str, Any]) -> Iterator[str]:
    """Where a bundle is not what an interface says: the same members, each of its type or null."""
    fields = {one["name"]: one for one in interface}
    for name in sorted(fields.keys() ^ bundle.keys()):
        yield f"{name} is only in the {'interface' if name in fields else 'bundle'}"
    for name in sorted(fields.keys() & bundle.keys()):
        yield from _mismatch(fields[name], bundle[name])


def _mismatch(one: dict[str, Any], value: Any) -> Iterator[str]:
    kind, spec = one["type"], one.get("spec")
    if value is None or kind == "any":
        return
    expected = VALUES.get(kind, str)
    if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
        yield f"{one['name']} is not of the type {kind}"
    elif isinstance(value, dict) and spec:
        yield from mismatches(spec, value)
    elif isinstance(value, list) and spec:
        for item in value:
            yield from _mismatch({"name": one["name"], **spec}, item)
