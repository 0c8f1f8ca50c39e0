"""What really arrives at a receiver is as the documents' `webhooks` say: for every API and every event type."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from relay.app import APIS
from relay.catalogue import EventType
from relay.web.api import Api
from relay.web.wiring import CATALOGUE
from tests.apis.contract.documents import EACH_API
from tests.conftest import KEY, Relay, StartRelay
from tests.receiver import Received, Receiver

OWN_TYPES: dict[str, dict[str, Any]] = {
    "order.paid": {
        "id": 7,
        "total": 4.50,
        "paid": True,
        "note": None,
        "paid_on": "2026-10-07",
        "address": {"city": "Berlin", "zip": None},
        "lines": [{"sku": "a", "count": 1}, {"sku": "b", "count": 2}],
        "tags": ["x", 1],
        "nothing": [],
        "large": 10**30,
        "deep": [[[{"a": [None]}]]],
    },
    # Members that are called like those of an envelope, of another type.
    "collides": {"id": None, "event_id": 5, "event_type": ["x"], "occurred_at_iso": {}, "type": "collides", "data": 1},
    "empty": {},
    # What is said of a field is not what the sample has.
    "says_otherwise-1": {"payload": {"amount": "12"}, "fields": {"amount": {"type": "integer", "help": "In cents."}}},
    "sample": {"label": "Sample", "payload": {"event": "sample"}},
}
"""An operator's folder; the last is called like an operation."""
TRANSPORT = {"host", "user-agent", "accept", "accept-encoding", "content-length", "content-type"}


@pytest.fixture
def own_types(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    for name, content in OWN_TYPES.items():
        (folder / f"{name}.json").write_text(json.dumps(content), "utf-8")
    return folder


async def _subscribe(relay: Relay, api: Api, target: str, event_types: list[EventType]) -> None:
    match api.name:
        case "ravepilot":
            await relay.json("POST", "/v1/webhooks", {"url": target})
        case "webhook_relay":
            await relay.json("POST", "/v1/subscriptions", {"url": target}, status=201)
        case "rest_hooks":
            for one in event_types:
                payload = json.loads(one.sample.payload)
                app = {key: payload.get(key) for key in ("store", "app_id", "country")}
                hook = {"target_url": target, "event_type": one.id, "delta": 0, **app}
                await relay.json("POST", "/api/v1/hooks", hook)
        case _:
            raise AssertionError(f"how does one subscribe with {api.name}?")


@EACH_API
async def test_deliveries_are_as_described(
    api: Api, start_relay: StartRelay, receiver: Receiver, own_types: Path
) -> None:
    async with start_relay(sample_events=own_types) as relay:
        event_types = list(relay.server.app[CATALOGUE].types())
        await _subscribe(relay, api, receiver.url("/ok"), event_types)
        for one in event_types:
            body = f'{{"type": {json.dumps(one.id)}, "payload": {one.sample.payload}}}'
            answer = await relay.call("POST", "/v1/events", key=KEY, data=body)
            assert answer.status == 202, await answer.text()
        received = await receiver.wait_for(len(event_types))
        document = await relay.json("GET", f"/openapi/{api.name}.json", key=None)
    described = document["webhooks"]
    assert described.keys() == {one.id for one in event_types}
    assert OWN_TYPES.keys() < described.keys()
    by_type = {_type_of(one): one for one in received}
    assert by_type.keys() == described.keys()
    for event_type, request in by_type.items():
        assert _faults(described[event_type]["post"], request) == [], event_type


def _type_of(request: Received) -> str:
    body = json.loads(request.body)
    return str(request.header("X-RavePilot-Event") or request.header("X-Webhook-Event-Type") or body["event_type"])


def _faults(described: dict[str, Any], request: Received) -> list[str]:
    named = {one["name"].lower() for one in described["parameters"] if one["required"] and one["in"] == "header"}
    sent = {name.lower() for name, _ in request.headers} - TRANSPORT
    faults = [f"header {name}" for name in sorted(named ^ sent)]
    assert request.header("Content-Type") in described["requestBody"]["content"]
    content = described["requestBody"]["content"]["application/json"]
    body = json.loads(request.body)
    found = Draft202012Validator(content["schema"], validate_formats=True).iter_errors(body)
    faults += [f"{list(error.instance_path)}: {error.message}" for error in found]
    # The example has the same members in the same order, all the way down.
    return faults + ([] if _keys(content["example"]) == _keys(body) else ["the example has other members"])


def _keys(node: Any) -> Any:
    if isinstance(node, dict):
        return [(key, _keys(value)) for key, value in node.items()]
    return [_keys(one) for one in node] if isinstance(node, list) else None


@EACH_API
async def test_a_sample_that_no_document_can_show_as_it_is_keeps_nobody_from_starting(
    api: Api, start_relay: StartRelay, tmp_path: Path
) -> None:
    odd = {"huge": 10**400, "low": -(10**400), "digits": 10**5000, "long": "x" * 200_000, "": 1, "a/b~c": {"~1": 0}}
    with unlimited_digits():
        (tmp_path / "odd.json").write_text(json.dumps(odd), "utf-8")
    async with start_relay(sample_events=tmp_path) as relay:
        document = await relay.json("GET", f"/openapi/{api.name}.json", key=None)
    example = document["webhooks"]["odd"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert json.dumps(1.7976931348623157e308) in json.dumps(example)


@contextlib.contextmanager
def unlimited_digits() -> Iterator[None]:
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    yield
    sys.set_int_max_str_digits(before)


def test_every_operation_id_is_one_operations_or_one_webhooks() -> None:
    """An event type may be called as an operation is."""
    operations = {operation.operation_id for api in APIS for operation in api.operations}
    assert "sample" in operations
    assert "on.sample" not in operations
