"""Deleted documents are kept for undo for a while, and then removed with their contents."""

from __future__ import annotations

from datetime import timedelta

from syncline.core.model import WorkspaceId
from syncline.store.contents import collect_orphans
from syncline.store.database import Connection
from syncline.store.upkeep import forget_tombstones
from syncline.store.workspaces import find_workspace, list_workspaces

__all__ = ["run_everywhere", "run_once"]

_MOST = 2000


async def run_once(
    db: Connection, workspace: WorkspaceId, older_than: timedelta = timedelta(days=30)
) -> int:
    """Remove up to 2,000 tombstones older than this; answer how many."""
    removed = await forget_tombstones(
        db, workspace, older_than=older_than.total_seconds(), most=_MOST
    )
    if removed:
        await collect_orphans(db, workspace, most=_MOST)
    return removed


async def run_everywhere(db: Connection, days: float) -> int:
    """The same for every workspace, until nothing that old is left; answers how many."""
    removed = 0
    for name in await list_workspaces(db):
        workspace = await find_workspace(db, name)
        while some := await run_once(db, workspace, timedelta(days=days)):
            removed += some
    return removed
