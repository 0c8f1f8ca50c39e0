"""What the log says of targets and subscriptions: a line for each change, bounded, and nothing hostile in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from relay.apis import ravepilot, rest_hooks, webhook_relay
from relay.core.errors import StoreError, StoreFull
from relay.core.model import (
    Attempt,
    Claimed,
    DeadReason,
    DeliveryState,
    ErrorCode,
    Outcome,
    Subscription,
    SubscriptionState,
    Verdict,
)
from relay.delivery.report import (
    LINES_A_MINUTE,
    SUMS_A_MINUTE,
    UNKNOWN_HOST,
    WORKSPACE_LINES_A_MINUTE,
    Report,
    next_step,
)
from relay.delivery.settle import Recorded, Settled, Turn, Turned
from tests.logged import Logged, logged

WIRES = {api.name: api.wire for api in (ravepilot.API, webhook_relay.API, rest_hooks.API)}
NOW_MS = 1_748_800_000_000
SECRET_PATH = "/catch/s3cr3t"
FAILED = Outcome(status=503, error_code=None, latency_ms=5)

_numbers = count()


class Counted:
    """What was counted for Prometheus."""

    def __init__(self) -> None:
        self.numbers: list[tuple[Any, ...]] = []

    def published(self, by: str, events: int) -> None:
        self.numbers.append(("published", by, events))

    def died(self, api: str, reason: str, deliveries: int) -> None:
        self.numbers.append(("died", api, reason, deliveries))

    def chore_ran(self, chore: str, *, failed: bool) -> None:
        self.numbers.append(("ran", chore, failed))


class World:
    """A report, its clock and its log."""

    def __init__(self, log: Logged) -> None:
        self.log = log
        self.now_s = 1000.0
        self.counted = Counted()
        self.report = Report(lambda: NOW_MS, lambda: self.now_s, WIRES, self.counted)

    def turned(self, turn: Turn, subscription: Subscription, outcome: Outcome = FAILED) -> None:
        self.report.recorded(Recorded([Turned(turn, subscription, settled(subscription, outcome))], [], []))

    def died(self, subscription: Subscription, reason: DeadReason = DeadReason.EXHAUSTED) -> None:
        self.report.recorded(Recorded([], [settled(subscription, FAILED, reason)], []))


def subscribed(url: str = f"https://shop.example.com{SECRET_PATH}", **changes: Any) -> Subscription:
    number = next(_numbers)
    made = Subscription(f"sub{number}", "ws_1", "webhook_relay", url, ("*",), "sealed", 1, 1, name="\x1b[31mname")
    return replace(made, **changes)


def settled(subscription: Subscription, outcome: Outcome, reason: DeadReason | None = None) -> Settled:
    number = next(_numbers)
    claimed = Claimed(f"delivery{number}", "event", "\x1b[31mtype", 0, "{}", 0, 1, subscription)
    attempt = Attempt(claimed.id, 1, 1, "", outcome.status, None, outcome.snippet, 5, None)
    state = DeliveryState.PENDING if reason is None else DeliveryState.DEAD
    policy = WIRES[subscription.api].retry
    return Settled(claimed, attempt, outcome, Verdict(state, None, reason), policy, counts=True, recovers=False)


@pytest.fixture
def world() -> Iterator[World]:
    with logged() as log:
        yield World(log)


def test_the_first_failure_names_host_ids_reason_and_next_step(world: World) -> None:
    subscription = subscribed()
    world.turned(Turn.FAILS, subscription)
    [line] = world.log.of("a target began to fail")
    assert (line["level"], line["host"], line["reason"]) == ("warning", "shop.example.com", "status 503")
    assert (line["subscription_id"], line["workspace_id"]) == (subscription.id, "ws_1")
    assert line["delivery_id"].startswith("delivery")
    assert line["next"]


def test_a_recovery_says_how_long_and_how_many(world: World) -> None:
    world.turned(Turn.ANSWERS, subscribed(consecutive_failures=4, failing_since_ms=NOW_MS - 90_000))
    [line] = world.log.of("a target answers again")
    assert (line["level"], line["failures"], line["failing_s"]) == ("info", 4, 90)


def test_a_clock_that_was_set_back_makes_no_negative_time(world: World) -> None:
    world.turned(Turn.ANSWERS, subscribed(consecutive_failures=4, failing_since_ms=NOW_MS + 90_000))
    assert world.log.records[0]["failing_s"] == 0


@pytest.mark.parametrize(
    ("api", "state", "step"),
    [
        ("webhook_relay", "paused", "/v1/subscriptions/sub"),
        ("ravepilot", "disabled", "POST /v1/webhooks"),
        ("rest_hooks", "disabled", "turn the flow off and on"),
    ],
)
def test_switched_off_says_the_state_why_and_how_it_comes_back(world: World, api: str, state: str, step: str) -> None:
    timeout = Outcome(status=None, error_code=ErrorCode.TIMEOUT, latency_ms=5)
    world.turned(Turn.OFF, subscribed(api=api, consecutive_failures=25), timeout)
    [line] = world.log.of(f"a subscription was {state}")
    assert line["reason"] == "25 failures in a row, the last: timeout"
    assert step in line["next"]


def test_a_410_is_told_once_as_what_it_is(world: World) -> None:
    world.turned(Turn.GONE, subscribed(), Outcome(status=410, error_code=None, latency_ms=1))
    [line] = world.log.records
    assert (line["event"], line["reason"]) == ("a subscription was ended by its receiver", "status 410")


def test_what_a_person_does_is_told_with_their_key(world: World) -> None:
    world.report.switched(subscribed(paused_at_ms=5), "key_1")
    world.report.switched(subscribed(), "key_1")
    assert [line["event"] for line in world.log.records] == [
        "a subscription was paused by a person",
        "a subscription was resumed by a person",
    ]
    assert {line["api_key_id"] for line in world.log.records} == {"key_1"}


def test_nothing_secret_or_hostile_is_in_a_line(world: World) -> None:
    """Paths, names, event types and answers are others' to choose."""
    hostile = "\n2025-01-01 error  all is lost\x1b[2J\u202e\u2066"
    outcome = Outcome(status=None, error_code=ErrorCode.TLS_ERROR, latency_ms=1, detail=hostile * 100, snippet=hostile)
    for url in (f"https://shop.example.com:8443{SECRET_PATH}?k=s3cr3t", f"https://u:s3cr3t@h/{hostile}", hostile, ""):
        subscription = subscribed(url, name=hostile)
        world.turned(Turn.FAILS, subscription, outcome)
        world.turned(Turn.OFF, subscription, outcome)
        world.died(subscription)
    world.report.ended(subscribed(hostile), DeadReason.PAUSED, 3)
    world.report.tell(at_once=True)
    assert len(world.log.records) == 2 * 4 + 3
    assert {line["host"] for line in world.log.records} == {"shop.example.com", UNKNOWN_HOST}
    assert "s3cr3t" not in world.log.text
    assert all(line.isprintable() for line in world.log.lines)
    assert max(map(len, world.log.lines)) < 1500


