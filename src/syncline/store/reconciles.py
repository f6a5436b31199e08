"""Which connections are to be compared with their source's complete list. Across workspaces."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from psycopg.rows import class_row

from syncline.core.model import ConnectionId, WorkspaceId
from syncline.store.database import Connection

__all__ = ["Unreconciled", "due_reconciles"]


class Unreconciled(Struct, frozen=True):
    workspace_id: WorkspaceId
    id: ConnectionId
    source: str
    credential: str | None


async def due_reconciles(
    db: Connection, kinds: Sequence[str], *, with_default: bool, rest: float, most: int
) -> list[Unreconciled]:
    """Those of these kinds that run by themselves, and that were last read whole too long ago.

    How long is believed what their feeds say is each connection's `recheck_seconds`. What was
    tried within `rest` seconds is left alone, and so is what nothing was read of since.
    """
    async with db.cursor(row_factory=class_row(Unreconciled)) as cursor:
        await cursor.execute(
            "SELECT c.workspace_id, c.id, c.source, (SELECT s.credential FROM secrets s"
            " WHERE s.workspace_id = c.workspace_id AND s.connection_id = c.id) AS credential"
            " FROM connections c JOIN workspaces w ON w.id = c.workspace_id AND w.active,"
            " LATERAL (SELECT"
            "  max(r.started_at) FILTER (WHERE r.lane = 'reconcile') AS tried,"
            "  max(r.started_at) FILTER (WHERE r.lane = 'reconcile' AND r.state = 'done') AS whole,"
            "  min(r.started_at) FILTER (WHERE r.lane = 'changes' AND r.state = 'done') AS first,"
            "  max(r.started_at) FILTER (WHERE r.lane = 'changes' AND r.state = 'done') AS read"
            "  FROM runs r WHERE r.workspace_id = c.workspace_id AND r.connection_id = c.id) r"
            " WHERE c.kind = ANY(%(kinds)s) AND NOT c.paused AND c.attention IS NULL"
            " AND (c.schedule IS NOT NULL OR %(with_default)s)"
            " AND c.schedule IS DISTINCT FROM 'manual'"
            " AND coalesce(r.whole, r.first) < moment() - make_interval(secs => c.recheck_seconds)"
            " AND r.read > coalesce(r.whole, '-infinity')"
            " AND coalesce(r.tried, '-infinity') < moment() - make_interval(secs => %(rest)s)"
            " ORDER BY c.workspace_id, c.id LIMIT %(most)s",
            {"kinds": list(kinds), "with_default": with_default, "rest": rest, "most": most},
        )
        return await cursor.fetchall()
