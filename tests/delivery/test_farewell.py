"""Telling a platform that Relay has ended a hook: one DELETE, through the guard, tried a few times, then forgotten."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from relay.core.conditions import Condition
from relay.core.errors import NotSent
from relay.core.model import Outcome, SignedRequest, Subscription, SubscriptionState
from relay.core.retry import JITTER, RetryPolicy
from relay.delivery.farewell import PUT_BACK_MS, Farewells, takes_farewell
from relay.delivery.jobs import Jobs
from relay.outbound.guard import Allowed, Guard
from relay.outbound.post import Poster
from relay.outbound.resolve import Resolver
from relay.store import farewells, subscriptions, workspaces
from relay.store.database import Row, Steps, statement, work
from relay.store.sqlite import SqliteDatabase, open_sqlite
from tests.receiver import Receiver

START_MS = 1_600_000_000_000
POLICY = RetryPolicy(
    (30, 600), client_errors_are_final=False, switch_off_after=25, switch_off_to=SubscriptionState.DISABLED
)
ZAPIER = "hooks.zapier.com"


class World:
    """A file with a workspace, a clock that is moved by hand, and a network on which Zapier is at this machine."""

    def __init__(self, database: SqliteDatabase, workspace_id: str) -> None:
        self.database = database
        self.workspace_id = workspace_id
        self.now_ms = START_MS

    def farewells(self, allowed: str = f"127.0.0.1,{ZAPIER}", address: str = "127.0.0.1") -> Farewells:
        sender = Poster(Guard(Allowed.parse(allowed)), resolver=Resolver(lambda host: [address], threads=1))
        return Farewells(self.database, lambda: self.now_ms, sender, POLICY, timeout_s=0.5)

    def hook(self, target_url: str, hook_id: str = "zapier-0000000000000001") -> Subscription:
        return Subscription(
            id=hook_id,
            workspace_id=self.workspace_id,
            api="rest_hooks",
            target_url=target_url,
            event_filter=("clip.approved",),
            secret="sealed",
            created_at_ms=self.now_ms,
            updated_at_ms=self.now_ms,
        )

    async def ended(self, target_url: str) -> None:
        await self.database.write(farewells.add(self.hook(target_url), self.now_ms))

    async def is_forgotten(self) -> bool:
        return not await self.database.read(farewells.any_due(2**62))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_sqlite(tmp_path / "relay.db", serve=True) as database:
        workspace, _ = await database.write(workspaces.ensure("default", START_MS))
        yield World(database, workspace.id)


Open = Callable[..., Farewells]


@pytest.fixture
async def opened(world: World) -> AsyncIterator[Open]:
    """`world.farewells(…)`, closed at the end."""
    async with AsyncExitStack() as stack:

        def open_(*args: str) -> Farewells:
            made = world.farewells(*args)
            stack.push_async_callback(made._sender.close)
            return made

        yield open_


async def test_it_is_a_delete_of_the_very_target(world: World, opened: Open, receiver: Receiver) -> None:
    """Without a body, said once."""
    path = "/ok/standard/1/%7Ea/?x=%2F&y="
    await world.ended(receiver.url(path, host=ZAPIER))
    saying = opened()
    for _ in range(3):
        await saying.say_due()
        world.now_ms += 3600_000
    [request] = receiver.received()
    assert (request.method, request.path, request.body) == ("DELETE", path, b"")
    assert request.header("host") == f"{ZAPIER}:{receiver.port}"
    assert request.header("content-length") == "0"
    assert (request.header("user-agent") or "").startswith("Relay/")
    assert await world.is_forgotten()


@pytest.mark.parametrize(
    ("target_url", "takes"),
    [
        ("https://hooks.zapier.com/hooks/standard/1/a/", True),
        ("https://HOOKS.Zapier.com:443/x", True),
        ("https://eu.hooks.zapier.com/x", True),
        ("https://hooks.zapier.com./x", True),
        ("https://zapier.com/x", False),
        ("https://nothooks.zapier.com/x", False),
        ("https://hooks.zapier.com.example.com/x", False),
        ("https://example.com/hooks.zapier.com", False),
        ("https://hook.eu1.make.com/x", False),
        ("https://n8n.example.com/webhook/1", False),
        ("http://10.0.0.1/hooks.zapier.com", False),
        ("hooks.zapier.com", False),
    ],
)
def test_only_zapiers_catch_urls_take_one(target_url: str, takes: bool) -> None:
    assert takes_farewell(target_url) is takes


async def test_one_that_fails_is_tried_by_the_schedule_and_then_forgotten(
    world: World, opened: Open, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the log names the hook, not its target."""
    target_url = receiver.url("/status/503?token=canary", host=ZAPIER)
    await world.ended(target_url)
    saying = opened()
    for tries, wait_s in enumerate((*POLICY.schedule_s, 3600), 1):
        await saying.say_due()
        await saying.say_due()
        assert len(receiver.received()) == tries
        world.now_ms += round(wait_s * (1 - JITTER) * 1000) - 1
        await saying.say_due()
        assert len(receiver.received()) == tries
        world.now_ms += round(wait_s * 2 * JITTER * 1000) + 1
    assert await world.is_forgotten()
    assert {request.method for request in receiver.received()} == {"DELETE"}
    logged = capsys.readouterr().out
    assert logged.count("zapier-0000000000000001") == 1
    assert "canary" not in logged


