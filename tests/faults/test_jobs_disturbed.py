"""What happens around jobs that run: clocks that jump, connections to the database that are cut."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from syncline.core.jobs import Done, NewJob, Snooze
from syncline.core.model import WorkspaceId
from syncline.settings import Settings
from syncline.store import jobs
from syncline.store.connections import add_connection
from syncline.store.database import Connection, Database
from syncline.store.jobs_read import list_jobs
from syncline.store.runs_read import list_runs
from syncline.store.workspaces import make_workspace
from syncline.sync.sync_job import SYNC, sync_handler
from tests.support.job_worker import start_worker
from tests.support.queue import claim, empty_queue, shift_clock
from tests.support.state import assert_consistent
from tests.support.syncs import open_tools, syncs_of
from tests.support.world import World

pytestmark = pytest.mark.usefixtures("forked_workers")
_HOUR = 3600.0
_CONNECTIONS = 10
_CUTS = 3


@pytest.fixture
async def workspace(db: Connection, workspace_name: str) -> AsyncIterator[WorkspaceId]:
    await empty_queue(db)
    yield await make_workspace(db, workspace_name)
    await empty_queue(db)


async def test_a_clock_that_jumps_an_hour_ahead_loses_a_run_once(
    db: Connection,
    server_settings: Settings,
    workspace_name: str,
    workspace: WorkspaceId,
    tmp_path: Path,
) -> None:
    """Its lease has lapsed by the new time, though its worker lives: the job is given to another,
    who leaves the run alone that is still held. When that one has ended, it is done; once."""
    world = World(tmp_path / "world.json")
    world.put("a", "text")
    async with open_tools(server_settings) as tools, Database(server_settings) as other:
        row = (await syncs_of(tools, workspace_name, world, "scripted-listing")).row
        handle = sync_handler(tools, lambda report: None)
        await jobs.hold_worker(db, "us")
        await jobs.enqueue(db, [NewJob(row.workspace_id, SYNC, connection_id=row.id)])
        (first,) = await claim(db)
        async with other.connection() as lock, lock.transaction():
            await lock.execute("LOCK TABLE contents IN EXCLUSIVE MODE")
            running = asyncio.ensure_future(handle(first, asyncio.Event()))
            async with asyncio.timeout(30):
                while not await list_runs(db, row.workspace_id):  # noqa: ASYNC110 - the run says so
                    await asyncio.sleep(0.01)
            await shift_clock(db, _HOUR)
            assert [each["id"] for each in await jobs.rescue(db)] == [first.id]
            (second,) = await claim(db)
            outcome = await handle(second, asyncio.Event())
            assert isinstance(outcome, Snooze)
            assert await jobs.rescue(db) == []  # its lease is by the new time
            await jobs.finish(db, [(second, outcome)])
            running.cancel()  # as its engine does, when it renews its leases
        assert isinstance((await asyncio.gather(running, return_exceptions=True))[0], BaseException)
        assert await jobs.finish(db, [(first, Done())]) == {}
        await shift_clock(db, _HOUR + 60)
        await jobs.promote(db)
        (third,) = await claim(db)
        assert third.attempts == 2  # one for what was lost
        assert await handle(third, asyncio.Event()) == Done()
        assert [run.state for run in await list_runs(db, row.workspace_id)] == [
            "done",
            "interrupted",
        ]


async def test_connections_that_are_cut_again_and_again_cost_no_job(
    db: Connection,
    server_settings: Settings,
    workspace_name: str,
    workspace: WorkspaceId,
    tmp_path: Path,
) -> None:
    """Two workers under load lose all their sessions several times: every connection is synced as
    if nothing had happened, and none has become a dead letter for it."""
    wanted = []
    for n in range(_CONNECTIONS):
        world = World(tmp_path / f"world-{n}.json")
        world.put_many({f"page{page}": f"what page {page} of {n} says" for page in range(3)})
        row = await add_connection(
            db,
            workspace,
            kind="scripted-listing",
            name=f"source {n}",
            source=str(world.path),
            options=world.options,
            options_version=1,
        )
        wanted.append(NewJob(workspace, SYNC, connection_id=row.id))
    await jobs.enqueue(db, wanted)
    workers = [start_worker(server_settings, output=subprocess.DEVNULL) for _ in "12"]
    cuts = 0
    try:
        async with asyncio.timeout(90):
            states = ["waiting", "ready", "running"]
            while (left := await list_jobs(db, workspace, states=states)) or cuts < _CUTS:
                if not left:  # they were quicker than we
                    await jobs.enqueue(db, wanted)
                busy = [job for job in left if job.state != "waiting"]
                if cuts < _CUTS and any(job.state == "running" for job in busy):
                    cuts += await _cut(db)
                    while await jobs.gone_workers(db):  # noqa: ASYNC110 - until they are back
                        await asyncio.sleep(0.05)
                if left and not busy:
                    await shift_clock(db, 120)
                    await jobs.promote(db)
                    await shift_clock(db, 0)
                await asyncio.sleep(0.1)
        assert cuts == _CUTS
        assert [worker.poll() for worker in workers] == [None, None]
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
    assert await list_jobs(db, workspace, states=()) == []
    found = await db.execute(
        "SELECT count(*), count(DISTINCT connection_id) FROM documents WHERE workspace_id = %s"
        " AND state = 'live'",
        (workspace,),
    )
    assert await found.fetchone() == (3 * _CONNECTIONS, _CONNECTIONS)
    await assert_consistent(db, workspace_name)


async def _cut(db: Connection) -> bool:
    """End every session of the workers and of their runs; whether there was a run's."""
    found = await db.execute(
        "SELECT bool_or(application_name LIKE 'syncline run %%'), count(pg_terminate_backend(pid))"
        " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND application_name LIKE 'syncline%%'"
    )
    row = await found.fetchone()
    return bool(row and row[0])
