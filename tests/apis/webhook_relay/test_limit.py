"""The rate limit of a workspace, and its bucket."""

from __future__ import annotations

import asyncio

import pytest

from relay.apis.webhook_relay.limit import Limiter
from tests.apis.webhook_relay.client import publish
from tests.conftest import KEY, Relay, StartRelay

NOW_MS = 1_800_000_000_000


def test_a_bucket_empties_and_refills_evenly() -> None:
    now_ms = NOW_MS
    limiter = Limiter(6, lambda: now_ms, lambda: now_ms / 1000)
    told = [limiter.take("a") for _ in range(7)]
    assert [one.remaining for one in told] == [5, 4, 3, 2, 1, 0, 0]
    assert [one.retry_after_s for one in told] == [0, 0, 0, 0, 0, 0, 10]
    assert [one.full_at_s - NOW_MS // 1000 for one in told] == [10, 20, 30, 40, 50, 60, 60]
    assert limiter.take("b").remaining == 5
    now_ms += 10_000
    assert limiter.take("a").retry_after_s == 0
    assert limiter.take("a").retry_after_s == 10
    now_ms += 3_600_000
    assert limiter.take("a").remaining == 5


@pytest.mark.parametrize("step_ms", [-3_600_000, 3_600_000, -30_000])
def test_a_clock_that_is_set_changes_nothing_but_what_is_told(step_ms: int) -> None:
    now_ms, now_s = NOW_MS, 0.0
    limiter = Limiter(6, lambda: now_ms, lambda: now_s)
    for _ in range(5):
        limiter.take("a")
    now_ms += step_ms
    last = limiter.take("a")
    assert (last.retry_after_s, last.remaining, last.full_at_s) == (0, 0, now_ms // 1000 + 60)
    assert limiter.take("a").retry_after_s == 10
    now_s += 60
    assert limiter.take("a").remaining == 5


async def test_the_limit_is_told_on_every_answer_and_shared_by_the_keys_of_a_workspace(
    start_relay: StartRelay,
) -> None:
    async with start_relay(rate_limit=6, clock=lambda: NOW_MS) as relay:
        second_key = await relay.new_key("default", "whk_live_")
        without_scope = await relay.new_key("default", "rsk_")
        answers = [
            await relay.call("GET", "/v1/events"),
            await relay.call("GET", "/v1/events/none"),
            await relay.call("POST", "/v1/events", {}),
            await relay.call("GET", "/v1/subscriptions", key=second_key),
            await relay.call("GET", "/v1/events", key=without_scope),
            await relay.call("GET", "/v1/deliveries"),
            await relay.call("GET", "/v1/deliveries"),
        ]
        assert [answer.status for answer in answers] == [200, 404, 400, 200, 403, 200, 429]
        assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["5", "4", "3", "2", "1", "0", "0"]
        assert {answer.headers["X-RateLimit-Limit"] for answer in answers} == {"6"}
        assert answers[0].headers["X-RateLimit-Reset"] == str(NOW_MS // 1000 + 10)
        assert answers[-1].headers["Retry-After"] == "10"
        assert answers[-1].headers["Content-Type"].startswith("application/problem+json")
        stream = await relay.call("GET", "/v1/echo/stream", key=None, params={"key": KEY})
        assert stream.status == 429
        # Other APIs and other workspaces are not concerned, and neither is the liveness check.
        assert (await relay.call("GET", "/v1/webhooks")).status == 200
        assert (await relay.call("GET", "/v1/healthz")).status == 200
        other = await relay.new_key("other", "whk_live_")
        assert (await relay.call("GET", "/v1/events", key=other)).status == 200


async def test_without_a_limit_nothing_is_told(relay: Relay) -> None:
    answers = await asyncio.gather(*[relay.call("GET", "/v1/events") for _ in range(20)])
    assert not any("X-RateLimit-Limit" in answer.headers for answer in answers)
    await publish(relay)
