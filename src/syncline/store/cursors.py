"""Cursors: where each partition's change feed was read up to."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg.types.json import Jsonb

from syncline.core.failpoints import Failpoint, hit
from syncline.core.model import ConnectionId, Cursor, Json, WorkspaceId
from syncline.store.database import Connection
from syncline.store.runs import RunRef, hold

__all__ = ["read_cursors", "store_cursor"]


async def read_cursors(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId
) -> dict[str, Cursor]:
    """By partition id."""
    found = await db.execute(
        "SELECT partition, version, value FROM cursors"
        " WHERE workspace_id = %s AND connection_id = %s",
        (workspace, connection),
    )
    return {row[0]: Cursor(row[1], row[2]) for row in await found.fetchall()}


async def store_cursor(
    db: Connection, run: RunRef, partition: str, cursor: Cursor, read_by: Mapping[str, Json]
) -> None:
    """Move a partition's cursor; everything before it must be stored already.

    It stays where it is if the connection has another filter now than `read_by`, by which the feed
    was read: its reading window may have left out what is wanted since. Raises `Fenced`.
    """
    async with db.transaction():
        await hold(db, run)
        await db.execute(
            "INSERT INTO cursors (workspace_id, connection_id, partition, version, value, run_id)"
            " SELECT c.workspace_id, c.id, %s, %s, %s, %s FROM (SELECT workspace_id, id"
            " FROM connections WHERE workspace_id = %s AND id = %s AND filter = %s FOR SHARE) AS c"
            " ON CONFLICT (workspace_id, connection_id, partition) DO UPDATE SET"
            " version = excluded.version, value = excluded.value, run_id = excluded.run_id,"
            " stored_at = now()",
            (
                partition,
                cursor.version,
                Jsonb(cursor.value),
                run.id,
                run.workspace_id,
                run.connection_id,
                Jsonb(dict(read_by)),
            ),
        )
        hit(Failpoint.CHECKPOINT_BEFORE)
    hit(Failpoint.CHECKPOINT_STORED)
