"""Wall clocks jump: by an hour, by ten years, forth and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest

from relay.app import wall_clock
from relay.core import ids
from tests.apis.webhook_relay.client import delivery_in, publish, subscribe, until
from tests.conftest import StartRelay
from tests.receiver import Receiver

HOUR_MS = 3_600_000
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
    """Its due time is ten years off then, further than any schedule goes."""
    clock = Clock()
    clock.shift_ms = TEN_YEARS_MS
    receiver.script("/hook", "/status/503", "/ok")
    async with start_relay(clock=clock, retry_delays="60") as relay:
        await subscribe(relay, receiver.url("/hook"))
        await publish(relay)
        await receiver.wait_for(1)

        async def is_recorded() -> bool:
            page = await relay.json("GET", "/v1/deliveries")
            return bool(page["data"][0]["attempts_made"] == 1)

        await until(is_recorded)
    clock.shift_ms = 0
    async with start_relay(clock=clock, retry_delays="60") as relay:
        await receiver.wait_for(2)
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
