"""The embedded engine: as many jobs at once as it may, and all of them told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from syncline.core.jobs import ClaimedJob, Done, Handler, Outcome, Released, Retry
from syncline.core.model import WorkspaceId
from syncline.engines.embedded import EmbeddedEngine
from syncline.store import jobs
from syncline.store.database import Connection, Database
from syncline.store.workspaces import make_workspace
from tests.support.queue import empty_queue, job, rows, states, undo_claim


@pytest.fixture
async def workspace(db: Connection, workspace_name: str) -> AsyncIterator[WorkspaceId]:
    await empty_queue(db)
    yield await make_workspace(db, workspace_name)
    await empty_queue(db)


class _Held:
    """Jobs that go on until they are let."""

    def __init__(self) -> None:
        self.begun: asyncio.Queue[ClaimedJob] = asyncio.Queue()
        self.let: dict[int, asyncio.Event] = {}
        self.most = self.now = 0

    async def handle(self, job: ClaimedJob, stop: asyncio.Event) -> Outcome:
        self.now += 1
        self.most = max(self.most, self.now)
        event = self.let[job.id] = asyncio.Event()
        self.begun.put_nowait(job)
        await event.wait()
        self.now -= 1
        return Done()

    async def next(self) -> ClaimedJob:
        async with asyncio.timeout(30):
            return await self.begun.get()


async def _run(engine: EmbeddedEngine, stop: asyncio.Event) -> None:
    async with asyncio.timeout(60):
        await engine.run(stop)


async def test_all_jobs_are_done_and_told(
    db: Connection, database: Database, workspace: WorkspaceId
) -> None:
    """Many more than at once; each once; what fails is told, too."""
    made = await jobs.enqueue(db, [job(workspace, n) for n in range(500)])
    stop, did = asyncio.Event(), list[int]()
    told: dict[int, str] = {}

    async def handle(job: ClaimedJob, stop: asyncio.Event) -> Outcome:
        did.append(job.id)
        if job.payload["n"] == 7:
            raise RuntimeError("not this one")
        return Done() if job.payload["n"] != 8 else Retry(60, {"code": "no"})

    def ended(job: ClaimedJob, outcome: Outcome, state: str) -> None:
        told[job.id] = state
        if len(told) == len(made):
            stop.set()

    handlers: dict[str, Handler] = {"noop": handle}
    await _run(EmbeddedEngine(database, handlers, 20, on_ended=ended), stop)
    assert sorted(did) == made
    assert [told[id_] for id_ in made] == ["done"] * 7 + ["waiting"] * 2 + ["done"] * 491
    assert await states(db, workspace) == ["waiting", "waiting"]


async def test_as_many_at_once_as_it_may(
    db: Connection, database: Database, workspace: WorkspaceId
) -> None:
    """And the next as soon as one has ended, without waiting to be called."""
    await jobs.enqueue(db, [job(workspace, n) for n in range(6)])
    held, stop = _Held(), asyncio.Event()
    engine = EmbeddedEngine(database, {"noop": held.handle}, 3, poll=3600)
    running = asyncio.create_task(_run(engine, stop))
    for _ in range(6):
        begun = await held.next()
        held.let[begun.id].set()
    stop.set()
    await running
    assert held.most <= 3
    assert await rows(db, workspace) == []


async def test_one_that_holds_back_does_one_job_after_another(
    db: Connection, database: Database, workspace: WorkspaceId
) -> None:
    """What runs already goes on; when it need not hold back any more there is room again."""
    await jobs.enqueue(db, [job(workspace, n) for n in range(7)])
    held, stop = _Held(), asyncio.Event()
    short = False
    engine = EmbeddedEngine(database, {"noop": held.handle}, 2, hold_back=lambda: short, poll=3600)
    running = asyncio.create_task(_run(engine, stop))
    begun = [await held.next() for _ in range(2)]
    short = True
    held.most = 0
    for each in begun:
        held.let[each.id].set()
    for _ in range(3):
        alone = await held.next()
        assert (held.now, held.begun.qsize()) == (1, 0)
        held.let[alone.id].set()
    short = False
    for _ in range(2):
        held.let[(await held.next()).id].set()
    stop.set()
    await running
    assert await rows(db, workspace) == []


async def test_a_new_job_wakes_it(
    db: Connection, database: Database, workspace: WorkspaceId
) -> None:
    """However seldom it looks by itself."""
    held, stop = _Held(), asyncio.Event()
    engine = EmbeddedEngine(database, {"noop": held.handle}, 3, poll=3600)
    running = asyncio.create_task(_run(engine, stop))
    for n in range(3):
        await jobs.enqueue(db, [job(workspace, n)])
        held.let[(await held.next()).id].set()
    stop.set()
    await running
    assert await rows(db, workspace) == []


async def test_a_claim_that_a_crash_has_undone_is_given_up(
    db: Connection, database: Database, workspace: WorkspaceId
) -> None:
    """Its job is claimed anew, once what was done of it has ended and can tell nothing any more."""
    await jobs.enqueue(db, [job(workspace), job(workspace)])
    held, stop = _Held(), asyncio.Event()
    told: list[tuple[int, str]] = []
    cancelled: list[int] = []

    async def handle(job: ClaimedJob, stop: asyncio.Event) -> Outcome:
        try:
            return await held.handle(job, stop)
        except asyncio.CancelledError:
            cancelled.append(job.id)
            raise

    def ended(job: ClaimedJob, outcome: Outcome, state: str) -> None:
        told.append((job.id, state))
        if len(told) == 3:
            stop.set()

    engine = EmbeddedEngine(database, {"noop": handle}, 2, on_ended=ended)
    running = asyncio.create_task(_run(engine, stop))
    lost, kept = await held.next(), await held.next()
    async with db.transaction():
        await undo_claim(db, lost.id)
        await db.execute(
            "SELECT pg_terminate_backend(l.pid, 10000) FROM pg_locks l WHERE l.locktype ="
            " 'advisory' AND (l.classid::bigint << 32 | l.objid::bigint)"
            " = hashtextextended('syncline worker ' || %s, 0)",
            (engine.owner,),
        )
    again = await held.next()
    assert (again.id, again.epoch, cancelled) == (lost.id, lost.epoch, [lost.id])
    held.let[lost.id].set()
    held.let[kept.id].set()
    await running
    assert sorted(told) == sorted([(lost.id, "taken over"), (lost.id, "done"), (kept.id, "done")])
    assert await rows(db, workspace) == []


async def test_what_nobody_called_for_is_found_by_looking(
    db: Connection, database: Database, workspace: WorkspaceId
) -> None:
    """A row that came without a word, or whose word was lost, is claimed all the same."""
    held, stop = _Held(), asyncio.Event()
    engine = EmbeddedEngine(database, {"noop": held.handle}, 3, poll=0.05)
    running = asyncio.create_task(_run(engine, stop))
    await jobs.enqueue(db, [job(workspace, 1)])
    held.let[(await held.next()).id].set()
    await db.execute(
        "INSERT INTO jobs (workspace_id, kind, payload) VALUES (%s, 'noop', '{\"n\": 2}')",
        (workspace,),
    )
    silent = await held.next()
    assert silent.payload == {"n": 2}
    held.let[silent.id].set()
    stop.set()
    await running


async def _leases(db: Connection) -> dict[int, datetime]:
    found = await db.execute("SELECT id, lease_until FROM jobs WHERE state = 'running'")
    return {row[0]: row[1] for row in await found.fetchall()}


async def test_the_leases_of_what_runs_are_renewed(
    db: Connection, database: Database, workspace: WorkspaceId
) -> None:
    """Again and again, in time. What was taken from it is ended at once, and its end changes
    nothing; what is to be cancelled is asked to stop, also where the call was lost."""
    kept, taken, cancelled = await jobs.enqueue(db, [job(workspace, n) for n in range(3)])
    stop, begun = asyncio.Event(), asyncio.Queue[int]()
    told = asyncio.Queue[tuple[int, str, str]]()

    async def handle(job: ClaimedJob, stop: asyncio.Event) -> Outcome:
        begun.put_nowait(job.id)
        await stop.wait()
        return Released()

    engine = EmbeddedEngine(
        database,
        {"noop": handle},
        3,
        lease=1,
        on_ended=lambda job, outcome, state: told.put_nowait(
            (job.id, type(outcome).__name__, state)
        ),
    )
    running = asyncio.create_task(_run(engine, stop))
    async with asyncio.timeout(60):
        assert sorted([await begun.get() for _ in range(3)]) == [kept, taken, cancelled]
        last = first = (await _leases(db))[kept]
        while last - first < timedelta(seconds=1.2):  # longer than a lease lasts
            last = max(last, (await _leases(db))[kept])
            assert await jobs.rescue(db, only=[]) == []
        await db.execute(
            "UPDATE jobs SET epoch = epoch + 1, owner = 'them',"
            " lease_until = moment() + interval '1 h' WHERE id = %s",
            (taken,),
        )
        assert await told.get() == (taken, "Released", "taken over")
        await db.execute("UPDATE jobs SET cancel = true WHERE id = %s", (cancelled,))
        assert await told.get() == (cancelled, "Released", "cancelled")
        stop.set()
        assert await told.get() == (kept, "Released", "ready")
    await running
    assert await states(db, workspace) == ["ready", "running", "cancelled"]
