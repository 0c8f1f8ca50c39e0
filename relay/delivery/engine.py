"""The delivery engine: publish → drain → post → settle, put together and run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import structlog

from relay.core.conditions import Conditions
from relay.core.errors import StoreError
from relay.core.model import Claimed, DeadReason, Event, Outcome, SignedRequest
from relay.core.wire import Wire
from relay.delivery.clocks import DAY_MS, LEAST_STEP_MS, TrustedClock
from relay.delivery.drain import Drain
from relay.delivery.faults import Faults, Where
from relay.delivery.jobs import Chore, Jobs
from relay.delivery.publish import Published, Publisher
from relay.delivery.report import Report
from relay.delivery.settle import Recorded, Settled, Settler
from relay.delivery.sign import Signer
from relay.outbound.post import Poster
from relay.store import clock as stored_clock
from relay.store import deliveries, events, subscriptions, workspaces
from relay.store.database import Database, Work
from relay.store.secrets import Secrets
from relay.store.subscriptions import Removed

GRACE_S = 10.0
"""How long requests that are under way may take to end when the server stops."""
LOOK_S = 1.0
LANES_A_SECOND = 500
"""How many targets the safety net may look at a second: with more of them it looks less often."""
KEEP_TIME_S = 600.0
"""How often the time is stored as seen."""
EXPIRE_PAGE = 200

log = structlog.get_logger()


class Engine:
    """What the rest of Relay knows of delivering."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], int],
        secrets: Secrets,
        poster: Poster,
        wires: Mapping[str, Wire],
        *,
        timeout_s: float,
        concurrency: int,
        retention_days: int,
        conditions: Conditions,
        trusted: TrustedClock,
        report: Report,
        chores: Iterable[Chore] = (),
    ) -> None:
        """`clock` gives Unix milliseconds; `wires` are by the name of their API; `chores` run beside the engine's.

        What is deleted is deleted by the `trusted` clock.
        `report` is told what an operator has to know.
        """
        self._database = database
        self._clock = clock
        self._trusted = trusted
        self._poster = poster
        self._retention_ms = retention_days * DAY_MS
        self._longest_wait_ms = max(wire.retry.longest_wait_ms for wire in wires.values())
        self._publisher = Publisher(wires)
        self._faults = Faults(time.monotonic)
        self._settler = Settler(
            database,
            clock,
            self._on_settled,
            trusted=trusted,
            on_unrecorded=lambda one: self._drain.unrecorded(one),
            faults=self._faults,
        )
        signer = Signer(wires, secrets, timeout_s)
        self._report = report
        self._drain = Drain(
            database,
            clock,
            wires,
            signer,
            poster,
            self._settler,
            concurrency,
            conditions=conditions,
            faults=self._faults,
            on_ended=report.ended,
        )
        self._listeners: list[Callable[[Sequence[Settled]], None]] = []
        self._next_look_s = 0.0
        self._loops: list[asyncio.Task[None]] = []
        self._jobs = Jobs(
            [
                Chore("drain-tick", LOOK_S, self._look, may_be_cut=True),
                Chore("keep-time", KEEP_TIME_S, self._keep_time, may_be_cut=True),
                Chore("expire-idempotency", 600, self._expire_idempotency, may_be_cut=True),
                Chore("expire-events", 3600, self.expire_events, may_be_cut=True),
                Chore("forget-ended-secrets", 3600, self._forget_ended_secrets, may_be_cut=True),
                report.chore,
                *chores,
            ],
            report.chore_ran,
        )

    def check(self, event_type: str, payload: Mapping[str, Any]) -> None:
        """Raises InputError for an event that could not be delivered as it is; the message names the member."""
        self._publisher.check(event_type, payload)

    def publish(self, event: Event) -> Work[Published]:
        """Store an event with its deliveries, as a part of the transaction that caused it.

        After the commit call `send` with its deliveries; forgotten, they wait for the next look.
        """
        return self._publisher.publish(event)

    def send(self, published: Iterable[Claimed], *, by: str = "other", events: int = 1) -> None:
        """These deliveries were published and are committed: of so many events, even if nobody receives them.

        `by` names the API or producer that published them.
        """
        self._report.published(by, events)
        self._drain.send(published)

    def wake(self, subscription_ids: Iterable[str]) -> None:
        """Deliveries of these subscriptions may be due."""
        self._drain.wake(subscription_ids)

    def forget(self, subscription_id: str) -> None:
        """A subscription was changed, paused, resumed or removed: nothing more is sent as it was before."""
        self._drain.forget(subscription_id)

    def removed(self, removed: Removed) -> None:
        """A subscription was removed: nothing more is sent, and what waited for it dies."""
        self._report.ended(removed.subscription, DeadReason.UNSUBSCRIBED, removed.died)
        self._drain.forget(removed.subscription.id)

    async def post_now(self, request: SignedRequest) -> Outcome:
        """Send one request that is no delivery, for somebody who waits: nothing is stored, nothing is tried again."""
        return await self._poster.post(request)

    def on_settled(self, listener: Callable[[Sequence[Settled]], None]) -> None:
        """Be told of every batch of attempts after it is recorded. Must be quick."""
        self._listeners.append(listener)

    def on_fault(self, listener: Callable[[Where], None]) -> None:
        """Be told of every error of Relay's own while it delivers. Must be quick and must not raise."""
        self._faults.on_fault(listener)

    @property
    def under_way(self) -> int:
        """How many requests are on the wire."""
        return self._drain.under_way

    @property
    def running(self) -> bool:
        """Whether deliveries are being sent and recorded."""
        return bool(self._loops) and not any(loop.done() for loop in self._loops) and not self._drain.is_failing

    async def start(self) -> None:
        """Take up what waits, from before a crash too, and begin to send."""
        now_ms, seen_ms = self._clock(), await self._database.read(stored_clock.newest_seen())
        if seen_ms is not None:
            self._trusted.seen(seen_ms)
            if seen_ms - now_ms >= LEAST_STEP_MS:
                # Seen by a clock that was set back since: what was put off by its time would wait for longer.
                await self._database.write(deliveries.set_back(now_ms, seen_ms - now_ms, now_ms))
        # What is due later than any schedule puts it was put off while the clock was ahead.
        await self._database.write(deliveries.pull_in(now_ms, now_ms + self._longest_wait_ms))
        await self._drain.look()
        self._loops = [asyncio.create_task(self._settler.run()), asyncio.create_task(self._drain.run())]
        for loop in self._loops:
            loop.add_done_callback(_ended)
        self._jobs.start()

    async def stop(self, grace_s: float = GRACE_S) -> int:
        """Let what is under way end, record it, and stop. Safe to call when `start` failed or was never called.

        Returns how many requests were cut off.
        """
        if not self._loops:
            await self._poster.close()
            return 0
        settling, draining = self._loops
        draining.cancel()
        await asyncio.gather(draining, return_exceptions=True)
        _, cut_off = await asyncio.gather(self._jobs.stop(grace_s), self._drain.stop(grace_s))
        settling.cancel()
        await asyncio.gather(settling, return_exceptions=True)
        try:
            async with asyncio.timeout(2):
                await self._settler.flush()
                await self._keep_time()
        except TimeoutError:
            log.error(
                "the last attempts could not be recorded", next="their deliveries are sent again at the next start"
            )
        except StoreError as error:
            log.warning(
                "the time could not be kept",
                reason=error.message,
                next="the next start compares with an older one",
            )
        self._loops = []
        await self._poster.close()
        return cut_off

    def _on_settled(self, batch: Sequence[Settled], recorded: Recorded) -> None:
        self._drain.settled(batch, recorded)
        self._report.recorded(recorded)
        for listener in self._listeners:
            try:
                listener(batch)
            except Exception as error:
                self._faults.happened(Where.TELLING, error)

    async def _look(self) -> None:
        self._trusted()  # so that a jump is noticed when it happens, and not when something is to be deleted
        now_s = time.monotonic()
        if now_s >= self._next_look_s:
            self._next_look_s = now_s + await self._drain.look() / LANES_A_SECOND

    async def _keep_time(self) -> None:
        await self._database.write(stored_clock.keep(self._trusted.newest_ms))

    async def _expire_idempotency(self) -> None:
        while await self._database.write(events.expire_idempotency(self._trusted(), EXPIRE_PAGE)):
            pass

    async def _forget_ended_secrets(self) -> None:
        await self._database.write(subscriptions.forget_ended_secrets(self._clock()))

    async def expire_events(self) -> None:
        """Delete what is older than the retention, in small steps so that nobody waits behind it."""
        now_ms = self._trusted()
        for workspace in await self._database.read(workspaces.list_all()):
            after: str | None = ""
            while after is not None:  # every page is a commit of its own that others share
                after = await self._database.write(self._expire(workspace.id, now_ms, after))

    def _expire(self, workspace_id: str, now_ms: int, after: str) -> Work[str | None]:
        return events.expire(workspace_id, now_ms - self._retention_ms, now_ms, EXPIRE_PAGE, after)


def _ended(loop: asyncio.Task[None]) -> None:
    if not loop.cancelled() and (error := loop.exception()) is not None and not isinstance(error, StoreError):
        log.critical("the delivery engine stopped", exc_info=error)
