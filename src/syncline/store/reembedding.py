"""A change of model: the passages that lack the wanted one's embedding, and the others' end.

What is left to do follows from the tables alone, so whoever is killed leaves nothing behind that
the next one must know of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from syncline.core.failpoints import Failpoint, hit
from syncline.core.model import WorkspaceId
from syncline.core.prepared import embedding_text
from syncline.store.contents import insert_embeddings
from syncline.store.database import Connection
from syncline.store.models import keep_batches_out

__all__ = [
    "Passage",
    "collect_former",
    "complete_model",
    "former_models",
    "missing_passages",
    "store_embeddings",
]


class Passage(Struct, frozen=True):
    """What is to be embedded."""

    hash: bytes
    text: str


_MISSING = """FROM chunks c WHERE c.workspace_id = %(workspace)s AND c.hash > %(after)s
    AND NOT EXISTS (SELECT FROM embeddings e WHERE e.workspace_id = %(workspace)s
        AND e.model_id = %(model)s AND e.chunk_hash = c.hash OFFSET 0)"""


async def missing_passages(
    db: Connection, workspace: WorkspaceId, model: int, *, after: bytes = b"", most: int
) -> list[Passage]:
    """Up to `most` passages without this model's embedding, by hash, after this one."""
    found = await db.execute(
        f"SELECT DISTINCT ON (c.hash) c.hash, c.headings, c.text {_MISSING}"
        " ORDER BY c.hash LIMIT %(most)s".encode(),
        {"workspace": workspace, "model": model, "after": after, "most": most},
    )
    return [Passage(row[0], embedding_text(row[1], row[2])) for row in await found.fetchall()]


async def store_embeddings(
    db: Connection, workspace: WorkspaceId, model: int, hashes: Sequence[bytes], vectors: Any
) -> int:
    """Store these, but for passages that have gone meanwhile; answers how many."""
    async with db.transaction():
        # The lock keeps the collector from them until their embeddings can be seen.
        found = await db.execute(
            "SELECT hash FROM chunks WHERE workspace_id = %s AND hash = ANY(%s)"
            " ORDER BY content_id, n FOR KEY SHARE",
            (workspace, list(hashes)),
        )
        there = {row[0] for row in await found.fetchall()}
        kept = [n for n, each in enumerate(hashes) if each in there]
        await insert_embeddings(db, workspace, model, [hashes[n] for n in kept], vectors[kept])
        hit(Failpoint.EMBEDDINGS_BEFORE_COMMIT)
    hit(Failpoint.EMBEDDINGS_COMMITTED)
    return len(kept)


async def complete_model(db: Connection, workspace: WorkspaceId, model: int) -> bool:
    """Whether every passage has the wanted model's embedding; if so, from now on it is said."""
    values = {"workspace": workspace, "model": model, "after": b""}
    missing = f"SELECT EXISTS (SELECT {_MISSING})".encode()
    if await _says(db, missing, values):  # before anybody has to wait for the answer
        return False
    async with db.transaction():
        await keep_batches_out(db, workspace)
        if await _says(db, missing, values):
            return False
        done = await db.execute(
            "UPDATE workspace_models SET complete = true, trouble = NULL"
            " WHERE workspace_id = %(workspace)s AND model_id = %(model)s AND wanted",
            values,
        )
    hit(Failpoint.MODEL_COMPLETE)
    return done.rowcount == 1


async def _says(db: Connection, question: bytes, values: dict[str, object]) -> bool:
    found = await db.execute(question, values)
    row = await found.fetchone()
    return row is not None and bool(row[0])


async def former_models(db: Connection, workspace: WorkspaceId) -> list[int]:
    """The models that are not wanted any more, where the wanted one is complete."""
    found = await db.execute(
        "SELECT f.model_id FROM workspace_models f JOIN workspace_models w"
        " ON w.workspace_id = f.workspace_id AND w.wanted AND w.complete"
        " WHERE f.workspace_id = %s AND NOT f.wanted ORDER BY f.model_id",
        (workspace,),
    )
    return [row[0] for row in await found.fetchall()]


async def collect_former(
    db: Connection, workspace: WorkspaceId, model: int, *, most: int
) -> int | None:
    """Remove up to `most` embeddings of a model that is not wanted any more; answers how many.

    The model goes with its last one. None where it is needed again.
    """
    async with db.transaction():
        # Whoever takes "complete" back waits for us, and then sees what has gone.
        found = await db.execute(
            "SELECT complete FROM workspace_models WHERE workspace_id = %s AND wanted"
            " AND model_id <> %s FOR UPDATE",
            (workspace, model),
        )
        row = await found.fetchone()
        if row is None or not row[0]:
            return None
        gone = await db.execute(
            "DELETE FROM embeddings WHERE workspace_id = %(workspace)s AND model_id = %(model)s"
            " AND chunk_hash = ANY(ARRAY(SELECT chunk_hash FROM embeddings"
            " WHERE workspace_id = %(workspace)s AND model_id = %(model)s"
            " ORDER BY chunk_hash LIMIT %(most)s FOR UPDATE SKIP LOCKED))",
            {"workspace": workspace, "model": model, "most": most},
        )
        if gone.rowcount == 0:
            await db.execute(
                "DELETE FROM workspace_models w WHERE workspace_id = %(workspace)s"
                " AND model_id = %(model)s AND NOT wanted AND NOT EXISTS (SELECT FROM embeddings e"
                " WHERE e.workspace_id = %(workspace)s AND e.model_id = %(model)s)",
                {"workspace": workspace, "model": model},
            )
    hit(Failpoint.FORMER_MODEL_COLLECTED)
    return gone.rowcount
