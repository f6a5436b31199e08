"""The planner's ticks with 100,000 connections, and what two hours of outage take to make up for.

Time is moved by the database's clock; between ticks all jobs are done, which is not measured.
"""

from __future__ import annotations

import asyncio
import time

from benchmarks.jobs.servers import postgres
from syncline.scheduling.schedule import Hourly
from syncline.settings import Settings
from syncline.store.database import Connection, Database
from syncline.sync.scheduler import Scheduler

__all__ = ["measure_planner"]

_CONNECTIONS = 100_000
_WORKSPACES = 1_000
_TICKS = 200
_OUTAGE_SECONDS = 2 * 3600.0


def measure_planner(connections: int = _CONNECTIONS) -> None:
    """Measure once, and print."""
    with postgres() as environment:
        asyncio.run(_measure(Settings.from_environment(environment), connections))


async def _measure(settings: Settings, connections: int) -> None:
    async with Database(settings) as database, database.connection() as db:
        await _make(db, connections)
        scheduler = Scheduler(database, Hourly(), ["files"])
        started = time.perf_counter()
        await scheduler.run_once(db)
        first = time.perf_counter() - started
        await _do_all(db)
        started = time.perf_counter()
        await scheduler.run_once(db)
        planned = time.perf_counter() - started
        await _do_all(db)

        now, ticks, due = 0.0, [], 0
        for _ in range(_TICKS):
            now += 1
            await _move_clock(db, now)
            started = time.perf_counter()
            due += await scheduler.run_once(db)
            ticks.append(time.perf_counter() - started)
            await _do_all(db)
        ticks.sort()

        await _move_clock(db, now + _OUTAGE_SECONDS)
        # The second session that the scheduler opens believes so, too.
        database.parameters["options"] += f" -c syncline.clock_shift={now + _OUTAGE_SECONDS}s"
        started = time.perf_counter()
        late = await scheduler.run_once(db)
        outage = time.perf_counter() - started
        await _check_one_job_each(db, connections, late)
        waiting = []
        for n in range(_TICKS):
            await _move_clock(db, now + _OUTAGE_SECONDS + n)
            started = time.perf_counter()
            await scheduler.run_once(db)
            waiting.append(time.perf_counter() - started)
        waiting.sort()
        await _do_all(db)
        started = time.perf_counter()
        await scheduler.run_once(db)
        again = time.perf_counter() - started

    print(f"The planner, {connections:,} connections in {_WORKSPACES:,} workspaces, every hour")
    for what, seconds in (
        ("a tick, p50", ticks[len(ticks) // 2]),
        ("a tick, p95", ticks[int(len(ticks) * 0.95)]),
        ("a tick, the longest (a slot of many)", ticks[-1]),
        ("the same while all have a job that waits, p95", waiting[int(len(waiting) * 0.95)]),
        ("all connections new: first slots and jobs", first),
        ("all jobs done at once: next slots", planned),
        ("after two hours of outage: one job each", outage),
        ("and when they are done: next slots", again),
    ):
        print(f"  {what:46} {seconds * 1000:10,.1f} ms")
    print(f"  due a tick: {due / _TICKS:.1f}\n", flush=True)


async def _make(db: Connection, connections: int) -> None:
    await db.execute(
        "INSERT INTO workspaces (name) SELECT 'tenant ' || n FROM generate_series(1, %s) n",
        (_WORKSPACES,),
    )
    await db.execute(
        "INSERT INTO connections (workspace_id, kind, name, source, options, options_version)"
        " SELECT w.id, 'files', 'source ' || n, 'https://host-' || n || '.example.com/', '{}', 1"
        " FROM (SELECT id, row_number() OVER (ORDER BY id) AS nth FROM workspaces) w,"
        " generate_series(1, %s) n WHERE n %% %s = w.nth %% %s",
        (connections, _WORKSPACES, _WORKSPACES),
    )


async def _do_all(db: Connection) -> None:
    await db.execute("DELETE FROM jobs")


async def _move_clock(db: Connection, seconds: float) -> None:
    await db.execute("SELECT set_config('syncline.clock_shift', %s, false)", (f"{seconds} s",))


async def _check_one_job_each(db: Connection, connections: int, late: int) -> None:
    found = await db.execute("SELECT count(*), count(DISTINCT connection_id) FROM jobs")
    assert (late, *(await found.fetchone() or ())) == (connections, connections, connections)
