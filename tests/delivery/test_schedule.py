"""The schedule by itself: whose turn it is, with a clock in the hand and nothing sent."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.model import Claimed, Subscription, SubscriptionState
from relay.core.retry import RetryPolicy
from relay.delivery.claim import Found
from relay.delivery.lanes import NEVER_MS, SPARE_TIMERS, Lane, Timers
from relay.delivery.schedule import HELD_LIMIT, Schedule
from relay.delivery.slots import QUICK_S, SLOW_FACTOR, Room, Standing
from relay.store.deliveries import Waiting

HOUR_MS = 3_600_000
TEN_YEARS_MS = 3652 * 24 * HOUR_MS
POLICY = RetryPolicy(
    schedule_s=(30, 60), client_errors_are_final=False, switch_off_after=25, switch_off_to=SubscriptionState.DISABLED
)
FIRST = Subscription(
    id="s",
    workspace_id="ws",
    api="ravepilot",
    target_url="https://example.com/hook",
    event_filter=("*",),
    secret="",
    created_at_ms=0,
    updated_at_ms=0,
)


class Day:
    """A schedule with the world around it: queues that claims are answered from, and a clock."""

    def __init__(self, concurrency: int = 16) -> None:
        self.now_ms = 1_000_000
        self.now_s = 0.0
        self.schedule = Schedule(concurrency, lambda: self.now_ms, lambda: self.now_s)
        self.subscriptions: dict[str, Subscription] = {}
        self.queues: dict[str, list[str]] = {}
        self.on_the_wire: list[tuple[Lane, Claimed]] = []
        self.stored = 0

    def publish(self, name: str, count: int = 1, workspace: str = "ws", target_url: str = FIRST.target_url) -> None:
        self.subscriptions.setdefault(name, replace(FIRST, id=name, workspace_id=workspace, target_url=target_url))
        queue = self.queues.setdefault(name, [])
        queue += [f"{name}-{len(queue) + number}" for number in range(count)]
        self.schedule.due(name, 0)

    def hand_over(self, name: str) -> str:
        """Publish one more as this process does, which has it in its hands; its id."""
        [delivery_id] = self.store(name)
        self.schedule.published(self._claimed(name, delivery_id))
        return delivery_id

    def store(self, name: str, count: int = 1) -> list[str]:
        """Deliveries that nobody has said anything of; their ids, never used before."""
        stored = [f"{name}-stored-{self.stored + number}" for number in range(count)]
        self.stored += count
        self.queues[name] += stored
        return stored

    def send(self) -> list[str]:
        """Claim and send all that may be sent now; the ids that went out."""
        sent = []
        self.schedule.tick(self.now_s)
        while wanted := self.schedule.next_claims():
            for lane, want in wanted:
                queue = [one for one in self.queues[want.subscription_id] if one not in want.held]
                claimed = [self._claimed(want.subscription_id, one) for one in queue[: want.limit]]
                more = 0 if len(queue) > want.limit else None
                self.schedule.take_in(lane, Found(self.subscriptions[want.subscription_id], claimed, more))
        while (chosen := self.schedule.next_request(self.now_s)) is not None:
            self.on_the_wire.append(chosen)
            sent.append(chosen[1].id)
        return sent

    def prove(self, name: str, **subscription: str) -> None:
        """Let a target be known to answer."""
        self.publish(name, 1, **subscription)
        while self.queues[name]:
            self.send()
            self.answer(name)
            self.wait(1)

    def answer(self, name: str = "", *, well: bool = True) -> None:
        """Everything on the wire to that subscription, or to all, is answered and settled."""
        for lane, claimed in [one for one in self.on_the_wire if name in ("", one[0].subscription_id)]:
            self.on_the_wire.remove((lane, claimed))
            self.schedule.ended(lane, claimed)
            if well:
                self.schedule.succeeded(lane)
                self.queues[lane.subscription_id].remove(claimed.id)
            else:
                self.schedule.failed(lane, POLICY, self.now_s, self.now_s + 0.001)
            lane.held.discard(claimed.id)
            self.schedule.due(lane.subscription_id, 0)

    def wait(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)
        self.now_s += seconds

    def _claimed(self, name: str, delivery_id: str) -> Claimed:
        return Claimed(
            id=delivery_id,
            event_id="e",
            event_type="t",
            body_number=0,
            body="{}",
            attempts_made=0,
            created_at_ms=0,
            subscription=self.subscriptions[name],
        )


def test_one_target_does_not_take_every_slot() -> None:
    day = Day(concurrency=16)
    day.prove("long")
    day.publish("long", 100)
    day.publish("short", 1)

    assert "short-0" in day.send()


def test_a_workspace_with_a_long_queue_leaves_room_for_another() -> None:
    day = Day(concurrency=16)
    for number in range(50):
        day.publish(f"hog-{number}", 20, workspace="hog")
    day.send()
    day.publish("guest", 1, workspace="guest")

    assert day.send() == ["guest-0"]


def test_a_target_that_failed_is_asked_one_request_at_a_time_and_after_a_pause() -> None:
    day = Day()
    day.prove("down")
    day.publish("down", 10)
    assert len(day.send()) == 4
    day.answer(well=False)

    assert day.send() == []
    for pause_s in (1, 2, 4, 8, 16, 30, 30):
        day.wait(pause_s - 0.1)
        assert day.send() == [], pause_s
        day.wait(0.1)
        assert len(day.send()) == 1, pause_s
        day.answer(well=False)


def test_a_target_of_which_nothing_is_known_is_asked_one_request_at_a_time() -> None:
    day = Day()
    day.publish("new", 10)
    assert day.send() == ["new-0"]
    day.answer(well=True)
    assert len(day.send()) == 4


def test_after_a_start_targets_that_answered_go_before_those_that_failed_or_are_new() -> None:
    """What the database says of ten thousand dead targets and one good one is known before anything is claimed."""
    day = Day(concurrency=16)
    for number in range(10_000):
        name = f"dead-{number}"
        day.subscriptions[name] = replace(FIRST, id=name, consecutive_failures=5 if number % 2 else 0)
        day.queues[name] = [f"{name}-0"]
        day.schedule.seen(Waiting(name, "ws", 0, 5 if number % 2 else 0, is_answering=False))
    for _ in range(10):
        day.send()
        day.wait(QUICK_S)
    day.subscriptions["good"] = replace(FIRST, id="good", answering_since_ms=1)
    day.queues["good"] = ["good-0"]
    day.schedule.seen(Waiting("good", "ws", 0, 0, is_answering=True))

    assert "good-0" in day.send()


def test_requests_that_fail_together_count_once() -> None:
    day = Day()
    day.prove("down")
    day.publish("down", 10)
    day.send()
    [lane] = {lane for lane, _ in day.on_the_wire}
    day.answer(well=False)

    assert lane.failures == 1


def test_a_target_that_answers_again_gets_everything_again() -> None:
    day = Day()
    day.prove("back")
    day.publish("back", 10)
    day.send()
    day.answer(well=False)
    day.wait(1)
    day.send()
    day.answer(well=True)

    assert len(day.send()) == 4


def test_receivers_that_hang_move_over_and_leave_the_quick_slots() -> None:
    day = Day(concurrency=16)
    for number in range(200):
        day.publish(f"hangs-{number}")
    reached = 0
    while sent := day.send():
        reached += len(sent)
        day.wait(QUICK_S)

    assert reached > 16
    assert reached <= 16 * (1 + SLOW_FACTOR)


def test_a_target_known_to_answer_is_served_while_ten_thousand_hang() -> None:
    """However many new targets hang, half of the slots and of the memory is for those that have answered."""
    day = Day(concurrency=16)
    day.publish("good", 1)
    day.send()
    day.answer("good")
    for number in range(10_000):
        day.publish(f"hangs-{number}")
    for _ in range(20):
        day.send()
        day.wait(QUICK_S)

    for _ in range(5):
        day.publish("good", 1)
        sent = day.send()
        assert [one for one in sent if one.startswith("good-")]
        day.answer("good")
        day.wait(QUICK_S)


def test_a_paced_target_is_sent_no_more_than_its_platform_takes() -> None:
    day = Day()
    day.publish("zap", 100, target_url="https://hooks.zapier.com/hooks/catch/1/a")
    sent = 0
    for _ in range(100):
        sent += len(day.send())
        day.answer()
        day.wait(0.01)

    assert 24 <= sent <= 26


def test_the_pace_holds_over_an_empty_queue() -> None:
    """A steady trickle empties the queue after each event; the rhythm must not be forgotten with it."""
    day = Day()
    sent = 0
    for _ in range(100):
        day.publish("zap", 1, target_url="https://hooks.zapier.com/hooks/catch/1/a")
        sent += len(day.send())
        day.answer()
        day.wait(0.01)

    assert 24 <= sent <= 26


def test_what_is_held_in_memory_has_a_limit() -> None:
    day = Day(concurrency=4)
    for number in range(300):
        day.prove(f"s-{number}")
    for number in range(300):
        day.publish(f"s-{number}", 100)
    day.send()

    held = sum(len(lane.held) for lane in day.schedule._lanes.values())
    assert held <= HELD_LIMIT + len(day.on_the_wire)


def test_after_forgetting_nothing_claimed_before_is_sent() -> None:
    day = Day()
    day.prove("changed")
    day.publish("changed", 50)
    day.send()
    day.queues["changed"] = []
    day.schedule.forget("changed")
    day.answer("changed", well=False)
    day.wait(60)

    assert day.send() == []


def test_a_lane_of_which_nothing_can_be_sent_is_left_alone_longer_and_longer_and_up_to_a_minute() -> None:
    """What was under way together met the same once."""
    day = Day()
    day.prove("sealed")
    day.publish("sealed", 10)
    for pause_s in (1, 2, 4, 8, 16, 32, 60, 60):
        assert len(day.send()) == 4
        for lane, claimed in day.on_the_wire:
            day.schedule.ended(lane, claimed)
            day.schedule.hindered(lane, claimed)
        day.on_the_wire.clear()
        day.wait(pause_s - 0.01)
        assert day.send() == [], pause_s
        day.wait(0.01)
    day.send()
    [(lane, claimed), *_] = day.on_the_wire
    day.schedule.ended(lane, claimed)
    day.schedule.hindered(lane, claimed)
    assert day.send() == []
    day.schedule.forget("sealed")
    assert day.send(), "what has changed is tried at once"


def test_a_wall_clock_that_steps_back_does_not_stop_the_engines_time() -> None:
    day = Day()
    before_ms = day.schedule.now()
    day.now_ms -= 3_600_000
    assert day.schedule.now() == before_ms
    day.wait(5)
    assert day.schedule.now() == before_ms + 5_000
    assert day.schedule.behind_ms() == 3_600_000
    day.schedule.set_back(3_600_000)
    assert day.schedule.now() == day.now_ms


@pytest.mark.parametrize("steps_ms", [(HOUR_MS, -HOUR_MS), (-HOUR_MS, HOUR_MS), (TEN_YEARS_MS, -TEN_YEARS_MS)])
def test_after_a_step_forth_and_back_the_engines_time_is_right_again(steps_ms: tuple[int, ...]) -> None:
    day = Day()
    for step_ms in steps_ms:
        day.now_ms += step_ms
        day.schedule.now()
        day.wait(1)
    assert day.schedule.now() == day.now_ms


@given(st.lists(st.tuples(st.integers(-10_000_000, 10_000_000), st.integers(0, 600), st.booleans()), max_size=20))
def test_however_the_clock_is_set_what_was_put_off_is_sent_when_its_time_has_passed(
    steps: list[tuple[int, int, bool]],
) -> None:
    """A failed target gets its pause; whatever the clock does meanwhile, it is asked again when that has passed."""
    day = Day()
    day.now_ms = 1_700_000_000_000
    day.schedule.set_back(0)
    day.publish("down", 5)
    for step_ms, wait_s, obey in steps:
        day.send()
        day.answer(well=False)
        day.now_ms += step_ms
        day.wait(wait_s)
        if obey and (by_ms := day.schedule.behind_ms()):
            day.schedule.set_back(by_ms)
    if by_ms := day.schedule.behind_ms():
        day.schedule.set_back(by_ms)
    day.wait(POLICY.schedule_s[0] + 1)
    assert len(day.send()) + len(day.on_the_wire) >= 1


def test_the_pace_and_the_pause_of_a_target_are_set_back_with_the_clock() -> None:
    day = Day()
    day.publish("zap", 3, target_url="https://hooks.zapier.com/hooks/catch/1/a")
    day.now_ms += HOUR_MS
    assert len(day.send()) == 1
    day.answer()
    day.now_ms -= HOUR_MS
    day.schedule.set_back(day.schedule.behind_ms())
    day.wait(0.05)
    assert len(day.send()) == 1


def test_timers_of_a_paced_lane_with_a_late_retry_do_not_gather() -> None:
    """Each request that its pace holds up sets a time earlier than that of the retry, which has its own already."""
    day = Day()
    day.prove("zap", target_url="https://hooks.zapier.com/hooks/catch/1/a")
    retry_at_ms, highest = day.now_ms + 6 * HOUR_MS, 0
    for _ in range(10_000):
        day.store("zap", 2)
        day.schedule.due("zap", 0)
        for _ in range(2):
            assert len(day.send()) == 1
            for lane, claimed in day.on_the_wire:
                day.schedule.ended(lane, claimed)
                day.schedule.succeeded(lane)
                lane.held.discard(claimed.id)
                day.queues["zap"].remove(claimed.id)
                day.schedule.due("zap", retry_at_ms)
            day.on_the_wire.clear()
            day.wait(0.05)
        highest = max(highest, len(day.schedule._timers))
    assert highest <= 2 + SPARE_TIMERS


def test_timers_of_lanes_that_were_emptied_by_hand_do_not_gather() -> None:
    """A retry that was hours away is made by hand, and the lane is let go; the next failure makes another."""
    day = Day()
    for _ in range(1_000):
        day.publish("a")
        day.send()
        for lane, claimed in day.on_the_wire:
            day.schedule.ended(lane, claimed)
            day.schedule.put_back(lane, claimed, day.now_ms + 6 * HOUR_MS)
            day.queues["a"].remove(claimed.id)
        day.on_the_wire.clear()
        day.schedule.due("a", 0)
        day.send()  # nothing waits any more
        day.wait(1)
    assert len(day.schedule._timers) <= 2 + SPARE_TIMERS
    assert len(day.schedule._lanes) <= 1


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 50), st.booleans()), max_size=300))
def test_a_lane_is_looked_at_at_the_earliest_time_it_was_given_and_once(steps: list[tuple[int, int, bool]]) -> None:
    timers, now_ms = Timers(), 0
    lanes = [Lane("the same", 1) for _ in range(5)]  # lanes have no order, also when they fall due together
    wanted: dict[int, int] = {}
    for number, after_ms, look in steps:
        timers.at(lanes[number], now_ms + after_ms)
        wanted[number] = min(wanted.get(number, NEVER_MS), now_ms + after_ms)
        if look:
            now_ms += 10
            due = {number for number, at_ms in wanted.items() if at_ms <= now_ms}
            assert sorted(map(lanes.index, timers.take_due(now_ms))) == sorted(due)
            wanted = {number: at_ms for number, at_ms in wanted.items() if number not in due}
        assert len(timers) <= 2 * len(lanes) + SPARE_TIMERS
    assert timers.next_at_ms() <= min(wanted.values(), default=NEVER_MS)


def test_what_a_long_day_leaves_in_memory_has_a_bound() -> None:
    """Subscriptions come and go, answer and fail; once all is sent nothing is left of them but who answers."""
    day = Day()
    for number in range(300):
        name, workspace = f"s-{number}", f"ws-{number % 50}"
        day.publish(name, 3, workspace=workspace)
        for _ in range(4):
            day.send()
            day.answer(well=number % 3 > 0)
            day.wait(0.5)
    day.wait(60)
    while any(day.queues.values()):
        day.send()
        day.answer()
        day.wait(60)
    day.send()
    schedule = day.schedule
    assert (len(schedule._lanes), len(schedule._slots._quick_since)) == (0, 0)
    assert schedule._waiting._all._by_workspace == schedule._slots._slow._by_workspace == {}
    assert not schedule._ready
    assert not schedule._hungry
    assert len(schedule._timers) <= SPARE_TIMERS


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(1, 5), st.booleans()), max_size=60))
def test_room_that_was_taken_comes_back_whole(steps: list[tuple[str, bool, int, bool]]) -> None:
    room = Room(20)
    taken: list[tuple[str, Standing, int]] = []
    for workspace, proven, count, give_back in steps:
        standing = Standing.PROVEN if proven else Standing.NEW
        if give_back and taken:
            room.release(*taken.pop())
        elif room.room(workspace, standing) >= count:
            room.take(workspace, standing, count)
            taken.append((workspace, standing, count))
        assert sum(count for _, _, count in taken) <= 20
    for one in taken:
        room.release(*one)

    assert room.room("a", Standing.PROVEN) == 15
    assert room.room("a", Standing.NEW) == 7


def test_what_was_just_published_to_an_answering_target_needs_no_claim() -> None:
    day = Day()
    day.prove("a")
    assert day.send() == []
    delivery_id = day.hand_over("a")
    assert day.schedule.next_claims() == []
    assert day.send() == [delivery_id]


def test_a_target_of_which_nothing_is_known_is_claimed_for() -> None:
    """The claim tells how it has been doing."""
    day = Day()
    day.subscriptions["a"], day.queues["a"] = replace(FIRST, id="a"), []
    delivery_id = day.hand_over("a")
    [(lane, want)] = day.schedule.next_claims()
    assert (want.subscription_id, want.held) == ("a", frozenset())
    day.schedule.claim_failed(lane, day.now_ms)
    assert day.send() == [delivery_id]


def test_a_target_that_failed_is_claimed_for_until_it_answers() -> None:
    day = Day()
    day.prove("a")
    day.send()
    day.hand_over("a")
    day.send()
    day.answer(well=False)
    day.hand_over("a")
    assert day.send() == []
    day.wait(2)
    assert len(day.send()) == 1


@given(st.lists(st.sampled_from(["hand over", "publish elsewhere", "send", "answer"]), max_size=60))
def test_what_is_handed_over_is_sent_once_among_what_is_claimed(steps: list[str]) -> None:
    day = Day(concurrency=16)
    day.prove("a")
    sent: list[str] = []
    for step in steps:
        match step:
            case "hand over":
                day.hand_over("a")
            case "publish elsewhere":
                day.store("a", 40)
                day.schedule.due("a", 0)
            case "send":
                sent += day.send()
            case "answer":
                day.answer()
    while day.queues["a"]:
        sent += day.send()
        day.answer()
    assert len(sent) == len(set(sent)) == day.stored
