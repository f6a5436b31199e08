"""The scheduler: each due slot becomes one job, whatever the clocks and the machines do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from syncline.core.jobs import Done, NewJob, Retry
from syncline.core.model import ConnectionId, WorkspaceId
from syncline.scheduling.schedule import Adaptive, Every, Manual
from syncline.security.vault import Sealed
from syncline.store import jobs, planner
from syncline.store.connections import add_connection, list_connections
from syncline.store.database import Connection, Database
from syncline.store.secrets import write_secrets
from syncline.store.sync_queue import candidates, make_sync_jobs
from syncline.store.timetable import (
    Times,
    note_attention,
    pause,
    resume,
    set_active,
    set_schedule,
    times_of,
)
from syncline.store.workspaces import make_workspace
from syncline.sync.scheduler import Scheduler
from tests.support.queue import claim, empty_queue, shift_clock, states

KINDS = ("files", "website")


@pytest.fixture
async def workspace(db: Connection, workspace_name: str) -> AsyncIterator[WorkspaceId]:
    """Whose connections are the only ones that can be due."""
    await empty_queue(db)
    await db.execute("UPDATE workspaces SET active = false")
    made = await make_workspace(db, workspace_name)
    yield made
    await db.execute("DELETE FROM jobs")
    await db.execute("DELETE FROM connections WHERE workspace_id = %s", (made,))
    await db.execute("UPDATE workspaces SET active = true")


@pytest.fixture
def scheduler(database: Database) -> Scheduler:
    return Scheduler(database, Every(15), KINDS)


async def _connect(
    db: Connection, workspace: WorkspaceId, name: str = "docs", source: str = "/docs"
) -> ConnectionId:
    row = await add_connection(
        db, workspace, kind="files", name=name, source=source, options={}, options_version=1
    )
    return row.id


async def _times(db: Connection, workspace: WorkspaceId) -> Times:
    (times,) = (await times_of(db, workspace)).values()
    return times


async def _now(db: Connection) -> datetime:
    found = await db.execute("SELECT moment()")
    row = await found.fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment


async def _done(db: Connection) -> int:
    """Do all jobs there are; how many those were."""
    claimed = await claim(db)
    await jobs.finish(db, [(each, Done()) for each in claimed])
    return len(claimed)


async def test_a_new_connection_is_due_at_once_and_then_at_its_slots(
    db: Connection, workspace: WorkspaceId, scheduler: Scheduler
) -> None:
    """One job a slot, and none between; the next slot is found when the job has ended."""
    await _connect(db, workspace)
    assert await scheduler.run_once(db) == 1
    assert (await _times(db, workspace)).job == "ready"
    assert await scheduler.run_once(db) == 0
    assert await _done(db) == 1
    assert await scheduler.run_once(db) == 0
    due = (await _times(db, workspace)).next_due
    assert due is not None
    wait = due - await _now(db)
    assert timedelta(0) < wait <= timedelta(minutes=15)
    await shift_clock(db, wait.total_seconds() + 1)
    assert await scheduler.run_once(db) == 1
    assert await states(db, workspace) == ["ready"]


async def test_after_an_outage_the_slots_that_were_missed_are_one(
    db: Connection, workspace: WorkspaceId, scheduler: Scheduler
) -> None:
    """Two hours without a scheduler: one job, and the next slot lies in the future."""
    await _connect(db, workspace)
    assert await scheduler.run_once(db) == 1
    await _done(db)
    await scheduler.run_once(db)
    await shift_clock(db, 2 * 3600)
    assert await scheduler.run_once(db) == 1
    assert await scheduler.run_once(db) == 0
    assert await _done(db) == 1
    assert await scheduler.run_once(db) == 0
    due = (await _times(db, workspace)).next_due
    assert due is not None
    assert due > await _now(db)


async def test_a_clock_that_goes_back_repeats_no_slot(
    db: Connection, workspace: WorkspaceId, scheduler: Scheduler
) -> None:
    """An hour ahead and back again: what ran then is not run again before that."""
    await _connect(db, workspace)
    await shift_clock(db, 3600)
    assert await scheduler.run_once(db) == 1
    await _done(db)
    await shift_clock(db, 0)
    assert await scheduler.run_once(db) == 0
    due = (await _times(db, workspace)).next_due
    assert due is not None
    assert due > await _now(db) + timedelta(minutes=55)


async def test_many_schedulers_make_one_job_a_slot(
    db: Connection, database: Database, workspace: WorkspaceId, scheduler: Scheduler
) -> None:
    """All of them at once, over hundreds of connections."""
    for n in range(300):
        await _connect(db, workspace, f"docs-{n}")

    async def run() -> int:
        async with await database.connect() as own:
            return await scheduler.run_once(own)

    assert sum(await asyncio.gather(*(run() for _ in range(4)))) == 300
    assert await states(db, workspace) == ["ready"] * 300


async def test_more_than_a_page_is_due_at_once(
    db: Connection, workspace: WorkspaceId, scheduler: Scheduler
) -> None:
    """As after an outage: all become jobs in one tick, one each; and all get their next slots."""
    many = 2 * planner.PAGE + 1
    await db.execute(
        "INSERT INTO connections (workspace_id, kind, name, source, options, options_version)"
        " SELECT %s, 'files', 'docs ' || n, '/docs', '{}', 1 FROM generate_series(1, %s) n",
        (workspace, many),
    )
    assert await scheduler.run_once(db) == many
    found = await db.execute(
        "SELECT count(*), count(DISTINCT connection_id) FROM jobs WHERE workspace_id = %s",
        (workspace,),
    )
    assert await found.fetchone() == (many, many)
    await empty_queue(db)
    # Each has a second of its own: the next slot of some may have come since.
    due = await scheduler.run_once(db)
    assert due < many // 10
    times = (await times_of(db, workspace)).values()
    assert sum(each.next_due is None for each in times) == due  # a job has their slots


async def test_a_search_for_slots_goes_on_where_it_ended(
    db: Connection, workspace: WorkspaceId, scheduler: Scheduler
) -> None:
    """Very many connections have jobs that wait: the one behind them is found some ticks later."""
    many = 3 * planner.PAGE
    await db.execute(
        "INSERT INTO connections (workspace_id, kind, name, source, options, options_version)"
        " SELECT %s, 'files', 'docs ' || n, '/docs', '{}', 1 FROM generate_series(1, %s) n",
        (workspace, many),
    )
    assert await scheduler.run_once(db) == many
    await _connect(db, workspace, "new")
    due = [await scheduler.run_once(db) for _ in range(10)]
    assert sum(due) == 1


async def test_only_what_may_run_is_planned(
    db: Connection, workspace: WorkspaceId, scheduler: Scheduler
) -> None:
    """Paused ones, ones that need attention, manual ones and inactive workspaces are not."""
    connection = await _connect(db, workspace)
    await pause(db, workspace, connection)
    assert await scheduler.run_once(db) == 0
    await resume(db, workspace, connection)
    await note_attention(db, workspace, connection, {"code": "unauthorized", "message": "no"})
    assert await scheduler.run_once(db) == 0
    await set_schedule(db, workspace, connection, "manual")
    assert await scheduler.run_once(db) == 0
    await set_schedule(db, workspace, connection, "every 15m")
    await db.execute("UPDATE workspaces SET active = false WHERE id = %s", (workspace,))
    await _connect(db, workspace, "made while it rests")
    assert await planner.unplanned(db, with_default=True, most=1) == ([], None)
    assert await scheduler.run_once(db) == 0
    await db.execute("UPDATE workspaces SET active = true WHERE id = %s", (workspace,))
    assert await scheduler.run_once(db) == 2
    await pause(db, workspace, connection)
    assert sorted(await states(db, workspace)) == ["cancelled", "ready"]


async def test_what_waits_is_cancelled_where_nothing_runs_by_itself(
    db: Connection, workspace: WorkspaceId, scheduler: Scheduler
) -> None:
    """Of a paused connection and of an inactive workspace: jobs of both lanes, and no others."""
    first, second = await _connect(db, workspace), await _connect(db, workspace, "another")
    elsewhere = await make_workspace(db, f"beside {workspace}")
    third = await _connect(db, elsewhere)
    assert await scheduler.run_once(db) == 3
    for each in (first, second):
        await jobs.enqueue(db, [NewJob(workspace, "reconcile", connection_id=each)])
    await pause(db, workspace, first)
    assert sorted(await states(db, workspace)) == ["cancelled"] * 2 + ["ready"] * 2
    await set_active(db, workspace, active=False)
    assert await states(db, workspace) == ["cancelled"] * 4
    assert [job.connection_id for job in await claim(db)] == [third]
    assert await scheduler.run_once(db) == 0
    await db.execute("DELETE FROM connections WHERE workspace_id = %s", (elsewhere,))


async def test_the_settings_say_when_the_others_run(
    db: Connection, database: Database, workspace: WorkspaceId
) -> None:
    """`manual`: not by themselves; what has a schedule of its own is not touched."""
    by_hand = Scheduler(database, Manual(), KINDS)
    connection = await _connect(db, workspace)
    assert await by_hand.run_once(db) == 0
    await set_schedule(db, workspace, connection, "hourly")
    assert await by_hand.run_once(db) == 1


async def test_a_job_that_waits_for_another_attempt_is_the_slots_only_one(
    db: Connection, workspace: WorkspaceId, scheduler: Scheduler
) -> None:
    """While it is retried nothing more is planned; the slots that passed are one again."""
    await _connect(db, workspace)
    assert await scheduler.run_once(db) == 1
    (claimed,) = await claim(db)
    await jobs.finish(db, [(claimed, Retry(7200, {"code": "transient", "message": "no"}))])
    await shift_clock(db, 3600)
    assert await scheduler.run_once(db) == 0
    assert await states(db, workspace) == ["waiting"]


async def test_jobs_of_one_host_share_a_limit(
    db: Connection, workspace: WorkspaceId, scheduler: Scheduler
) -> None:
    """The host of a URL, without a name or a path; folders have none."""
    for n, source in enumerate(
        ("https://Docs.example.com/a", "https://docs.example.com/b?c", "/var/docs")
    ):
        await _connect(db, workspace, f"c{n}", source)
    await scheduler.run_once(db)
    found = await db.execute(
        "SELECT limit_keys, count(*) FROM jobs WHERE workspace_id = %s GROUP BY 1 ORDER BY 1",
        (workspace,),
    )
    assert await found.fetchall() == [(["host docs.example.com"], 2), (None, 1)]


@pytest.mark.parametrize("asked", [False, True])
async def test_jobs_of_one_credential_share_a_limit(
    asked: bool, db: Connection, workspace: WorkspaceId, scheduler: Scheduler
) -> None:
    """Whatever their hosts: a vendor counts what a token asks for. Also where a person asks."""
    for name, credential in (("a", "one"), ("b", "one"), ("c", "another")):
        made = await _connect(db, workspace, name, f"https://{name}.example.com/")
        await write_secrets(db, workspace, made, Sealed(b"sealed", "key", credential))
    if asked:
        await make_sync_jobs(db, await candidates(db, workspace), {})
    else:
        await scheduler.run_once(db)
    running = await claim(db, per_key=1)
    rows = {row.id: row.name for row in await list_connections(db, workspace)}
    names = sorted(rows[each.connection_id] for each in running)
    assert (len(names), names[-1]) == (2, "c")
    await jobs.finish(db, [(each, Done()) for each in running])
    assert len(await claim(db, per_key=1)) == 1


async def test_adaptive_connections_are_planned_by_what_their_runs_found(
    db: Connection, database: Database, workspace: WorkspaceId
) -> None:
    """Much change brings the next run nearer than none."""
    scheduler = Scheduler(database, Adaptive(), KINDS)
    for name, counts in (("busy", '{"listed": 10, "updated": 9}'), ("quiet", '{"listed": 10}')):
        connection = await _connect(db, workspace, name)
        for hours in range(6):
            await db.execute(
                "INSERT INTO runs (workspace_id, connection_id, lane, mode, state, owner,"
                " lease_until, started_at, counts) VALUES (%s, %s, 'changes', 'incremental',"
                " 'done', 'us', now(), now() - make_interval(hours => %s), %s)",
                (workspace, connection, 6 - hours, counts),
            )
    slots: list[list[datetime]] = []
    for _ in range(2):
        assert await scheduler.run_once(db) == 2
        await _done(db)
        await scheduler.run_once(db)
        found = (await times_of(db, workspace)).values()
        slots.append([each.next_due for each in found if each.next_due])
        if len(slots) == 1:
            now = await _now(db)
            await shift_clock(db, (max(slots[0]) - now).total_seconds() + 1)
    assert slots[0][0] - now <= timedelta(minutes=23)
    assert slots[0][1] - now > timedelta(hours=1)
    assert slots[1][1] - slots[0][1] > timedelta(hours=2)


async def test_a_tick_reads_the_index(db: Connection, workspace: WorkspaceId) -> None:
    """Nothing is read of connections that are not due."""
    await db.execute("SET enable_seqscan = off")  # the table is small here
    found = await db.execute(b"EXPLAIN " + planner._TICK.encode(), {"most": 10}, prepare=False)
    assert "connections_due" in "\n".join(row[0] for row in await found.fetchall())
