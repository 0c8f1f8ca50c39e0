"""How the queue, the subscriptions, the database and the installation stand when Prometheus asks.

Counting a million waiting deliveries takes a tenth of a second, and `/metrics` is open to everybody. So what has to be
counted is counted beside the writer, at most once a second, by one request for all that ask meanwhile, and so seldom
that it takes about a hundredth of the time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from relay.core.conditions import Condition, Conditions
from relay.core.errors import StoreError
from relay.store import deliveries, subscriptions
from relay.store.database import Database, Steps, work
from relay.store.subscriptions import Standing

KEEP_S = 1.0
REST = 99
"""How many times as long as counting took it is not done again,"""
KEEP_LIMIT_S = 60.0
"""but no longer than this."""
COUNT_TIMEOUT_S = 10.0
COUNTED_FOR = "metrics"
"""It waits its turn as the list of a workspace does: no look-up stands behind it."""


class Counted(NamedTuple):
    """What was counted in the database."""

    pending: int
    targets: int
    oldest_due_at_ms: int | None
    standings: list[Standing]


@work
def count() -> Steps[Counted]:
    """Count all of it."""
    waiting = yield from deliveries.waiting()
    return Counted(
        pending=(yield from deliveries.pending()),
        targets=len(waiting),
        oldest_due_at_ms=min((one.due_at_ms for one in waiting), default=None),
        standings=(yield from subscriptions.standings()),
    )


class Gauges(Collector):
    """A part of the registry; `refresh` before its text is made."""

    def __init__(
        self,
        registry: CollectorRegistry,
        database: Callable[[], Database],
        clock: Callable[[], int],
        conditions: Callable[[], Conditions | None],
        apis: Sequence[str],
    ) -> None:
        """`clock` gives Unix milliseconds; what is asked for at each scrape may be made after this."""
        self._database = database
        self._clock = clock
        self._conditions = conditions
        self._apis = apis
        self._counted: Counted | None = None
        self._again_at_s = 0.0
        self._one_at_a_time = asyncio.Lock()
        registry.register(self)

    async def refresh(self) -> None:
        """Count again, if it is time to. While the database cannot be read, the last figures stand."""
        async with self._one_at_a_time:
            started_s = time.monotonic()
            if started_s < self._again_at_s:
                return
            try:
                async with asyncio.timeout(COUNT_TIMEOUT_S):
                    self._counted = await self._database().read(count(), list_of=COUNTED_FOR)
            except (StoreError, TimeoutError):
                pass
            now_s = time.monotonic()
            self._again_at_s = now_s + min(KEEP_LIMIT_S, max(KEEP_S, REST * (now_s - started_s)))

    def describe(self) -> Iterable[Metric]:
        """Nothing is asked of an application that is still being made."""
        return ()

    def collect(self) -> Iterator[Metric]:
        if self._counted is not None:
            yield from self._of_counted(self._counted)
        sizes = self._database().sizes()
        yield _gauge("relay_database_bytes", "Size of the database file.", sizes.database)
        yield _gauge("relay_database_wal_bytes", "Size of its write-ahead log.", sizes.wal)
        conditions = self._conditions()
        if conditions is not None:
            holds = GaugeMetricFamily("relay_condition", "1 while it holds.", labels=["condition"])
            for condition in Condition:
                holds.add_metric([condition.key], 1 if conditions.holds(condition) else 0)
            yield holds

    def _of_counted(self, counted: Counted) -> Iterator[Metric]:
        yield _gauge("relay_deliveries_pending", "Deliveries that wait for an attempt.", counted.pending)
        yield _gauge("relay_targets_waiting", "Subscriptions that deliveries wait for.", counted.targets)
        due_ms = 0 if counted.oldest_due_at_ms is None else max(0, self._clock() - counted.oldest_due_at_ms)
        help_text = "How long the delivery that has been due the longest has been."
        yield _gauge("relay_oldest_due_seconds", help_text, due_ms / 1000)
        found = {one.api: one for one in counted.standings}
        states = GaugeMetricFamily("relay_subscriptions", "Subscriptions by state.", labels=["api", "state"])
        for api in self._apis:
            one = found.get(api, Standing(api, 0, 0, 0))
            for state in ("active", "paused", "disabled"):
                states.add_metric([api, state], getattr(one, state))
        yield states


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_text, value=value)
