"""What `syncline up`, `worker` and `scheduler` run: built from the settings, and wired up."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from syncline.bootstrap import build_tools
from syncline.core.jobs import ClaimedJob, Outcome
from syncline.engines.embedded import EmbeddedEngine
from syncline.engines.meter import SystemMeter
from syncline.engines.throttle import Limits, Throttle
from syncline.scheduling.default import default_schedule
from syncline.scheduling.schedule import Manual, Schedule
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.parts import PARTITION
from syncline.sync.alert_channels import build_channels
from syncline.sync.alerts import Alerts
from syncline.sync.maintenance.service import Upkeep
from syncline.sync.report import Report
from syncline.sync.run import Tools
from syncline.sync.scheduler import Scheduler
from syncline.sync.shared import partition_handler
from syncline.sync.sync_job import RECONCILE, SYNC, sync_handler

if TYPE_CHECKING:
    from syncline.sync.watch import Watch

__all__ = ["Service"]


@dataclass(slots=True)
class Service:
    """A scheduler, a worker, or both, in this process, on an open database."""

    settings: Settings
    database: Database
    scheduler: bool = True
    worker: bool = True
    concurrency: int | None = None
    """Jobs at once; None: what the settings say."""
    on_report: Callable[[Report], None] = field(default=lambda report: None)
    on_ended: Callable[[ClaimedJob, Outcome, str], None] = field(
        default=lambda job, outcome, state: None
    )
    on_trouble: Callable[[str], None] = field(default=lambda message: None)
    _watch: Watch | None = None

    async def run(
        self, stop: asyncio.Event, *, on_ready: Callable[[str | None], None] = lambda where: None
    ) -> None:
        """Until `stop` is set, and what runs has been given back. Raises `ConfigurationError`.

        `on_ready` is told when work begins, and the address that the service is watched at.
        """
        schedule = default_schedule(self.settings)
        if self.settings.metrics_port is None:
            on_ready(None)
            await self._work(stop, schedule)
            return
        from syncline.sync.watch import Watch
        from syncline.telemetry.endpoint import open_endpoint

        watch = Watch(self.database, self.settings, with_default=not isinstance(schedule, Manual))
        self._watch = watch
        async with open_endpoint(
            self.settings.metrics_host,
            self.settings.metrics_port,
            metrics=watch.scrape,
            trouble=watch.trouble,
        ) as where:
            on_ready(where)
            await self._work(stop, schedule)

    async def _work(self, stop: asyncio.Event, schedule: Schedule) -> None:
        tools = replace(build_tools(self.settings, environ=os.environ), database=self.database)
        try:
            await self._run(stop, schedule, tools)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None  # the others were cancelled for it
        finally:
            await tools.pool.close()

    def _reported(self, report: Report) -> None:
        self.on_report(report)
        if self._watch is not None:
            self._watch.count(report)

    async def _run(self, stop: asyncio.Event, schedule: Schedule, tools: Tools) -> None:
        async with asyncio.TaskGroup() as group:
            if self.scheduler:
                channels = build_channels(self.settings)
                kinds = sorted(tools.opener.registry.kinds())
                scheduler = Scheduler(self.database, schedule, kinds, on_trouble=self.on_trouble)
                group.create_task(scheduler.run(stop))
                alerts = Alerts(
                    self.database,
                    channels,
                    self.settings.alert_every,
                    on_trouble=self.on_trouble,
                )
                group.create_task(alerts.run(stop))
                upkeep = Upkeep(
                    self.database,
                    self.settings,
                    tools.embedder,
                    with_default=not isinstance(schedule, Manual),
                    registry=tools.opener.registry,
                    on_trouble=self.on_trouble,
                )
                group.create_task(upkeep.run(stop))
            if self.worker:
                throttle = Throttle(_limits(self.settings), self.on_trouble)
                sync = sync_handler(tools, self._reported)
                engine = EmbeddedEngine(
                    self.database,
                    {SYNC: sync, RECONCILE: sync, PARTITION: partition_handler(tools)},
                    self.concurrency or self.settings.batch_size,
                    per_key=self.settings.runs_per_host,
                    hold_back=lambda: throttle.short,
                    on_ended=self.on_ended,
                    on_trouble=self.on_trouble,
                )
                server = self.database.server
                meter = SystemMeter(
                    server=server.pid if server is not None else lambda: None,
                    ours=throttle.limits.ours_mb is not None,
                )
                group.create_task(engine.run(stop))
                group.create_task(throttle.watch(meter, stop))


def _limits(settings: Settings) -> Limits:
    return Limits(
        memory=settings.memory_percent / 100,
        ours_mb=settings.max_memory_mb,
        others=settings.cpu_percent / 100,
    )
