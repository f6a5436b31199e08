"""What the service's port tells: metrics of the whole database, and whether it can work."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg

from syncline.core.errors import DatabaseUnavailable
from syncline.core.redaction import redact
from syncline.settings import Settings
from syncline.store.database import Connection, Database
from syncline.store.gauges_read import queue_depths, read_lags, read_numbers, troubles_by_kind
from syncline.sync.health import read_health
from syncline.sync.report import Report
from syncline.telemetry.metrics import ConnectionGauge, Gauges, Metrics

__all__ = ["Watch", "read_gauges"]

_MOST_CONNECTIONS = 20
"""Connections with labels of their own: more would make a scrape as large as the database."""
_KEPT_SECONDS = 5.0


async def read_gauges(db: Connection, settings: Settings, *, with_default: bool) -> Gauges:
    """How everything stands now."""
    health = await read_health(db, settings, None, with_default=with_default)
    lags = await read_lags(db, with_default=with_default, most=_MOST_CONNECTIONS)
    oldest, runs, waiting = await read_numbers(db)
    worst = [
        ConnectionGauge(each.workspace, redact(each.connection), each.lag, each.age)
        for each in lags.worst
    ]
    return Gauges(
        jobs=await queue_depths(db),
        oldest_ready=oldest,
        runs=runs,
        connections=lags.connections,
        worst=worst,
        other_lag=max(0.0, lags.lag - sum(each.lag for each in worst)),
        other_freshness=max(0.0, lags.age - sum(each.freshness for each in worst)),
        troubles=await troubles_by_kind(db),
        health=health.state.exit_code,
        greatest_lag=health.lag,
        error_rate=health.error_rate,
        stuck=health.stuck,
        events_waiting=waiting,
    )


@dataclass(slots=True)
class Watch:
    """One service's metrics. What is read from the database is kept for five seconds."""

    database: Database
    settings: Settings
    with_default: bool
    clock: Callable[[], float] = time.monotonic
    metrics: Metrics = field(default_factory=Metrics)
    _kept: tuple[float, Gauges] | None = None

    def count(self, report: Report) -> None:
        """A run of this process has ended."""
        code = None if report.error is None else str(report.error.get("code"))
        self.metrics.count_run(
            report.kind,
            state=report.state.value,
            seconds=report.seconds,
            counts=report.counts,
            error=code,
        )

    async def scrape(self) -> bytes:
        """The text of `/metrics`."""
        now = self.clock()
        if self._kept is None or now - self._kept[0] > _KEPT_SECONDS:
            try:
                async with self.database.connection() as db:
                    gauges = await read_gauges(db, self.settings, with_default=self.with_default)
            except (psycopg.Error, DatabaseUnavailable):
                return self.metrics.render(None)
            self._kept = (now, gauges)
        return self.metrics.render(self._kept[1])

    async def trouble(self) -> str | None:
        """Why nothing can be done now."""
        try:
            async with self.database.connection() as db:
                await db.execute("SELECT 1")
        except (psycopg.Error, DatabaseUnavailable):
            return "the database does not answer"
        return None
