"""Filters by time, type and target on every list: each alone, all together, page by page, and at a bounded price."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from relay.store import narrowing
from tests.apis.history import Past, write
from tests.apis.webhook_relay.client import fields_of, pages, start_ms, subscribe
from tests.conftest import Relay, StartRelay
from tests.receiver import Receiver

LISTS = ("/v1/events", "/v1/deliveries", "/v1/dead-letters")


class Made(NamedTuple):
    """Three events of two types each second for four seconds, to two subscriptions."""

    relay: Relay
    events: list[dict[str, Any]]
    deliveries: list[dict[str, Any]]
    good: str
    bad: str

    def time_of(self, second: int) -> str:
        return str(self.events[second * 3]["created_at"])


@pytest.fixture
async def made(start_relay: StartRelay, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Made]:
    monkeypatch.setattr(narrowing, "STEP", 3)  # so that a dozen rows are many
    async with start_relay() as relay:
        good, bad = [(await subscribe(relay, f"https://hooks.example.com/{n}"))["id"] for n in range(2)]
        now_ms, past = start_ms() // 1000 * 1000 + 1000, []
        for second, event_type in itertools.product(range(4), ("order.paid", "user.new", "order.paid")):
            states = [(good, "pending" if second == 3 else "success")]
            if event_type == "order.paid":
                states.append((bad, "dead"))
            past.append(Past(now_ms + second * 1000, event_type, states))
        write(relay, past)
        events = [one for page in await pages(relay, "/v1/events", limit="100") for one in page]
        deliveries = [one for page in await pages(relay, "/v1/deliveries", limit="100") for one in page]
        yield Made(relay, events[::-1], deliveries, good, bad)


def wanted(rows: list[dict[str, Any]], query: dict[str, str], type_of: str) -> list[str]:
    """The ids that a filter should find, by the plainest reading of it."""
    same = {type_of: query["type"]} if "type" in query else {}
    same |= {name: query[name] for name in ("subscription_id", "event_id", "status") if name in query}
    after, before = query.get("created_after", ""), query.get("created_before", "9")
    return [
        row["id"]
        for row in rows
        if after < row["created_at"] < before and all(row[name] == value for name, value in same.items())
    ]


async def ids_of(relay: Relay, path: str, query: dict[str, str]) -> list[str]:
    found = await pages(relay, path, limit="2", **query)
    assert all(len(page) <= 2 for page in found)
    return [one["id"] for page in found for one in page]


def spans(made: Made) -> list[dict[str, str]]:
    after, before = {"created_after": made.time_of(0)}, {"created_before": made.time_of(3)}
    return [{}, after, before, after | before, {"created_after": made.time_of(2), "created_before": made.time_of(2)}]


async def test_events_are_narrowed_by_time_type_and_target(made: Made) -> None:
    newest_first = made.events[::-1]
    of_bad = {one["event_id"] for one in made.deliveries if one["subscription_id"] == made.bad}
    for span, kind, target in itertools.product(
        spans(made), ({}, {"type": "order.paid"}, {"type": "none.such"}), ({}, {"subscription_id": made.bad})
    ):
        query = span | kind | target
        rows = [one for one in newest_first if not target or one["id"] in of_bad]
        assert await ids_of(made.relay, "/v1/events", query) == wanted(rows, span | kind, "type"), query


async def test_deliveries_are_narrowed_by_everything_at_once(made: Made) -> None:
    targets: list[dict[str, str]] = [{}, {"subscription_id": made.bad}, {"event_id": made.events[4]["id"]}]
    states: list[dict[str, str]] = [{}, {"status": "success"}, {"status": "dead"}, {"status": "pending"}]
    kinds: list[dict[str, str]] = [{}, {"type": "user.new"}]
    for parts in itertools.product(spans(made), kinds, targets, states):
        query: dict[str, str] = {}
        for part in parts:
            query |= part
        found = await ids_of(made.relay, "/v1/deliveries", query)
        assert sorted(found) == sorted(wanted(made.deliveries, query, "event_type")), query


async def test_dead_letters_are_narrowed_too(made: Made) -> None:
    dead = [one for one in made.deliveries if one["status"] == "dead"]
    for span, target in itertools.product(
        spans(made), ({}, {"subscription_id": made.bad}, {"event_id": dead[0]["event_id"]}, {"type": "user.new"})
    ):
        found = await ids_of(made.relay, "/v1/dead-letters", span | target)
        assert sorted(found) == sorted(wanted(dead, span | target, "event_type")), (span, target)
    times = sorted(one["completed_at"] for one in dead)
    for since, until in ((times[0], times[-1]), (times[2], times[5]), (times[3], times[3])):
        found = await ids_of(made.relay, "/v1/dead-letters", {"since": since, "until": until})
        assert sorted(found) == sorted(one["id"] for one in dead if since <= one["completed_at"] <= until)


async def test_a_page_looks_at_so_many_rows_and_says_where_it_goes_on(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filter that nothing meets must not cost the whole history at once, nor end the list before its end."""
    monkeypatch.setattr(narrowing, "LOOKED_AT", 6)
    query = {"type": "none.such", "subscription_id": made.good}
    first = await made.relay.json("GET", "/v1/deliveries", params=query)
    assert first["data"] == []
    assert first["next_cursor"] is not None
    assert len(await pages(made.relay, "/v1/deliveries", **query)) == 3  # of twelve deliveries, six at a time
    for name in ("/v1/deliveries", "/v1/events"):
        query = {"type": "user.new", "subscription_id": made.good}
        found = [one for page in await pages(made.relay, name, **query) for one in page]
        assert len(found) == 4


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("name", ["created_after", "created_before"])
async def test_a_time_that_is_none_is_a_400_and_an_empty_one_is_not_given(relay: Relay, path: str, name: str) -> None:
    for bad in ("yesterday", "9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+23:59", "1"):
        assert fields_of(await relay.json("GET", path, params={name: bad}, status=400)) == {name}
    for good in ("", " ", "2026-01-01T00:00:00.1234567890123Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"):
        await relay.json("GET", path, params={name: good})


