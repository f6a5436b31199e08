"""One run per connection and lane at a time, whoever comes second."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from psutil import Process  # type: ignore[import-untyped]

from syncline.core.errors import RunInProgress
from syncline.core.jobs import ClaimedJob, Dead
from syncline.core.model import Mode, RunState
from syncline.settings import Settings
from syncline.store.database import Connection
from syncline.store.runs import close_run, open_run
from syncline.store.runs_read import find_run, list_runs
from syncline.store.timetable import times_of
from syncline.sync.job_outcome import outcome_of
from syncline.sync.report import Report
from syncline.sync.sync_job import SYNC
from tests.support.state import assert_consistent, state_of
from tests.support.stopped import stopped_children
from tests.support.storm import first_state
from tests.support.syncs import Ended, open_syncs, sync_process, sync_process_result
from tests.support.waiting import wait_until
from tests.support.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return first_state(tmp_path / "world.json", 60)


async def test_the_second_is_refused_and_told_by_whom(
    server_settings: Settings, workspace_name: str, world: World
) -> None:
    """While a run holds the lane another is refused, with the holder's name; the other lane is
    free."""
    async with open_syncs(server_settings, workspace_name, world) as syncs:
        row = syncs.row
        async with await syncs.tools.database.connect() as holder:
            run = await open_run(holder, row.workspace_id, row.id, Mode.INCREMENTAL)
            with pytest.raises(RunInProgress, match=rf"Run {run.id} .*:{os.getpid()} since"):
                await syncs.run()
            other = await syncs.run(Mode.RECONCILE)
            assert other.exit_code == 0
            await close_run(holder, run, RunState.DONE, {})
        assert (await syncs.run()).exit_code == 0


async def test_who_waits_gets_the_lane_when_it_is_free(
    server_settings: Settings, workspace_name: str, world: World
) -> None:
    """With `wait`, the second starts when the first has ended."""
    async with open_syncs(server_settings, workspace_name, world) as syncs:
        row = syncs.row
        holder = await syncs.tools.database.connect()
        await open_run(holder, row.workspace_id, row.id, Mode.INCREMENTAL)
        waiting = asyncio.create_task(syncs.run(wait=True))
        done, _ = await asyncio.wait({waiting}, timeout=0.3)
        assert not done
        await holder.close()
        report = await waiting
        assert report.counts["created"] == 60


async def test_a_lapsed_lease_is_taken_over(
    server_settings: Settings, workspace_name: str, world: World, db: Connection
) -> None:
    """A holder whose session still stands but whose lease has lapsed has lost the lane."""
    async with open_syncs(server_settings, workspace_name, world) as syncs:
        row = syncs.row
        holder = await syncs.tools.database.connect()
        run = await open_run(holder, row.workspace_id, row.id, Mode.INCREMENTAL)
        await db.execute(
            "UPDATE runs SET lease_until = now() - interval '1 s' WHERE workspace_id = %s",
            (row.workspace_id,),
        )
        report = await syncs.run()
        assert report.exit_code == 0
        assert (await find_run(db, row.workspace_id, run.id)).state == "interrupted"
        await holder.close()


@pytest.mark.parametrize("place", ["batch.before_commit", "batch.prepared"])
async def test_a_stopped_worker_does_not_hold_up_its_successor(
    place: str,
    server_settings: Settings,
    workspace_name: str,
    world: World,
    tmp_path: Path,
    db: Connection,
) -> None:
    """A worker that hangs in the middle of its batch (SIGSTOP) holds locks; a forced run ends its
    session, goes on at once, and what the worker does when it wakes up comes to nothing."""
    first = sync_process(
        server_settings, workspace_name, world, failpoints=f"{place}=pause", forked=False
    )
    wait_until(lambda: stopped_children(first.pid))
    forced = await asyncio.to_thread(_forced, server_settings, workspace_name, world)
    assert forced.report is not None, forced.errors
    assert forced.report["exit_code"] == 0
    assert forced.report["created"] + forced.report["unchanged"] == 60
    assert forced.report["seconds"] < 30
    before = await state_of(db, workspace_name)
    for pid in stopped_children(first.pid):
        os.kill(pid, signal.SIGCONT)
    ended = await asyncio.to_thread(sync_process_result, first)
    assert ended.report is not None, ended.errors
    assert ended.report["exit_code"] == 1
    assert await state_of(db, workspace_name) == before
    await assert_consistent(db, workspace_name)


async def test_a_worker_that_slept_past_its_lease_writes_nothing(
    server_settings: Settings, workspace_name: str, world: World, tmp_path: Path, db: Connection
) -> None:
    """A whole worker is stopped (SIGSTOP) in the middle of a run, until its lease has lapsed and
    another has taken the run over and ended it. Woken, it has nothing more to say."""
    reached = tmp_path / "reached"
    first = sync_process(
        server_settings,
        workspace_name,
        world,
        failpoints=f"batch.sent=touch:{reached};batch.prepared=pause",
        forked=False,
    )
    wait_until(lambda: reached.exists() and stopped_children(first.pid), seconds=60)
    everyone = [first.pid, *(each.pid for each in Process(first.pid).children(recursive=True))]
    for pid in everyone:
        os.kill(pid, signal.SIGSTOP)
    async with open_syncs(server_settings, workspace_name, world) as syncs:
        row = syncs.row
        with pytest.raises(RunInProgress):
            await syncs.run()
        await db.execute(
            "UPDATE runs SET lease_until = clock_timestamp() - interval '1 s'"
            " WHERE workspace_id = %s AND state = 'running'",
            (row.workspace_id,),
        )
        report = await syncs.run()
        assert (report.exit_code, report.counts["listed"]) == (0, 60)
    before = await state_of(db, workspace_name)
    assert len(before["documents"]) == 60
    for pid in everyone:
        os.kill(pid, signal.SIGCONT)
    ended = await asyncio.to_thread(sync_process_result, first)
    assert ended.report is not None, ended.errors
    assert ended.report["exit_code"] == 1
    assert await state_of(db, workspace_name) == before
    await assert_consistent(db, workspace_name)
    assert [run.state for run in await list_runs(db, row.workspace_id)] == ["done", "interrupted"]


async def test_what_a_run_has_mended_since_needs_no_person(
    server_settings: Settings, workspace_name: str, world: World, db: Connection
) -> None:
    """A worker that slept between the end of its run and what follows from it: a connection that
    was read since goes on; one that was not stands still."""
    refused = {"code": "unauthorized", "message": "the token is not valid"}
    async with open_syncs(server_settings, workspace_name, world) as syncs:
        row = syncs.row

        async def ended(state: RunState, **error: str) -> Report:
            async with await syncs.tools.database.connect() as holder:
                run = await open_run(holder, row.workspace_id, row.id, Mode.INCREMENTAL)
                await close_run(holder, run, state, {}, error or None)
            return Report(row.name, "incremental", run=run.id, state=state, error=error)

        async def attention(report: Report) -> object:
            job = ClaimedJob(1, row.workspace_id, row.id, SYNC, {}, 1, 1, epoch=1, owner="us")
            assert await outcome_of(syncs.tools, job, report) == Dead(refused)
            return (await times_of(db, row.workspace_id))[row.id].attention

        old = await ended(RunState.FAILED, **refused)
        await ended(RunState.DONE)
        assert await attention(old) is None
        assert await attention(await ended(RunState.FAILED, **refused)) == refused


def _forced(settings: Settings, workspace: str, world: World) -> Ended:
    return sync_process_result(sync_process(settings, workspace, world, mode="force"))
