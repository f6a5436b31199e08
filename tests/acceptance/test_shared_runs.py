"""A run of several partitions, read by whoever claims them: one run, one report."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from msgspec.structs import replace

from syncline.core.errors import RunInProgress
from syncline.core.jobs import ATTEMPTS, ClaimedJob, Done, HandedOn, NewJob, Outcome
from syncline.core.model import EntryKey, Mode, Partition, RunId
from syncline.store import jobs, parts
from syncline.store.database import Connection
from syncline.store.events import open_troubles
from syncline.store.jobs_read import cancel_job, list_jobs
from syncline.store.manifest import note_seen
from syncline.store.runs import RunRef
from syncline.store.runs_read import list_runs
from syncline.store.timetable import pause
from syncline.sync.report import Report
from syncline.sync.shared import partition_handler
from syncline.sync.sync_job import RECONCILE, SYNC, sync_handler
from tests.support.looking import documents
from tests.support.queue import claim, empty_queue, shift_clock
from tests.support.syncs import Syncs
from tests.support.world import World


class Workers:
    """As many workers as a test wants, in this process, a step at a time."""

    def __init__(self, syncs: Syncs, db: Connection) -> None:
        self.syncs = syncs
        self.db = db
        self.reports: list[Report] = []
        self._handlers = {
            SYNC: sync_handler(syncs.tools, self.reports.append),
            RECONCILE: sync_handler(syncs.tools, self.reports.append),
            parts.PARTITION: partition_handler(syncs.tools),
        }

    async def ask(self, kind: str = SYNC, **payload: Any) -> int:
        row = self.syncs.row
        wanted = NewJob(row.workspace_id, kind, payload, row.id, limit_keys=["host docs"])
        (made,) = await jobs.enqueue(self.db, [wanted])
        return made

    async def claim(self, most: int = 10, *, per_key: int = 100) -> list[ClaimedJob]:
        claimed: list[ClaimedJob] = await claim(self.db, most=most, per_key=per_key)
        return claimed

    async def do(self, job: ClaimedJob, stop: asyncio.Event | None = None) -> Outcome:
        outcome = await self._handlers[job.kind](job, stop or asyncio.Event())
        if not isinstance(outcome, HandedOn):
            await jobs.finish(self.db, [(job, outcome)])
        return outcome

    async def share_out(self, **payload: Any) -> list[ClaimedJob]:
        """Open a run, and claim its partitions."""
        await self.ask(**payload)
        (opening,) = await self.claim()
        assert await self.do(opening) == HandedOn()
        return await self.claim()

    async def go_on(self) -> None:
        """Do what there is, until nothing is left; nothing waits longer than it must."""
        async with asyncio.timeout(60):
            while True:
                for job in await self.claim():
                    await self.do(job)
                found = await list_jobs(self.db, self.row_workspace, states=["waiting", "ready"])
                if not found:
                    return
                if all(job.state == "waiting" for job in found):
                    await shift_clock(self.db, 3600)
                    await jobs.promote(self.db)
                    await shift_clock(self.db, 0)

    @property
    def row_workspace(self) -> Any:
        return self.syncs.row.workspace_id

    async def runs(self) -> Sequence[Any]:
        return await list_runs(self.db, self.row_workspace)


@pytest.fixture
async def spaces(world: World) -> World:
    for space in ("dev", "ops", "people"):
        for n in range(3):
            world.put(f"{space}{n}", f"# {space} {n}\n\nwhat {space} says of {n}", partition=space)
    return world


@pytest.fixture
async def workers(listing: Syncs, spaces: World, db: Connection) -> AsyncIterator[Workers]:
    await empty_queue(db)
    yield Workers(listing, db)
    await empty_queue(db)


async def test_partitions_are_jobs_and_their_end_is_one_report(workers: Workers) -> None:
    """Each may be read by another worker; the last one's end calls for the closing."""
    partitions = await workers.share_out()
    assert [job.kind for job in partitions] == ["partition"] * 4  # `main` is empty
    (waiting,) = await list_jobs(workers.db, workers.row_workspace, states=["waiting"])
    (run,) = await workers.runs()
    assert (waiting.kind, waiting.run, waiting.attempts) == ("sync", run.id, 0)
    assert (run.state, (waiting.error or {})["code"]) == ("running", "shared")
    for job in partitions:
        assert await workers.claim() == []
        assert await workers.do(job) == Done()
    (closing,) = await workers.claim()
    assert (closing.id, closing.attempts) == (waiting.id, 1)
    assert await workers.do(closing) == Done()
    (report,) = workers.reports
    assert report.run == run.id
    assert (report.listed, report.counts["created"], report.accounted_for) == (9, 9, True)
    (run,) = await workers.runs()
    assert (run.state, run.counts["created"]) == ("done", 9)
    assert len(await documents(workers.syncs)) == 9
    assert await list_jobs(workers.db, workers.row_workspace, states=()) == []


