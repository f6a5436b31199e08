"""Removing what has served its time."""

from __future__ import annotations

from syncline.core.model import WorkspaceId
from syncline.store.database import Connection

__all__ = ["forget_tombstones"]


async def forget_tombstones(
    db: Connection, workspace: WorkspaceId, *, older_than: float, most: int
) -> int:
    """Remove up to `most` documents that were deleted more than `older_than` seconds ago.

    Their contents are left to the collector. Answers how many.
    """
    found = await db.execute(
        "WITH old AS (SELECT id FROM documents WHERE workspace_id = %(workspace)s"
        " AND state = 'deleted' AND deleted_at < now() - make_interval(secs => %(age)s)"
        " ORDER BY entry_key LIMIT %(most)s FOR UPDATE SKIP LOCKED),"
        " removed AS (DELETE FROM documents d USING old WHERE d.workspace_id = %(workspace)s"
        " AND d.id = old.id AND d.state = 'deleted' RETURNING d.content_id),"
        " noted AS (INSERT INTO orphan_candidates (workspace_id, content_id)"
        " SELECT DISTINCT %(workspace)s::bigint, content_id FROM removed)"
        " SELECT count(*) FROM removed",
        {"workspace": workspace, "age": older_than, "most": most},
    )
    row = await found.fetchone()
    return 0 if row is None else int(row[0])
