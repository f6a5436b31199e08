"""The queue: a job is done once by whoever claims it, and what goes wrong is not lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import islice

import pytest

from syncline.core.errors import NotHere, UsageError
from syncline.core.jobs import ATTEMPTS, Dead, Done, Released, Retry, Snooze, retry_after
from syncline.core.model import WorkspaceId
from syncline.store import jobs
from syncline.store.database import Connection, Database
from syncline.store.jobs_read import cancel_job, find_job, list_jobs, retry_job
from syncline.store.workspaces import make_workspace
from tests.support.queue import claim, empty_queue, job, rows, shift_clock, states, undo_claim

POSTGRES = ("16", "18")
_CAUSE = {"code": "transient", "message": "it was not there"}


@pytest.fixture
async def workspace(db: Connection, workspace_name: str) -> WorkspaceId:
    await empty_queue(db)
    return await make_workspace(db, workspace_name)


async def test_a_job_is_claimed_once_and_gone_when_done(
    db: Connection, workspace: WorkspaceId
) -> None:
    """In the order in which they came."""
    made = await jobs.enqueue(db, [job(workspace, n) for n in range(3)])
    first = await claim(db, most=2)
    assert [each.id for each in first] == made[:2]
    assert [each.payload for each in first] == [{"n": 0}, {"n": 1}]
    second = await claim(db, "them")
    assert [each.id for each in second] == made[2:]
    assert await claim(db) == []
    ended = await jobs.finish(db, [(each, Done()) for each in first + second])
    assert ended == dict.fromkeys(made, "done")
    assert await rows(db, workspace) == []


async def test_two_live_jobs_with_one_key_are_one(db: Connection, workspace: WorkspaceId) -> None:
    """Until the first has ended."""
    (made,) = await jobs.enqueue(db, [job(workspace, dedupe_key="a"), job(workspace)][:1])
    assert await jobs.enqueue(db, [job(workspace, dedupe_key="a")]) == []
    (claimed,) = await claim(db)
    assert claimed.id == made
    assert await jobs.enqueue(db, [job(workspace, dedupe_key="a")]) == []
    await jobs.finish(db, [(claimed, Done())])
    assert len(await jobs.enqueue(db, [job(workspace, dedupe_key="a")])) == 1


async def test_a_job_that_fails_is_tried_again_and_dead_at_last(
    db: Connection, workspace: WorkspaceId
) -> None:
    """Not before its time; its cause is kept with it; a person can send it again."""
    (made,) = await jobs.enqueue(db, [job(workspace)])
    for attempt in range(1, ATTEMPTS + 1):
        (claimed,) = await claim(db)
        assert claimed.attempts == attempt
        await jobs.finish(db, [(claimed, Retry(30, _CAUSE))])
        if attempt < ATTEMPTS:
            assert await states(db, workspace) == ["waiting"]
            assert await jobs.promote(db) == 0
            assert await claim(db) == []
            await shift_clock(db, 31.0 * attempt)
            assert await jobs.promote(db) == 1
    assert await states(db, workspace) == ["dead"]
    assert (await find_job(db, workspace, made)).error == _CAUSE
    await retry_job(db, workspace, made)
    (claimed,) = await claim(db)
    assert claimed.attempts == 1


async def test_a_snooze_and_a_release_do_not_count(db: Connection, workspace: WorkspaceId) -> None:
    """Whatever could not be tried yet has all its attempts before it."""
    await jobs.enqueue(db, [job(workspace)])
    for _ in range(ATTEMPTS + 2):
        (claimed,) = await claim(db)
        await jobs.finish(db, [(claimed, Snooze(0, {"code": "quota"}))])
        (claimed,) = await claim(db)
        await jobs.finish(db, [(claimed, Released())])
    (claimed,) = await claim(db)
    assert claimed.attempts == 1
    assert claimed.epoch == 2 * (ATTEMPTS + 2) + 1


async def test_who_has_lost_a_job_changes_nothing(db: Connection, workspace: WorkspaceId) -> None:
    """A lease that has lapsed: another does it, and the first one's word comes to nothing."""
    await jobs.hold_worker(db, "us")
    await jobs.enqueue(db, [job(workspace)])
    (mine,) = await claim(db)
    assert await jobs.rescue(db) == []
    await shift_clock(db, jobs.LEASE_SECONDS - 1)
    assert await jobs.rescue(db) == []
    assert await jobs.renew(db, [(mine.id, mine.epoch)], owner=mine.owner) == {
        (mine.id, mine.epoch): False
    }
    await shift_clock(db, jobs.LEASE_SECONDS + 1)
    assert await jobs.rescue(db) == []
    await shift_clock(db, 2.0 * jobs.LEASE_SECONDS)
    (lapsed,) = await jobs.rescue(db)
    assert (lapsed["state"], lapsed["error"]["code"]) == ("ready", "lease_lapsed")
    (theirs,) = await claim(db, "them")
    assert theirs.attempts == 2
    before = await rows(db, workspace)
    assert await jobs.renew(db, [(mine.id, mine.epoch)], owner=mine.owner) == {}
    for outcome in (Done(), Dead(_CAUSE), Retry(1, _CAUSE), Released()):
        assert await jobs.finish(db, [(mine, outcome)]) == {}
    assert await rows(db, workspace) == before