async def test_what_must_be_known_of_all_partitions_is_decided_at_the_end(
    workers: Workers, spaces: World
) -> None:
    """What is gone, what has moved to another partition, and whose document an entry is."""
    await workers.syncs.run()
    spaces.remove("dev0")
    spaces.remove("ops0")
    spaces.put("moved", "# ops 0\n\nwhat ops says of 0", partition="people", title="ops0")
    spaces.put("same", "# dev 1\n\nas there", partition="people", alias_of="dev1")
    await workers.ask()
    await workers.go_on()
    (report,) = workers.reports
    counts = report.counts
    assert (counts["moved"], counts["deleted"], counts["alias"]) == (1, 1, 1)
    assert report.accounted_for, counts
    assert {"moved", "dev1"} < set(await documents(workers.syncs))
    assert "dev0" not in await documents(workers.syncs)


async def test_a_reconcile_of_many_finds_what_the_feeds_did_not_tell(
    spaces: World, db: Connection, opened: Callable[..., AbstractAsyncContextManager[Syncs]]
) -> None:
    """What no partition lists is deleted, what another lists has moved; none of it before each has
    been listed to its end. A sync beside it takes its own lane, and nothing back."""
    await empty_queue(db)
    async with opened("scripted-proof") as syncs:
        workers = Workers(syncs, db)
        await workers.ask()
        await workers.go_on()
        for name in ("dev0", "ops0", "people0"):
            spaces.vanish(name)
        spaces.put("moved", "# ops 0\n\nwhat ops says of 0", partition="people", title="ops0")
        spaces.fail_listing(1, partition="ops")
        await workers.ask(RECONCILE, mode=Mode.RECONCILE.value)
        await workers.go_on()
        assert workers.reports[-1].counts["deleted"] == 0
        assert "could not be read completely: ops:" in workers.reports[-1].warnings[0]
        assert {"dev0", "people0"} < set(await documents(workers.syncs))
        spaces.heal()
        await workers.ask(RECONCILE, mode=Mode.RECONCILE.value)
        (opening,) = await workers.claim()
        assert await workers.do(opening) == HandedOn()
        first, *others = await workers.claim()
        assert await workers.do(first) == Done()
        spaces.put("people1", "# people 1\n\nsaid anew", partition="people")
        assert (await workers.syncs.run()).state == "done"  # of the other lane, in between
        for job in others:
            assert await workers.do(job) == Done()
        await workers.go_on()
        report = workers.reports[-1]
        assert report.mode == Mode.RECONCILE.value
        assert report.accounted_for, report.counts
        left = set(await documents(workers.syncs))
        assert left == {
            *(f"{space}{n}" for space in ("dev", "ops", "people") for n in (1, 2)),
            "moved",
        }
        assert [run.state for run in await workers.runs()] == ["done"] * 4
        await empty_queue(db)


