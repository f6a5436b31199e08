"""A thousand syncs of scripted sources by workers that are killed, stopped and poisoned meanwhile.

`make soak` runs it; SYNCLINE_STORM_JOBS and _SEED choose another storm.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.data_folders import make_data_folder, remove_data_folder, settings_for
from tests.support.job_worker import start_worker
from tests.support.queue import shift_clock
from tests.support.state import assert_consistent
from tests.support.world import World

from syncline.core.jobs import NewJob
from syncline.core.model import WorkspaceId
from syncline.settings import Settings
from syncline.store import jobs
from syncline.store.connections import add_connection
from syncline.store.database import Connection, Database
from syncline.store.jobs_read import list_jobs
from syncline.store.workspaces import make_workspace
from syncline.sync.sync_job import SYNC

JOBS = int(os.environ.get("SYNCLINE_STORM_JOBS", "1000"))
SEED = int(os.environ.get("SYNCLINE_STORM_SEED", "1"))
_WORKERS = 2
_KILLS = 5
_WORKSPACES = 10
_PAGES = 3


@pytest.fixture
def settings() -> Iterator[Settings]:
    folder = make_data_folder()
    yield settings_for(folder, workers=1, embedder="hashing")
    remove_data_folder(folder)


async def _make(db: Connection, folder: Path) -> list[WorkspaceId]:
    """A connection a job, over its workspaces, and one poison among them."""
    workspaces = [await make_workspace(db, f"tenant {n}") for n in range(_WORKSPACES)]
    wanted = []
    for n in range(JOBS):
        world = World(folder / f"world-{n}.json")
        for page in range(_PAGES):
            world.put(f"page{page}", f"what page {page} of source {n} says")
        row = await add_connection(
            db,
            workspaces[n % _WORKSPACES],
            kind="scripted-listing",
            name=f"source {n}",
            source=str(world.path),
            options=world.options,
            options_version=1,
        )
        wanted.append(NewJob(row.workspace_id, SYNC, connection_id=row.id))
    wanted.insert(JOBS // 2, NewJob(workspaces[0], "poison"))
    await jobs.enqueue(db, wanted)
    return workspaces


class _Storm:
    """Keeps so many workers going, whatever becomes of them, and moves the queue's clock."""

    def __init__(self, settings: Settings, db: Connection) -> None:
        self._settings = settings
        self._db = db
        self._workers: list[subprocess.Popen[str]] = []
        self.deaths = 0

    def keep_going(self) -> None:
        for worker in [each for each in self._workers if each.poll() is not None]:
            assert worker.returncode == -signal.SIGKILL, "a worker ended by itself"
            self._workers.remove(worker)
            self.deaths += 1
        while len(self._workers) < _WORKERS:
            self._workers.append(start_worker(self._settings, output=subprocess.DEVNULL))

    async def left(self) -> int:
        """How many jobs are not over. When nothing else is to be done, the next one that waits
        need not wait any longer."""
        await jobs.rescue(self._db)
        found = await self._db.execute(
            "SELECT count(*) FILTER (WHERE state IN ('ready', 'running')),"
            " count(*) FILTER (WHERE state = 'waiting'),"
            " extract(epoch FROM min(run_at) FILTER (WHERE state = 'waiting') - moment())::float8"
            " FROM jobs"
        )
        busy, waiting, wait = await found.fetchone() or (0, 0, 0.0)
        if waiting and not busy:
            await shift_clock(self._db, wait)
            await jobs.promote(self._db)
            await shift_clock(self._db, 0)
        return int(busy + waiting)

    def kill(self, chance: random.Random) -> None:
        chance.choice(self._workers).kill()

    async def sleep_past_the_lease(self) -> bool:
        """Stop a worker until its jobs are others', and let it go on then; whether it had any."""
        worker = self._workers[0]
        worker.send_signal(signal.SIGSTOP)
        try:
            found = await self._db.execute(
                "SELECT count(*) FROM jobs WHERE state = 'running' AND owner LIKE %s",
                (f"%:{worker.pid}:%",),
            )
            if await found.fetchone() == (0,):
                return False
            await shift_clock(self._db, jobs.LEASE_SECONDS + 10)
            lapsed = await jobs.rescue(self._db)
            await shift_clock(self._db, 0)
            return bool(lapsed)
        finally:
            worker.send_signal(signal.SIGCONT)

    async def end(self) -> None:
        for worker in self._workers:
            worker.kill()
            await asyncio.to_thread(worker.wait)


async def test_a_thousand_jobs_survive_the_storm(settings: Settings, tmp_path: Path) -> None:
    """Each connection is synced, as if nothing had happened; the poison is dead with its cause."""
    chance = random.Random(SEED)
    kills = sorted(chance.randrange(JOBS // 10, JOBS * 9 // 10) for _ in range(_KILLS))
    asleep = JOBS // 3
    async with Database(settings) as database, database.connection() as db:
        workspaces = await _make(db, tmp_path)
        storm = _Storm(settings, db)
        try:
            async with asyncio.timeout(3600):
                while left := await storm.left():
                    done = JOBS + 1 - left
                    storm.keep_going()
                    if kills and done >= kills[0]:
                        kills.pop(0)
                        storm.kill(chance)
                    elif done >= asleep:
                        slept = await storm.sleep_past_the_lease()
                        asleep = JOBS + 2 if slept else asleep
                    await asyncio.sleep(0.02)
        finally:
            await storm.end()
        assert asleep > JOBS, "no worker slept with a job"
        assert storm.deaths >= _KILLS  # two may have been one
        dead = [row for each in workspaces for row in await list_jobs(db, each, states=())]
        assert [(row.kind, row.state) for row in dead] == [("poison", "dead")], dead
        assert (dead[0].error or {})["code"] == "worker_died"
        found = await db.execute(
            "SELECT count(*), count(DISTINCT (workspace_id, connection_id)) FROM documents"
            " WHERE state = 'live'"
        )
        assert await found.fetchone() == (JOBS * _PAGES, JOBS)
        for n in range(_WORKSPACES):
            await assert_consistent(db, f"tenant {n}")