async def test_a_claim_that_a_crash_has_undone_is_nobodys(
    db: Connection, workspace: WorkspaceId
) -> None:
    """Claims do not wait for the disk: the next one of such a job has the same epoch."""
    await jobs.enqueue(db, [job(workspace)])
    (mine,) = await claim(db)
    await undo_claim(db, mine.id)
    assert await jobs.finish(db, [(mine, Done())]) == {}
    (theirs,) = await claim(db, "them")
    assert (theirs.id, theirs.epoch) == (mine.id, mine.epoch)
    before = await rows(db, workspace)
    assert await jobs.renew(db, [(mine.id, mine.epoch)], owner=mine.owner) == {}
    for outcome in (Done(), Dead(_CAUSE), Retry(1, _CAUSE), Released()):
        assert await jobs.finish(db, [(mine, outcome)]) == {}
    assert await rows(db, workspace) == before
    assert await jobs.finish(db, [(theirs, Done())]) == {theirs.id: "done"}


async def test_the_jobs_of_a_dead_worker_are_ready_at_once(
    db: Connection, database: Database, workspace: WorkspaceId
) -> None:
    """Its session is the sign of life. A job that has lost two waits, so that what it is done
    beside is not done beside it again; after the last attempt it is dead."""
    await jobs.enqueue(db, [job(workspace)])
    for attempt in range(1, ATTEMPTS + 1):
        session = await database.connect()
        await jobs.hold_worker(session, "short-lived")
        (claimed,) = await claim(db, "short-lived")
        assert claimed.attempts == attempt
        assert await jobs.rescue(db) == []
        await session.close()
        async with asyncio.timeout(30):
            while not (taken := await jobs.rescue(db)):
                pass  # the server has not yet noticed that the session is closed
        assert [row["error"]["code"] for row in taken] == ["worker_died"]
        if attempt == 2:
            assert await states(db, workspace) == ["waiting"]
            await shift_clock(db, 2 * 60)
            assert await jobs.promote(db) == 1
    assert await states(db, workspace) == ["dead"]
    (row,) = await list_jobs(db, workspace, states=["dead"])
    assert "short-lived" in str(row.error)


async def test_a_large_workspace_does_not_hold_up_a_small_one(
    db: Connection, workspace: WorkspaceId, workspace_name: str
) -> None:
    """Five jobs that come behind ten thousand are done among the next ten or so."""
    small = await make_workspace(db, f"{workspace_name}-small")
    await jobs.enqueue(db, [job(workspace, n) for n in range(10_000)])
    served = await claim(db, most=100)
    await jobs.finish(db, [(each, Done()) for each in served])
    await jobs.enqueue(db, [job(small, n) for n in range(5)])
    assert Counter(each.workspace_id for each in await claim(db, most=12))[small] == 5


async def test_what_a_person_waits_for_goes_first(db: Connection, workspace: WorkspaceId) -> None:
    """Whatever came before."""
    await jobs.enqueue(db, [job(workspace, n) for n in range(50)])
    (asked,) = await jobs.enqueue(db, [job(workspace, priority=10)])
    assert [each.id for each in await claim(db, most=1)] == [asked]


async def test_one_host_has_so_many_jobs_at_once(
    db: Connection, database: Database, workspace: WorkspaceId
) -> None:
    """Of all workers together, also when they ask at the same moment; the others go on."""
    crowded = [job(workspace, n, limit_keys=["host a"]) for n in range(40)]
    await jobs.enqueue(
        db, [*crowded, job(workspace, 99, limit_keys=["host b"]), job(workspace, 100)]
    )

    async def worker(name: str) -> list[int]:
        async with await database.connect() as own:
            claimed = await jobs.claim(own, name, most=10, per_key=3)
            return [int(str(each.payload["n"])) for each in claimed]

    took = [n for each in await asyncio.gather(*map(worker, "abcdef")) for n in each]
    assert sorted(took) == [0, 1, 2, 99, 100]


async def test_each_limit_of_a_job_holds(db: Connection, workspace: WorkspaceId) -> None:
    """A host and a credential: one of the two that is full is enough to wait."""
    keys = [("host a", "key x"), ("host a", "key y"), ("host b", "key x"), ("host c",), ()]
    await jobs.enqueue(db, [job(workspace, n, limit_keys=each) for n, each in enumerate(keys)])
    first = await claim(db, per_key=1)
    assert sorted(each.payload["n"] for each in first) == [0, 3, 4]
    assert await claim(db, per_key=1) == []
    await jobs.finish(db, [(each, Done()) for each in first])
    assert sorted(each.payload["n"] for each in await claim(db, per_key=1)) == [1, 2]


