"""A workspace that has grown gets an index of its vectors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from syncline.core.model import WorkspaceId
from syncline.store.database import Connection
from syncline.store.vector_index import MANY, build_index, unindexed

__all__ = ["Connect", "run_once"]

Connect = Callable[[], Awaitable[Connection]]
"""Opens a connection as the owner of the tables."""


async def run_once(
    db: Connection,
    connect_as_owner: Connect,
    workspace: WorkspaceId,
    *,
    many: int = MANY,
) -> int:
    """Build what is missing: half a minute for 100,000 vectors. Answers how many indexes."""
    missing = await unindexed(db, workspace, many=many)
    if not missing:
        return 0
    async with await connect_as_owner() as owner:
        return sum([await build_index(owner, workspace, model) for model in missing])
