"""What a platform's form and field picker are made from: it has to be what subscribe takes and what a hook gets."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from relay.catalogue import Catalogue
from tests.apis.rest_hooks.platform import subscribe
from tests.conftest import Relay, StartRelay

EVENT_TYPES = Catalogue.load().ids()
ACCEPTED = {"store": "apple", "app_id": "284882215", "country": "de", "min_stars": 2, "max_stars": 4, "threshold": 4.5}
KINDS: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "list": list,
    "datetime": str,
}


@pytest.mark.parametrize("event_type", EVENT_TYPES)
async def test_the_fields_are_those_of_the_sample(relay: Relay, event_type: str) -> None:
    shown: dict[str, Any] = await relay.json("GET", f"/api/v1/event-types/{event_type}")
    assert [shown["sample"]] == await relay.json("GET", f"/api/v1/sample?event_type={event_type}")
    assert [field["key"] for field in shown["fields"]] == list(shown["sample"])
    for field in shown["fields"]:
        value: Any = shown["sample"][field["key"]]
        assert value is None or isinstance(value, KINDS[field["type"]])
        assert field["label"]
        if field["type"] == "datetime" and value is not None:
            assert datetime.fromisoformat(str(value)).tzinfo is not None


@pytest.mark.parametrize("event_type", EVENT_TYPES)
async def test_subscribe_takes_the_inputs(relay: Relay, event_type: str) -> None:
    """And refuses to go without a required one."""
    inputs = (await relay.json("GET", f"/api/v1/event-types/{event_type}"))["inputs"]
    given: dict[str, Any] = {one["key"]: ACCEPTED.get(one["key"], 0) for one in inputs}
    assert (await subscribe(relay, event_type=event_type, **given))["event_type"] == event_type
    for one in inputs:
        if one["required"]:
            body = {"target_url": "https://hooks.example.com/x", "event_type": event_type, **given, one["key"]: ""}
            assert one["key"] in (await relay.json("POST", "/api/v1/hooks", body, status=400))["error"]
        for choice in one.get("choices", []):
            app_id = "com.example.app" if choice["value"] == "google" else "1"
            await subscribe(relay, **{"event_type": event_type, **given, "app_id": app_id, one["key"]: choice["value"]})


async def test_an_event_type_of_the_operators_own_is_described(start_relay: StartRelay, tmp_path: Path) -> None:
    """Also when its payload has a name of the envelope."""
    payload = {"id": 7, "total": 4.50, "paid": True, "paid_at": None, "lines": [{"sku": "a"}]}
    content = {"payload": payload, "fields": {"paid_at": {"type": "datetime", "help": "Null until then."}}}
    (tmp_path / "types").mkdir()
    (tmp_path / "types" / "order.placed.json").write_text(json.dumps(content))
    async with start_relay(sample_events=tmp_path / "types") as relay:
        shown = await relay.json("GET", "/api/v1/event-types/order.placed")
    assert (shown["label"], shown["producer"], shown["inputs"]) == ("Order placed", "custom", [])
    assert shown["fields"][-5:] == [
        {"key": "payload_id", "label": "ID", "type": "integer"},
        {"key": "total", "label": "Total", "type": "number"},
        {"key": "paid", "label": "Paid", "type": "boolean"},
        {"key": "paid_at", "label": "Paid At", "type": "datetime", "help": "Null until then."},
        {"key": "lines", "label": "Lines", "type": "list"},
    ]


async def test_an_unknown_event_type_is_not_found(relay: Relay) -> None:
    for name in ("order.placed", "%00", "a" * 200, "..%2f..%2fpasswd"):
        answer = await relay.json("GET", f"/api/v1/event-types/{name}", status=404)
        assert answer == {"error": "no event type with that id; GET /api/v1/event-types lists them"}
    assert (await relay.call("GET", "/api/v1/event-types/clip.approved", key=None)).status == 401