@pytest.mark.parametrize(
    "path",
    ["/v1/events", "/v1/deliveries", "/v1/dead-letters", "/v1/subscriptions", "/api/v1/events", "/api/v1/sample"],
)
async def test_empty_parameters_are_not_given(relay: Relay, path: str) -> None:
    names = [*("cursor", "limit", "type", "created_after", "created_before", "status", "state", "event_id", "since")]
    names += ["subscription_id", "until", "event_type", "store", "app_id", "country", "min_stars", "threshold", "delta"]
    plain = await relay.json("GET", path)
    assert await relay.json("GET", path, params=dict.fromkeys(names, "")) == plain
    assert await relay.json("GET", path, params=dict.fromkeys(names, " ")) == plain


async def test_empty_texts_of_a_form_are_not_given(relay: Relay, receiver: Receiver) -> None:
    form = {"name": "", "event_filter": "", "url": receiver.url("/ok")}
    made = await relay.json("POST", "/v1/subscriptions", form, status=201)
    assert (made["name"], made["event_filter"]) == (None, "*")
    path = f"/v1/subscriptions/{made['id']}"
    await relay.json("PATCH", path, {"name": "Orders", "event_filter": "order.*"})
    kept = await relay.json("PATCH", path, {"name": "", "event_filter": "", "url": ""})
    assert (kept["name"], kept["event_filter"], kept["url"]) == ("Orders", "order.*", receiver.url("/ok"))
    await relay.json("POST", f"{path}/resume", {"replay_missed": ""})
    await relay.json("POST", f"{path}/rotate-secret", {"now": ""})
    body = {"since": "2026-01-01T00:00:00Z", "until": "", "dry_run": ""}
    assert (await relay.json("POST", f"{path}/recover", body, status=202))["dry_run"] is False
    ping = {"url": receiver.url("/ok"), "secret": "", "event_type": "", "payload": ""}
    assert (await relay.json("POST", "/v1/webhooks/test", ping))["ok"]
    for empty in ({"url": ""}, {}):
        problem = await relay.json("POST", "/v1/subscriptions", empty, status=400)
        assert problem["errors"] == {"url": ["is required"]}
    problem = await relay.json("POST", "/v1/events", {"type": "", "payload": {}}, status=400)
    assert problem["errors"] == {"type": ["is required"]}


async def test_what_has_no_effect_is_said_by_every_operation(relay: Relay) -> None:
    """The inputs of the report, and their neighbours in the other APIs."""
    subscription = {"url": "https://hooks.example.com/a", "headers": {"X-A": "1"}, "description": "x"}
    hook = {"target_url": "https://hooks.example.com/a", "event_type": "clip.approved", "threshold": 3, "secret": "s"}
    event = {"type": "a.b", "payload": {}, "id": "mine", "channels": ["x"]}
    calls: list[tuple[str, str, Any, dict[str, str], str]] = [
        ("POST", "/v1/subscriptions", subscription, {}, "headers, description"),
        ("GET", "/v1/events?q=zzz", None, {}, "q"),
        ("GET", "/v1/deliveries?created=2030", None, {}, "created"),
        ("POST", "/v1/events/batch", {"events": [event]}, {"Idempotency-Key": "k"}, "Idempotency-Key, events[].id"),
        ("POST", "/v1/events?sync=1", event, {"Idempotency-Key": "k"}, "sync, id, channels"),
        ("GET", "/v1/webhook-deliveries?page=2", None, {}, "page"),
        ("GET", "/v1/submissions?sort=asc", None, {}, "sort"),
        ("POST", "/v1/webhooks", {"url": "https://hooks.example.com/a", "name": "x"}, {}, "name"),
        ("POST", "/api/v1/hooks", hook, {}, "secret, threshold"),
        ("GET", "/api/v1/hooks?event_type=clip.approved", None, {}, "event_type"),
        ("GET", "/api/v1/events?event_type=clip.approved&max_stars=2", None, {}, "max_stars"),
        ("GET", "/v1/healthz?verbose=1", None, {}, "verbose"),
    ]
    for method, path, body, headers, ignored in calls:
        answer = await relay.call(method, path, body, headers=headers)
        assert answer.status < 300, (path, await answer.text())
        assert answer.headers["Relay-Ignored"].startswith(ignored), (path, answer.headers["Relay-Ignored"])
        before = len((await relay.json("GET", "/v1/events"))["data"])
        answer = await relay.call(method, path, body, headers=headers | {"Prefer": "handling=strict"})
        assert (answer.status, answer.headers.get("Preference-Applied")) == (400, "handling=strict"), path
        assert "Relay-Ignored" not in answer.headers
        told = await answer.json(content_type=None)
        assert "no effect" in (told["detail"] if "detail" in told else told["error"])
        assert len((await relay.json("GET", "/v1/events"))["data"]) == before
    answer = await relay.call("POST", "/v1/events", {"type": "a.b", "payload": {}}, headers={"Idempotency-Key": "x"})
    assert "Relay-Ignored" not in answer.headers