def test_deaths_are_added_up_by_host_and_reason_and_told_once_a_minute(world: World) -> None:
    shop, other = subscribed(), subscribed("https://other.example.com/")
    world.died(shop)
    world.report.tell()
    assert [line["deliveries"] for line in world.log.of("deliveries died")] == [1]
    for _ in range(500):
        world.died(shop)
        world.now_s += 0.1
        world.report.tell()
    world.died(shop, DeadReason.REFUSED)
    world.report.ended(other, DeadReason.DISABLED, 1200)
    assert len(world.log.lines) == 1, "within the minute nothing more is said"
    world.now_s += 60
    world.report.tell()
    world.report.tell()
    told = {(line["host"], line["reason"]): line for line in world.log.of("deliveries died")[1:]}
    assert {key: line["deliveries"] for key, line in told.items()} == {
        ("shop.example.com", "exhausted"): 500,
        ("shop.example.com", "refused"): 1,
        ("other.example.com", "disabled"): 1200,
    }
    exhausted = told["shop.example.com", "exhausted"]
    assert exhausted["last"] == "status 503"
    assert exhausted["delivery_id"] in exhausted["next"]
    assert sum(number[3] for number in world.counted.numbers if number[0] == "died") == 1702


def test_the_last_sum_is_told_at_the_stop(world: World) -> None:
    world.died(subscribed())
    world.report.tell()
    world.died(subscribed())
    world.report.tell()
    assert len(world.log.lines) == 1
    world.report.tell(at_once=True)
    assert [line["deliveries"] for line in world.log.records] == [1, 1]


