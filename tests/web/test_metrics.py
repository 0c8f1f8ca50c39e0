"""`/metrics`: what it says is true, what it costs is bounded, and the documentation has all of it and nothing else."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from relay.app import wall_clock
from relay.core.conditions import Condition
from relay.core.errors import StoreError
from relay.store.database import Sizes, T, Work
from relay.store.sqlite import SqliteDatabase, open_sqlite
from relay.web.gauges import KEEP_LIMIT_S, REST, Gauges
from tests.apis.webhook_relay.client import publish, subscribe, until
from tests.conftest import Relay, StartRelay
from tests.faults.test_storage import full
from tests.receiver import Receiver

DOCUMENT = Path(__file__).parent.parent.parent / "relay" / "OPERATING.md"
_ROW = re.compile(r"^\| `((?:relay|process)_\w+)` \| (\w+) \| ((?:`\w+` ?)*) ?\| ", re.MULTILINE)
_TYPE = re.compile(r"^# TYPE (\w+) (\w+)$", re.MULTILINE)
_SAMPLE = re.compile(r"^(\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? ([^ ]+)$", re.MULTILINE)


async def text_of(relay: Relay) -> str:
    answer = await relay.call("GET", "/metrics", key=None)
    assert answer.status == 200
    return await answer.text()


async def value(relay: Relay, sample: str) -> float | None:
    """The value of a sample, with its labels as they are written."""
    found = re.search(rf"^{re.escape(sample)} (.+)$", await text_of(relay), re.MULTILINE)
    return float(found[1]) if found else None


async def until_value(relay: Relay, sample: str, expected: float) -> None:
    """The figures are a second old at most."""

    async def look() -> bool:
        return await value(relay, sample) == expected

    try:
        await until(look)
    except TimeoutError:
        raise AssertionError(f"{sample} is {await value(relay, sample)}, not {expected}") from None


async def test_the_documentation_has_every_metric_with_its_type_and_labels_and_no_other(
    relay: Relay, receiver: Receiver
) -> None:
    await subscribe(relay, receiver.url("/status/404"))
    await publish(relay)
    await until_value(relay, 'relay_deliveries_died_total{api="webhook_relay",reason="refused"}', 1)

    async def has_run() -> bool:
        return "relay_chore_runs_total{" in await text_of(relay)

    await until(has_run)
    text = await text_of(relay)
    labels: dict[str, set[str]] = {}
    for name, pairs, _ in _SAMPLE.findall(text):
        labels.setdefault(name, set()).update(set(re.findall(r'(\w+)="', pairs)) - {"le"})
    served = {(name, kind, *sorted(labels[name])) for name, kind in _TYPE.findall(text)}

    documented = {
        (name, kind, *sorted(re.findall(r"\w+", names))) for name, kind, names in _ROW.findall(DOCUMENT.read_text())
    }

    assert documented == served


async def test_the_documentation_has_every_condition_and_no_other() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\w -]+) \| (yes|no) \| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE)

    assert set(rows) == {(one.key, one.words, "yes" if one.not_ready else "no", one.advice) for one in Condition}


async def test_events_count_whoever_publishes_them_and_whoever_receives_them(relay: Relay) -> None:
    await publish(relay)
    for _ in range(2):
        await publish(relay, headers={"Idempotency-Key": "once"})
    events = [{"type": "order.created", "payload": {"n": n}} for n in range(5)]
    await relay.json("POST", "/v1/events/batch", {"events": [*events, {"type": ""}]}, status=202)
    for _ in range(2):
        await relay.json("POST", "/v1/invitations", {"customer_email": "dana@example.com"})

    assert await value(relay, 'relay_events_published_total{by="webhook_relay"}') == 7
    assert await value(relay, 'relay_events_published_total{by="testimonials"}') == 1


@pytest.fixture
async def impatient(start_relay: StartRelay) -> AsyncIterator[Relay]:
    async with start_relay(retry_delays="0.1,0.1", delivery_timeout=1) as relay:
        yield relay


async def test_deaths_count_once_each_by_their_reason_as_the_database_has_it(
    impatient: Relay, receiver: Receiver
) -> None:
    """Also where many requests are answered 410 at once, and what waits is ended meanwhile."""
    relay = impatient
    receiver.script("/gone", "/ok", "/gone")
    for path in ("/gone", "/status/404", "/status/413", "/status/500"):
        await subscribe(relay, receiver.url(path))
    refused = await subscribe(relay, "https://refused.example.com/")
    paused = await subscribe(relay, receiver.url("/hang"))
    await publish(relay)
    await receiver.wait_for(1, "/gone")
    for _ in range(30):
        await publish(relay)
    await relay.json("POST", f"/v1/subscriptions/{paused['id']}/pause")
    await relay.call("DELETE", f"/v1/subscriptions/{refused['id']}")

    def in_database() -> dict[str, int]:
        file = sqlite3.connect(f"{relay.server.database.path.as_uri()}?mode=ro", uri=True)
        dead = "SELECT dead_reason, COUNT(*) FROM deliveries WHERE state = 'dead' GROUP BY dead_reason"
        (pending,) = file.execute("SELECT COUNT(*) FROM deliveries WHERE state = 'pending'").fetchone()
        found = dict(file.execute(dead).fetchall())
        file.close()
        return {**found, "pending": pending}

    async def is_quiet() -> bool:
        return in_database()["pending"] == 0

    await until(is_quiet, timeout_s=30)
    expected = in_database()
    assert {"gone", "disabled", "refused", "too_large", "paused", "unsubscribed"} <= expected.keys()
    for reason, deaths in expected.items():
        if reason != "pending":
            await until_value(relay, f'relay_deliveries_died_total{{api="webhook_relay",reason="{reason}"}}', deaths)


async def test_the_queue_is_counted_and_the_age_of_what_is_due(start_relay: StartRelay, receiver: Receiver) -> None:
    ahead_ms = 0
    async with start_relay(lambda: wall_clock() + ahead_ms, retry_delays="3600") as relay:
        assert await value(relay, "relay_deliveries_pending") == 0
        await subscribe(relay, receiver.url("/hang"))
        await subscribe(relay, receiver.url("/status/500"))
        for _ in range(5):
            await publish(relay)
        await receiver.wait_for(1, "/status/500")
        await until_value(relay, "relay_deliveries_pending", 10)
        await until_value(relay, "relay_targets_waiting", 2)
        ahead_ms = 600_000
        age_s = await value(relay, "relay_oldest_due_seconds")
        assert age_s is not None
        assert 600 <= age_s < 660


async def test_nothing_is_overdue_while_what_waits_is_not_due(start_relay: StartRelay, receiver: Receiver) -> None:
    async with start_relay(retry_delays="3600") as relay:
        await subscribe(relay, receiver.url("/status/500"))
        await publish(relay)
        await until_value(relay, "relay_deliveries_pending", 1)

        async def is_put_off() -> bool:
            return await value(relay, "relay_oldest_due_seconds") == 0

        await until(is_put_off)


async def test_subscriptions_count_by_their_state(relay: Relay, receiver: Receiver) -> None:
    made = [await subscribe(relay) for _ in range(4)]
    await relay.json("POST", f"/v1/subscriptions/{made[0]['id']}/pause")
    await relay.call("DELETE", f"/v1/subscriptions/{made[1]['id']}")
    await relay.json("POST", "/v1/webhooks", {"url": receiver.url("/gone"), "events": ["clip.approved"]})
    await publish(relay, "clip.approved")

    await until_value(relay, 'relay_subscriptions{api="ravepilot",state="disabled"}', 1)
    assert await value(relay, 'relay_subscriptions{api="ravepilot",state="active"}') == 0
    assert await value(relay, 'relay_subscriptions{api="webhook_relay",state="paused"}') == 1
    assert await value(relay, 'relay_subscriptions{api="webhook_relay",state="active"}') == 2
    assert await value(relay, 'relay_subscriptions{api="rest_hooks",state="disabled"}') == 0


async def test_a_condition_is_a_gauge(relay: Relay) -> None:
    sample = 'relay_condition{condition="disk_full"}'
    assert await value(relay, sample) == 0
    body = {"type": "order.created", "payload": {"text": "x" * 100_000}}
    async with full(relay):

        async def is_refused() -> bool:
            return (await relay.call("POST", "/v1/events", body)).status == 503

        await until(is_refused)
        assert await value(relay, sample) == 1

    async def is_over() -> bool:
        await relay.call("POST", "/v1/events", body)
        return await value(relay, sample) == 0

    await until(is_over, timeout_s=20)


async def test_descriptors_and_files_are_measured_as_they_are(relay: Relay, receiver: Receiver) -> None:
    before = await value(relay, "process_open_fds")
    connections = [await asyncio.open_connection("127.0.0.1", receiver.port) for _ in range(20)]
    after = await value(relay, "process_open_fds")
    for _, writer in connections:
        writer.close()
    assert before is not None
    assert after is not None
    assert after - before >= 20
    assert (await value(relay, "process_max_fds") or 0) > after
    path = relay.server.database.path
    assert await value(relay, "relay_database_bytes") == path.stat().st_size
    assert await value(relay, "relay_database_wal_bytes") == path.with_name(path.name + "-wal").stat().st_size


class Watched:
    """A real database that says how often it was read, and that can be slow or fail."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self.reads = 0
        self.slow_s = 0.0
        self.fails = False

    async def read(self, work: Work[T], *, list_of: str = "") -> T:
        self.reads += 1
        await asyncio.sleep(self.slow_s)
        if self.fails:
            raise StoreError
        return await self._database.read(work, list_of=list_of)

    async def write(self, work: Work[T]) -> T:
        return await self._database.write(work)

    async def probe(self) -> None:
        await self._database.probe()

    def sizes(self) -> Sizes:
        return self._database.sizes()

    async def close(self) -> None:
        await self._database.close()


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    async with open_sqlite(tmp_path / "relay.db", serve=True) as database:
        yield Watched(database)


