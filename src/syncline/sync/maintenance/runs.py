"""Old runs lose the lines of their reports; later they are forgotten, with their counts."""

from __future__ import annotations

from syncline.core.model import ConnectionId, WorkspaceId
from syncline.store.connections import list_connections
from syncline.store.database import Connection
from syncline.store.runs_read import forget_lines
from syncline.store.upkeep import forget_runs
from syncline.store.workspaces import find_workspace, list_workspaces

__all__ = ["run_everywhere", "run_once"]

_MOST = 20_000
_MOST_RUNS = 1000


async def run_once(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId, *, keep: int = 20
) -> int:
    """Keep the lines of the newest `keep` runs; remove up to 20,000 others. Answers how many."""
    return await forget_lines(db, workspace, connection, keep=keep, most=_MOST)


async def run_everywhere(db: Connection, *, days: float, reports: int) -> int:
    """The same for every connection, and remove runs older than `days`; how much that was."""
    removed = 0
    for name in await list_workspaces(db):
        workspace = await find_workspace(db, name)
        for row in await list_connections(db, workspace):
            while some := await run_once(db, workspace, row.id, keep=reports):
                removed += some
    while some := await forget_runs(db, days=days, keep=reports, most=_MOST_RUNS):
        removed += some
    return removed
