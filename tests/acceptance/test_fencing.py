"""A run that was taken over: whatever it still tries to write is refused, and changes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from syncline.core.errors import Fenced
from syncline.core.jobs import ClaimedJob
from syncline.core.model import Cursor, Mode, Partition, RunState, WorkspaceId, entry_key
from syncline.store import parts
from syncline.store.batches import Batch, commit_batch
from syncline.store.connections import add_connection
from syncline.store.cursors import store_cursor
from syncline.store.database import Connection, Database
from syncline.store.gone import apply_gone, mark_unlisted
from syncline.store.jobs import enqueue
from syncline.store.manifest import note_pipeline, note_seen, note_unlisted
from syncline.store.results import Filtered, Item, Result
from syncline.store.runs import RunRef, close_run, open_run, renew
from syncline.store.workspaces import make_workspace
from syncline.sync.report import Report
from syncline.sync.run import write_warnings
from tests.support.queue import claim, empty_queue, job

_KEY = entry_key("a")
_TABLES = (
    *("runs", "run_seen", "run_batches", "run_items", "run_parts"),
    *("manifest", "cursors", "connections", "jobs", "events"),
)
_Write = Callable[[Connection, RunRef, ClaimedJob], Awaitable[Any]]


def _batch(run: RunRef) -> Batch:
    verdict = Filtered("too old", b"by this pipeline", belongs=False)
    return Batch(run, 1, [Result("a", _KEY, "", None, {}, "1", {}, 0, verdict)])


def _report() -> Report:
    report = Report("docs", "incremental", "files")
    report.warnings.append("a part of it was not read")
    return report


_WRITES: dict[str, _Write] = {
    "a cursor": lambda db, run, job: store_cursor(db, run, "", Cursor(1, 7), {}),
    "a batch": lambda db, run, job: commit_batch(db, _batch(run)),
    "what was listed": lambda db, run, job: note_seen(db, run, [_KEY]),
    "what is there unlisted": lambda db, run, job: note_unlisted(db, run, [_KEY]),
    "what is gone": lambda db, run, job: mark_unlisted(db, run),
    "what becomes of it": lambda db, run, job: apply_gone(
        db,
        run,
        moves=(),
        delete=(),
        hold_back=(),
        keep=(),
        items=[Item("deleted", "a", "gone")],
        counts={"deleted": 1},
    ),
    "its pipeline": lambda db, run, job: note_pipeline(db, run, b"this one"),
    "a warning": lambda db, run, job: write_warnings(db, run, _report()),
    "its lease": lambda db, run, job: renew(db, run, {"current": 1}),
    "its end": lambda db, run, job: close_run(db, run, RunState.DONE, {"listed": 1}),
    "its partitions": lambda db, run, job: parts.share_out(
        db, run, job, [Partition("a"), Partition("b")], counts={}, pipeline=b""
    ),
    "a partition's beginning": lambda db, run, job: parts.begin_part(db, run, 1, 1),
}
_OF_PARTS: dict[str, _Write] = {
    "a cursor": _WRITES["a cursor"],
    "a batch": _WRITES["a batch"],
    "what was listed": _WRITES["what was listed"],
    "a warning": _WRITES["a warning"],
    "its progress": lambda db, run, job: parts.note_part(db, run, {"current": 1}),
    "its end": lambda db, run, job: parts.end_part(db, run, counts={}, progress={}),
}


async def _open(db: Connection, name: str) -> tuple[RunRef, ClaimedJob]:
    """A run of a connection that knows one entry, and the job that asked for it."""
    await empty_queue(db)
    workspace = await make_workspace(db, name)
    row = await add_connection(
        db, workspace, kind="files", name="docs", source="/docs", options={}, options_version=1
    )
    before = await open_run(db, workspace, row.id, Mode.INCREMENTAL)
    await commit_batch(db, _batch(before))
    await close_run(db, before, RunState.DONE, {})
    await enqueue(db, [job(workspace, connection_id=row.id)])
    (claimed,) = await claim(db)
    return await open_run(db, workspace, row.id, Mode.INCREMENTAL), claimed


async def _rows(db: Connection, workspace: WorkspaceId) -> dict[str, list[Any]]:
    found = {}
    for table in _TABLES:
        rows = await db.execute(
            f"SELECT to_jsonb(t)::text FROM {table} t WHERE workspace_id = %s ORDER BY 1",
            (workspace,),
        )
        found[table] = await rows.fetchall()
    return found


async def _are_refused(
    writes: dict[str, _Write], db: Connection, run: RunRef, job: ClaimedJob
) -> None:
    before = await _rows(db, run.workspace_id)
    heard = []
    for what, write in writes.items():
        try:
            await write(db, run, job)
        except Fenced:
            continue
        heard.append(what)
    assert heard == []
    assert await _rows(db, run.workspace_id) == before
    await empty_queue(db)


async def test_a_run_that_was_taken_over_writes_nothing(
    db: Connection, database: Database, workspace_name: str
) -> None:
    """Not even by a session that its successor has not ended."""
    async with await database.connect() as first, await database.connect() as second:
        run, job = await _open(first, workspace_name)
        await open_run(second, run.workspace_id, run.connection_id, Mode.INCREMENTAL, force=True)
        await _are_refused(_WRITES, db, run, job)


async def test_a_partition_that_was_taken_over_writes_nothing(
    db: Connection, database: Database, workspace_name: str
) -> None:
    """Though its run goes on, in other hands."""
    async with await database.connect() as first:
        run, job = await _open(first, workspace_name)
        both = [Partition("a"), Partition("b")]
        await parts.share_out(db, run, job, both, counts={}, pipeline=b"")
        slow = await parts.begin_part(db, run, 1, 1)
        assert slow is not None
        assert await parts.begin_part(db, run, 1, 2) is not None
        await _are_refused(_OF_PARTS, db, slow[0], job)
