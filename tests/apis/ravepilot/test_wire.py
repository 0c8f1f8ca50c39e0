"""The body of a RavePilot delivery."""

from __future__ import annotations

import json

import pytest

from relay.apis.ravepilot.wire import WIRE
from relay.core.model import Event, Subscription, SubscriptionState

SUBSCRIPTION = Subscription("wh_1", "ws_1", "ravepilot", "https://hooks.example.com/", ("*",), "sealed", 0, 0)
HEAD = '{"event":"order.paid","created_at":1791209000,"data":'
ADDED = '"event_id":"01EVENT","occurred_at_iso":"2026-10-05T14:03:20Z"'


@pytest.mark.parametrize(
    ("payload", "data"),
    [
        ("{}", f"{{{ADDED}}}"),
        (" { } ", f"{{{ADDED}}}"),
        ('{"b":1.50,"a":90071992547409931,"n":1e2}', f'{{{ADDED},"b":1.50,"a":90071992547409931,"n":1e2}}'),
        ('{"a":{"event_id":5}}', f'{{{ADDED},"a":{{"event_id":5}}}}'),
        ('{"event_id":"mine"}', '{"occurred_at_iso":"2026-10-05T14:03:20Z","event_id":"mine"}'),
        ('{"event\\u005fid":1,"occurred_at_iso":2}', '{"event\\u005fid":1,"occurred_at_iso":2}'),
        ('{"name":"Zoë"}', f'{{{ADDED},"name":"Zoë"}}'),
    ],
)
def test_the_payload_arrives_as_it_was_published(payload: str, data: str) -> None:
    event = Event("01EVENT", "ws_1", "order.paid", payload, 1_791_209_000_999)
    body = WIRE.body(event, SUBSCRIPTION)
    assert body == HEAD + data + "}"
    assert set(json.loads(body)) == {"event", "created_at", "data"}


def test_six_tries_over_nearly_nine_hours_and_disabled_after_25_failures() -> None:
    assert WIRE.retry.schedule_s == (60, 300, 1800, 7200, 21600)
    assert WIRE.retry.client_errors_are_final is False
    assert (WIRE.retry.switch_off_after, WIRE.retry.switch_off_to) == (25, SubscriptionState.DISABLED)
