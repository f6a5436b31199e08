"""The lines of old runs' reports are forgotten; the runs themselves, and their counts, stay."""

from __future__ import annotations

from syncline.core.model import ConnectionId, WorkspaceId
from syncline.store.database import Connection
from syncline.store.runs_read import forget_lines

__all__ = ["run_once"]

_MOST = 20_000


async def run_once(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId, *, keep: int = 20
) -> int:
    """Keep the lines of the newest `keep` runs; remove up to 20,000 others. Answers how many."""
    return await forget_lines(db, workspace, connection, keep=keep, most=_MOST)
