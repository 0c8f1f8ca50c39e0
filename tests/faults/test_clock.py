"""Wall clocks jump: by an hour, by ten years, forth and back."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Any, cast

import apscheduler.schedulers.base
import pytest

from relay.apis.webhook_relay import recovery, sandbox
from relay.app import wall_clock
from relay.core import ids
from relay.core.keys import DEFAULT_SCOPES, new_key
from relay.core.moments import moment_ms
from relay.delivery import jobs
from relay.delivery.removal import remove_workspaces
from relay.store import environments, removal, workspaces
from relay.web.wiring import TRUSTED_CLOCK
from tests.apis.webhook_relay.client import deliveries, delivery_in, publish, subscribe, until
from tests.conftest import KEY, Relay, StartRelay
from tests.machine import DAY_MS, HOUR_MS, YEARS_MS, Machine
from tests.receiver import Receiver

TEN_YEARS_MS = 3652 * 24 * HOUR_MS


@pytest.fixture(autouse=True)
def later_tests_get_ids_of_today() -> Iterator[None]:
    """Ids never go down in a process, and this one is done with ten years from now when the test is over."""
    clock = cast("Any", ids.ulid).__self__
    before = dict(vars(clock))
    yield
    vars(clock).update(before)


class Clock:
    """The wall clock of a machine whose time is set by hand."""

    shift_ms = 0

    def __call__(self) -> int:
        return wall_clock() + self.shift_ms


@pytest.mark.parametrize("jumps_ms", [(HOUR_MS, 0), (-HOUR_MS, 0), (TEN_YEARS_MS, 0), (TEN_YEARS_MS, -HOUR_MS, 0)])
async def test_deliveries_go_on_over_every_jump(
    start_relay: StartRelay, receiver: Receiver, jumps_ms: tuple[int, ...]
) -> None:
    """What waits for its retry and what is published afterwards both arrive, and the timestamp is that of the clock."""
    clock = Clock()
    async with start_relay(clock=clock, retry_delays="0.3,0.3") as relay:
        await subscribe(relay, receiver.url("/hook"))
        sent = 0
        for jump_ms in jumps_ms:
            receiver.script("/hook", "/status/503", "/ok")
            await publish(relay)
            await receiver.wait_for(sent + 1)
            clock.shift_ms = jump_ms
            await receiver.wait_for(sent + 2)
            await publish(relay)
            sent += 3
            last = (await receiver.wait_for(sent))[-1]
            assert abs(int(last.header("webhook-timestamp") or "") - clock() // 1000) < 30


async def test_what_was_put_off_while_the_clock_was_ahead_is_sent_after_a_restart(
    start_relay: StartRelay, receiver: Receiver
) -> None:
    """Its due time is ten years off then, and four seconds."""
    clock = Clock()
    clock.shift_ms = TEN_YEARS_MS
    receiver.script("/hook", "/status/503", "/ok")
    async with start_relay(clock=clock, retry_delays="4") as relay:
        await subscribe(relay, receiver.url("/hook"))
        await publish(relay)
        await receiver.wait_for(1)

        async def is_recorded() -> bool:
            page = await relay.json("GET", "/v1/deliveries")
            return bool(page["data"][0]["attempts_made"] == 1)

        await until(is_recorded)
    clock.shift_ms = 0
    async with start_relay(clock=clock, retry_delays="4") as relay:
        await receiver.wait_for(2, timeout_s=8)
        await delivery_in(relay, "success")


async def test_what_waits_for_its_retry_still_waits_after_a_restart(
    start_relay: StartRelay, receiver: Receiver
) -> None:
    """The longest wait that a schedule or a receiver can ask for is no jump of the clock."""
    async with start_relay(retry_delays="60") as relay:
        await subscribe(relay, receiver.url("/retry-after/20000/503"))
        await publish(relay)
        await receiver.wait_for(1)
    async with start_relay(retry_delays="60") as relay:
        await subscribe(relay, receiver.url("/other"))
        await publish(relay)
        await receiver.wait_for(1, "/other")
        assert len(receiver.received("/retry-after/20000/503")) <= 2, "only the new event may ask again"


# What is deleted by age: never by a clock that has jumped.


async def events_of(relay: Relay, **kwargs: Any) -> int:
    return len((await relay.json("GET", "/v1/events", **kwargs))["data"])


async def delete_what_is_old(relay: Relay) -> None:
    """Every chore that deletes by age."""
    await relay.server.engine.expire_events()
    await sandbox.sweep(relay.server.app)
    await remove_workspaces(relay.server.database, relay.server.app[TRUSTED_CLOCK])


@pytest.mark.parametrize("retention_days", [36_500, 20_000, 1])
async def test_a_retention_that_reaches_before_1970_keeps_everything(
    start_relay: StartRelay, receiver: Receiver, retention_days: int
) -> None:
    async with start_relay(retention_days=retention_days) as relay:
        await subscribe(relay, receiver.url("/ok"))
        await publish(relay)
        await delivery_in(relay, "success")
        await relay.server.engine.expire_events()
        assert await events_of(relay) == 1


async def test_a_clock_that_jumps_deletes_nothing_until_it_has_stood_for_a_day(
    start_relay: StartRelay, receiver: Receiver
) -> None:
    machine = Machine()
    async with start_relay(clock=machine.clock, uptime=machine.uptime, retention_days=7) as relay:
        sandboxed = await sandbox_key(relay)
        await subscribe(relay, receiver.url("/ok"))
        for key in (KEY, sandboxed):
            await publish(relay, key=key)
        await delivery_in(relay, "success")
        await publish(relay, key=await relay.new_key("ended", "whk_live_"))
        await relay.server.database.write(removal.end(await workspace_of(relay, "ended"), machine.clock()))

        machine.set_clock(YEARS_MS)
        await delete_what_is_old(relay)
        assert [await events_of(relay), await events_of(relay, key=sandboxed), await ended(relay)] == [1, 1, 1]
        ready = await relay.json("GET", "/readyz")
        assert ready["reasons"] == ["clock jumped"]

        machine.set_clock(-YEARS_MS)
        await delete_what_is_old(relay)
        assert await relay.json("GET", "/readyz") == {"status": "ready"}

        machine.set_clock(YEARS_MS)
        await delete_what_is_old(relay)
        machine.pass_time(23 * HOUR_MS)
        await delete_what_is_old(relay)
        # Meanwhile the time that was goes on by the uptime: what has to go after minutes goes.
        assert [await events_of(relay), await events_of(relay, key=sandboxed), await ended(relay)] == [1, 1, 0]
        machine.pass_time(HOUR_MS)
        await delete_what_is_old(relay)
        assert [await events_of(relay), await events_of(relay, key=sandboxed)] == [0, 0]
        assert await relay.json("GET", "/readyz") == {"status": "ready"}


async def test_a_server_that_starts_with_a_clock_far_from_what_the_file_has_seen_deletes_nothing(
    start_relay: StartRelay, receiver: Receiver
) -> None:
    """Start after start: what has not stood in one of them is not believed in the next."""
    machine = Machine()
    async with start_relay(clock=machine.clock, uptime=machine.uptime, retention_days=1) as relay:
        await subscribe(relay, receiver.url("/ok"))
        await publish(relay)
        await delivery_in(relay, "success")
    machine.set_clock(TEN_YEARS_MS)
    for _ in range(3):
        async with start_relay(clock=machine.clock, uptime=machine.uptime, retention_days=1) as relay:
            await delete_what_is_old(relay)
            assert await events_of(relay) == 1
            assert (await relay.json("GET", "/readyz"))["reasons"] == ["clock jumped"]
    machine.set_clock(-TEN_YEARS_MS)
    async with start_relay(clock=machine.clock, uptime=machine.uptime, retention_days=1) as relay:
        assert await relay.json("GET", "/readyz") == {"status": "ready"}


async def test_a_file_of_before_there_was_such_a_time_is_judged_by_its_newest_event(
    start_relay: StartRelay, receiver: Receiver
) -> None:
    machine = Machine()
    async with start_relay(clock=machine.clock, uptime=machine.uptime, retention_days=1) as relay:
        await subscribe(relay, receiver.url("/ok"))
        await publish(relay)
        await delivery_in(relay, "success")
        path = relay.server.database.path
    with contextlib.closing(sqlite3.connect(path)) as file, file:
        file.execute("DELETE FROM clock")
    machine.set_clock(TEN_YEARS_MS)
    async with start_relay(clock=machine.clock, uptime=machine.uptime, retention_days=1) as relay:
        await delete_what_is_old(relay)
        assert await events_of(relay) == 1


async def test_what_was_made_while_the_clock_was_ahead_or_after_goes_by_its_own_time(
    start_relay: StartRelay, receiver: Receiver
) -> None:
    """Ids never go down: in this process they stay ten years ahead, and nothing must be kept for as long."""
    machine = Machine()
    async with start_relay(clock=machine.clock, uptime=machine.uptime, retention_days=1) as relay:
        await subscribe(relay, receiver.url("/ok"))
        machine.set_clock(TEN_YEARS_MS)
        await publish(relay)
        machine.set_clock(-TEN_YEARS_MS)
        made = await publish(relay)
        await receiver.wait_for(2)
        await delivery_in(relay, "success")
        assert made["id"] > ids.ulid_floor(machine.clock() + TEN_YEARS_MS - HOUR_MS)
        machine.pass_time(3 * DAY_MS)
        await delete_what_is_old(relay)
        left = (await relay.json("GET", "/v1/events"))["data"]
        assert made["id"] not in [one["id"] for one in left]
        assert len(left) == 1, "that of ten years from now is kept until then"


async def test_a_jump_forth_does_not_disable_a_hook_that_has_failed_for_a_moment(
    start_relay: StartRelay, receiver: Receiver
) -> None:
    """Hooks are disabled after five days of nothing but failures, and the clock says that so much has passed."""
    machine = Machine()
    async with start_relay(clock=machine.clock, uptime=machine.uptime, retry_delays=",".join(["0.05"] * 60)) as relay:
        body = {"target_url": receiver.url("/status/500"), "event_type": "clip.approved"}
        hook = await relay.json("POST", "/api/v1/hooks", body)
        event = {"type": "clip.approved", "payload": {}}
        await relay.json("POST", "/v1/events", event, status=202)
        await receiver.wait_for(10)
        machine.set_clock(YEARS_MS)
        await receiver.wait_for(40, timeout_s=30)
        live = await relay.json("GET", "/api/v1/hooks")
        assert [one["id"] for one in (live if isinstance(live, list) else live["hooks"])] == [hook["id"]]


# What waits for its time.


@pytest.mark.parametrize("jumps_ms", [(HOUR_MS, -HOUR_MS), (-HOUR_MS,), (TEN_YEARS_MS, -TEN_YEARS_MS)])
async def test_after_the_clock_was_set_a_retry_is_shown_and_made_at_its_time(
    start_relay: StartRelay, receiver: Receiver, jumps_ms: tuple[int, ...]
) -> None:
    machine = Machine()
    async with start_relay(clock=machine.clock, uptime=machine.uptime, retry_delays="3,3") as relay:
        await subscribe(relay, receiver.url("/hook"))
        receiver.script("/hook", "/status/503", "/ok")
        for jump_ms in jumps_ms[:-1]:
            machine.set_clock(jump_ms)
        await publish(relay)
        await receiver.wait_for(1)

        async def is_recorded() -> bool:
            return bool((await deliveries(relay))[0]["attempts_made"] == 1)

        await until(is_recorded)
        machine.set_clock(jumps_ms[-1])

        async def is_right() -> bool:
            row = (await deliveries(relay))[0]
            due_ms = moment_ms(row["next_attempt_at"] or "")
            return due_ms is not None and abs(due_ms - machine.clock()) < 5_000

        await until(is_right, timeout_s=4)
        await receiver.wait_for(2, timeout_s=8)
        # And the engine's time is right again: what is put off now is put off by the clock that now holds.
        receiver.script("/hook", "/status/503", "/ok")
        await publish(relay)
        await receiver.wait_for(3)
        await until(is_right, timeout_s=4)


async def test_what_was_put_off_by_a_clock_that_was_set_back_while_the_server_was_off_keeps_its_time(
    start_relay: StartRelay, receiver: Receiver
) -> None:
    machine = Machine()
    receiver.script("/hook", "/status/503", "/ok")
    async with start_relay(clock=machine.clock, uptime=machine.uptime, retry_delays="4") as relay:
        await subscribe(relay, receiver.url("/hook"))
        await publish(relay)
        await receiver.wait_for(1)

        async def is_recorded() -> bool:
            return bool((await deliveries(relay))[0]["attempts_made"] == 1)

        await until(is_recorded)
    machine.set_clock(-HOUR_MS)
    async with start_relay(clock=machine.clock, uptime=machine.uptime, retry_delays="4"):
        await receiver.wait_for(2, timeout_s=8)


async def test_a_recovery_goes_on_when_the_clock_is_set_back(
    start_relay: StartRelay, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more than one page: each is put back by a chore, and chores go by the wall clock."""
    machine = Machine()

    class WallClock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.fromtimestamp(machine.clock() / 1000, tz)

    monkeypatch.setattr(apscheduler.schedulers.base, "datetime", WallClock)
    monkeypatch.setattr(jobs, "datetime", WallClock)
    monkeypatch.setattr(recovery, "PUT_BACK", 5)
    async with start_relay(clock=machine.clock, uptime=machine.uptime) as relay:
        made = await subscribe(relay, receiver.url("/hook"), event_filter="order.*")
        path = f"/v1/subscriptions/{made['id']}"
        await relay.json("POST", f"{path}/pause")
        for _ in range(20):
            await publish(relay)
        await relay.json("POST", f"{path}/resume", {"replay_missed": True})
        await receiver.wait_for(1)
        machine.set_clock(-HOUR_MS)
        await receiver.wait_for(20, timeout_s=20)
        assert len(receiver.received()) == 20


async def sandbox_key(relay: Relay) -> str:
    """A key of a workspace that is swept after a day."""
    database, now_ms = relay.server.database, wall_clock()
    workspace, _ = await database.write(environments.ensure("default", "whk_sandbox_", now_ms))
    key = new_key("whk_sandbox_")
    await database.write(workspaces.add_key(workspace.id, key, DEFAULT_SCOPES["whk_sandbox_"], None, now_ms))
    return key


async def workspace_of(relay: Relay, name: str) -> str:
    found = await relay.server.database.read(workspaces.by_name(name))
    assert found is not None
    return found.id


async def ended(relay: Relay) -> int:
    """How many deleted workspaces are not gone yet."""
    return len(await relay.server.database.read(removal.waiting(2**62)))
