"""Ending a run early: what is written stays, the rest is for the next one."""

from __future__ import annotations

import asyncio
import os

from syncline.bootstrap import build_tools
from syncline.core.model import RunState
from syncline.settings import Settings
from syncline.store.connections import add_connection
from syncline.store.workspaces import make_workspace
from syncline.sync.report import Progress
from syncline.sync.run import RunRequest, run_connection
from tests.support.looking import documents
from tests.support.storm import first_state
from tests.support.stuck import ENVIRONMENT
from tests.support.syncs import Syncs
from tests.support.world import World


async def test_a_source_that_never_answers_does_not_hold_up_the_end(
    server_settings: Settings, workspace_name: str
) -> None:
    """Two entries are stored, the third hangs: asked to stop, the run ends at once, with every
    entry that it counts accounted for, and deletes nothing."""
    tools = build_tools(server_settings, environ={**os.environ, **ENVIRONMENT})
    stop = asyncio.Event()

    def watch(progress: Progress) -> None:
        if progress.settled == 2:
            stop.set()

    async with tools.database as database:
        async with database.connection() as db:
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
        report = await run_connection(tools, RunRequest(row, stop=stop, on_progress=watch))
        await tools.pool.close()
        assert (report.state, report.exit_code) == (RunState.INTERRUPTED, 130)
        assert (report.counts["listed"], report.counts["created"]) == (2, 2)
        assert report.accounted_for
        assert set(await documents(Syncs(tools, row))) == {"a", "b"}


async def test_a_stopped_run_goes_on_where_it_ended(feed: Syncs, world: World) -> None:
    """Stopped in the middle of a feed: the cursor stands at a checkpoint, and the next run brings
    the rest, each entry once."""
    first_state(world.path, 1500)
    stop = asyncio.Event()

    def watch(progress: Progress) -> None:
        if progress.settled > 100:
            stop.set()

    first = await feed.run(stop=stop, on_progress=watch)
    assert first.exit_code == 130
    assert 100 <= first.counts["created"] < 1500
    second = await feed.run()
    assert second.exit_code == 0
    assert len(await documents(feed)) == 1500
    assert first.counts["created"] + second.counts["created"] == 1500
