"""What `syncline up`, `worker` and `scheduler` run: built from the settings, and wired up."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from syncline.bootstrap import build_tools
from syncline.core.jobs import ClaimedJob, Outcome
from syncline.engines.embedded import EmbeddedEngine
from syncline.scheduling.default import default_schedule
from syncline.scheduling.schedule import Schedule
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.sync.report import Report
from syncline.sync.run import Tools
from syncline.sync.scheduler import Scheduler
from syncline.sync.sync_job import SYNC, sync_handler

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

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set, and what runs has been given back. Raises `ConfigurationError`."""
        schedule = default_schedule(self.settings)
        tools = replace(build_tools(self.settings, environ=os.environ), database=self.database)
        try:
            await self._run(stop, schedule, tools)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None  # the others were cancelled for it
        finally:
            await tools.pool.close()

    async def _run(self, stop: asyncio.Event, schedule: Schedule, tools: Tools) -> None:
        async with asyncio.TaskGroup() as group:
            if self.scheduler:
                kinds = sorted(tools.opener.registry.kinds())
                scheduler = Scheduler(self.database, schedule, kinds, on_trouble=self.on_trouble)
                group.create_task(scheduler.run(stop))
            if self.worker:
                engine = EmbeddedEngine(
                    self.database,
                    {SYNC: sync_handler(tools, self.on_report)},
                    self.concurrency or self.settings.batch_size,
                    per_key=self.settings.runs_per_host,
                    on_ended=self.on_ended,
                    on_trouble=self.on_trouble,
                )
                group.create_task(engine.run(stop))