async def test_a_partition_that_dies_takes_no_sibling_with_it(
    workers: Workers, spaces: World
) -> None:
    """It is tried as often as any job; the others are stored, nothing is deleted by absence, the
    report says which could not be read, and the next run reads it."""
    await workers.syncs.run()
    spaces.fail_listing(1, partition="ops")
    spaces.remove("dev0")
    spaces.put("people9", "new", partition="people")
    await workers.ask()
    await workers.go_on()
    (report,) = workers.reports
    assert (report.state, report.exit_code) == ("done", 3)
    assert (report.counts["created"], report.counts["deleted"]) == (1, 0)
    (warning,) = report.warnings
    assert "could not be read completely: ops:" in warning
    tries = [each for each in spaces.log("enumerate") if each["partition"] == "ops"]
    assert len(tries) == 1 + ATTEMPTS
    assert await list_jobs(workers.db, workers.row_workspace, states=()) == []
    spaces.heal()
    await workers.ask()
    await workers.go_on()
    assert workers.reports[-1].counts["deleted"] == 1
    assert workers.reports[-1].exit_code == 0


async def test_a_run_none_of_whose_partitions_can_be_read_has_failed(
    workers: Workers, spaces: World
) -> None:
    """With their cause and what to do. One partition alone marks no connection."""
    for space in ("dev", "main", "ops", "people"):
        spaces.fail_listing(0, "forbidden", partition=space)
    partitions = await workers.share_out()
    for job in partitions:
        await jobs.finish(workers.db, [(job, await _dead(workers, job))])
    troubles = await open_troubles(workers.db, workers.row_workspace)
    assert "needs_attention" not in {each.kind for each in troubles}
    (closing,) = await workers.claim()
    await workers.do(replace(closing, attempts=ATTEMPTS))
    (report,) = workers.reports
    error = report.error or {}
    assert (report.state, error["code"], error["hint"]) == ("failed", "forbidden", "Ask ann.")
    troubles = await open_troubles(workers.db, workers.row_workspace)
    assert "needs_attention" in {each.kind for each in troubles}


async def _dead(workers: Workers, job: ClaimedJob) -> Outcome:
    """What becomes of a job at its last attempt."""
    from syncline.core.jobs import Dead, Retry

    last = replace(job, attempts=ATTEMPTS)
    outcome = await partition_handler(workers.syncs.tools)(last, asyncio.Event())
    assert isinstance(outcome, Retry)
    return Dead({**outcome.error, "hint": "Ask ann."})


async def test_refused_credentials_end_the_run_and_wait_for_a_person(
    workers: Workers, spaces: World
) -> None:
    """Whichever partition finds out."""
    spaces.fail_listing(0, "unauthorized", partition="dev")
    await workers.ask()
    await workers.go_on()
    (report,) = workers.reports
    assert (report.error or {})["code"] == "unauthorized"
    found = await workers.db.execute(
        "SELECT attention ->> 'code' FROM connections WHERE workspace_id = %s",
        (workers.row_workspace,),
    )
    assert await found.fetchone() == ("unauthorized",)


async def test_a_shared_run_is_one_that_is_under_way(workers: Workers) -> None:
    """Another is refused while nobody holds it; force ends all of it, and begins anew."""
    partitions = await workers.share_out()
    with pytest.raises(RunInProgress):
        await workers.syncs.run()
    assert await workers.do(partitions.pop()) == Done()
    forced = await workers.syncs.run(force=True)
    assert (forced.state, forced.listed) == ("done", 9)
    assert [run.state for run in await workers.runs()] == ["done", "interrupted"]
    for job in partitions:
        assert await workers.do(job) == Done()  # there is nothing to be done any more
    assert await list_jobs(workers.db, workers.row_workspace, states=["ready", "running"]) == []
    await workers.go_on()  # the job that waited sees that its run is over, and runs once more
    assert workers.reports[-1].counts["unchanged"] == 9


async def test_a_run_that_is_cancelled_ends_with_its_partitions(workers: Workers) -> None:
    """Nothing of it is written any more; what was is there, and counted."""
    first, *others = await workers.share_out()
    await workers.do(others[-1])
    (waiting,) = await list_jobs(workers.db, workers.row_workspace, states=["waiting"])
    assert await cancel_job(workers.db, workers.row_workspace, waiting.id) == "cancelled"
    (run,) = await workers.runs()
    assert (run.state, run.counts.get("created")) == ("interrupted", 3)
    assert await workers.do(first) == Done()
    assert len(await documents(workers.syncs)) == 3
    left = await list_jobs(workers.db, workers.row_workspace, states=())
    assert [(job.kind, job.state) for job in left] == [("sync", "cancelled")]


