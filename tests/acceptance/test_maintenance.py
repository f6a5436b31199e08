"""Upkeep: old tombstones and old reports go, bit by bit, and nothing else does."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import psycopg
import pytest

from syncline.connectors.registry import Registry
from syncline.core.events import EventKind
from syncline.core.jobs import Dead
from syncline.embedders.catalogue import describe
from syncline.settings import Settings
from syncline.store import jobs as queue
from syncline.store.connections import add_connection, remove_connection
from syncline.store.database import Connection, Database
from syncline.store.events import emit, list_events
from syncline.store.upkeep import end_service, take_service
from syncline.store.workspaces import make_workspace
from syncline.sync.history import read_run, read_runs
from syncline.sync.maintenance import events, jobs, reconciles, runs, service, tombstones
from syncline.sync.maintenance.service import Upkeep
from tests.support.queue import claim, empty_queue, job, shift_clock, states
from tests.support.state import assert_consistent
from tests.support.syncs import Syncs
from tests.support.thorough import of_all
from tests.support.world import World

POSTGRES = of_all(["18"], ["16"])


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


DAY = 86_400.0


async def test_old_runs_are_forgotten(feed: Syncs, world: World, db: Connection) -> None:
    """The newest of each connection stay however old, and so does the last that was done."""
    world.put("a", "# A\n\ntext")
    await feed.run()
    world.fail_listing(0, "transient")
    for _ in range(4):
        await feed.run()
    workspace = feed.row.workspace_id
    first, *_ = sorted(each.row.id for each in await read_runs(db, workspace))
    await shift_clock(db, 89 * DAY)
    await runs.run_everywhere(db, days=90, reports=2)
    assert len(await read_runs(db, workspace)) == 5
    await shift_clock(db, 91 * DAY)
    await runs.run_everywhere(db, days=90, reports=2)
    states = [each.row.state for each in await read_runs(db, workspace)]
    assert states == ["failed"] * 4 + ["done"]  # no run was done after it
    world.heal()
    await feed.run()
    await shift_clock(db, 91 * DAY)
    await runs.run_everywhere(db, days=90, reports=2)
    left = [each.row for each in await read_runs(db, workspace)]
    assert [row.state for row in left] == ["done", "failed"]
    assert first not in [row.id for row in left]
    assert (await feed.run()).counts["unchanged"] == 0  # a feed that has nothing new


async def test_jobs_and_events_are_kept_for_a_while(
    feed: Syncs, db: Connection, workspace_name: str
) -> None:
    """Dead jobs for somebody to look at, events for who reads late; live jobs for good."""
    await empty_queue(db)
    workspace = feed.row.workspace_id
    await queue.enqueue(db, [job(workspace, n) for n in range(3)])
    dies, goes_on = await claim(db, most=2)
    await queue.finish(db, [(dies, Dead({"code": "x", "message": "y"}))])
    await emit(db, workspace, EventKind.RUN_FAILING, connection=feed.row.id)
    await shift_clock(db, 29 * DAY)
    assert await jobs.run_once(db, 30) == 0
    assert await events.run_once(db, 30) == 0
    await shift_clock(db, 31 * DAY)
    assert await jobs.run_once(db, 30) == 1
    assert await states(db, workspace) == ["running", "ready"]
    await events.run_once(db, 30)
    assert await list_events(db, workspace) == []
    assert await _count(db, "troubles", workspace) == 1  # it lasts
    await remove_connection(db, workspace, feed.row.id)
    assert await _count(db, "troubles", workspace) == 0
    assert goes_on.attempts == 1
    await empty_queue(db)


async def test_each_service_runs_on_one_machine_at_a_time(
    db: Connection, database: Database
) -> None:
    """Not before its time, not beside itself, and again when the one that was at it has died."""
    async with await database.connect() as other:
        assert await take_service(db, "some-service", every=3600)
        assert not await take_service(other, "some-service", every=3600)
        await shift_clock(other, 3601)
        assert not await take_service(other, "some-service", every=3600)
        await end_service(db, "some-service", 3)
        assert not await take_service(db, "some-service", every=3600)
        assert await take_service(other, "some-service", every=3600)
    await shift_clock(db, 2 * 3601)
    async with asyncio.timeout(20):
        while not await take_service(db, "some-service", every=3600):
            pass  # the server has not yet noticed that the session is closed
    await end_service(db, "some-service", None)
    await db.execute("DELETE FROM upkeep")


async def test_upkeep_does_what_is_due(db: Connection, database: Database) -> None:
    """All of it at first, and by two services at once only once; nothing before its time."""
    await db.execute("DELETE FROM upkeep")
    settings = Settings(embedder="hashing")
    services = [
        Upkeep(database, settings, describe(settings), with_default=False, registry=Registry())
        for _ in range(2)
    ]
    first, second = await asyncio.gather(*(each.run_once() for each in services))
    names = {
        *("freshness", "complete lists", "indexes", "deleted documents", "runs", "kept answers"),
        *("jobs", "events", "embeddings"),
    }
    assert first.keys() | second.keys() == names
    assert first.keys() & second.keys() == set()
    assert await services[0].run_once() == {}


async def test_a_turn_whose_end_cannot_be_noted_is_given_back(
    db: Connection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the database refuses: the session that holds it is not used again."""

    async def too_much(db: Connection) -> int:
        return 1 << 70

    settings = Settings(embedder="hashing")
    upkeep = Upkeep(database, settings, describe(settings), with_default=False, registry=Registry())
    monkeypatch.setattr(Upkeep, "_parts", lambda _: {"too-much": service._Part(0, too_much)})
    with pytest.raises(psycopg.errors.NumericValueOutOfRange):
        await upkeep.run_once()
    async with asyncio.timeout(20):
        while not await take_service(db, "too-much", every=0):
            pass  # the server has not yet noticed that the session is closed
    await end_service(db, "too-much", None)
    await db.execute("DELETE FROM upkeep")


