"""What makes searches of large workspaces fast, for a workspace or for all of them."""

from __future__ import annotations

from syncline.core.model import WorkspaceId
from syncline.store.database import Connection, Database
from syncline.store.workspaces import find_workspace, list_workspaces
from syncline.sync.maintenance import segments, vectors
from syncline.sync.maintenance.vectors import Connect

__all__ = ["run_everywhere", "run_once"]


async def run_once(db: Connection, connect_as_owner: Connect, workspace: WorkspaceId) -> int:
    """Merge segments and build a missing vector index; answer how much of both was done."""
    merged = await segments.run_once(db, workspace)
    return merged + await vectors.run_once(db, connect_as_owner, workspace)


async def run_everywhere(database: Database) -> int:
    """The same for every workspace, one after the other."""
    done = 0
    async with database.connection() as db:
        for name in await list_workspaces(db):
            done += await run_once(db, database.connect_as_owner, await find_workspace(db, name))
    return done