async def test_a_partition_that_is_given_back_goes_on_elsewhere(
    workers: Workers, spaces: World
) -> None:
    """A worker that is told to end in the middle: no attempt is counted, nothing counts twice."""
    first, *_ = partitions = await workers.share_out()
    stop = asyncio.Event()
    stop.set()
    for job in partitions:
        await workers.do(job, stop if job is first else None)
    (again,) = await workers.claim()
    assert (again.id, again.attempts, again.epoch) == (first.id, 1, 2)
    await workers.do(again)
    await workers.go_on()
    (report,) = workers.reports
    assert (report.listed, report.counts["created"], report.counts["repeated"]) == (9, 9, 0)


async def test_pausing_lets_a_shared_run_end(workers: Workers) -> None:
    """As one that a single worker reads."""
    partitions = await workers.share_out()
    await pause(workers.db, workers.row_workspace, workers.syncs.row.id)
    for job in partitions:
        await workers.do(job)
    await workers.go_on()
    (report,) = workers.reports
    assert report.counts["created"] == 9


async def test_partitions_keep_to_the_limit_of_their_host(workers: Workers) -> None:
    """As runs do: so many of one host or credential at once, of all workers."""
    await workers.ask()
    (opening,) = await workers.claim()
    await workers.do(opening)
    assert len(await workers.claim(per_key=2)) == 2
    assert await workers.claim(per_key=2) == []


async def test_a_partition_belongs_to_its_latest_attempt(workers: Workers) -> None:
    """A worker that slept while another took its partition over, at its run's own epoch."""
    first, *_ = await workers.share_out()
    db, row = workers.db, workers.syncs.row
    run = RunRef(row.workspace_id, row.id, RunId(first.payload["run"]), first.payload["epoch"])
    slept = await parts.begin_part(db, run, first.payload["part"], 1)
    assert slept is not None
    key = EntryKey(b"0" * 16)
    assert await note_seen(db, slept[0], [key]) == set()
    other = await parts.begin_part(db, run, first.payload["part"], 2)
    assert other is not None
    assert isinstance(other[1], Partition)
    # What the first has seen is not taken for what the other one has.
    assert await note_seen(db, other[0], [key]) == set()
    assert await note_seen(db, other[0], [key]) == {key}
    assert await parts.begin_part(db, run, first.payload["part"], 1) is None


async def test_the_progress_of_the_parts_is_that_of_the_run(workers: Workers) -> None:
    """It adds up, and says how many are read."""
    first, second, *_ = await workers.share_out()
    db, row = workers.db, workers.syncs.row
    run = RunRef(row.workspace_id, row.id, RunId(first.payload["run"]), first.payload["epoch"])
    noted = {"current": 2, "listed": 3, "changed": 1, "written": 1, "total": 9, "message": ""}
    for job in (first, second):
        begun = await parts.begin_part(db, run, job.payload["part"], job.epoch)
        assert begun is not None
        await parts.note_part(db, begun[0], noted)
    (found,) = await workers.runs()
    assert found.progress["current"] == 4
    assert found.progress["listed"] == 6
    assert found.progress["total"] == 9
    assert found.progress["message"] == "0 of 4 partitions read"


async def test_a_run_of_one_partition_is_one_job(feed: Syncs, world: World, db: Connection) -> None:
    """From beginning to end."""
    await empty_queue(db)
    world.put("a", "text")
    workers = Workers(feed, db)
    await workers.ask(mode=Mode.FULL.value)
    (job,) = await workers.claim()
    assert await workers.do(job) == Done()
    (report,) = workers.reports
    assert (report.mode, report.counts["created"]) == ("full", 1)
