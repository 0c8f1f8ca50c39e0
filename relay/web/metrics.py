"""The numbers Prometheus collects from this process, in a registry of their own for each application."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_DURATIONS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Made once for an application. Labelled children are kept: finding one by its labels costs more than counting."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "relay_requests", "HTTP requests answered.", ("api", "operation", "status"), registry=self.registry
        )
        self._request_seconds = Histogram(
            "relay_request_seconds",
            "From the headers of a request to its answer.",
            ("api", "operation"),
            buckets=_DURATIONS_S,
            registry=self.registry,
        )
        self._events = Counter("relay_events_published", "Events accepted.", registry=self.registry)
        self._deliveries = Counter(
            "relay_delivery_attempts",
            "Attempts by outcome: success, retry or dead.",
            ("api", "outcome"),
            registry=self.registry,
        )
        self._delivery_seconds = Histogram(
            "relay_delivery_seconds",
            "How long a receiver took to answer.",
            ("api",),
            buckets=_DURATIONS_S,
            registry=self.registry,
        )
        self._under_way = Gauge("relay_deliveries_under_way", "Requests on the wire.", registry=self.registry)
        self._faults = Counter(
            "relay_faults",
            "Errors of Relay's own while it delivers, by what it was at: claiming, sending, recording or telling.",
            ("at",),
            registry=self.registry,
        )
        self._request_children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._delivery_children: dict[tuple[str, str], tuple[Counter, Histogram]] = {}

    def answered(self, api: str, operation: str, status: int, seconds: float) -> None:
        """An HTTP request got its answer. `operation` is an operation id, never a path: paths have no bound."""
        key = (api, operation, status)
        children = self._request_children.get(key)
        if children is None:
            children = self._requests.labels(api, operation, str(status)), self._request_seconds.labels(api, operation)
            self._request_children[key] = children
        children[0].inc()
        children[1].observe(seconds)

    def published(self, count: int = 1) -> None:
        """So many events were accepted."""
        self._events.inc(count)

    def attempted(self, api: str, outcome: str, latency_ms: int | None) -> None:
        """A delivery was tried; `outcome` is success, retry or dead."""
        key = (api, outcome)
        children = self._delivery_children.get(key)
        if children is None:
            children = self._deliveries.labels(api, outcome), self._delivery_seconds.labels(api)
            self._delivery_children[key] = children
        children[0].inc()
        if latency_ms is not None:
            children[1].observe(latency_ms / 1000)

    def under_way(self, count: int) -> None:
        """So many requests to receivers are on the wire now."""
        self._under_way.set(count)

    def faulted(self, at: str) -> None:
        """An error of Relay's own happened while it delivered; `at` is claiming, sending, recording or telling."""
        self._faults.labels(at).inc()

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)
