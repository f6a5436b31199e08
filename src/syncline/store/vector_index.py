"""A workspace's own index of its vectors: HNSW, once there are many.

An exact scan takes 0.2 ms for a thousand chunks, which is fine up to some ten thousand. Beyond,
the workspace gets a partial index over its vectors of one model. It is built concurrently, so
that syncs go on meanwhile; a build that was interrupted leaves an index that is not valid, which
no search uses and the next build replaces.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct

from syncline.core.failpoints import Failpoint, hit
from syncline.core.model import WorkspaceId
from syncline.store.database import Connection

__all__ = ["MANY", "VectorIndex", "build_index", "drop_index", "unindexed"]

MANY = 20_000
"""So many vectors, and a workspace gets its index."""

_M, _EF_CONSTRUCTION = 16, 64
_MOST_DIMENSIONS = 4_000
"""Of half precision, pgvector indexes no longer vectors; these are compared one by one."""
_SETTINGS = (
    "maintenance_work_mem = '512MB'",
    "max_parallel_maintenance_workers = 0",
    "lock_timeout = 0",  # it waits for every transaction that began before it
)
_LOCK = 0x53594E43
"""With the workspace: one build of an index at a time."""


class VectorIndex(Struct, frozen=True):
    """An index that is ready."""

    dimension: int

    def distance(self, vector: str) -> str:
        """The expression that it orders by."""
        size = self.dimension
        return f"(e.vector::halfvec({size})) <#> {vector}::halfvec({size})"


async def unindexed(db: Connection, workspace: WorkspaceId, *, many: int = MANY) -> list[int]:
    """The wanted model, where the workspace has `many` of its vectors, and no index that is ready.

    One that is being replaced keeps the index that it has.
    """
    found = await db.execute(
        "SELECT m.id FROM models m JOIN workspace_models w"
        " ON w.workspace_id = %(workspace)s AND w.model_id = m.id AND w.wanted"
        " WHERE m.dimension <= %(longest)s AND"
        " (SELECT count(*) FROM (SELECT FROM embeddings e WHERE e.workspace_id = %(workspace)s"
        " AND e.model_id = m.id LIMIT %(many)s) AS e) >= %(many)s"
        " AND NOT EXISTS (SELECT FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid"
        " WHERE c.relnamespace = 'syncline'::regnamespace AND i.indisvalid"
        " AND c.relname = 'embeddings_near_' || %(workspace)s::bigint || '_' || m.id)"
        " ORDER BY m.id",
        {"workspace": workspace, "many": many, "longest": _MOST_DIMENSIONS},
    )
    return [row[0] for row in await found.fetchall()]


async def drop_index(
    db: Connection,
    connect_as_owner: Callable[[], Awaitable[Connection]],
    workspace: WorkspaceId,
    model: int,
) -> None:
    """Remove the index of vectors that have gone, if there is one."""
    name = f"embeddings_near_{int(workspace)}_{int(model)}"
    found = await db.execute("SELECT to_regclass(%s)", (f"syncline.{name}",))
    if await found.fetchone() == (None,):
        return
    async with await connect_as_owner() as owner:
        await owner.execute("SET lock_timeout = 0")
        await owner.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}".encode())


async def build_index(owner: Connection, workspace: WorkspaceId, model: int) -> bool:
    """Build the index of these vectors, as the tables' owner. False where somebody else does.

    Does not block writers. May be killed at any time: the next call starts anew.
    """
    name = f"embeddings_near_{int(workspace)}_{int(model)}"
    lock = (_LOCK, int(workspace) & 0x7FFFFFFF)
    found = await owner.execute("SELECT pg_try_advisory_lock(%s, %s)", lock)
    row = await found.fetchone()
    if row is None or not row[0]:
        return False
    try:
        found = await owner.execute("SELECT dimension FROM models WHERE id = %s", (model,))
        row = await found.fetchone()
        if row is None:
            return False
        for setting in _SETTINGS:
            await owner.execute(f"SET {setting}".encode())
        # What an interrupted build has left.
        await owner.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}".encode())
        hit(Failpoint.VECTOR_INDEX_BEGUN)
        await owner.execute(
            f"CREATE INDEX CONCURRENTLY {name} ON embeddings_shared"
            f" USING hnsw ((vector::halfvec({int(row[0])})) halfvec_ip_ops)"
            f" WITH (m = {_M}, ef_construction = {_EF_CONSTRUCTION})"
            f" WHERE workspace_id = {int(workspace)} AND model_id = {int(model)}".encode()
        )
    finally:
        if not owner.closed:
            await owner.execute("SELECT pg_advisory_unlock(%s, %s)", lock)
    return True
