"""A generated client sends the defaults it is told of: each must mean what leaving it out means."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from relay.web.api import Api
from tests.apis.contract.documents import EACH_API, Described, operations_served, served
from tests.apis.contract.scene import Scene, play
from tests.conftest import Relay
from tests.receiver import Receiver

_OF_THE_MOMENT = {
    *(
        "id",
        "created_at",
        "updated_at",
        "secret_rotated_at",
        "secret",
        "secret_used",
        "signing_secret",
        "signature_sent",
        "latency_ms",
    ),
    *("reused", "since", "until", "counted_until", "consecutive_failures"),
}
"""Members of answers that differ from call to call."""


@pytest.fixture
async def scene(relay: Relay, receiver: Receiver) -> Scene:
    return await play(relay, receiver, "defaults")


@EACH_API
def test_no_body_shows_a_default(api: Api) -> None:
    """One generator sends it, another one demands the member because of it; in words it misleads nobody."""
    assert list(_defaults(served(api)["components"]["schemas"])) == []


def _defaults(node: Any, path: str = "") -> Iterator[str]:
    if isinstance(node, list):
        for index, one in enumerate(node):
            yield from _defaults(one, f"{path}/{index}")
    elif isinstance(node, dict):
        is_schema = not path.endswith("/properties")
        for key, value in node.items():
            if key == "default" and is_schema:
                yield path
            yield from _defaults(value, f"{path}/{key}")


@EACH_API
def test_no_parameter_has_null_for_a_default(api: Api) -> None:
    parameters = [one for operation in operations_served(api).values() for one in operation.parameters.values()]
    assert [one["name"] for one in parameters if one["schema"].get("default", "") is None] == []
    assert [one["name"] for one in parameters if {"type": "null"} in one["schema"].get("anyOf", [])] == []


@EACH_API
async def test_a_default_of_a_body_is_what_holds_when_it_is_left_out(api: Api, scene: Scene) -> None:
    operations = operations_served(api)
    for operation in api.operations:
        if operation.request is None:
            continue
        name, described = operation.operation_id, operations[operation.operation_id]
        if not (defaults := _non_null_defaults(operation.request)):
            continue
        others = {key: value for key, value in scene.body_of(name).items() if key not in defaults}
        without = await _said(scene, name, described, others)
        for member, default in defaults.items():
            shown = described.request["properties"][member] if described.request else {}
            assert f"When left out: `{json.dumps(default, separators=(',', ':'))}`." in shown["description"]
            assert await _said(scene, name, described, {**others, member: default}) == without, (name, member)
        assert await _said(scene, name, described, {**others, **defaults}) == without, name


def _non_null_defaults(model: type[BaseModel]) -> dict[str, Any]:
    found = {name: field.get_default(call_default_factory=True) for name, field in model.model_fields.items()}
    return {name: value for name, value in found.items() if value is not None and value is not PydanticUndefined}


async def _said(scene: Scene, name: str, described: Described, body: dict[str, Any]) -> tuple[Any, list[Any]]:
    """Status and answer, and what a receiver got meanwhile of a request that waits for one."""
    before = len(scene.receiver.requests)
    answer = await scene.call(name, described, body)
    assert answer.status < 300, (name, body, await answer.text())
    said = (answer.status, _lasting(await answer.json(content_type=None)))
    pings = [one for one in scene.receiver.requests[before:] if one.path == "/ok"]
    return said, [_lasting(json.loads(one.body)) for one in pings]


def _lasting(node: Any) -> Any:
    if isinstance(node, list):
        return [_lasting(one) for one in node]
    if isinstance(node, dict):
        return {key: _lasting(value) for key, value in node.items() if key not in _OF_THE_MOMENT}
    return node


@EACH_API
async def test_null_is_taken_where_a_body_may_have_it(api: Api, scene: Scene) -> None:
    """A generated class whose member may be None sends null for it."""
    for name, operation in operations_served(api).items():
        if operation.request is None:
            continue
        # A hook of an app store needs its app; every other type takes all of them as not given.
        body = {**scene.body_of(name), **({"event_type": "clip.approved"} if name == "subscribe" else {})}
        for member, schema in operation.request["properties"].items():
            if {"type": "null"} in schema.get("anyOf", []):
                answer = await scene.call(name, operation, {**body, member: None})
                assert answer.status < 300, (name, member, await answer.text())


@EACH_API
async def test_a_default_of_a_parameter_is_what_holds_when_it_is_left_out(api: Api, scene: Scene) -> None:
    for name, operation in operations_served(api).items():
        for (parameter, place), described in operation.parameters.items():
            if "default" not in described["schema"]:
                continue
            assert place == "query"
            without = await scene.call(name, operation)
            given = await scene.call(name, operation, params={parameter: described["schema"]["default"]})
            assert (given.status, await given.json()) == (without.status, await without.json()), (name, parameter)
