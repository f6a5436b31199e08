"""procrastinate on the PostgreSQL that Syncline uses, in a schema of its own, its rows kept."""

from __future__ import annotations

import asyncio
import os
import sys
import time

import procrastinate
import psycopg

from benchmarks.jobs.scripts.commands import main, run_processes
from benchmarks.jobs.scripts.scorecard import note

_CONCURRENCY = 10
_GAP_SECONDS = 0.03
_CONNINFO = os.environ["PEER_DATABASE"]

app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=_CONNINFO))


@app.task(name="noop")
async def noop(sent: float | None = None) -> None:
    """Nothing."""
    note(sent)


def _prepare() -> None:
    with psycopg.connect(_CONNINFO, autocommit=True) as db:
        db.execute("DROP SCHEMA IF EXISTS procrastinate CASCADE")
        db.execute("CREATE SCHEMA procrastinate")

    async def apply() -> None:
        async with app.open_async():
            await app.schema_manager.apply_schema_async()

    asyncio.run(apply())


def _enqueue(count: int) -> None:
    async def send() -> None:
        async with app.open_async():
            for start in range(0, count, 1000):
                await noop.batch_defer_async(*({} for _ in range(min(1000, count - start))))

    asyncio.run(send())


def _work() -> None:
    run_processes([sys.executable, "-m", __spec__.name, "worker"], 2)


def _worker() -> None:
    async def work() -> None:
        async with app.open_async():
            await app.run_worker_async(concurrency=_CONCURRENCY)

    asyncio.run(work())


def _ask(count: int) -> None:
    async def send() -> None:
        async with app.open_async():
            for _ in range(count):
                await noop.defer_async(sent=time.monotonic())
                await asyncio.sleep(_GAP_SECONDS)

    asyncio.run(send())


def _left() -> int:
    with psycopg.connect(_CONNINFO) as db:
        found = db.execute(
            "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
        )
        row = found.fetchone()
        assert row is not None
        return int(row[0])


if __name__ == "__main__":
    if sys.argv[1:] == ["worker"]:
        _worker()
    else:
        main(prepare=_prepare, enqueue=_enqueue, work=_work, ask=_ask, left=_left)
