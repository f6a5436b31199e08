"""Workers that are killed, or sleep past their lease: each job is done once in effect."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncline.core.jobs import ATTEMPTS, NewJob
from syncline.core.model import WorkspaceId
from syncline.settings import Settings
from syncline.store import jobs
from syncline.store.database import Connection
from syncline.store.jobs_read import list_jobs
from syncline.store.workspaces import make_workspace
from tests.support.job_worker import start_worker
from tests.support.queue import empty_queue, rows, shift_clock, states
from tests.support.waiting import wait_until


@pytest.fixture
async def workspace(db: Connection, workspace_name: str) -> AsyncIterator[WorkspaceId]:
    await empty_queue(db)
    yield await make_workspace(db, workspace_name)
    await empty_queue(db)


@contextmanager
def _worker(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    with start_worker(settings) as process:
        try:
            yield process
        finally:
            process.kill()


async def _work_until_all_is_over(
    db: Connection, settings: Settings, workspace: WorkspaceId
) -> int:
    """One worker after another, while nothing waits longer than it must; how many died."""
    deaths, later = 0, 0.0
    async with asyncio.timeout(120):
        while True:
            with _worker(settings) as process:
                while process.poll() is None:
                    now = set(await states(db, workspace))
                    if now <= {"dead"}:
                        return deaths
                    if not now & {"ready", "running"}:
                        later += 1
                        await shift_clock(db, later)
                        await jobs.promote(db)
                    await asyncio.sleep(0.01)
                assert process.returncode == -signal.SIGKILL
            deaths += 1
            while not await jobs.rescue(db):
                pass  # the server has not yet noticed that its session is gone


async def test_a_job_that_kills_its_worker_takes_no_other_with_it(
    db: Connection, server_settings: Settings, workspace: WorkspaceId, tmp_path: Path
) -> None:
    """It is dead after three workers, with its cause; the sixty beside it are done."""
    payload = {"folder": str(tmp_path)}
    good = [NewJob(workspace, "mark", payload) for _ in range(60)]
    made = await jobs.enqueue(db, [*good[:3], NewJob(workspace, "poison"), *good[3:]])
    poison = made.pop(3)
    assert await _work_until_all_is_over(db, server_settings, workspace) == ATTEMPTS
    (dead,) = await list_jobs(db, workspace, states=())
    assert (dead.id, dead.state, dead.attempts) == (poison, "dead", ATTEMPTS)
    assert dead.error is not None
    assert dead.error["code"] == "worker_died"
    assert sorted(int(path.name) for path in tmp_path.iterdir()) == made


async def test_a_worker_that_slept_past_its_lease_changes_nothing(
    db: Connection, server_settings: Settings, workspace: WorkspaceId, tmp_path: Path
) -> None:
    """SIGSTOP, and SIGCONT when another does its job: what it then says is not heard."""
    (made,) = await jobs.enqueue(db, [NewJob(workspace, "hold", {"folder": str(tmp_path)})])

    def begun(process: subprocess.Popen[str]) -> bool:
        return (tmp_path / f"begun-{process.pid}").exists()

    def go_on(process: subprocess.Popen[str]) -> str:
        (tmp_path / f"go-{process.pid}").touch()
        assert process.stdout is not None
        return process.stdout.readline()

    with _worker(server_settings) as sleeper, _worker(server_settings) as other:
        both = {sleeper.pid: sleeper, other.pid: other}
        await asyncio.to_thread(wait_until, lambda: any(map(begun, both.values())), seconds=60)
        first = next(each for each in both.values() if begun(each))
        second = next(each for each in both.values() if each is not first)
        first.send_signal(signal.SIGSTOP)
        await shift_clock(db, jobs.LEASE_SECONDS + 10.0)
        (lapsed,) = await jobs.rescue(db)
        assert lapsed["error"]["code"] == "lease_lapsed"
        await asyncio.to_thread(wait_until, lambda: begun(second), seconds=60)
        before = await rows(db, workspace)
        assert before == [(made, "running", 2, 3)]
        first.send_signal(signal.SIGCONT)
        assert await asyncio.to_thread(go_on, first) == f"{made} taken over\n"
        assert await rows(db, workspace) == before
        assert await asyncio.to_thread(go_on, second) == f"{made} done\n"
        assert await rows(db, workspace) == []
