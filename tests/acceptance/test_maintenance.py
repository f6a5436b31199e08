"""Upkeep: old tombstones and old reports go, bit by bit, and nothing else does."""

from __future__ import annotations

from datetime import timedelta

from syncline.store.database import Connection
from syncline.sync.history import read_run, read_runs
from syncline.sync.maintenance import runs, tombstones
from tests.support.state import assert_consistent
from tests.support.syncs import Syncs
from tests.support.world import World

POSTGRES = ("16", "18")


async def _count(db: Connection, table: str, workspace: int) -> int:
    found = await db.execute(
        f"SELECT count(*) FROM {table} WHERE workspace_id = %s".encode(), (workspace,)
    )
    row = await found.fetchone()
    assert row is not None
    return int(row[0])


async def test_old_tombstones_go_with_contents_that_nobody_else_has(
    feed: Syncs, world: World, db: Connection, workspace_name: str
) -> None:
    """What another document shares stays; younger tombstones stay."""
    for name, text in {"a": "one text", "b": "one text", "c": "another text", "d": "more"}.items():
        world.put(name, f"# Page\n\n{text}", title="Page")
    await feed.run()
    world.remove("a")
    world.remove("c")
    await feed.run()
    workspace = feed.row.workspace_id
    assert await tombstones.run_once(db, workspace) == 0
    assert await _count(db, "documents", workspace) == 4
    assert await tombstones.run_once(db, workspace, timedelta(0)) == 2
    assert await _count(db, "documents", workspace) == 2
    assert await _count(db, "contents", workspace) == 2
    await assert_consistent(db, workspace_name)


async def test_old_reports_lose_their_lines_and_keep_their_counts(
    feed: Syncs, world: World, db: Connection
) -> None:
    """The newest ones stay whole."""
    world.put("bad", "# Bad\n\nnothing")
    world.fail_fetch("bad", "bad_content")
    for _ in range(3):
        await feed.run()
    workspace = feed.row.workspace_id
    assert await runs.run_once(db, workspace, feed.row.id, keep=1) == 2
    assert await runs.run_once(db, workspace, feed.row.id, keep=1) == 0
    newest, *older = await read_runs(db, workspace)
    assert (await read_run(db, workspace, newest.row.id)).totals == {"failed": 1}
    for each in older:
        report = await read_run(db, workspace, each.row.id)
        assert (report.totals, report.row.counts["failed"]) == ({}, 1)
