"""What was noted of hosts and is over: kept answers, and quotas that nobody uses any more."""

from __future__ import annotations

from syncline.core.model import WorkspaceId
from syncline.store.database import Connection
from syncline.store.quotas import forget_quotas
from syncline.store.response_cache import forget_answers
from syncline.store.workspaces import find_workspace, list_workspaces

__all__ = ["run_everywhere", "run_once"]

_MOST = 1000
_UNUSED_SECONDS = 7 * 86_400.0


async def run_once(db: Connection, workspace: WorkspaceId) -> int:
    """Remove up to 1,000 of the workspace's answers, and as many quotas; how many those were."""
    forgotten = await forget_answers(db, workspace, most=_MOST)
    return forgotten + await forget_quotas(db, older_than=_UNUSED_SECONDS, most=_MOST)


async def run_everywhere(db: Connection) -> int:
    """The same for every workspace, until nothing of it is left; how much that was."""
    forgotten = 0
    for name in await list_workspaces(db):
        workspace = await find_workspace(db, name)
        while some := await run_once(db, workspace):
            forgotten += some
    return forgotten
