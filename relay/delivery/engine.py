"""The delivery engine: publish → drain → post → settle, put together and run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog

from relay.core.errors import StoreError
from relay.core.model import Claimed, Event, Outcome, SignedRequest
from relay.core.wire import Wire
from relay.delivery.drain import Drain
from relay.delivery.jobs import Chore, Jobs
from relay.delivery.post import Poster
from relay.delivery.publish import Published, Publisher
from relay.delivery.settle import Settled, Settler
from relay.delivery.sign import Signer
from relay.store import deliveries, events, workspaces
from relay.store.database import Database, Work
from relay.store.secrets import Secrets

GRACE_S = 10.0
"""How long requests that are under way may take to end when the server stops."""
LOOK_S = 1.0
LANES_A_SECOND = 500
"""How many targets the safety net may look at a second: with more of them it looks less often."""
EXPIRE_PAGE = 200
DAY_MS = 86_400_000

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
        chores: Iterable[Chore] = (),
    ) -> None:
        """`clock` gives Unix milliseconds; `wires` are by the name of their API; `chores` run beside the engine's."""
        self._database = database
        self._clock = clock
        self._poster = poster
        self._retention_ms = retention_days * DAY_MS
        self._longest_wait_ms = max(wire.retry.longest_wait_ms for wire in wires.values())
        self._publisher = Publisher(wires)
        self._settler = Settler(database, clock, self._on_settled)
        signer = Signer(wires, secrets, timeout_s)
        self._drain = Drain(database, clock, wires, signer, poster, self._settler, concurrency)
        self._listeners: list[Callable[[Sequence[Settled]], None]] = []
        self._next_look_s = 0.0
        self._loops: list[asyncio.Task[None]] = []
        self._jobs = Jobs(
            [
                Chore("drain-tick", LOOK_S, self._look),
                Chore("expire-idempotency", 600, self._expire_idempotency),
                Chore("expire-events", 3600, self.expire_events),
                *chores,
            ]
        )

    def publish(self, event: Event) -> Work[Published]:
        """Store an event with its deliveries, as a part of the transaction that caused it.

        After the commit call `send` with its deliveries; forgotten, they wait for the next look.
        """
        return self._publisher.publish(event)

    def send(self, published: Iterable[Claimed]) -> None:
        """These deliveries were published and are committed."""
        self._drain.send(published)

    def wake(self, subscription_ids: Iterable[str]) -> None:
        """Deliveries of these subscriptions may be due."""
        self._drain.wake(subscription_ids)

    def forget(self, subscription_id: str) -> None:
        """A subscription was changed, paused, resumed or removed: nothing more is sent as it was before."""
        self._drain.forget(subscription_id)

    async def post_now(self, request: SignedRequest) -> Outcome:
        """Send one request that is no delivery, for somebody who waits: nothing is stored, nothing is tried again."""
        return await self._poster.post(request)

    def on_settled(self, listener: Callable[[Sequence[Settled]], None]) -> None:
        """Be told of every batch of attempts after it is recorded. Must be quick and must not raise."""
        self._listeners.append(listener)

    @property
    def under_way(self) -> int:
        """How many requests are on the wire."""
        return self._drain.under_way

    @property
    def running(self) -> bool:
        return bool(self._loops) and not any(loop.done() for loop in self._loops)

    async def start(self) -> None:
        """Take up what waits, from before a crash too, and begin to send."""
        now_ms = self._clock()
        # What is due later than any schedule puts it was put off while the clock was ahead.
        await self._database.write(deliveries.pull_in(now_ms, now_ms + self._longest_wait_ms))
        await self._drain.look()
        self._loops = [asyncio.create_task(self._settler.run()), asyncio.create_task(self._drain.run())]
        for loop in self._loops:
            loop.add_done_callback(_ended)
        self._jobs.start()

    async def stop(self, grace_s: float = GRACE_S) -> None:
        """Let what is under way end, record it, and stop. Safe to call when `start` failed or was never called."""
        if not self._loops:
            await self._poster.close()
            return
        self._jobs.stop()
        settling, draining = self._loops
        draining.cancel()
        await asyncio.gather(draining, return_exceptions=True)
        await self._drain.stop(grace_s)
        settling.cancel()
        await asyncio.gather(settling, return_exceptions=True)
        try:
            async with asyncio.timeout(2):
                await self._settler.flush()
        except TimeoutError:
            log.error("the last attempts could not be recorded; their deliveries are sent again at the next start")
        self._loops = []
        await self._poster.close()

    def _on_settled(self, batch: Sequence[Settled], switched_off: Sequence[str]) -> None:
        self._drain.settled(batch, switched_off)
        for listener in self._listeners:
            listener(batch)

    async def _look(self) -> None:
        now_s = time.monotonic()
        if now_s >= self._next_look_s:
            self._next_look_s = now_s + await self._drain.look() / LANES_A_SECOND

    async def _expire_idempotency(self) -> None:
        while await self._database.write(events.expire_idempotency(self._clock(), EXPIRE_PAGE)):
            pass

    async def expire_events(self) -> None:
        """Delete what is older than the retention, in small steps so that nobody waits behind it."""
        before_ms = self._clock() - self._retention_ms
        for workspace in await self._database.read(workspaces.list_all()):
            after: str | None = ""
            while after is not None:  # every page is a commit of its own that others share
                after = await self._database.write(events.expire(workspace.id, before_ms, EXPIRE_PAGE, after))


def _ended(loop: asyncio.Task[None]) -> None:
    if not loop.cancelled() and (error := loop.exception()) is not None and not isinstance(error, StoreError):
        log.critical("the delivery engine stopped", exc_info=error)
