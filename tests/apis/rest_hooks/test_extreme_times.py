"""Times at the ends of the calendar: refused at the door, and shown all the same where a row has one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from relay.app import wall_clock
from relay.core import ids
from relay.core.model import Event
from relay.store import events, workspaces
from tests.apis.rest_hooks.platform import subscribe
from tests.conftest import KEY, Relay
from tests.core.test_moments import IMPOSSIBLE
from tests.receiver import Receiver

APP = {"store": "apple", "app_id": "284882215"}


@pytest.mark.parametrize("event_type", ["review.created", "rating.dropped"])
@pytest.mark.parametrize("member", ["occurred_at", "observed_at"])
@pytest.mark.parametrize("time", ["9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+23:59", "+10000-01-01T00:00:00Z"])
async def test_a_time_outside_the_calendar_is_refused(relay: Relay, event_type: str, member: str, time: str) -> None:
    payload = {**APP, member: time}
    problem = await relay.json("POST", "/v1/events", {"type": event_type, "payload": payload}, status=400)
    assert problem["errors"].keys() == {f"payload.{member}"}
    assert "years 1 to 9999" in problem["detail"]
    batch = {"events": [{"type": event_type, "payload": one} for one in (APP, payload, APP)]}
    results = (await relay.json("POST", "/v1/events/batch", batch, status=202))["data"]
    assert [one["status"] for one in results] == [202, 400, 202]


async def test_what_is_no_time_at_all_stays_the_time_of_publication(relay: Relay) -> None:
    odd: list[Any] = ["yesterday", "2026-10-01", "2026-10-01T00:00:00", 10**300, -1, None, [], {"a": 1}]
    for value in odd:
        body = {"type": "review.created", "payload": {**APP, "occurred_at": value}}
        await relay.json("POST", "/v1/events", body, status=202)
    found = await relay.json("GET", "/api/v1/events", params={"event_type": "review.created", "limit": "10"})
    assert len(found) == 8
    assert all(abs(one["occurred_at_unix"] - wall_clock() // 1000) < 60 for one in found)
    body = {"type": "order.created", "payload": {"occurred_at": "9999-12-31T23:59:59-01:00"}}
    await relay.json("POST", "/v1/events", body, status=202)  # of this type nothing is known


async def stored(relay: Relay, payload: str, event_type: str = "review.created", at_ms: int | None = None) -> None:
    """A row as an earlier release, or nobody, would have written it."""
    owner = await relay.server.database.read(workspaces.by_name("default"))
    assert owner is not None
    now_ms = wall_clock() if at_ms is None else at_ms
    event = Event(ids.ulid(wall_clock()), owner.id, event_type, payload, now_ms)
    await relay.server.database.write(events.add(event))


async def test_a_stored_time_that_cannot_be_shown_breaks_no_list(relay: Relay) -> None:
    for time in IMPOSSIBLE:
        await stored(relay, json.dumps({**APP, "occurred_at": time, "observed_at": time}))
    found: list[dict[str, Any]] = []
    found = await relay.json("GET", "/api/v1/events", params={"event_type": "review.created", "limit": "10"})
    assert len(found) == 10
    assert all(abs(one["occurred_at_unix"] - wall_clock() // 1000) < 60 for one in found)
    assert len((await relay.json("GET", "/v1/events", params={"limit": "100"}))["data"]) == len(IMPOSSIBLE)


@pytest.mark.parametrize("at_ms", [-(2**60), 2**60])
async def test_a_row_of_no_century_breaks_no_list(relay: Relay, at_ms: int) -> None:
    await stored(relay, json.dumps(APP), at_ms=at_ms)
    await stored(relay, "{}", "order.created", at_ms)
    shown = "0001-01-01T00:00:00" if at_ms < 0 else "9999-12-31T23:59:59"
    [one] = await relay.json("GET", "/api/v1/events", params={"event_type": "review.created"})
    assert one["occurred_at"] == f"{shown}Z"
    listed = (await relay.json("GET", "/v1/events"))["data"]
    assert [event["created_at"][:19] for event in listed] == [shown, shown]


@pytest.mark.parametrize(
    "payload", ["", "[]", "null", "{", '{"review_id": "\\ud800", "store": 1, "app_id": 2}', "[" * 100_000]
)
async def test_a_stored_payload_that_cannot_be_taken_apart_hides_no_other(relay: Relay, payload: str) -> None:
    await stored(relay, json.dumps({**APP, "review_id": "good"}))
    await stored(relay, payload)
    found = await relay.json("GET", "/api/v1/events", params={"event_type": "review.created"})
    assert [one.get("review_id") for one in found][-1] == "good"
    assert all(one["event_type"] == "review.created" for one in found)


async def test_a_fall_beyond_all_numbers_is_json(relay: Relay, receiver: Receiver) -> None:
    """Two good numbers can differ by more than any number."""
    await subscribe(relay, receiver.url("/hook"), event_type="rating.dropped", delta=0, **APP)
    payload = {**APP, "previous_rating": 1.7e308, "current_rating": -1.7e308}
    await relay.json("POST", "/v1/events", {"type": "rating.dropped", "payload": payload}, status=202)
    [request] = await receiver.wait_for(1, "/hook")
    assert json.loads(request.body, parse_constant=pytest.fail)["delta"] is None


async def test_the_command_line_publishes_no_such_time_either(tmp_path: Any) -> None:
    from relay.core.errors import InputError
    from relay.settings import load_settings
    from relay.trigger import trigger_sample

    settings = load_settings(data_dir=tmp_path, bootstrap_key=KEY)
    data = '{"occurred_at": "9999-12-31T23:59:59-01:00"}'
    with pytest.raises(InputError, match="occurred_at"):
        await trigger_sample(settings, "review.created", "default", data)
