"""What the end of a run means for the job that asked for it."""

from __future__ import annotations

import asyncio
from typing import NoReturn

import psycopg
import pytest
from msgspec.structs import replace
from psycopg.types.json import Jsonb

from syncline.core.errors import DatabaseUnavailable, Fenced
from syncline.core.jobs import (
    ATTEMPTS,
    ClaimedJob,
    Dead,
    Done,
    Lost,
    Outcome,
    Released,
    Retry,
    Snooze,
)
from syncline.core.model import ConnectionId, Mode, RunState
from syncline.store.database import Connection
from syncline.store.events import list_events
from syncline.store.planner import tick
from syncline.store.runs import let_go, open_run
from syncline.store.timetable import Times, resume, times_of
from syncline.sync import lane
from syncline.sync.event_words import in_words
from syncline.sync.job_outcome import outcome_of
from syncline.sync.lane import told
from syncline.sync.report import Report
from syncline.sync.sync_job import SYNC, sync_handler
from tests.support.looking import documents
from tests.support.queue import empty_queue
from tests.support.syncs import Syncs
from tests.support.world import World


@pytest.fixture
def job(listing: Syncs, world: World) -> ClaimedJob:
    """A job to sync a source of one entry."""
    world.put("a", "# A\n\ntext")
    row = listing.row
    return ClaimedJob(1, row.workspace_id, row.id, SYNC, {}, 1, attempts=1, epoch=1, owner="us")


async def _do(syncs: Syncs, job: ClaimedJob, stop: asyncio.Event | None = None) -> Outcome:
    return await sync_handler(syncs.tools, lambda report: None)(job, stop or asyncio.Event())


async def test_a_run_that_is_done_is_a_job_that_is_done(listing: Syncs, job: ClaimedJob) -> None:
    """And is reported."""
    reports: list[Report] = []
    outcome = await sync_handler(listing.tools, reports.append)(job, asyncio.Event())
    assert outcome == Done()
    assert [report.counts["created"] for report in reports] == [1]
    assert set(await documents(listing)) == {"a"}


async def test_what_may_work_later_is_tried_later(
    listing: Syncs, world: World, job: ClaimedJob
) -> None:
    """Later each time; a source that asks for a pause gets one that does not count."""
    world.fail_listing(0, "transient")
    first = await _do(listing, job)
    second = await _do(listing, replace(job, attempts=2))
    assert isinstance(first, Retry)
    assert isinstance(second, Retry)
    assert 22 < first.seconds <= 30
    assert 45 <= second.seconds <= 60
    assert first.error["code"] == "transient"
    world.heal()
    world.fail_listing(0, "rate_limited")
    assert isinstance(await _do(listing, job), Snooze)


async def test_a_database_that_is_away_is_not_the_jobs_fault(
    listing: Syncs, job: ClaimedJob
) -> None:
    """No attempt is counted, however long its disk is full."""
    report = Report("docs", "incremental", state=RunState.FAILED)
    report.error = told(psycopg.errors.DiskFull("no space left on device"))
    assert "disk is full" in str(report.error["message"])
    assert isinstance(await outcome_of(listing.tools, job, report), Snooze)


async def test_a_run_that_was_taken_over_is_no_attempt(listing: Syncs, job: ClaimedJob) -> None:
    """Somebody has forced another one, which may read less: ours is done after it."""
    report = Report("docs", "incremental", state=RunState.FAILED)
    report.error = told(Fenced("Run 7 has been taken over by another."))
    assert isinstance(await outcome_of(listing.tools, job, report), Snooze)


async def test_what_the_database_refuses_counts_as_an_attempt(
    listing: Syncs, world: World, job: ClaimedJob
) -> None:
    """It is there, and would refuse it each time. What somebody else holds is waited for, and a
    lost session is looked at on its own."""
    async with await listing.tools.database.connect_as_owner() as owner:
        for n, (state, outcome, said) in enumerate(
            [
                ("program_limit_exceeded", Retry, "The database refused a statement"),
                ("deadlock_detected", Retry, "The database refused a statement"),
                ("lock_not_available", Snooze, "Somebody else holds what is to be written"),
                ("admin_shutdown", Lost, "The database went away"),
            ]
        ):
            await owner.execute(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
                f" $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$;"
                " CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON documents"
                " FOR EACH ROW EXECUTE FUNCTION refuse()".encode()
            )
            world.put("a", f"# A\n\ntext {n}")
            try:
                came = await _do(listing, job)
            finally:
                await owner.execute("DROP TRIGGER refuse ON documents; DROP FUNCTION refuse")
            assert isinstance(came, outcome)
            assert said in repr(came)