async def test_complete_lists_are_read_when_feeds_were_believed_for_long_enough(
    db: Connection, workspace_name: str
) -> None:
    """Once, and again only after another read, and not of what does not run by itself."""
    await empty_queue(db)
    workspace = await make_workspace(db, workspace_name)
    rows = [
        await add_connection(
            db,
            workspace,
            kind="fed",
            name=name,
            source=f"https://{name}.example",
            options={},
            options_version=1,
        )
        for name in ("a", "paused")
    ]
    await db.execute(
        "UPDATE connections SET paused = true WHERE workspace_id = %s AND name = 'paused'",
        (workspace,),
    )

    async def ran(lane: str) -> None:
        await db.execute(
            "INSERT INTO runs (workspace_id, connection_id, lane, mode, state, owner, lease_until,"
            " started_at, ended_at) SELECT %s, unnest(%s::bigint[]), %s, 'x', 'done', '', now(),"
            " moment(), moment()",
            (workspace, [row.id for row in rows], lane),
        )

    async def due() -> int:
        return await reconciles.run_once(db, ["fed"], with_default=True)

    await ran("changes")
    assert await due() == 0
    await shift_clock(db, 90_000)
    assert await reconciles.run_once(db, ["another"], with_default=True) == 0
    assert await reconciles.run_once(db, ["fed"], with_default=False) == 0
    assert await due() == 1
    assert await due() == 0  # it waits already
    found = await db.execute("SELECT kind, payload, limit_keys FROM jobs")
    assert await found.fetchall() == [
        ("reconcile", {"mode": "reconcile"}, ["host a.example"]),
    ]
    await empty_queue(db)
    await ran("reconcile")
    await shift_clock(db, 2 * 90_000)
    assert await due() == 0  # nothing was read since
    await ran("changes")
    assert await due() == 1
    await empty_queue(db)