@pytest.mark.parametrize("failure", ["/status/500", "/redirect/307", "/reset", "/hang"])
async def test_after_a_failure_it_comes_again(world: World, opened: Open, receiver: Receiver, failure: str) -> None:
    """A redirect is not followed."""
    receiver.script("/hook", failure, "/ok")
    await world.ended(receiver.url("/hook", host=ZAPIER))
    saying = opened()
    await saying.say_due()
    assert not await world.is_forgotten()
    world.now_ms += 60_000
    await saying.say_due()
    assert [request.path for request in receiver.received()] == ["/hook", "/hook"]
    assert await world.is_forgotten()


async def test_what_this_machine_could_not_send_uses_up_no_try(world: World, receiver: Receiver) -> None:
    """However long that lasts; it is said as soon as it can be."""
    answers: list[Callable[[], list[str]]] = [no_descriptor] * 10 + [lambda: ["127.0.0.1"]]
    sender = Poster(
        Guard(Allowed.parse(f"127.0.0.1,{ZAPIER}")),
        resolver=Resolver(lambda host: answers.pop(0)(), threads=1),
    )
    saying = Farewells(world.database, lambda: world.now_ms, sender, POLICY, timeout_s=0.5)
    await world.ended(receiver.url("/ok", host=ZAPIER))
    for _ in range(11):
        assert receiver.received() == []
        await saying.say_due()
        await saying.say_due()
        world.now_ms += 10_000
    assert len(receiver.received()) == 1
    assert await world.is_forgotten()
    await saying._sender.close()


def no_descriptor() -> list[str]:
    raise OSError(errno.EMFILE, "Too many open files")


