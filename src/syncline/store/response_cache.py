"""Answers of sources that may be kept, for who has no Redis. The table is not logged."""

from __future__ import annotations

from syncline.core.model import ConnectionId, WorkspaceId
from syncline.store.database import Connection

__all__ = ["forget_answers", "read_answer", "write_answer"]


async def read_answer(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId, key: bytes
) -> bytes | None:
    """What was kept under this key, unless its time is over."""
    found = await db.execute(
        "SELECT answer FROM response_cache WHERE workspace_id = %s AND connection_id = %s"
        " AND key = %s AND kept_until > moment()",
        (workspace, connection, key),
        binary=True,
    )
    row = await found.fetchone()
    return None if row is None else row[0]


async def write_answer(
    db: Connection,
    workspace: WorkspaceId,
    connection: ConnectionId,
    key: bytes,
    answer: bytes,
    seconds: float,
) -> None:
    """Keep an answer for so long."""
    await db.execute(
        "INSERT INTO response_cache (workspace_id, connection_id, key, answer, kept_until)"
        " VALUES (%s, %s, %s, %b, moment() + make_interval(secs => %s))"
        " ON CONFLICT (workspace_id, connection_id, key) DO UPDATE SET"
        " answer = EXCLUDED.answer, kept_until = EXCLUDED.kept_until",
        (workspace, connection, key, answer, seconds),
    )


async def forget_answers(db: Connection, workspace: WorkspaceId, *, most: int) -> int:
    """Remove up to `most` answers whose time is over; answer how many."""
    found = await db.execute(
        "DELETE FROM response_cache WHERE workspace_id = %(workspace)s"
        " AND (connection_id, key) IN (SELECT connection_id, key FROM response_cache"
        " WHERE workspace_id = %(workspace)s AND kept_until < moment()"
        " ORDER BY connection_id, key LIMIT %(most)s FOR UPDATE SKIP LOCKED)",
        {"workspace": workspace, "most": most},
    )
    return found.rowcount