async def test_refused_credentials_need_a_person(
    listing: Syncs, world: World, job: ClaimedJob
) -> None:
    """The job is dead at once, and the connection stands still until it is resumed."""
    row = listing.row
    world.fail_listing(0, "unauthorized")
    assert isinstance(await _do(listing, job), Dead)
    async with listing.tools.database.connection() as db:
        attention = (await times_of(db, row.workspace_id))[row.id].attention
        assert attention is not None
        assert attention["code"] == "unauthorized"
        await resume(db, row.workspace_id, row.id)
        assert (await times_of(db, row.workspace_id))[row.id].attention is None


@pytest.mark.parametrize("code", ["forbidden", "rejected", "not_found", "blocked_address"])
async def test_a_source_that_keeps_refusing_marks_its_connection(
    listing: Syncs, world: World, job: ClaimedJob, db: Connection, code: str
) -> None:
    """A new one when its attempts are used up, one that has worked when that has lasted an hour.
    It is tried at its times all the same, nothing of it is gone, and a run that is done ends it."""
    last = replace(job, attempts=ATTEMPTS)

    async def times() -> Times:
        return (await times_of(db, listing.row.workspace_id))[listing.row.id]

    world.fail_listing(0, code)
    for attempt in (1, 2):
        assert isinstance(await _do(listing, replace(job, attempts=attempt)), Retry)
        assert (await times()).attention is None
    assert isinstance(await _do(listing, last), Retry)  # the last of which is dead
    marked = await times()
    assert (marked.attention or {})["code"] == code
    assert not marked.stands_still
    world.heal()
    world.fail_listing(0, "transient")
    assert isinstance(await _do(listing, job), Retry)  # what a person has to mend is the other
    assert ((await times()).attention or {})["code"] == code
    await db.execute("UPDATE connections SET next_due = moment() WHERE id = %s", (listing.row.id,))
    await tick(db)
    assert (await times()).job == "ready"
    await empty_queue(db)

    world.heal()
    assert await _do(listing, job) == Done()
    assert (await times()).attention is None

    world.fail_listing(0, code)
    assert isinstance(await _do(listing, last), Retry)  # it may be over in five minutes
    assert (await times()).attention is None
    await db.execute("UPDATE runs SET started_at = started_at - interval '1 hour'")
    assert isinstance(await _do(listing, last), Retry)
    assert (await times()).attention is not None
    assert set(await documents(listing)) == {"a"}
    (*_, event) = await list_events(db, listing.row.workspace_id, kinds=["needs_attention"])
    assert "tried again at its times" in " ".join(in_words(event))


async def test_a_connection_that_is_resumed_waits_for_nobody(
    listing: Syncs, job: ClaimedJob, db: Connection
) -> None:
    """What a person has mended, they say, is not told any more, though no run has shown it yet."""
    row, wrong = listing.row, Jsonb({"no": "such option"})
    await db.execute("UPDATE connections SET options = %s WHERE id = %s", (wrong, row.id))
    assert isinstance(await _do(listing, job), Dead)
    assert (await times_of(db, row.workspace_id))[row.id].stands_still
    await resume(db, row.workspace_id, row.id)
    assert (await times_of(db, row.workspace_id))[row.id].attention is None


async def test_a_lease_that_cannot_be_renewed_once_ends_no_run(
    listing: Syncs, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be no session to be had; the lease is longer than that."""
    asked: list[int] = []

    def none_left() -> NoReturn:
        asked.append(1)
        raise DatabaseUnavailable("too many clients already")

    monkeypatch.setattr(lane, "_NOTE_SECONDS", 0.001)
    monkeypatch.setattr(listing.tools.database, "brief_connection", none_left)
    world.put("a", "# A\n\ntext")
    report = await listing.run()
    assert (report.state, report.counts["created"]) == (RunState.DONE, 1)
    assert len(asked) > 1


async def test_what_is_stopped_or_cannot_begin_is_no_attempt(
    listing: Syncs, job: ClaimedJob
) -> None:
    """Asked to stop, a lane that is taken, a payload of a newer version."""
    stop = asyncio.Event()
    stop.set()
    assert await _do(listing, job, stop) == Released()
    assert isinstance(await _do(listing, replace(job, version=2)), Snooze)
    row = listing.row
    async with await listing.tools.database.connect() as session:
        await open_run(session, row.workspace_id, row.id, Mode.INCREMENTAL)
        assert isinstance(await _do(listing, job), Snooze)
        await let_go(session)
    assert await _do(listing, job) == Done()


async def test_a_connection_that_was_removed_leaves_nothing_to_do(
    listing: Syncs, job: ClaimedJob
) -> None:
    """No error: somebody wanted it so."""
    assert await _do(listing, replace(job, connection_id=ConnectionId(999_999))) == Done()