@pytest.mark.parametrize("targets", [SUMS_A_MINUTE + 5, 10_000])
def test_many_dead_targets_are_few_lines_and_none_is_left_uncounted(world: World, targets: int) -> None:
    for number in range(targets):
        world.died(subscribed(f"https://dead-{number}.example.com/"))
    world.report.tell()
    assert len(world.log.lines) == SUMS_A_MINUTE + 1
    assert sum(line["deliveries"] for line in world.log.records) == targets
    assert world.log.records[-1]["event"] == "deliveries to other targets died"


def test_an_outage_of_many_targets_is_a_bounded_number_of_lines_and_the_rest_is_counted(world: World) -> None:
    for number in range(3000):
        world.turned(Turn.FAILS, subscribed(workspace_id=f"ws_{number % 100}"))
    assert len(world.log.lines) == LINES_A_MINUTE
    world.now_s += 60
    world.report.tell()
    [rest] = world.log.of("more of the same")
    assert (rest["of"], rest["lines"]) == ("a target began to fail", 3000 - LINES_A_MINUTE)
    world.turned(Turn.FAILS, subscribed())
    assert world.log.records[-1]["event"] == "a target began to fail", "the next minute begins anew"


def test_a_workspace_that_lets_a_target_come_and_go_hides_nobody_else(world: World) -> None:
    for _ in range(LINES_A_MINUTE):
        world.turned(Turn.FAILS, subscribed(workspace_id="ws_noisy"))
        world.turned(Turn.ANSWERS, subscribed(workspace_id="ws_noisy", consecutive_failures=1, failing_since_ms=NOW_MS))
    assert len(world.log.lines) == 2 * WORKSPACE_LINES_A_MINUTE
    world.turned(Turn.FAILS, subscribed(workspace_id="ws_other"))
    assert world.log.records[-1]["workspace_id"] == "ws_other"


def test_a_chore_that_fails_is_said_when_it_begins_to_and_when_it_works_again(world: World) -> None:
    for error in (None, RuntimeError("x"), RuntimeError("y"), None, None, RuntimeError("z")):
        world.report.chore_ran("drain-tick", error)
    assert [line["event"] for line in world.log.records] == ["a chore failed", "a chore works again", "a chore failed"]
    assert "RuntimeError: x" in world.log.records[0]["exception"]
    assert [number[2] for number in world.counted.numbers] == [False, True, True, False, False, True]


def test_what_a_condition_says_is_not_said_by_each_chore_as_well(world: World) -> None:
    world.report.chore_ran("drain-tick", StoreFull())
    assert world.log.lines == []
    assert world.counted.numbers == [("ran", "drain-tick", True)]
    world.report.chore_ran("drain-tick", StoreError("no such table"))
    assert world.log.records[0]["event"] == "a chore failed"


@pytest.mark.parametrize("error_code", list(ErrorCode))
def test_every_failure_without_an_answer_has_a_next_step(error_code: ErrorCode) -> None:
    assert next_step(Outcome(status=None, error_code=error_code, latency_ms=1))


@pytest.mark.parametrize("status", [None, 100, 302, 400, 401, 404, 408, 410, 413, 429, 500, 503, 999])
def test_every_bad_answer_has_a_next_step(status: int | None) -> None:
    assert next_step(Outcome(status=status, error_code=None, latency_ms=1))


@pytest.mark.parametrize("reason", list(DeadReason))
@pytest.mark.parametrize("api", list(WIRES))
def test_every_death_has_a_next_step(world: World, reason: DeadReason, api: str) -> None:
    world.died(subscribed(api=api), reason)
    world.report.ended(subscribed("https://other.example.com/", api=api), reason, 2)
    world.report.tell()
    assert len(world.log.records) == 2
    assert all(line["next"] and "{" not in line["next"] for line in world.log.records)


def test_the_states_are_words_that_a_sentence_takes() -> None:
    assert {state.value for state in SubscriptionState} == {"active", "paused", "disabled"}
