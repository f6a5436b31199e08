"""The scheduler: gives connections their next slots, and makes jobs of those that are due.

Any number may run, on any machines: each of its steps is a statement that takes what it changes,
so that two of them share the work and do nothing twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby

import psycopg

from syncline.core.errors import DatabaseUnavailable, UsageError
from syncline.core.model import ConnectionId, WorkspaceId
from syncline.scheduling.adaptive import RunFact
from syncline.scheduling.due import Facts, next_due
from syncline.scheduling.schedule import Adaptive, Manual, Schedule
from syncline.scheduling.text import parse
from syncline.store import jobs, planner
from syncline.store.database import Connection, Database
from syncline.store.outage import Outage
from syncline.store.planner import Unplanned

__all__ = ["Scheduler"]

_TICK_SECONDS = 1.0
_RESCUE_TICKS = 3
"""A worker that had no session twice, so many seconds apart, is dead: a cut one is back by then."""
_HISTORY = 50
_IN_VAIN = 2
"""Pages of connections, none of which wants a slot, after which a tick ends its search."""


@dataclass(slots=True)
class Scheduler:
    """Ticks until it is told to stop."""

    database: Database
    default: Schedule
    """Of connections that have none of their own."""
    kinds: Sequence[str]
    """All kinds of sources, in the order in which they are staggered."""
    on_trouble: Callable[[str], None] = field(default=lambda message: None)
    _place: planner.Place = planner.START
    _gone: set[str] = field(default_factory=set)

    async def run(self, stop: asyncio.Event) -> None:
        """Once a second; a database that went away is waited for."""
        ticks = 0
        outage = Outage(self.database, "The scheduler lost the database", self.on_trouble)
        while not stop.is_set():
            try:
                async with await self.database.connect(application="syncline scheduler") as db:
                    while not stop.is_set():
                        await self.run_once(db, rescue=ticks % _RESCUE_TICKS == 0)
                        outage.over()
                        ticks += 1
                        await _until(stop, _TICK_SECONDS)
            except (psycopg.OperationalError, DatabaseUnavailable) as error:
                await outage.sit_out(error, stop)

    async def run_once(self, db: Connection, *, rescue: bool = True) -> int:
        """One tick; how many connections became due."""
        if rescue:
            gone = await jobs.gone_workers(db)
            dead, self._gone = gone & self._gone, gone
            for row in await jobs.rescue(db, only=dead):
                self.on_trouble(f"Job {row['id']} is {row['state']}: {row['error']['message']}")
        await jobs.promote(db)
        await self._plan_all(db)
        return await self._make_due(db)

    async def _make_due(self, db: Connection) -> int:
        """Make jobs of all that is due. What came together over hours, two sessions share."""
        due = await planner.tick(db)
        if due < planner.PAGE:
            return due

        async def make_some(own: Connection) -> int:
            made = 0
            while found := await planner.tick(own):
                made += found
            return made

        async with await self.database.connect(application="syncline scheduler") as second:
            both = await asyncio.gather(make_some(db), make_some(second), return_exceptions=True)
        for made in both:
            if isinstance(made, BaseException):
                raise made
            due += made
        return due

    async def _plan_all(self, db: Connection) -> None:
        """Look for what has no next slot: all of it, or in vain at so many connections.

        Where very many have jobs that live, a tick looks at some, and the next one goes on there.
        """
        in_vain, first = 0, self._place
        with_default = not isinstance(self.default, Manual)
        while True:
            rows, place = await planner.unplanned(db, with_default=with_default, after=self._place)
            self._place = place or planner.START
            if not rows or not await self._plan(db, rows):
                in_vain += 1
            if in_vain >= _IN_VAIN or (place is None and first == planner.START):
                return
            if place is None:
                first = planner.START  # what lies before where we began

    async def _plan(self, db: Connection, rows: Sequence[Unplanned]) -> int:
        """Give these their next slots; how many got one."""
        slots = []
        for workspace, of_one in groupby(rows, key=lambda row: row.workspace_id):
            group = list(of_one)
            schedules = {row.id: self._schedule(row) for row in group}
            adaptive = [id_ for id_, each in schedules.items() if isinstance(each, Adaptive)]
            history = await self._history(db, workspace, adaptive)
            for row in group:
                rank = self.kinds.index(row.kind) if row.kind in self.kinds else 0
                facts = Facts(
                    row.workspace_id,
                    row.id,
                    kind_rank=rank,
                    kinds=max(1, len(self.kinds)),
                    last_slot=row.last_slot,
                    history=history.get(row.id, ()),
                )
                due = next_due(schedules[row.id], facts, now=row.now)
                if due is not None:
                    slots.append((row.workspace_id, row.id, due))
        if slots:
            await planner.set_due(db, slots)
        return len(slots)

    def _schedule(self, row: Unplanned) -> Schedule:
        if row.schedule is None:
            return self.default
        try:
            return parse(row.schedule)
        except UsageError as error:  # written by a newer version
            self.on_trouble(f"The schedule of connection {row.id} is not understood: {error}")
            return self.default

    async def _history(
        self, db: Connection, workspace: WorkspaceId, connections: Sequence[ConnectionId]
    ) -> dict[int, list[RunFact]]:
        found: dict[int, list[RunFact]] = {}
        if not connections:
            return found
        for run in await planner.past_runs(db, workspace, connections, most=_HISTORY):
            found.setdefault(run.connection_id, []).append(
                RunFact(run.started_at, run.listed, run.changed, run.failed, run.done)
            )
        return found


async def _until(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
