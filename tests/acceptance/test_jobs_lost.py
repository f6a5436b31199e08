"""Jobs that lose the database: an outage costs nobody an attempt, a job's own fault does. And jobs
that no worker knows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from syncline.core.jobs import ATTEMPTS, LOSSES, ClaimedJob, Done, Lost, NewJob, Outcome, Snooze
from syncline.core.model import WorkspaceId
from syncline.engines.embedded import EmbeddedEngine
from syncline.settings import Settings
from syncline.store import jobs
from syncline.store.database import Connection, Database
from syncline.store.jobs_read import find_job, list_jobs
from syncline.store.workspaces import make_workspace
from syncline.sync.health import read_health
from tests.support.queue import claim, empty_queue, job, shift_clock, states

_WENT = Lost(30, {"code": "DatabaseLost", "message": "The database went away"})


@pytest.fixture
async def workspace(db: Connection, workspace_name: str) -> AsyncIterator[WorkspaceId]:
    await empty_queue(db)
    yield await make_workspace(db, workspace_name)
    await empty_queue(db)


async def _wait_over(db: Connection) -> None:
    await shift_clock(db, 24 * 3600)
    await jobs.promote(db)
    await shift_clock(db, 0)


async def test_a_job_that_ends_its_session_each_time_becomes_a_dead_letter(
    db: Connection, database: Database, workspace: WorkspaceId
) -> None:
    """The worker and the jobs beside it go on; after some losses in a row each is an attempt."""
    (killer,) = await jobs.enqueue(db, [NewJob(workspace, "killer")])
    stop, told = asyncio.Event(), asyncio.Queue[tuple[int, str]]()

    async def kill(job: ClaimedJob, stop: asyncio.Event) -> Outcome:
        async with database.connection() as own:
            await own.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return Done()

    async def nothing(job: ClaimedJob, stop: asyncio.Event) -> Outcome:
        return Done()

    engine = EmbeddedEngine(
        database,
        {"killer": kill, "noop": nothing},
        2,
        on_ended=lambda job, outcome, state: told.put_nowait((job.id, state)),
    )
    running = asyncio.create_task(engine.run(stop))
    seen: list[tuple[int, str]] = []
    async with asyncio.timeout(60):
        while not seen or seen[-1] != (killer, "dead"):
            seen.append(await told.get())
            if seen[-1] == (killer, "waiting"):
                await jobs.enqueue(db, [job(workspace)])
                seen.append(await told.get())
                await _wait_over(db)
    stop.set()
    await running
    assert [state for id_, state in seen if id_ == killer].count("waiting") == LOSSES + ATTEMPTS - 1
    row = await find_job(db, workspace, killer)
    assert row.attempts == ATTEMPTS
    assert row.error is not None
    assert row.error["code"] == "DatabaseLost"
    assert "7 times in a row, while other jobs did not lose it" in str(row.error["message"])


async def test_an_outage_costs_nobody_an_attempt(db: Connection, workspace: WorkspaceId) -> None:
    """However often it comes again before any job has got through."""
    await jobs.enqueue(db, [job(workspace, n) for n in range(3)])
    for _ in range(3 * LOSSES):
        claimed = await claim(db)
        assert [each.attempts for each in claimed] == [1, 1, 1]
        await jobs.finish(db, [(each, _WENT) for each in claimed])
        await _wait_over(db)
    for each in await claim(db):
        assert await jobs.finish(db, [(each, Done())]) == {each.id: "done"}


async def test_only_losses_in_a_row_count(db: Connection, workspace: WorkspaceId) -> None:
    """Each makes it wait longer; whatever else comes of it begins the count anew."""
    (made,) = await jobs.enqueue(db, [job(workspace)])
    waits = []
    outcomes: list[Outcome] = [*[_WENT] * LOSSES, Snooze(1, {"code": "later"}), *[_WENT] * LOSSES]
    for outcome in outcomes:
        (claimed,) = await claim(db)
        await jobs.finish(db, [(claimed, outcome)])
        found = await db.execute(
            "SELECT round(extract(epoch FROM run_at - ended_at)), attempts FROM jobs WHERE id = %s",
            (made,),
        )
        waits.append(await found.fetchone())
        await _wait_over(db)
    each = [(30 * 2**n, 0) for n in range(LOSSES)]
    assert waits == [*each, (1, 0), *each]


async def test_jobs_of_an_unknown_kind_are_left_to_who_knows_them(
    db: Connection, database: Database, workspace: WorkspaceId
) -> None:
    """As long as no worker does, `jobs` and `health` say so; nothing happens to them."""
    (newer,) = await jobs.enqueue(db, [NewJob(workspace, "from a newer version")])
    stop, told = asyncio.Event(), asyncio.Queue[int]()

    async def nothing(job: ClaimedJob, stop: asyncio.Event) -> Outcome:
        return Done()

    def worker(kind: str) -> asyncio.Task[None]:
        engine = EmbeddedEngine(
            database,
            {kind: nothing},
            2,
            on_ended=lambda job, outcome, state: told.put_nowait(job.id),
        )
        return asyncio.create_task(engine.run(stop))

    assert (await find_job(db, workspace, newer)).error is None  # nobody works at all
    older = worker("noop")
    async with asyncio.timeout(60):
        (made,) = await jobs.enqueue(db, [job(workspace)])
        assert await told.get() == made
        assert await states(db, workspace) == ["ready"]
        (row,) = await list_jobs(db, workspace, states=())
        assert row.attempts == 0
        assert "No worker that runs knows" in str((row.error or {})["message"])
        settings = Settings.from_environment({})
        health = await read_health(db, settings, workspace, with_default=True)
        assert [each.what for each in health.findings] == ["unknown"]
        younger = worker("from a newer version")
        assert await told.get() == newer
    stop.set()
    await asyncio.gather(older, younger)
    assert await states(db, workspace) == []
