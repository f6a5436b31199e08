"""Which keys have sealed what, across all workspaces: for the rotation of keys."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from psycopg.rows import class_row

from syncline.core.model import ConnectionId, WorkspaceId
from syncline.store.database import Connection

__all__ = ["SealedRow", "keys_in_use", "sealed_with_others"]


class SealedRow(Struct, frozen=True):
    workspace_id: WorkspaceId
    connection_id: ConnectionId
    name: str
    """The connection's."""
    sealed: bytes
    key_id: str
    credential: str


async def keys_in_use(db: Connection) -> dict[str, int]:
    """How many connections' secrets each key has sealed, by its id."""
    found = await db.execute("SELECT key_id, count(*) FROM secrets GROUP BY key_id ORDER BY key_id")
    return {row[0]: row[1] for row in await found.fetchall()}


async def sealed_with_others(
    db: Connection, key_id: str, after: tuple[int, int], *, most: int = 500
) -> Sequence[SealedRow]:
    """Rows that another key has sealed, in the order of their keys, behind `after`."""
    async with db.cursor(row_factory=class_row(SealedRow)) as cursor:
        await cursor.execute(
            "SELECT s.workspace_id, s.connection_id, c.name, s.sealed, s.key_id, s.credential"
            " FROM secrets s"
            " JOIN connections c ON c.workspace_id = s.workspace_id AND c.id = s.connection_id"
            " WHERE s.key_id <> %s AND (s.workspace_id, s.connection_id) > (%s, %s)"
            " ORDER BY s.workspace_id, s.connection_id LIMIT %s FOR UPDATE OF s",
            (key_id, *after, most),
        )
        return await cursor.fetchall()
