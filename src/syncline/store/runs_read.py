"""Reading runs, and their reports line by line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from psycopg.rows import class_row

from syncline.core.errors import NotHere
from syncline.core.model import ConnectionId, Json, RunId, WorkspaceId
from syncline.store.database import Connection
from syncline.store.runs import LANE_LOCK, SHARED

__all__ = [
    "STATE_NOW",
    "ReportLine",
    "RunRow",
    "count_lines",
    "find_run",
    "forget_lines",
    "last_lines_of",
    "list_runs",
    "read_lines",
]


class RunRow(Struct, frozen=True):
    workspace_id: WorkspaceId
    id: RunId
    connection_id: ConnectionId
    connection: str
    lane: str
    mode: str
    state: str
    owner: str
    started_at: datetime
    ended_at: datetime | None
    error: Mapping[str, Json] | None
    counts: Mapping[str, Json]
    progress: Mapping[str, Json] | None
    """What the run has noted of itself while it is under way."""


STATE_NOW = (
    "CASE WHEN r.state = 'running' AND (r.lease_until < clock_timestamp() OR NOT EXISTS ("
    "SELECT 1 FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended("
    f"'{LANE_LOCK} ' || r.workspace_id || '/' || r.connection_id || '/' || r.lane, 0))"
    f" AND NOT {SHARED}) THEN 'interrupted' ELSE r.state END"
)
"""The state of a row `r` of runs as a person should see it: one whose holder has died is marked
by the next run only, but nothing runs any more."""

_SELECT = (
    "SELECT r.workspace_id, r.id, r.connection_id, c.name AS connection, r.lane, r.mode,"
    f" {STATE_NOW} AS state,"
    " r.owner, r.started_at, r.ended_at, r.error, r.counts, r.progress"
    " FROM runs r JOIN connections c ON c.workspace_id = r.workspace_id AND c.id = r.connection_id"
)


class ReportLine(Struct, frozen=True):
    """One thing out of the ordinary that a run has to tell."""

    run_id: RunId
    kind: str
    entry_id: str | None
    reason: str
    detail: Mapping[str, Json] | None


async def list_runs(
    db: Connection,
    workspace: WorkspaceId,
    *,
    connection: ConnectionId | None = None,
    limit: int = 20,
) -> list[RunRow]:
    """The newest first."""
    async with db.cursor(row_factory=class_row(RunRow)) as cursor:
        await cursor.execute(
            _SELECT + " WHERE r.workspace_id = %s AND (%s::bigint IS NULL OR r.connection_id = %s)"
            " ORDER BY r.id DESC LIMIT %s",
            (workspace, connection, connection, limit),
        )
        return await cursor.fetchall()


async def find_run(db: Connection, workspace: WorkspaceId, run: int) -> RunRow:
    """One run. Raises `NotHere`."""
    async with db.cursor(row_factory=class_row(RunRow)) as cursor:
        await cursor.execute(_SELECT + " WHERE r.workspace_id = %s AND r.id = %s", (workspace, run))
        row = await cursor.fetchone()
    if row is None:
        raise NotHere(
            f"There is no run {run} in this workspace.", hint="`syncline runs` lists them."
        )
    return row


async def count_lines(db: Connection, workspace: WorkspaceId, run: RunId) -> dict[str, int]:
    """How many lines of each kind a run's report has."""
    found = await db.execute(
        "SELECT kind, count(*) FROM run_items WHERE workspace_id = %s AND run_id = %s"
        " GROUP BY kind ORDER BY kind",
        (workspace, run),
    )
    return dict(await found.fetchall())


async def read_lines(
    db: Connection,
    workspace: WorkspaceId,
    run: RunId,
    kind: str,
    *,
    limit: int,
    offset: int = 0,
) -> list[ReportLine]:
    """A page of the lines of one kind, by entry."""
    async with db.cursor(row_factory=class_row(ReportLine)) as cursor:
        await cursor.execute(
            "SELECT run_id, kind, entry_id, reason, detail FROM run_items"
            " WHERE workspace_id = %s AND run_id = %s AND kind = %s"
            ' ORDER BY entry_id COLLATE "C", n LIMIT %s OFFSET %s',
            (workspace, run, kind, limit, offset),
        )
        return await cursor.fetchall()


async def last_lines_of(
    db: Connection, workspace: WorkspaceId, connection: int, entry_id: str, *, limit: int
) -> list[ReportLine]:
    """What the connection's last runs had to tell about one entry, newest first."""
    async with db.cursor(row_factory=class_row(ReportLine)) as cursor:
        await cursor.execute(
            "SELECT i.run_id, i.kind, i.entry_id, i.reason, i.detail FROM run_items i"
            " JOIN runs r ON r.workspace_id = i.workspace_id AND r.id = i.run_id"
            " WHERE i.workspace_id = %s AND r.connection_id = %s AND i.entry_id = %s"
            " ORDER BY i.n DESC LIMIT %s",
            (workspace, connection, entry_id, limit),
        )
        return await cursor.fetchall()


async def forget_lines(
    db: Connection, workspace: WorkspaceId, connection: int, *, keep: int, most: int
) -> int:
    """Remove lines of all but the newest `keep` runs of a connection, at most `most`.

    Answers how many. Looks at the next fifty runs only: older ones were seen to before.
    """
    found = await db.execute(
        "SELECT id FROM runs WHERE workspace_id = %s AND connection_id = %s"
        " ORDER BY id DESC OFFSET %s LIMIT 50",
        (workspace, connection, keep),
    )
    runs: Sequence[int] = [row[0] for row in await found.fetchall()]
    if not runs:
        return 0
    found = await db.execute(
        "DELETE FROM run_items WHERE workspace_id = %s AND (run_id, n) IN"
        " (SELECT run_id, n FROM run_items WHERE workspace_id = %s AND run_id = ANY(%s) LIMIT %s)",
        (workspace, workspace, runs, most),
    )
    return found.rowcount
