"""Jobs as a person sees them: what waits, runs or has failed, and what to do then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace
from psycopg.rows import class_row

from syncline.core.errors import NotHere, UsageError
from syncline.core.model import Json, WorkspaceId
from syncline.store.database import Connection
from syncline.store.jobs import CHANNEL, unknown_kinds
from syncline.store.runs import fence_run

__all__ = ["JobRow", "cancel_job", "find_job", "list_jobs", "retry_job"]


class JobRow(Struct, frozen=True):
    id: int
    workspace: str
    kind: str
    connection: str | None
    state: str
    """waiting, ready, running, dead or cancelled."""
    priority: int
    attempts: int
    run_at: datetime
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    owner: str | None
    lease_until: datetime | None
    payload: Mapping[str, Json]
    error: Mapping[str, Json] | None
    run: int | None
    """The run that does it, while it is under way."""
    progress: Mapping[str, Json] | None
    """What that run has noted of itself."""


_SELECT = (
    "SELECT j.id, w.name AS workspace, j.kind, c.name AS connection, j.state, j.priority,"
    " j.attempts, j.run_at, j.created_at, j.started_at, j.ended_at, j.owner, j.lease_until,"
    " j.payload, j.error, r.id AS run, r.progress"
    " FROM jobs j JOIN workspaces w ON w.id = j.workspace_id LEFT JOIN connections c"
    " ON c.workspace_id = j.workspace_id AND c.id = j.connection_id"
    " LEFT JOIN LATERAL (SELECT id, progress FROM runs r WHERE r.workspace_id = j.workspace_id"
    " AND r.connection_id = j.connection_id AND r.state = 'running' AND (j.state = 'running'"
    " OR j.state IN ('waiting', 'ready') AND (j.payload ->> 'run')::bigint = r.id)"
    " ORDER BY r.id DESC LIMIT 1) r ON true WHERE "
)


async def list_jobs(
    db: Connection, workspace: WorkspaceId | None, *, states: Sequence[str], limit: int = 50
) -> list[JobRow]:
    """The newest first, of these states, of all where none is given; None: of all workspaces."""
    async with db.cursor(row_factory=class_row(JobRow)) as cursor:
        await cursor.execute(
            _SELECT
            + ("true" if workspace is None else "j.workspace_id = %(workspace)s")
            + " AND (%(states)s::text[] = '{}' OR j.state = ANY(%(states)s))"
            " ORDER BY j.id DESC LIMIT %(limit)s",
            {"workspace": workspace, "states": list(states), "limit": limit},
        )
        return await _with_unknown(db, await cursor.fetchall())


async def find_job(db: Connection, workspace: WorkspaceId, job: int) -> JobRow:
    """One job. Raises `NotHere`."""
    async with db.cursor(row_factory=class_row(JobRow)) as cursor:
        await cursor.execute(_SELECT + "j.workspace_id = %s AND j.id = %s", (workspace, job))
        row = await cursor.fetchone()
    if row is None:
        raise NotHere(
            f"There is no job {job} in this workspace.",
            hint="A job that is done leaves no trace but its run: see `syncline runs`.",
        )
    return (await _with_unknown(db, [row]))[0]


async def _with_unknown(db: Connection, rows: Sequence[JobRow]) -> list[JobRow]:
    """Say of those that wait for a worker that knows them, and there is none, that they do."""
    kinds = {row.kind for row in rows if row.state == "ready"}
    unknown = await unknown_kinds(db, kinds) if kinds else set()
    return [
        replace(
            row,
            error={
                "code": "unknown_kind",
                "message": f"No worker that runs knows jobs of kind {row.kind!r}: a newer Syncline"
                " has made it, and has to do it.",
            },
        )
        if row.state == "ready" and row.kind in unknown
        else row
        for row in rows
    ]


async def cancel_job(db: Connection, workspace: WorkspaceId, job: int) -> str:
    """Cancel it, or ask the worker that runs it to stop; which of the two: the new state.

    A sync whose partitions are jobs is cancelled with them. Raises `NotHere`, and `UsageError` for
    one that has ended.
    """
    async with db.transaction():
        found = await db.execute(
            "UPDATE jobs SET cancel = state = 'running',"
            " state = CASE state WHEN 'running' THEN state ELSE 'cancelled' END,"
            " ended_at = CASE state WHEN 'running' THEN NULL ELSE moment() END"
            " WHERE workspace_id = %s AND id = %s AND state IN ('waiting', 'ready', 'running')"
            " RETURNING state, kind, (payload ->> 'run')::bigint",
            (workspace, job),
        )
        row = await found.fetchone()
        if row is None:
            ended = await find_job(db, workspace, job)
            raise UsageError(f"Job {job} is {ended.state} already.")
        if row[1] != "partition" and row[2] is not None:
            await fence_run(db, workspace, row[2])
        if row[0] == "running":
            await db.execute("SELECT pg_notify(%s, %s)", (CHANNEL, str(job)))
    return str(row[0])


async def retry_job(db: Connection, workspace: WorkspaceId, job: int) -> None:
    """Make it ready now, with all its attempts before it.

    Raises `NotHere`, and `UsageError` where it runs, or another does the same by now.
    """
    async with db.transaction():
        found = await db.execute(
            "UPDATE jobs j SET state = 'ready', attempts = 0, losses = 0, run_at = moment(),"
            " ended_at = NULL"
            " WHERE j.workspace_id = %s AND j.id = %s AND j.state IN"
            " ('waiting', 'dead', 'cancelled') AND NOT EXISTS (SELECT FROM jobs o"
            " WHERE o.dedupe_key = j.dedupe_key AND o.id <> j.id"
            " AND o.state IN ('waiting', 'ready', 'running')) RETURNING j.id",
            (workspace, job),
        )
        if await found.fetchone() is None:
            row = await find_job(db, workspace, job)
            raise UsageError(
                f"Job {job} is {row.state}."
                if row.state in ("ready", "running")
                else "Another job does the same by now: `syncline jobs` shows it."
            )
        await db.execute("SELECT pg_notify(%s, '')", (CHANNEL,))
