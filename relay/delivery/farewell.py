"""Farewell: tells a platform that Relay has ended a hook, so that the flow behind it is paused and not left waiting.

Zapier is told by a `DELETE` of the target. Whoever ends hooks stores what is to be told in the same commit, also the
command line; the server looks for it. A platform that unsubscribes or answers 410 knows already, and is told nothing.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import structlog

from relay.core.errors import NotSent, TargetError
from relay.core.model import DeadReason, DeliveryState, SignedRequest
from relay.core.retry import RetryPolicy, judge
from relay.delivery.clocks import StepBack
from relay.delivery.jobs import Chore
from relay.delivery.report import host_of, reason_of
from relay.outbound.post import Poster
from relay.outbound.target import parse_target
from relay.store import farewells
from relay.store.database import Database

LOOK_S = 2.0
PUT_BACK_MS = 10_000
"""How long to wait when this machine could not send."""
HOST = "hooks.zapier.com"
"""Whose catch URLs, and those of the hosts below it, take a farewell."""

log = structlog.get_logger()


def takes_farewell(target_url: str) -> bool:
    """Whether the platform behind a target wants to be told."""
    try:
        host = parse_target(target_url).host
    except TargetError:
        return False
    return host == HOST or host.endswith(f".{HOST}")


class Farewells:
    """Says what is due. `policy` says how often, and how long it waits between."""

    def __init__(
        self, database: Database, clock: Callable[[], int], sender: Poster, policy: RetryPolicy, timeout_s: float
    ) -> None:
        self._database = database
        self._clock = clock
        self._sender = sender
        self._policy = policy
        self._timeout_s = timeout_s
        self._step_back = StepBack(clock)
        self._stopping = False
        self.chore = Chore("say-farewell", LOOK_S, self.say_due, stop=self.stop)

    async def say_due(self) -> None:
        """One after the other: nobody waits for it."""
        if by_ms := self._step_back.look():
            await self._database.write(farewells.set_back(self._clock(), by_ms))
        if not await self._database.read(farewells.any_due(self._clock())):
            return
        waits_s = self._policy.schedule_s
        while not self._stopping:
            self._step_back.see()
            claimed = await self._database.write(farewells.claim(self._clock(), waits_s))
            if claimed is None:
                return
            try:
                await self._say(claimed)
            except (NotSent, asyncio.CancelledError) as error:
                # For a reason of our own, be it that the server stops: it was no try.
                pause_ms = PUT_BACK_MS if isinstance(error, NotSent) else 0
                await self._database.write(farewells.put_back(claimed.target_url, self._clock() + pause_ms))
                if isinstance(error, NotSent):
                    return  # the others would not be sent either
                raise

    async def stop(self, grace_s: float) -> None:
        """Say no other; the one that is being said has the grace to end."""
        self._stopping = True

    async def _say(self, farewell: farewells.Farewell) -> None:
        # Whose hook it was is not known any more; nobody else has anything of this one.
        owner_id = farewell.subscription_id
        outcome = await self._sender.post(
            SignedRequest(farewell.target_url, (), b"", self._timeout_s, owner_id, "DELETE")
        )
        spread = random.uniform(-1, 1)  # noqa: S311 - jitter is no secret
        verdict = judge(outcome, self._policy, attempt=farewell.attempts_made, now_ms=self._clock(), spread=spread)
        if verdict.retry_at_ms is not None:
            await self._database.write(farewells.put_off(farewell.target_url, verdict.retry_at_ms))
            return
        await self._database.write(farewells.done(farewell.target_url))
        if verdict.state is DeliveryState.DEAD and verdict.dead_reason is not DeadReason.GONE:
            log.warning(
                "Zapier could not be told that a hook has ended",
                host=host_of(farewell.target_url),
                subscription_id=farewell.subscription_id,
                reason=reason_of(outcome),
                next="turn its Zap off there",
            )
