"""The part of Make's expression language that our app uses: texts with `{{ifempty(body.error, 'none')}}` in them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

SPREAD = "{{...}}"
"""The key whose value's members join the object it stands in."""

_HOLE = re.compile(r"\{\{((?:(?!\}\}).)*)\}\}")
_TOKEN = re.compile(r"\s*(?:(?P<text>'[^']*')|(?P<number>\d+)|(?P<name>[A-Za-z_]\w*)|(?P<mark>[=(),.\[\]]))")


class BadExpression(Exception):
    """An expression that Make could not read, or that names what is not there."""


class Nothing(Enum):
    """JavaScript's `undefined`: a member with this value is left out."""

    UNDEFINED = "undefined"


UNDEFINED = Nothing.UNDEFINED


@dataclass(frozen=True)
class Literal:
    value: Any


@dataclass(frozen=True)
class Variable:
    """`body.items[1].id` is the variable `body` with the path `items`, 1, `id`; the first item is 1."""

    name: str
    path: tuple[str | int, ...]


@dataclass(frozen=True)
class Call:
    function: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True)
class Equal:
    left: Expression
    right: Expression


Expression = Literal | Variable | Call | Equal


def holes(template: str) -> Iterator[Expression]:
    """What stands between braces in a text; raises BadExpression."""
    for found in _HOLE.finditer(template):
        yield _Parser(found[1]).whole()


def fill(value: Any, variables: Mapping[str, Any]) -> Any:
    """A JSON value with its texts evaluated; raises BadExpression for a variable that is not there."""
    if isinstance(value, str):
        return _fill_text(value, variables)
    if isinstance(value, list):
        return [one for inner in value if (one := fill(inner, variables)) is not UNDEFINED]
    if isinstance(value, dict):
        filled: dict[str, Any] = {}
        for key, inner in value.items():
            one = fill(inner, variables)
            if key == SPREAD:
                filled |= one
            elif one is not UNDEFINED:
                filled[key] = one
        return filled
    return value


def is_true(value: Any) -> bool:
    return value not in (UNDEFINED, None, False, 0, "")


def _fill_text(template: str, variables: Mapping[str, Any]) -> Any:
    if whole := _HOLE.fullmatch(template):
        return _evaluate(_Parser(whole[1]).whole(), variables)
    return _HOLE.sub(lambda found: _text(_evaluate(_Parser(found[1]).whole(), variables)), template)


def _text(value: Any) -> str:
    if value is UNDEFINED or value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _evaluate(expression: Expression, variables: Mapping[str, Any]) -> Any:
    match expression:
        case Literal(value):
            return value
        case Equal(left, right):
            return _evaluate(left, variables) == _evaluate(right, variables)
        case Call(function, arguments):
            return FUNCTIONS[function](*(_evaluate(one, variables) for one in arguments))
        case Variable(name, path):
            if name not in variables:
                raise BadExpression(f"{name} is not known here")
            value = variables[name]
            for step in path:
                value = _member(value, step)
            return value


def _member(value: Any, step: str | int) -> Any:
    if isinstance(step, int):
        return value[step - 1] if isinstance(value, list) and 0 < step <= len(value) else UNDEFINED
    return value.get(step, UNDEFINED) if isinstance(value, dict) else UNDEFINED


def _if_empty(value: Any, otherwise: Any) -> Any:
    return otherwise if value in (UNDEFINED, None, "") else value


def _if(condition: Any, then: Any, otherwise: Any) -> Any:
    return then if is_true(condition) else otherwise


def _switch(value: Any, *cases: Any) -> Any:
    for expected, result in zip(cases[::2], cases[1::2], strict=False):
        if value == expected:
            return result
    return cases[-1] if len(cases) % 2 else UNDEFINED


def _to_collection(array: Any, key: str, value: str) -> dict[str, Any]:
    return {one[key]: one[value] for one in array} if isinstance(array, list) else {}


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "contains": lambda array, value: value in array,
    "if": _if,
    "ifempty": _if_empty,
    "last": lambda array: array[-1],
    "min": min,
    "parseJSON": json.loads,
    "split": str.split,
    "switch": _switch,
    "toCollection": _to_collection,
}


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = list(self._read(source.rstrip()))
        self._at = 0

    def whole(self) -> Expression:
        expression = self._expression()
        if self._at < len(self._tokens):
            raise self._bad()
        return expression

    def _read(self, source: str) -> Iterator[tuple[str, str]]:
        at = 0
        while at < len(source):
            found = _TOKEN.match(source, at)
            if found is None or found.lastgroup is None:
                raise self._bad()
            yield found.lastgroup, found[found.lastgroup]
            at = found.end()

    def _expression(self) -> Expression:
        left = self._operand()
        return Equal(left, self._operand()) if self._takes("=") else left

    def _operand(self) -> Expression:
        kind, token = self._next()
        if kind == "text":
            return Literal(token[1:-1])
        if kind == "number":
            return Literal(int(token))
        if kind != "name":
            raise self._bad()
        if token == "undefined":
            return Literal(UNDEFINED)
        return self._call(token) if self._takes("(") else Variable(token, tuple(self._path()))

    def _call(self, function: str) -> Expression:
        if function not in FUNCTIONS:
            raise BadExpression(f"{function} is not a function that is known here")
        arguments = [self._expression()]
        while self._takes(","):
            arguments.append(self._expression())
        self._expect(")")
        return Call(function, tuple(arguments))

    def _path(self) -> Iterator[str | int]:
        while True:
            if self._takes("."):
                kind, token = self._next()
                if kind != "name":
                    raise self._bad()
                yield token
            elif self._takes("["):
                kind, token = self._next()
                if kind != "number":
                    raise self._bad()
                yield int(token)
                self._expect("]")
            else:
                return

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise self._bad()
        self._at += 1
        return self._tokens[self._at - 1]

    def _takes(self, mark: str) -> bool:
        if self._tokens[self._at : self._at + 1] == [("mark", mark)]:
            self._at += 1
            return True
        return False

    def _expect(self, mark: str) -> None:
        if not self._takes(mark):
            raise self._bad()

    def _bad(self) -> BadExpression:
        return BadExpression(f"{{{{{self._source}}}}} cannot be read")
