"""The numbers Prometheus collects from this process, in a registry of their own for each application."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from relay.delivery.faults import Where
from relay.web.tallies import Tallies

# A second line for each counter, with the time it was made: nobody asks for those.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """Made once for an application. Labelled children are kept: finding one by its labels costs more than counting."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Tallies(
            ("relay_requests", "HTTP requests answered."),
            ("relay_request_seconds", "From the headers of a request to its answer."),
            ("api", "operation", "status"),
        )
        self._attempts = Tallies(
            ("relay_delivery_attempts", "Attempts by outcome: success, retry or dead."),
            ("relay_delivery_seconds", "How long a receiver took to answer."),
            ("api", "outcome"),
        )
        for tallies in (self._requests, self._attempts):
            self.registry.register(tallies)
        self._events = Counter(
            "relay_events_published",
            "Events published by this process, by the API or producer that did.",
            ("by",),
            registry=self.registry,
        )
        self._died = Counter(
            "relay_deliveries_died", "Deliveries given up, by reason.", ("api", "reason"), registry=self.registry
        )
        self._chore_runs = Counter("relay_chore_runs", "Runs of a chore.", ("chore",), registry=self.registry)
        self._chore_failures = Counter(
            "relay_chore_failures", "Runs of a chore that failed.", ("chore",), registry=self.registry
        )
        self._under_way = Gauge("relay_deliveries_under_way", "Requests on the wire.", registry=self.registry)
        self._faults = Counter(
            "relay_faults",
            "Errors of Relay's own while it delivers, by what it was at: claiming, sending, recording or telling.",
            ("at",),
            registry=self.registry,
        )
        for where in Where:  # at 0 from the start: an alarm on the increase must see the first
            self._faults.labels(where.value)
        self._event_children: dict[str, Counter] = {}
        ProcessCollector(registry=self.registry)

    def answered(self, api: str, operation: str, status: int, seconds: float) -> None:
        """An HTTP request got its answer. `operation` is an operation id, never a path: paths have no bound."""
        self._requests.add((api, operation, status), seconds)

    def published(self, by: str, events: int) -> None:
        """So many events are committed; `by` is an API or a producer."""
        child = self._event_children.get(by)
        if child is None:
            child = self._event_children[by] = self._events.labels(by)
        child.inc(events)

    def died(self, api: str, reason: str, deliveries: int) -> None:
        """So many deliveries were given up."""
        self._died.labels(api, reason).inc(deliveries)

    def chore_ran(self, chore: str, *, failed: bool) -> None:
        """A chore has run. Its failures are there from the first run on, so that their rate can be watched."""
        self._chore_runs.labels(chore).inc()
        self._chore_failures.labels(chore).inc(1 if failed else 0)

    def attempted(self, api: str, outcome: str, latency_ms: int | None) -> None:
        """A delivery was tried; `outcome` is success, retry or dead."""
        self._attempts.add((api, outcome), None if latency_ms is None else latency_ms / 1000)

    def under_way(self, count: int) -> None:
        """So many requests to receivers are on the wire now."""
        self._under_way.set(count)

    def faulted(self, at: str) -> None:
        """An error of Relay's own happened while it delivered; `at` is claiming, sending, recording or telling."""
        self._faults.labels(at).inc()

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)
