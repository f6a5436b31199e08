"""Which connections come from which file, across all workspaces: for `syncline apply`."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from psycopg.rows import class_row

from syncline.core.model import ConnectionId, WorkspaceId
from syncline.store.database import Connection

__all__ = [
    "Applied",
    "WorkspaceState",
    "applied_connections",
    "hold_apply",
    "note_applied",
    "workspaces_named",
]


class WorkspaceState(Struct, frozen=True):
    id: WorkspaceId
    name: str
    active: bool


class Applied(Struct, frozen=True):
    """What a connection has that a file may say, besides its row."""

    workspace_id: WorkspaceId
    workspace: str
    id: ConnectionId
    name: str
    schedule: str | None
    paused: bool
    applied: str | None
    """The name of the file that describes it."""
    documents: int
    """Live ones; counted for those only that a file describes."""


async def hold_apply(db: Connection) -> None:
    """Within a transaction: nobody else applies a file meanwhile."""
    await db.execute("SELECT pg_advisory_xact_lock(hashtextextended('syncline apply', 0))")


async def workspaces_named(db: Connection, names: Sequence[str]) -> dict[str, WorkspaceState]:
    """Those of these workspaces that are there."""
    async with db.cursor(row_factory=class_row(WorkspaceState)) as cursor:
        await cursor.execute(
            "SELECT id, name, active FROM workspaces WHERE name = ANY(%s)", (list(names),)
        )
        return {row.name: row for row in await cursor.fetchall()}


async def applied_connections(
    db: Connection, workspaces: Sequence[WorkspaceId], file: str
) -> list[Applied]:
    """All connections of these workspaces, and all that this file describes, by name."""
    async with db.cursor(row_factory=class_row(Applied)) as cursor:
        await cursor.execute(
            "SELECT c.workspace_id, w.name AS workspace, c.id, c.name, c.schedule, c.paused,"
            " c.applied, CASE WHEN c.applied IS NULL THEN 0 ELSE (SELECT count(*) FROM documents d"
            " WHERE d.workspace_id = c.workspace_id AND d.connection_id = c.id"
            " AND d.state = 'live') END AS documents"
            " FROM connections c JOIN workspaces w ON w.id = c.workspace_id"
            " WHERE c.workspace_id = ANY(%s) OR c.applied = %s ORDER BY w.name, c.name",
            (list(workspaces), file),
        )
        return await cursor.fetchall()


async def note_applied(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId, file: str
) -> None:
    """From now on this file describes it."""
    await db.execute(
        "UPDATE connections SET applied = %s WHERE workspace_id = %s AND id = %s",
        (file, workspace, connection),
    )
