"""Syncline's own engine, with a kind of job that does nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time

from benchmarks.jobs.scripts.commands import main, run_processes
from benchmarks.jobs.scripts.scorecard import note
from syncline.core.jobs import ClaimedJob, Done, NewJob, Outcome
from syncline.engines.embedded import EmbeddedEngine
from syncline.settings import Settings
from syncline.store import jobs
from syncline.store.database import Database
from syncline.store.workspaces import make_workspace

_CONCURRENCY = int(os.environ.get("CONCURRENCY", "50"))
_BATCH = 1000
_GAP_SECONDS = 0.03
_WORKSPACES = 10


async def _noop(job: ClaimedJob, stop: asyncio.Event) -> Outcome:
    sent = job.payload.get("sent")
    note(sent if isinstance(sent, float) else None)
    return Done()


def _prepare() -> None:
    async def empty() -> None:
        async with Database(Settings.from_environment()) as database, database.connection() as db:
            await db.execute("DELETE FROM jobs")

    asyncio.run(empty())


def _enqueue(count: int) -> None:
    async def send() -> None:
        async with Database(Settings.from_environment()) as database, database.connection() as db:
            names = [f"tenant {n}" for n in range(_WORKSPACES)]
            workspaces = [await make_workspace(db, name) for name in names]
            for start in range(0, count, _BATCH):
                some = range(start, min(start + _BATCH, count))
                batch = [NewJob(workspaces[n % _WORKSPACES], "noop") for n in some]
                await jobs.enqueue(db, batch)

    asyncio.run(send())


def _work() -> None:
    run_processes([sys.executable, "-m", __spec__.name, "worker"], 2)


def _worker() -> None:
    async def work() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        async with Database(Settings.from_environment()) as database:
            await EmbeddedEngine(database, {"noop": _noop}, _CONCURRENCY).run(stop)

    asyncio.run(work())


def _ask(count: int) -> None:
    async def send() -> None:
        async with Database(Settings.from_environment()) as database, database.connection() as db:
            workspace = await make_workspace(db, "tenant 0")
            for _ in range(count):
                await jobs.enqueue(db, [NewJob(workspace, "noop", {"sent": time.monotonic()})])
                await asyncio.sleep(_GAP_SECONDS)

    asyncio.run(send())


def _left() -> int:
    async def look() -> int:
        async with Database(Settings.from_environment()) as database, database.connection() as db:
            row = await (await db.execute("SELECT count(*) FROM jobs")).fetchone()
            assert row is not None
            return int(row[0])

    return asyncio.run(look())


if __name__ == "__main__":
    if sys.argv[1:] == ["worker"]:
        _worker()
    else:
        main(prepare=_prepare, enqueue=_enqueue, work=_work, ask=_ask, left=_left)
