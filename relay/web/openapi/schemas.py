"""The JSON schemas of the models an API documents itself with, and an example of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, get_args, get_origin

import orjson
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from relay.web.api import Api
from relay.web.operation import Operation

Schema = dict[str, Any]

_REF = "#/components/schemas/"
_NONE = object()
"""There is no example."""


class _Generator(GenerateJsonSchema):
    """As pydantic writes schemas, without what misleads those who make clients of them."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Null is no default, it only means that nothing was given."""
        described = super().default_schema(schema)
        if described.get("default", _NONE) is None:
            del described["default"]
        return described

    def field_title_should_be_set(self, schema: Any) -> bool:
        """A member's title would be its name once more."""
        return False


class Schemas:
    """Everything an API's document needs to know of its models."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._parameters = set(_parameter_models(api))
        sent = [] if api.sent is None else [api.sent.body]
        models = dict.fromkeys([*_request_models(api), *_answer_models(api), *self._parameters, *sent])
        self._references, definitions = models_json_schema(
            [(model, "validation") for model in models], ref_template=f"{_REF}{{model}}", schema_generator=_Generator
        )
        self._all: dict[str, Schema] = definitions.get("$defs", {})
        self._say_defaults()

    def of_bodies(self) -> dict[str, Schema]:
        """Those of requests and answers, by name, with what parameters refer to."""
        parameters = {self.name(model) for model in self._parameters}
        shown = self._reached([*_request_models(self._api), *_answer_models(self._api)])
        shown |= self._reached(self._parameters) - parameters
        return {name: schema for name, schema in self._all.items() if name in shown}

    def parameters(self, place: str, model: type[BaseModel] | None) -> list[Schema]:
        """A model of the query string or of headers, as parameters."""
        return [
            {"name": name, "in": place, "required": required, **described}
            for name, required, described in self._members(model)
        ]

    def headers(self, model: type[BaseModel] | None) -> dict[str, Schema]:
        """A model of the headers of an answer, by name."""
        return {name: {"required": required, **described} for name, required, described in self._members(model)}

    def _members(self, model: type[BaseModel] | None) -> Iterator[tuple[str, bool, Schema]]:
        if model is None:
            return
        schema = self._all[self.name(model)]
        for name, member in schema.get("properties", {}).items():
            described = {"description": member["description"]} if "description" in member else {}
            inner = {key: value for key, value in _without_null(member).items() if key != "description"}
            yield name, name in schema.get("required", []), {**described, "schema": inner}

    def content(self, answer: Any) -> Schema:
        """The schema of a model or of `list[Model]`, with an example where the fields have some."""
        schema = self.reference(answer)
        example = self.example(schema)
        return {"schema": schema} if example is _NONE else {"schema": schema, "example": example}

    def reference(self, answer: Any) -> Schema:
        if get_origin(answer) is list:
            return {"type": "array", "items": self.reference(get_args(answer)[0])}
        return {"$ref": f"{_REF}{self.name(answer)}"}

    def name(self, model: type[BaseModel]) -> str:
        return str(self._references[model, "validation"]["$ref"]).removeprefix(_REF)

    def resolved(self, schema: Schema) -> Schema:
        """What a schema refers to, or the schema itself."""
        reference = schema.get("$ref")
        return schema if reference is None else self._all[reference.removeprefix(_REF)]

    def inlined(self, schema: Schema) -> Schema:
        """A schema with everything it refers to in it."""
        found: Schema = _mapped(schema, self.resolved)
        return found

    def example(self, schema: Schema) -> Any:
        """Put together from the examples of the fields; an optional member is in it when it has one of its own."""
        schema = self.resolved(schema)
        if "examples" in schema:
            return schema["examples"][0]
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return schema["enum"][0]
        if "anyOf" in schema:
            found = [example for part in schema["anyOf"] if (example := self.example(part)) is not _NONE]
            return found[0] if found else _NONE
        match schema.get("type"):
            case "null":
                return None
            case "array":
                example = self.example(schema["items"])
                return _NONE if example is _NONE else [example]
            case "object" if "properties" in schema:
                return self._example_object(schema)
        return _NONE

    def _example_object(self, schema: Schema) -> Any:
        found = {}
        for name, member in schema["properties"].items():
            required = name in schema.get("required", [])
            example = self.example(member) if required or "examples" in member else _NONE
            if example is not _NONE:
                found[name] = example
            elif required:
                return _NONE
        return found

    def _say_defaults(self) -> None:
        """No member of a body shows a default: generated clients send it, or demand the member because of it.

        Of a request it is told in words. A member of an answer that has one is always there: a client may rely on it.
        """
        requests = self._reached(_request_models(self._api))
        for name in requests | self._reached(_answer_models(self._api)):
            schema = self._all[name]
            for key, member in schema.get("properties", {}).items():
                if "default" not in member:
                    continue
                value = member.pop("default")
                if name in requests:
                    left_out = f"When left out: `{orjson.dumps(value).decode()}`."
                    member["description"] = f"{member.get('description', '')} {left_out}".lstrip()
                else:
                    schema.setdefault("required", []).append(key)

    def _reached(self, models: Iterable[type[BaseModel]]) -> set[str]:
        reached: set[str] = set()
        ahead = [self.name(model) for model in models]
        while ahead:
            if (name := ahead.pop()) not in reached:
                reached.add(name)
                ahead += _names_in(self._all[name])
        return reached


def _mapped(node: Any, resolve: Callable[[Schema], Schema]) -> Any:
    if isinstance(node, list):
        return [_mapped(one, resolve) for one in node]
    if isinstance(node, dict):
        return {key: _mapped(value, resolve) for key, value in resolve(node).items()}
    return node


def _without_null(schema: Schema) -> Schema:
    """A parameter that is not given is left out: neither a path nor a header can say null."""
    parts = [part for part in schema.get("anyOf", []) if part != {"type": "null"}]
    if len(parts) != 1:
        return schema
    return {**{key: value for key, value in schema.items() if key != "anyOf"}, **parts[0]}


def _names_in(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for one in node:
            yield from _names_in(one)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value.removeprefix(_REF)
            else:
                yield from _names_in(value)


def _parameter_models(api: Api) -> Iterator[type[BaseModel]]:
    given = [model for one in api.operations for model in (one.query, one.headers, one.answer_headers)]
    if api.sent is not None:
        given.append(api.sent.headers)
    yield from (model for model in [*given, api.admission_headers] if model is not None)


def _request_models(api: Api) -> Iterator[type[BaseModel]]:
    yield from (one.request for one in api.operations if one.request is not None)


def _answer_models(api: Api) -> Iterator[type[BaseModel]]:
    if api.error_model is not None:
        yield api.error_model
    for operation in api.operations:
        yield from _answers_of(operation)


def _answers_of(operation: Operation) -> Iterator[type[BaseModel]]:
    for answer in operation.answers.values():
        if answer is not None:
            yield get_args(answer)[0] if get_origin(answer) is list else answer
