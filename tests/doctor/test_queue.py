"""What waits and is not sent, and what was given up."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from relay.app import wall_clock
from relay.store import subscriptions
from tests.conftest import KEY, Relay, StartRelay
from tests.doctor.patient import HOUR_MS, add_subscription, add_webhook, examined, found, publish, until, until_tried
from tests.receiver import Receiver
from tests.whole.process import Serve, free_port, serve

MINUTE_MS = 60_000


def change(tmp_path: Path, sql: str, **parameters: Any) -> None:
    """Write to the database as time would have."""
    with contextlib.closing(sqlite3.connect(tmp_path / "relay" / "relay.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA busy_timeout = 5000")
        connection.execute(sql, parameters)


async def queue_problems(tmp_path: Path, **options: Any) -> list[str]:
    return [one.problem.value for one in (await examined(tmp_path, **options)).findings if one.area == "queue"]


async def leave_waiting(start_relay: StartRelay, receiver: Receiver) -> None:
    """A server that was stopped before anything was answered."""
    async with start_relay(retry_delays="3600") as relay:
        await add_subscription(relay, receiver.url("/status/500"), event_filter="*")
        await publish(relay)
        await receiver.wait_for(1)


async def test_what_waits_without_a_server_is_found(
    tmp_path: Path, start_relay: StartRelay, receiver: Receiver
) -> None:
    """As soon as it has been due for minutes; a stopped server alone is a note."""
    await leave_waiting(start_relay, receiver)
    just_stopped = await examined(tmp_path)
    assert [one.problem for one in just_stopped.findings if one.area == "queue"] == []
    [note] = [one for one in just_stopped.findings if one.area == "server"]
    assert (note.problem, note.needs_person) == ("not_running", False)
    assert just_stopped.checked["queue"]["waiting"] == 1
    later = (await found(tmp_path, after_ms=2 * HOUR_MS))["not_sent"]
    assert (later["waiting"], later["needs_person"]) == (1, True)
    assert "1 deliveries wait, the oldest has been due for " in later["what"]
    assert "relay serve" in later["advice"]


async def held_up(serving: Serve, receiver: Receiver, tmp_path: Path) -> str:
    """A server that is held up while something is due for a target that answers; the id of its subscription."""
    _, made = await serving.post("/v1/subscriptions", {"url": receiver.url("/ok"), "event_filter": "*"})
    await serving.post("/v1/events", {"type": "clip.approved", "payload": {}})

    async def is_recorded() -> bool:
        async with serving.session.get(
            f"{serving.url}/v1/deliveries", params={"status": "success"}, headers={"Authorization": f"Bearer {KEY}"}
        ) as response:
            return bool((await response.json())["data"])

    await until(is_recorded)
    # Between two commits, as far as can be told: one that is stopped within a commit holds the lock.
    await asyncio.sleep(0.2)
    serving.process.send_signal(signal.SIGSTOP)
    change(
        tmp_path,
        "UPDATE deliveries SET state = 'pending', next_attempt_at = created_at, completed_at = NULL,"
        " final_status_code = NULL",
    )
    return str(made["id"])


async def test_what_a_server_does_not_send_although_its_target_answers_is_found(
    tmp_path: Path, receiver: Receiver
) -> None:
    """Only after minutes, and with the subscription it waits for."""
    async with serve(tmp_path / "relay", free_port()) as serving:
        waiting = await held_up(serving, receiver, tmp_path)
        change(tmp_path, "DELETE FROM attempts")
        assert await queue_problems(tmp_path) == []
        one = (await found(tmp_path, after_ms=10 * MINUTE_MS))["stuck"]
        serving.process.send_signal(signal.SIGCONT)
    assert (one["id"], one["workspace"], one["api"]) == (waiting, "default", "webhook_relay")
    assert (one["host"], one["needs_person"]) == (f"127.0.0.1:{receiver.port}", True)
    assert "has been due for 10 min" in one["what"]
    assert "nothing is sent" in one["what"]


async def test_a_long_queue_that_is_worked_off_is_a_note(tmp_path: Path, receiver: Receiver) -> None:
    """What is as old as what waits was tried a moment ago: more comes in than its target takes."""
    async with serve(tmp_path / "relay", free_port()) as serving:
        await held_up(serving, receiver, tmp_path)
        change(tmp_path, "UPDATE attempts SET attempted_at = :at", at=wall_clock() + 9 * MINUTE_MS)
        one = (await found(tmp_path, after_ms=10 * MINUTE_MS))["behind"]
        serving.process.send_signal(signal.SIGCONT)
    assert one["needs_person"] is False
    assert "more comes in than it takes" in one["what"]


async def test_what_waits_for_a_failing_target_is_not_the_servers_fault(
    tmp_path: Path, start_relay: StartRelay, receiver: Receiver
) -> None:
    async with start_relay(retry_delays="3600") as relay:
        failing = await add_subscription(relay, receiver.url("/status/500"), event_filter="*")
        await publish(relay)
        await receiver.wait_for(1)

        async def counted() -> bool:
            one = await relay.json("GET", f"/v1/subscriptions/{failing}")
            return bool(one["consecutive_failures"])

        await until(counted)
        assert await queue_problems(tmp_path, after_ms=2 * HOUR_MS) == []


async def test_dead_letters_of_the_last_day_are_summed_by_host_and_reason(
    tmp_path: Path, start_relay: StartRelay, receiver: Receiver
) -> None:
    """With the API's way to get them after all; those of yesterday, and of what was unsubscribed, are no news."""
    async with start_relay(retry_delays="") as relay:
        refused = await add_subscription(relay, receiver.url("/status/404"), event_filter="clip.approved")
        large = await add_subscription(relay, receiver.url("/status/413"), event_filter="clip.approved")
        gone = await add_subscription(relay, receiver.url("/status/404?gone"), event_filter="clip.approved")
        for _ in range(3):
            await publish(relay)
        await until_tried(relay, 9)
        await relay.call("DELETE", f"/v1/subscriptions/{gone}")
        report = await examined(tmp_path)
        later = await queue_problems(tmp_path, after_ms=25 * HOUR_MS)
    dead = {one.details["reason"]: one for one in report.findings if one.area == "queue"}
    assert set(dead) == {"refused", "too_large"}
    assert (dead["refused"].details["count"], dead["refused"].details["subscriptions"]) == (3, [refused])
    assert (dead["too_large"].details["count"], dead["too_large"].details["subscriptions"]) == (3, [large])
    assert dead["refused"].details["host"] == f"127.0.0.1:{receiver.port}"
    assert "3 deliveries were given up since" in dead["refused"].what
    assert f"POST /v1/subscriptions/{refused}/recover" in dead["refused"].advice
    assert all(one.needs_person for one in dead.values())
    assert report.checked["queue"]["died_last_day"] == 9
    assert later == []


