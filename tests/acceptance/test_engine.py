"""The embedded engine: as many jobs at once as it may, and all of them told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from syncline.core.jobs import ClaimedJob, Done, Handler, Outcome, Retry
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