async def test_who_waits_for_a_host_is_woken_when_it_is_free(
    db: Connection, database: Database, workspace: WorkspaceId
) -> None:
    """A worker that has room, and found no job but of a host that was full."""
    await jobs.enqueue(db, [job(workspace, n, limit_keys=["host a"]) for n in range(2)])
    (claimed,) = await claim(db, per_key=1)
    async with await database.connect() as listening:
        await listening.execute(f"LISTEN {jobs.CHANNEL}")
        await jobs.finish(db, [(claimed, Done())])
        heard = [notice.payload async for notice in listening.notifies(timeout=10, stop_after=1)]
    assert heard == [""]
    assert len(await claim(db, per_key=1)) == 1


async def test_the_queue_is_read_along_its_indexes(
    db: Connection, database: Database, workspace: WorkspaceId
) -> None:
    """Also where the statistics say that it is empty."""

    async def scans() -> int:
        await db.execute("SELECT pg_stat_force_next_flush()")
        found = await db.execute("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'jobs'")
        row = await found.fetchone()
        assert row is not None
        return int(row[0])

    async with await database.connect_as_owner() as owner:
        await owner.execute("ANALYZE jobs")
    before = await scans()
    for _ in range(3):
        await jobs.enqueue(db, [job(workspace, n) for n in range(200)])
        while claimed := await claim(db, most=50):
            half = len(claimed) // 2
            ends = [(each, Done()) for each in claimed[:half]]
            await jobs.finish(db, [*ends, *((each, Dead(_CAUSE)) for each in claimed[half:])])
    assert await scans() == before


async def test_many_workers_do_each_job_once(
    db: Connection, database: Database, workspace: WorkspaceId
) -> None:
    """Side by side, without waiting for each other's jobs."""
    made = await jobs.enqueue(db, [job(workspace, n) for n in range(300)])
    took: list[int] = []

    async def worker(name: str) -> None:
        async with await database.connect() as own:
            while claimed := await jobs.claim(own, name, most=7, per_key=1):
                took.extend(each.id for each in claimed)
                await jobs.finish(own, [(each, Done()) for each in claimed])

    await asyncio.gather(*map(worker, "abcde"))
    assert sorted(took) == made


async def test_a_job_can_be_cancelled(db: Connection, workspace: WorkspaceId) -> None:
    """One that waits at once; one that runs when its worker gives it back, unless it is done."""
    waiting, running = await jobs.enqueue(db, [job(workspace, n) for n in range(2)])
    assert await cancel_job(db, workspace, waiting) == "cancelled"
    (claimed,) = await claim(db)
    assert claimed.id == running
    assert await cancel_job(db, workspace, running) == "running"
    assert await jobs.renew(db, [(running, claimed.epoch)], owner=claimed.owner) == {
        (running, claimed.epoch): True
    }
    await jobs.finish(db, [(claimed, Released())])
    assert await states(db, workspace) == ["cancelled", "cancelled"]
    with pytest.raises(UsageError, match="cancelled already"):
        await cancel_job(db, workspace, running)
    await retry_job(db, workspace, running)
    assert [each.id for each in await claim(db)] == [running]


async def test_workspaces_are_walls(
    db: Connection, workspace: WorkspaceId, workspace_name: str
) -> None:
    """Another workspace's job is not there: not to be shown, cancelled or retried."""
    other = await make_workspace(db, f"{workspace_name}-other")
    (made,) = await jobs.enqueue(db, [job(workspace)])
    assert await list_jobs(db, other, states=()) == []
    for ask in (find_job, cancel_job, retry_job):
        with pytest.raises(NotHere):
            await ask(db, other, made)
    assert await states(db, workspace) == ["ready"]


async def test_whoever_listens_is_woken(
    db: Connection, database: Database, workspace: WorkspaceId
) -> None:
    """By new jobs, jobs whose time has come, and with its number by one that is to be cancelled."""
    async with await database.connect() as listening:
        await listening.execute(f"LISTEN {jobs.CHANNEL}")
        (made,) = await jobs.enqueue(db, [job(workspace), job(workspace)][:1])
        (claimed,) = await claim(db)
        await cancel_job(db, workspace, claimed.id)
        heard = [notice.payload async for notice in listening.notifies(timeout=10, stop_after=2)]
        assert heard == ["", str(made)]


def test_attempts_are_further_and_further_apart() -> None:
    """30 s, 60 s, 120 s, … at most an hour, less up to a quarter."""
    assert [retry_after(n, chance=0) for n in (1, 2, 3)] == [30, 60, 120]
    assert retry_after(50, chance=0) == 3600
    assert all(
        0.75 * retry_after(n, chance=0) <= retry_after(n, chance=0.9999) < retry_after(n, chance=0)
        for n in islice(range(1, 99), 20)
    )