async def test_410_is_an_answer(
    world: World, opened: Open, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    """The platform knows already: nothing to try again, nothing to warn of."""
    await world.ended(receiver.url("/gone", host=ZAPIER))
    await opened().say_due()
    assert await world.is_forgotten()
    assert capsys.readouterr().out == ""


async def test_the_guard_judges_the_address(world: World, opened: Open, receiver: Receiver) -> None:
    """A name that is Zapier's and leads into a private network is not connected to, nor is plain http spoken."""
    for scheme, allowed in (("https", ""), ("http", ""), ("http", "127.0.0.2")):
        await world.ended(f"{scheme}://{ZAPIER}:{receiver.port}/hook")
        await opened(allowed).say_due()
        assert await world.is_forgotten()
    assert receiver.connections == 0


async def test_a_target_that_was_subscribed_again_is_told_nothing(
    world: World, opened: Open, receiver: Receiver
) -> None:
    """Its flow is on, and would be paused. Neither is one told that another hook goes to."""
    target_url = receiver.url("/hook", host=ZAPIER)
    await world.ended(target_url)
    again = world.hook(target_url, "zapier-0000000000000002")
    await world.database.write(subscriptions.add(again))
    await opened().say_due()
    assert await world.is_forgotten()
    await world.ended(target_url)
    assert await world.is_forgotten()
    assert receiver.requests == []

    await world.database.write(subscriptions.remove(again.workspace_id, again.id, again.api, world.now_ms))
    await world.ended(target_url)
    await opened().say_due()
    assert len(await receiver.wait_for(1)) == 1


async def test_hooks_that_went_to_one_target_are_one_farewell(world: World, opened: Open, receiver: Receiver) -> None:
    """And one that waits for its next try begins anew when another hook ends."""
    target_url = receiver.url("/hook", host=ZAPIER)
    receiver.script("/hook", "/status/500", "/status/500", "/ok")
    for _ in range(2):
        await world.ended(target_url)
    saying = opened()
    await saying.say_due()
    assert len(receiver.received()) == 1
    await world.ended(target_url)
    await saying.say_due()
    assert len(receiver.received()) == 2
    world.now_ms += 60_000
    await saying.say_due()
    assert len(receiver.received()) == 3
    assert await world.is_forgotten()


async def test_a_try_is_recorded_before_it_is_made(world: World) -> None:
    """A process that dies after each of them, or cannot record what came of them, does not go on for ever."""
    await world.ended(f"https://{ZAPIER}/hook")
    claims = 0
    while await world.database.write(farewells.claim(world.now_ms, POLICY.schedule_s)) is not None:
        claims += 1
        assert await world.database.write(farewells.claim(world.now_ms, POLICY.schedule_s)) is None
        world.now_ms += 3600_000
    assert claims == 1 + len(POLICY.schedule_s)
    assert await world.is_forgotten()


class Hindered(Poster):
    """Nothing can be sent, for a reason of our own."""

    tries = 0

    async def post(self, request: SignedRequest) -> Outcome:
        self.tries += 1
        raise NotSent("Too many open files", condition=Condition.DESCRIPTORS_SHORT)


async def test_what_could_not_be_said_for_a_reason_of_our_own_uses_up_no_try(world: World, receiver: Receiver) -> None:
    """However often; and it waits in between."""
    await world.ended(receiver.url("/ok", host=ZAPIER))
    sender = Hindered(Guard(Allowed.parse(ZAPIER)))
    hindered = Farewells(world.database, lambda: world.now_ms, sender, POLICY, timeout_s=0.5)
    for _ in range(5):
        await hindered.say_due()
        await hindered.say_due()
        world.now_ms += PUT_BACK_MS
    assert sender.tries == 5
    await hindered._sender.close()
    saying = world.farewells()
    await saying.say_due()
    await saying._sender.close()
    assert len(receiver.received()) == 1
    assert await world.is_forgotten()


async def test_what_is_being_said_at_the_stop_may_end_and_else_is_said_by_the_next_start(
    world: World, receiver: Receiver
) -> None:
    for number in range(3):
        receiver.script(f"/{number}", "/slow/0.3")
        await world.ended(receiver.url(f"/{number}", host=ZAPIER))
    saying = world.farewells()
    work = Jobs([replace(saying.chore, every_s=0.01)], lambda *_: None)
    work.start()
    await receiver.wait_for(1)
    await work.stop(5)
    await saying._sender.close()
    assert len(receiver.received()) == 1

    for number in range(3):
        receiver.script(f"/{number}", "/hang")
    hanging = world.farewells()
    work = Jobs([replace(hanging.chore, every_s=0.01)], lambda *_: None)
    work.start()
    await receiver.wait_for(2)
    await work.stop(0.05)
    await hanging._sender.close()
    left = await world.database.read(all_left())
    assert [row["attempts_made"] for row in left] == [0, 0], "what was cut off was no try"


@work
def all_left() -> Steps[Sequence[Row]]:
    return (yield statement("farewell_due", now=2**62, n=10))


@pytest.mark.parametrize("ahead_ms", [3_600_000, 3652 * 86_400_000])
async def test_one_that_waits_while_the_clock_is_set_back_waits_no_longer(
    world: World, opened: Open, receiver: Receiver, ahead_ms: int
) -> None:
    receiver.script("/hook", "/status/500", "/ok")
    world.now_ms += ahead_ms
    await world.ended(receiver.url("/hook", host=ZAPIER))
    saying = opened()
    await saying.say_due()
    world.now_ms -= ahead_ms
    await saying.say_due()
    world.now_ms += 34_000
    await saying.say_due()
    assert len(receiver.received()) == 2
    assert await world.is_forgotten()
