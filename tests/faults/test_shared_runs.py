"""A run whose partitions several workers read: killing one anywhere changes nothing in the end."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from syncline.core.failpoints import Failpoint
from syncline.core.jobs import NewJob
from syncline.settings import Settings
from syncline.store import jobs
from syncline.store.database import Connection
from syncline.store.jobs_read import list_jobs
from syncline.store.runs_read import list_runs
from syncline.sync.run import Tools
from syncline.sync.sync_job import SYNC
from tests.support.job_worker import start_worker
from tests.support.queue import empty_queue, shift_clock
from tests.support.spaces import edit_spaces, make_spaces
from tests.support.state import assert_consistent, state_of
from tests.support.syncs import Syncs, open_tools, syncs_of
from tests.support.world import World

_KINDS = ("scripted", "scripted-listing")
_SHARED = (
    Failpoint.PARTS_BEFORE_COMMIT,
    Failpoint.PARTS_COMMITTED,
    Failpoint.PART_BEGUN,
    Failpoint.PART_BEFORE_COMMIT,
    Failpoint.PART_COMMITTED,
    Failpoint.CLOSING_BEGUN,
)
# Where what is special to a shared run meets what every run does; in a storm, everywhere.
_ALSO = (Failpoint.LISTING_ENDED, Failpoint.DELETIONS_COMMITTED)
_MORE = (
    Failpoint.RUN_OPENED,
    Failpoint.LISTING_NOTED,
    Failpoint.BATCH_RECEIVED,
    Failpoint.BATCH_BEFORE_COMMIT,
    Failpoint.BATCH_COMMITTED,
    Failpoint.ABSENCE_DECIDED,
    Failpoint.DELETIONS_BEFORE_COMMIT,
    Failpoint.RUN_BEFORE_CLOSE,
    Failpoint.RUN_CLOSED,
)
_FEED = (Failpoint.CHECKPOINT_STORED, Failpoint.PART_COMMITTED)
_STORM = int(os.environ.get("SYNCLINE_STORM_ENTRIES", "120")) > 1000
_LISTING = (*_SHARED, *_ALSO, *(_MORE if _STORM else ()))
_CASES = [(_KINDS[1], place) for place in _LISTING] + [(_KINDS[0], place) for place in _FEED]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tools(server_settings: Settings) -> AsyncIterator[Tools]:
    """For the syncs that nothing disturbs."""
    async with open_tools(server_settings) as tools:
        yield tools


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, World]:
    """The same source before and after its edits."""
    folder = tmp_path_factory.mktemp("spaces")
    before = make_spaces(folder / "before.json")
    shutil.copy2(before.path, folder / "after.json")
    after = World(folder / "after.json")
    edit_spaces(after)
    return before, after


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Any]:
    """What two syncs without any fault come to, by kind; filled as it is asked for."""
    return {}


async def _synced_once(
    tools: Tools, worlds: tuple[World, World], name: str, path: Path, kind: str
) -> Syncs:
    """The source as it was before, synced; and edited since."""
    shutil.copy2(worlds[0].path, path)
    syncs = await syncs_of(tools, name, World(path), kind)
    assert (await syncs.run()).exit_code == 0
    shutil.copy2(worlds[1].path, path)
    return syncs


@pytest.mark.parametrize(("kind", "place"), _CASES)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_worker_that_is_killed_anywhere_is_made_up_for(
    tools: Tools,
    server_settings: Settings,
    worlds: tuple[World, World],
    undisturbed: dict[str, Any],
    tmp_path: Path,
    kind: str,
    place: Failpoint,
) -> None:
    """Of two that share a run, the first to come there dies. The same end state as without, one
    report, in which all is accounted for."""
    if kind not in undisturbed:
        name = f"shared-{kind}-{os.getpid()}"
        syncs = await _synced_once(tools, worlds, name, tmp_path / f"{kind}.json", kind)
        assert (await syncs.run()).exit_code == 0
        async with tools.database.connection() as db:
            undisturbed[kind] = await state_of(db, name)
    name = f"shared-{kind}-{place}-{os.getpid()}"
    syncs = await _synced_once(tools, worlds, name, tmp_path / "world.json", kind)
    died = tmp_path / "died"
    async with tools.database.connection() as db:
        await empty_queue(db)
        row = syncs.row
        await jobs.enqueue(db, [NewJob(row.workspace_id, SYNC, connection_id=row.id)])
        await _work(db, server_settings, f"{place}=kill-once:{died}")
        assert died.exists(), "nobody came there"
        assert await list_jobs(db, row.workspace_id, states=()) == []
        await assert_consistent(db, name)
        assert await state_of(db, name) == undisturbed[kind]
        runs = await list_runs(db, row.workspace_id)
    done = [run for run in runs if run.state == "done"]
    counts = done[0].counts
    outcomes = ("created", "updated", "moved", "unchanged", "filtered", "alias", "absent")
    listed = sum(counts.get(each, 0) for each in (*outcomes, "repeated", "failed"))
    assert counts["listed"] == listed, counts


async def _work(db: Connection, settings: Settings, failpoints: str) -> None:
    """Two workers, and another for each that dies, until nothing is left to be done."""
    armed = [start_worker(settings, failpoints=failpoints, output=subprocess.DEVNULL) for _ in "12"]
    workers = list(armed)
    try:
        async with asyncio.timeout(60):
            while await _left(db):
                for dead in [each for each in workers if each.poll() is not None]:
                    assert dead.returncode == -signal.SIGKILL
                    workers.remove(dead)
                    workers.append(start_worker(settings, output=subprocess.DEVNULL))
                await asyncio.sleep(0.01)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


async def _left(db: Connection) -> bool:
    """Whether anything is; nothing waits longer than it must."""
    await jobs.rescue(db)
    found = await db.execute(
        "SELECT count(*), count(*) FILTER (WHERE state IN ('ready', 'running')) FROM jobs"
        " WHERE state IN ('waiting', 'ready', 'running')"
    )
    left, busy = await found.fetchone() or (0, 0)
    if left and not busy:
        await shift_clock(db, 600)
        await jobs.promote(db)
        await shift_clock(db, 0)
    return bool(left)
