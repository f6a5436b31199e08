"""What Prometheus is told: what this process has done, and how the whole queue stands.

The names and labels are part of what users rely on; docs/howto/operate.md explains them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

__all__ = ["ConnectionGauge", "Gauges", "Metrics"]

_BUCKETS = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400)
_OUTCOMES = (
    "created",
    "updated",
    "moved",
    "unchanged",
    "filtered",
    "alias",
    "absent",
    "repeated",
    "failed",
    "deleted",
    "held",
)
_DEDUPLICATED = ("texts_shared", "alias", "repeated", "unchanged_by_content")
_CACHED = {
    "embeddings_reused": "embeddings",
    "unchanged_by_validators": "validators",
    "cache_hits": "responses",
}


class ConnectionGauge(Struct, frozen=True):
    """How one connection stands, in seconds."""

    workspace: str
    connection: str
    lag: float
    freshness: float


class Gauges(Struct, frozen=True):
    """How the whole database stands; the same from every process."""

    jobs: Mapping[str, int] = field(default_factory=dict)
    """By state."""
    oldest_ready: float = 0.0
    """Seconds that the job that has waited longest for a worker has waited."""
    runs: int = 0
    """Under way."""
    connections: int = 0
    """That run by themselves."""
    worst: Sequence[ConnectionGauge] = ()
    """The ones furthest behind, at most as many as there are labels for."""
    other_lag: float = 0.0
    """The sum of all others'."""
    other_freshness: float = 0.0
    troubles: Mapping[str, int] = field(default_factory=dict)
    """Open ones by kind."""
    health: int = 0
    """0 healthy, 1 degraded, 2 unhealthy."""
    greatest_lag: float = 0.0
    error_rate: float = 0.0
    stuck: int = 0
    events_waiting: int = 0
    """Deliveries of alerts that have not reached anybody yet."""


class Metrics:
    """One process's registry."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._gauges: Gauges | None = None
        self._registry.register(_Standing(self))
        self._duration = Histogram(
            "sync_duration_seconds",
            "How long runs took",
            ("kind", "state"),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._items = self._counter("items_processed", "Entries by what became of them", "outcome")
        self._errors = self._counter("sync_errors", "Failed runs and entries", "code")
        self._deduplicated = self._counter(
            "deduplication_hits", "Texts that were stored already, under whatever name", None
        )
        self._cached = self._counter("cache_hits", "What did not have to be made anew", "cache")
        self._requests = self._counter("source_requests", "Requests sent to sources", None)
        self._received = self._counter("source_received_bytes", "Bytes that sources sent", None)

    def _counter(self, name: str, text: str, label: str | None) -> Counter:
        labels = ("kind",) if label is None else ("kind", label)
        return Counter(name, text, labels, registry=self._registry)

    def count_run(
        self,
        kind: str,
        *,
        state: str,
        seconds: float,
        counts: Mapping[str, int],
        error: str | None,
    ) -> None:
        """A run of a connector of this kind has ended; `error` is the code of what failed it."""
        self._duration.labels(kind, state).observe(seconds)
        for outcome in _OUTCOMES:
            if counts.get(outcome):
                self._items.labels(kind, outcome).inc(counts[outcome])
        if error is not None:
            self._errors.labels(kind, error).inc()
        if counts.get("failed"):
            self._errors.labels(kind, "entry").inc(counts["failed"])
        if shared := sum(counts.get(name, 0) for name in _DEDUPLICATED):
            self._deduplicated.labels(kind).inc(shared)
        if counts.get("requests"):
            self._requests.labels(kind).inc(counts["requests"])
            self._received.labels(kind).inc(counts.get("received_bytes", 0))
        for name, cache in _CACHED.items():
            if counts.get(name):
                self._cached.labels(kind, cache).inc(counts[name])

    def render(self, gauges: Gauges | None) -> bytes:
        """The text of a scrape; without gauges where the database could not be asked."""
        self._gauges = gauges
        return generate_latest(self._registry)

    def standing(self) -> Iterable[Metric]:
        """The gauges of the scrape under way."""
        gauges = self._gauges
        yield _gauge("database_up", "Whether the database answered", float(gauges is not None))
        if gauges is None:
            return
        yield _by("jobs", "Jobs by state", "state", gauges.jobs)
        yield _gauge(
            "oldest_ready_job_seconds", "The longest wait for a worker", gauges.oldest_ready
        )
        yield _gauge("runs_under_way", "Runs under way", gauges.runs)
        yield _gauge("connections", "Connections that run by themselves", gauges.connections)
        yield _gauge("lag_seconds", "The greatest lag of a connection", gauges.greatest_lag)
        yield from _of_connections(gauges)
        yield _by("troubles", "Open troubles by kind", "kind", gauges.troubles)
        yield _gauge("health", "0 healthy, 1 degraded, 2 unhealthy", gauges.health)
        yield _gauge("error_rate", "The part of runs that failed lately", gauges.error_rate)
        yield _gauge("stuck_jobs", "Jobs that do not get on", gauges.stuck)
        yield _gauge("alerts_waiting", "Alerts not delivered yet", gauges.events_waiting)


class _Standing(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics.standing()

    def describe(self) -> Iterable[Metric]:
        return ()  # they are not asked for before there is a database


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"syncline_{name}", text, value=value)


def _by(name: str, text: str, label: str, values: Mapping[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"syncline_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _of_connections(gauges: Gauges) -> Iterable[Metric]:
    labels = ["workspace", "connection"]
    lag = GaugeMetricFamily(
        "syncline_connection_lag_seconds", "How far the worst are behind", labels=labels
    )
    freshness = GaugeMetricFamily(
        "syncline_connection_freshness_seconds", "How old the worst are", labels=labels
    )
    for each in gauges.worst:
        lag.add_metric([each.workspace, each.connection], each.lag)
        freshness.add_metric([each.workspace, each.connection], each.freshness)
    yield lag
    yield freshness
    yield _gauge("other_connections", "How many others", gauges.connections - len(gauges.worst))
    yield _gauge("other_connections_lag_seconds", "Their lags, summed", gauges.other_lag)
    yield _gauge(
        "other_connections_freshness_seconds", "Their ages, summed", gauges.other_freshness
    )