async def test_dead_letters_of_two_subscriptions_to_one_host_are_one_finding(
    tmp_path: Path, start_relay: StartRelay, receiver: Receiver
) -> None:
    async with start_relay(retry_delays="") as relay:
        both = [await add_webhook(relay, receiver.url(f"/status/413?{each}")) for each in "ab"]
        await publish(relay)
        await until_tried(relay, 2)
        one = next(one for one in (await examined(tmp_path)).findings if one.area == "queue")
    assert (one.about, one.details["count"]) == (f"127.0.0.1:{receiver.port}", 2)
    assert sorted(one.details["subscriptions"]) == sorted(both)
    assert "/v1/dead-letters/{delivery id}/replay" in one.advice


@pytest.mark.parametrize(("delays", "longest_h"), [(None, 6), ("3600", 6), ("864000", 240)])
async def test_what_was_put_off_while_the_clock_was_ahead_is_found(
    tmp_path: Path, start_relay: StartRelay, receiver: Receiver, delays: str | None, longest_h: int
) -> None:
    """Later than any schedule puts it; the operator's own schedule counts."""
    async with start_relay(retry_delays=delays) as relay:
        failing = await add_webhook(relay, receiver.url("/status/500"))
        await publish(relay)

        async def has_failed() -> bool:
            one = await relay.server.database.read(subscriptions.to_send(failing))
            return one is not None and one.consecutive_failures == 1

        await until(has_failed)
        change(tmp_path, "UPDATE deliveries SET next_attempt_at = :at", at=wall_clock() + longest_h * HOUR_MS)
        assert "put_off" not in await queue_problems(tmp_path)
        change(tmp_path, "UPDATE deliveries SET next_attempt_at = :at", at=wall_clock() + 2 * longest_h * HOUR_MS)
        one = (await found(tmp_path))["put_off"]
    assert one["subscriptions"] == 1
    assert "clock" in one["what"]
    assert "start the server again" in one["advice"]


async def test_a_queue_is_counted_as_far_as_it_makes_sense(
    tmp_path: Path, relay: Relay, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be millions."""
    monkeypatch.setattr("relay.doctor.content.COUNTED", 2)
    monkeypatch.setattr("relay.doctor.examine.COUNTED", 2)
    for each in "abc":
        await add_webhook(relay, receiver.url(f"/hang?{each}"))
    await publish(relay)
    await receiver.wait_for(3)
    checked = (await examined(tmp_path)).checked["queue"]
    assert (checked["waiting"], checked["waiting_is_more"]) == (2, True)
