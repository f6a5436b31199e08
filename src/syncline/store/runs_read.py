"""Reading a run's report: its lines, by kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct
from psycopg.rows import class_row

from syncline.core.model import Json, RunId, WorkspaceId
from syncline.store.database import Connection

__all__ = ["ReportLine", "count_lines", "forget_lines", "last_lines_of", "read_lines"]


class ReportLine(Struct, frozen=True):
    """One thing out of the ordinary that a run has to tell."""

    run_id: RunId
    kind: str
    entry_id: str | None
    reason: str
    detail: Mapping[str, Json] | None


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
