"""Tallies: what happens for every event is counted in plain numbers, which are put together when somebody asks.

A counter of prometheus_client takes a lock and looks at its labels each time: that cost more than signing does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

DURATIONS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_BOUNDS = [*map(str, DURATIONS_S), "+Inf"]


class Tally:
    """How often something happened and how long it took. For one thread."""

    __slots__ = ("_spans", "_sum_s", "count")

    def __init__(self) -> None:
        self.count = 0
        self._spans = [0] * len(_BOUNDS)
        self._sum_s = 0.0

    def add(self, seconds: float | None) -> None:
        """It happened, and took so long; None when that is not known."""
        self.count += 1
        if seconds is not None:
            self._spans[bisect_left(DURATIONS_S, seconds)] += 1
            self._sum_s += seconds

    def add_all(self, other: Tally) -> None:
        self.count += other.count
        self._spans = [mine + its for mine, its in zip(self._spans, other._spans, strict=True)]
        self._sum_s += other._sum_s

    def into(self, family: HistogramMetricFamily, labels: tuple[str, ...]) -> None:
        """Put the durations into a family of Prometheus."""
        reached, buckets = 0, []
        for bound, count in zip(_BOUNDS, self._spans, strict=True):
            reached += count
            buckets.append((bound, float(reached)))
        family.add_metric(labels, buckets, self._sum_s)


class Tallies(Collector):
    """A counter of what happens, by labels of which the last says how it ended, and a histogram by the others."""

    def __init__(self, counter: tuple[str, str], durations: tuple[str, str], labels: tuple[str, ...]) -> None:
        """`counter` and `durations` are a name and its help."""
        self._counter = counter
        self._durations = durations
        self._labels = labels
        self._tallies: dict[tuple[str | int, ...], Tally] = {}

    def add(self, labels: tuple[str | int, ...], seconds: float | None) -> None:
        """It happened; how long it took, None when that is not known."""
        tally = self._tallies.get(labels)
        if tally is None:
            tally = self._tallies[labels] = Tally()
        tally.add(seconds)

    def collect(self) -> Iterator[Metric]:
        counter = CounterMetricFamily(*self._counter, labels=self._labels)
        durations = HistogramMetricFamily(*self._durations, labels=self._labels[:-1])
        totals: dict[tuple[str, ...], Tally] = {}
        for key, tally in self._tallies.items():
            labels = tuple(map(str, key))
            counter.add_metric(labels, tally.count)
            totals.setdefault(labels[:-1], Tally()).add_all(tally)
        for labels, total in totals.items():
            total.into(durations, labels)
        yield counter
        yield durations
