"""The outbox: what happens is told with what it tells, to each reader once, in a safe order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from syncline.core.events import Event, EventKind
from syncline.core.jobs import Dead, NewJob
from syncline.core.model import WorkspaceId
from syncline.store import jobs
from syncline.store.connections import add_connection
from syncline.store.database import Connection, Database
from syncline.store.events import (
    emit,
    end_of_events,
    events_after,
    list_events,
    open_troubles,
    settle,
    take_events,
)
from syncline.store.timetable import note_attention
from syncline.store.workspaces import make_workspace
from syncline.sync.deletions import approve
from tests.support.queue import claim, empty_queue
from tests.support.syncs import Syncs
from tests.support.thorough import of_all
from tests.support.world import World

POSTGRES = of_all(["18"], ["16"])


@pytest.fixture
async def workspace(db: Connection, workspace_name: str) -> AsyncIterator[WorkspaceId]:
    yield await make_workspace(db, workspace_name)
    await db.execute("DELETE FROM events")


async def _kinds(db: Connection, workspace: WorkspaceId) -> list[str]:
    return [each.kind for each in await list_events(db, workspace, limit=1000)]


async def _open(db: Connection, workspace: WorkspaceId) -> list[str]:
    return [each.kind for each in await open_troubles(db, workspace)]


async def test_the_third_failure_in_a_row_is_told_once_and_so_is_its_end(
    listing: Syncs, world: World, db: Connection
) -> None:
    """A success begins the count anew; the cause is in it."""
    workspace = listing.row.workspace_id
    world.put("a", "# A\n\ntext")
    world.fail_listing(0, "transient")
    for _ in range(2):
        await listing.run()
    world.heal()
    await listing.run()
    world.fail_listing(0, "transient")
    for _ in range(2):
        await listing.run()
    assert await _kinds(db, workspace) == []
    for _ in range(3):
        await listing.run()
    (told,) = await list_events(db, workspace)
    assert (told.kind, told.connection) == ("run_failing", listing.row.name)
    assert isinstance(told.payload["error"], dict)
    assert told.payload["error"]["code"] == "transient"
    assert await _open(db, workspace) == ["run_failing"]
    world.heal()
    await listing.run()
    assert await _kinds(db, workspace) == ["run_failing", "recovered"]
    assert await _open(db, workspace) == []


async def test_held_deletions_are_told_until_they_are_decided(
    listing: Syncs, world: World, db: Connection, workspace_name: str
) -> None:
    """With how many; a person's word, or the source's, ends it."""
    workspace = listing.row.workspace_id
    for n in range(5):
        world.put(f"p{n}", f"# P\n\ntext {n}")
    await listing.run()
    for n in range(5):
        world.remove(f"p{n}")
    await listing.run()
    (told,) = await list_events(db, workspace)
    assert (told.kind, told.payload["held"]) == ("deletions_held", 5)
    await listing.run()
    assert await _kinds(db, workspace) == ["deletions_held"]
    await approve(db, workspace, [listing.row.name])
    assert await _kinds(db, workspace) == ["deletions_held", "recovered"]


async def test_refused_credentials_and_dead_jobs_are_told(
    listing: Syncs, world: World, db: Connection
) -> None:
    """By whatever writes them; a run that is done ends both."""
    row = listing.row
    await empty_queue(db)
    await note_attention(
        db, row.workspace_id, row.id, {"code": "unauthorized", "message": "no such key"}
    )
    (made,) = await jobs.enqueue(db, [NewJob(row.workspace_id, "sync", connection_id=row.id)])
    (claimed,) = await claim(db)
    await jobs.finish(db, [(claimed, Dead({"code": "x", "message": "why"}))])
    told = await list_events(db, row.workspace_id)
    assert [each.kind for each in told] == ["authentication_failed", "job_dead"]
    assert told[1].payload == {
        "job": made,
        "kind": "sync",
        "error": {"code": "x", "message": "why"},
    }
    world.put("a", "# A\n\ntext")
    await listing.run()
    kinds = await _kinds(db, row.workspace_id)
    assert kinds[2:] == ["recovered", "recovered"]
    assert await _open(db, row.workspace_id) == []


async def test_an_event_is_there_exactly_if_its_transaction_is(
    db: Connection, workspace: WorkspaceId
) -> None:
    """Nothing is told of what was rolled back."""
    async with db.transaction(force_rollback=True):
        await emit(db, workspace, EventKind.JOB_DEAD, payload={"job": 1})
        assert await _kinds(db, workspace) == ["job_dead"]
    assert await _kinds(db, workspace) == []


async def test_what_commits_late_is_not_missed(
    db: Connection, database: Database, workspace: WorkspaceId
) -> None:
    """A reader waits for an event with a lower id whose transaction is still under way."""
    await _all(db)
    async with await database.connect() as slow:
        async with slow.transaction():
            await emit(slow, workspace, EventKind.JOB_DEAD, payload={"job": 1})
            await emit(db, workspace, EventKind.JOB_DEAD, payload={"job": 2})
            assert await _all(db) == []
        assert [each.payload["job"] for each in await _all(db)] == [1, 2]
    assert await _all(db) == []


async def _all(db: Connection, reader: str = "test") -> list[Event]:
    found: list[Event] = []
    while True:
        async with db.transaction():
            page = await take_events(db, reader, most=2)
        if not page:
            return found
        found += page


async def test_two_readers_of_one_name_share_and_of_two_names_do_not(
    db: Connection, database: Database, workspace: WorkspaceId
) -> None:
    """Each event once a name, whoever reads."""
    for name in ("shared", "own"):
        await _all(db, name)
    for n in range(50):
        await emit(db, workspace, EventKind.JOB_DEAD, payload={"job": n})
    took: list[int] = []

    async def read() -> None:
        async with await database.connect() as mine:
            while True:
                async with mine.transaction():
                    page = await take_events(mine, "shared", most=3)
                if page == []:
                    return
                took.extend(int(str(each.payload["job"])) for each in page or [])

    await asyncio.gather(*(read() for _ in range(4)))
    assert sorted(took) == list(range(50))
    assert len(await _all(db, "own")) == 50


async def test_a_trouble_is_told_when_it_begins_and_when_it_ends(
    db: Connection, workspace: WorkspaceId
) -> None:
    """`once`: not again meanwhile. What is not wrong cannot be over."""
    row = await add_connection(
        db, workspace, kind="files", name="c", source="/c", options={}, options_version=1
    )
    for _ in range(2):
        await emit(db, workspace, EventKind.BREAKER_OPEN, connection=row.id, once=True)
    for _ in range(2):
        await settle(db, workspace, row.id, [EventKind.BREAKER_OPEN, EventKind.JOB_DEAD])
    told = await list_events(db, workspace)
    assert [each.kind for each in told] == ["breaker_open", "recovered"]
    assert told[1].payload["kind"] == "breaker_open"
    assert await list_events(db, workspace, kinds=["recovered"]) == told[1:]


async def test_whoever_follows_sees_what_comes(
    db: Connection, workspace: WorkspaceId, workspace_name: str
) -> None:
    """From now on, and of its workspace alone."""
    other = await make_workspace(db, f"{workspace_name}-other")
    await emit(db, workspace, EventKind.JOB_DEAD, payload={"job": 1})
    position = await end_of_events(db)
    await emit(db, workspace, EventKind.JOB_DEAD, payload={"job": 2})
    await emit(db, other, EventKind.JOB_DEAD, payload={"job": 3})
    found, position = await events_after(db, workspace, position)
    assert [each.payload["job"] for each in found] == [2]
    assert await events_after(db, workspace, position) == ([], position)


async def test_a_database_that_came_from_another_server_is_read_on(
    db: Connection, workspace: WorkspaceId
) -> None:
    """Transaction ids begin anew there: what was read is not read again, what comes is."""
    await _all(db)
    for n in range(3):
        await emit(db, workspace, EventKind.JOB_DEAD, payload={"job": n})
    async with db.transaction():
        (first, second) = await take_events(db, "test", most=2) or []
    assert (first.payload["job"], second.payload["job"]) == (0, 1)
    await db.execute("UPDATE events SET txid = (txid::text::bigint + 1000000)::text::xid8")
    await db.execute(
        "UPDATE event_readers SET server = 1, txid = (txid::text::bigint + 1000000)::text::xid8"
    )
    await emit(db, workspace, EventKind.JOB_DEAD, payload={"job": 3})
    assert [each.payload["job"] for each in await _all(db)] == [2, 3]
