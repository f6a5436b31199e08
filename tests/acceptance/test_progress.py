"""A run that is under way shows others how far it is."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from syncline.bootstrap import build_tools
from syncline.core.jobs import NewJob
from syncline.core.model import RunState
from syncline.settings import Settings
from syncline.store import jobs
from syncline.store.connections import add_connection
from syncline.store.jobs_read import find_job
from syncline.store.workspaces import make_workspace
from syncline.sync import lane
from syncline.sync.history import read_runs
from syncline.sync.progress import progress_of
from syncline.sync.run import RunRequest, run_connection
from tests.support.commands import Commands
from tests.support.queue import claim, empty_queue
from tests.support.stuck import ENVIRONMENT


async def test_a_run_under_way_is_seen_in_every_list(
    server_settings: Settings, workspace_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Current, total, percentage, rate and what it is at; in `status`, `runs` and `jobs show`."""
    monkeypatch.setattr(lane, "_NOTE_SECONDS", 0.05)
    tools = build_tools(server_settings, environ={**os.environ, **ENVIRONMENT})
    commands = Commands(server_settings, workspace_name)
    stop = asyncio.Event()

    def asked(*words: str) -> Any:
        return asyncio.to_thread(commands.json, *words)

    async with tools.database, tools.database.connection() as db:
        await empty_queue(db)
        workspace = await make_workspace(db, workspace_name)
        row = await add_connection(
            db,
            workspace,
            kind="stuck",
            name="stuck",
            source="stuck",
            options={},
            options_version=1,
        )
        await db.execute(
            "INSERT INTO runs (workspace_id, connection_id, lane, mode, state, owner, lease_until,"
            " ended_at, counts) VALUES (%s, %s, 'changes', 'incremental', 'done', 'us', now(),"
            " now(), '{\"listed\": 8}')",
            (workspace, row.id),
        )
        (made,) = await jobs.enqueue(db, [NewJob(workspace, "sync", connection_id=row.id)])
        await claim(db)
        running = asyncio.create_task(run_connection(tools, RunRequest(row, stop=stop)))
        try:
            async with asyncio.timeout(60):
                while True:
                    newest, *_ = await read_runs(db, workspace)
                    if newest.progress is not None and newest.progress.current == 2:
                        break
            progress = newest.progress
            assert (progress.total, progress.percentage) == (8, 25.0)
            assert progress.rate > 0
            assert (await find_job(db, workspace, made)).run == newest.row.id
            listed = (await asked("runs"))["runs"][0]
            assert (listed["status"], listed["progress"]["percentage"]) == ("running", 25.0)
            last = (await asked("status"))["connections"][0]["last_run"]
            assert last["progress"]["current"] == 2
            job = await asked("jobs", "show", str(made))
            assert (job["status"], job["progress"]["total"]) == ("running", 8)
            assert "25 %" in await asyncio.to_thread(commands.ok, "status")
            assert "running 25 %" in await asyncio.to_thread(commands.ok, "runs")
            assert "2 of 8" in await asyncio.to_thread(commands.ok, "jobs", "show", str(made))
        finally:
            stop.set()
            report = await running
            await tools.pool.close()
        assert report.state is RunState.INTERRUPTED
        assert report.run is not None
        newest, *_ = await read_runs(db, workspace)
        assert (newest.as_json()["status"], newest.progress) == ("cancelled", None)
        await empty_queue(db)


def test_a_run_is_never_done_before_it_is() -> None:
    """More than was expected, nothing at all, no expectation."""
    noted = {"listed": 0, "changed": 0, "written": 0, "message": "", "seconds": 2.0}
    for current, listed, total, percentage in (
        (5, 10, None, None),
        (5, 10, 0, 50.0),
        (10, 10, 4, 99.0),
        (0, 0, 0, 0.0),
        (1, 3, 8, 12.5),
    ):
        found = progress_of({**noted, "current": current, "listed": listed, "total": total})
        assert found is not None
        assert found.percentage == percentage
