"""How the workspaces' daily work lies over the hours, across all of them."""

from __future__ import annotations

from msgspec import Struct
from psycopg.rows import class_row

from syncline.core.model import WorkspaceId
from syncline.store.database import Connection

__all__ = ["WorkspaceHours", "workspace_hours"]


class WorkspaceHours(Struct, frozen=True):
    id: WorkspaceId
    name: str
    active: bool
    connections: int
    """Those that do not rest."""
    spread: int
    """Of them, those whose schedule of their own is `spread`."""
    by_default: int
    """Of them, those without a schedule of their own."""


async def workspace_hours(db: Connection) -> list[WorkspaceHours]:
    """Every workspace, by name."""
    async with db.cursor(row_factory=class_row(WorkspaceHours)) as cursor:
        await cursor.execute(
            "SELECT w.id, w.name, w.active, count(c.id) AS connections,"
            " count(*) FILTER (WHERE c.schedule = 'spread') AS spread,"
            " count(c.id) FILTER (WHERE c.schedule IS NULL) AS by_default"
            " FROM workspaces w LEFT JOIN connections c ON c.workspace_id = w.id"
            " AND NOT c.paused AND c.attention IS NULL GROUP BY w.id ORDER BY w.name"
        )
        return await cursor.fetchall()