def gauges(watched: Watched) -> tuple[Gauges, CollectorRegistry]:
    registry = CollectorRegistry()
    return Gauges(registry, lambda: watched, wall_clock, lambda: None, ["ravepilot"]), registry


async def test_however_many_ask_the_database_is_counted_once(watched: Watched) -> None:
    made, _ = gauges(watched)
    await made.refresh()
    once = watched.reads
    await asyncio.gather(*[made.refresh() for _ in range(200)])
    assert watched.reads == once


async def test_counting_that_takes_long_is_done_seldom(watched: Watched) -> None:
    made, _ = gauges(watched)
    watched.slow_s = 0.02
    began_s = time.monotonic()
    await made.refresh()
    took_s = time.monotonic() - began_s
    assert 0.02 * REST <= made._again_at_s - began_s <= took_s * (REST + 1)
    made._again_at_s, watched.slow_s = 0.0, 0.4
    await made.refresh()
    assert made._again_at_s - time.monotonic() <= KEEP_LIMIT_S


async def test_while_the_database_cannot_be_read_the_last_figures_stand(watched: Watched) -> None:
    made, registry = gauges(watched)
    watched.fails = True
    await made.refresh()
    assert b"relay_deliveries_pending" not in generate_latest(registry), "no figure is better than a wrong one"
    watched.fails, made._again_at_s = False, 0.0
    await made.refresh()
    watched.fails, made._again_at_s = True, 0.0
    await made.refresh()
    assert b"relay_deliveries_pending 0.0" in generate_latest(registry)
