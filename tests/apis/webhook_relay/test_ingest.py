"""When two requests with one idempotency key are the same request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from relay.apis.webhook_relay.ingest import fingerprint
from relay.apis.webhook_relay.input import read_event
from relay.web.body import parse_object
from tests.apis.webhook_relay.client import pages
from tests.conftest import Relay

OTHER_EVENTS = [
    ('{"n":18446744073709551616}', '{"n":18446744073709551617}'),
    ('{"n":-9223372036854775809}', '{"n":-9223372036854775810}'),
    ('{"n":1e22}', '{"n":10000000000000000000001}'),
    ('{"n":123456789012345678901234567890}', '{"n":123456789012345678901234567891}'),
    ('{"n":0.1}', '{"n":0.10000000000000000001}'),
    ('{"n":9007199254740993.0}', '{"n":9007199254740992.0}'),
    ('{"n":5e-324}', '{"n":4e-324}'),
    ('{"n":1e-400}', '{"n":2e-400}'),
    ('{"n":0}', '{"n":-0}'),
    ('{"n":1}', '{"n":"1"}'),
    ('{"n":1}', '{"n":true}'),
    ('{"n":1.5}', '{"n":"1.5"}'),
    ('{"n":null}', "{}"),
    ('{"n":[1,2]}', '{"n":[2,1]}'),
    ('{"n":[[1],2]}', '{"n":[1,[2]]}'),
    ('{"a":{"b":1}}', '{"a.b":1}'),
    ('{"n":"a"}', '{"n":"a "}'),
    ('{"n":"\\u00e9"}', '{"n":"e\\u0301"}'),
    ('{"n": [1.50, 1e5]}', '{"n": [1.5, 100000]}'),
    ('{"a": 1, "b": 20000000000000000001}', '{"b": 20000000000000000002, "a": 1}'),
    ('{"n":[18446744073709551616,1.500]}', '{"n":[1.8446744073709552e19,1.5]}'),
    ("[" * 90 + "0.1" + "]" * 90, "[" * 90 + "0.10000000000000000001" + "]" * 90),
]
THE_SAME_EVENT = [
    ('{"a":1,"b":[1.50,2]}', ' { "b" : [ 1.50 ,\n2 ] , "a" : 1 } '),
    ('{"b":{"y":1e5,"x":18446744073709551616},"a":0.1}', '{"a":0.1,"b":{"x":18446744073709551616,"y":1e5}}'),
    ('{"n":"\\u00e9"}', '{"n":"é"}'),
    ('{"n":"\\ud83d\\ude00"}', '{"n":"😀"}'),
    ('{"n":"a\\/b\\u0022"}', '{"n":"a/b\\""}'),
    ('{"\\u0061":1}', '{"a":1}'),
    ('{"t":": 1.5,","n":1}', '{"n": 1, "t": ": \\u0031.5,"}'),
    ('{"é":1,"z":2,"Z":3,"":4}', '{"":4,"Z":3,"z":2,"\\u00e9":1}'),
    ("{}", "{ }"),
]


def fingerprint_of(payload: str, event_type: str = "a.b") -> str:
    text = f'{{"type":"{event_type}","payload":{_object(payload)}}}'
    return fingerprint(read_event(parse_object(text.encode()), text))


def _object(payload: str) -> str:
    return payload if payload.lstrip().startswith("{") else f'{{"in":{payload}}}'


@pytest.mark.parametrize(("one", "other"), OTHER_EVENTS)
def test_what_denotes_something_else_is_another_event(one: str, other: str) -> None:
    assert fingerprint_of(one) != fingerprint_of(other)


@pytest.mark.parametrize(("one", "other"), THE_SAME_EVENT)
def test_blanks_order_and_escapes_do_not_make_another_event(one: str, other: str) -> None:
    assert fingerprint_of(one) == fingerprint_of(other)


def test_the_event_type_counts() -> None:
    assert fingerprint_of("{}", "a.b") != fingerprint_of("{}", "a.c")


async def _send(relay: Relay, payload: str, batch: bool) -> int:
    headers = {"Content-Type": "application/json"}
    if not batch:
        data = f'{{"type":"a.b","payload":{payload}}}'
        answer = await relay.call("POST", "/v1/events", data=data, headers=headers | {"Idempotency-Key": "k"})
        return answer.status
    data = f'{{"events":[{{"idempotency_key":"k","type":"a.b","payload":{payload}}}]}}'
    answer = await relay.call("POST", "/v1/events/batch", data=data, headers=headers)
    results: list[dict[str, Any]] = (await answer.json())["data"]
    return int(results[0]["status"])


@pytest.mark.parametrize("batch", [False, True], ids=["one", "batch"])
async def test_a_second_event_is_never_taken_for_the_first(relay: Relay, batch: bool) -> None:
    assert await _send(relay, '{"n":18446744073709551616}', batch) == 202
    assert await _send(relay, '{"n":18446744073709551617}', batch) == 409
    assert await _send(relay, '{ "n" : 18446744073709551616 }', not batch) == 202
    [[event]] = await pages(relay, "/v1/events")
    assert json.dumps(event["payload"]) == '{"n": 18446744073709551616}'
