"""Which models a workspace's passages are embedded with, and which one is wanted.

The wanted model is the setting of the process that started last and has written or kept order
here. It is complete when every passage has its embedding; a batch of a process that embeds with
another one takes that back, in the transaction that brings its passages. Batches and whoever says
"complete" hold a lock of the workspace's against one another, so neither misses the other's word.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from syncline.core.failpoints import Failpoint, hit
from syncline.core.model import WorkspaceId
from syncline.core.ports import EmbedderInfo
from syncline.store.database import Connection

__all__ = [
    "ModelState",
    "announce_model",
    "keep_batches_out",
    "model_id",
    "model_states",
    "note_trouble",
    "note_written",
    "troubled_models",
    "wanted_model",
    "workspaces_to_embed",
]

_LOCK = "hashtextextended('syncline models ' || %(workspace)s::bigint, 0)"
_STALE_SECONDS = 3600
"""Whoever wants what is wanted already says so again after this time, and not each time."""


class ModelState(Struct, frozen=True):
    """One of a workspace's models, with what it has of the passages."""

    name: str
    dimension: int
    wanted: bool
    complete: bool
    passages: int
    """That have its embedding."""
    trouble: str | None
    """Why no more of them get it at present."""


async def model_id(db: Connection, info: EmbedderInfo, *, make: bool = True) -> int:
    """The number under which a model's embeddings are kept; 0 where there are none to be made."""
    found = await db.execute("SELECT id, kind, origin FROM models WHERE name = %s", (info.name,))
    row = await found.fetchone()
    if row is not None and (not make or (row[1], row[2]) == (info.kind, dict(info.origin))):
        return int(row[0])
    if not make:
        return 0
    found = await db.execute(
        "INSERT INTO models (name, dimension, kind, origin) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, origin = excluded.origin"
        " RETURNING id",
        (info.name, info.dimension, info.kind, Jsonb(dict(info.origin))),
    )
    row = await found.fetchone()
    assert row is not None
    return int(row[0])


async def announce_model(
    db: Connection, workspace: WorkspaceId, info: EmbedderInfo, *, age: float
) -> int | None:
    """Say that a process which started `age` seconds ago embeds with this model.

    Answers its number if it is the wanted one now, and None where a process that started later
    wants another one.
    """
    number = await model_id(db, info)
    values = {"workspace": workspace, "model": number, "age": age, "stale": _STALE_SECONDS}
    found = await db.execute(
        "SELECT w.model_id, moment() - make_interval(secs => %(age)s) > w.since,"
        " moment() - make_interval(secs => %(age)s + %(stale)s) > w.since"
        " FROM workspace_models w WHERE w.workspace_id = %(workspace)s AND w.wanted",
        values,
    )
    row = await found.fetchone()
    if row is not None and row[0] == number:
        if row[2]:
            await db.execute(
                "UPDATE workspace_models SET since = greatest(since,"
                " moment() - make_interval(secs => %(age)s))"
                " WHERE workspace_id = %(workspace)s AND model_id = %(model)s AND wanted",
                values,
            )
        return number
    if row is not None and not row[1]:
        return None
    async with db.transaction():
        await keep_batches_out(db, workspace)
        # Again, now that nobody else can: another process may have been quicker.
        await db.execute(
            "UPDATE workspace_models SET wanted = false, complete = false, trouble = NULL"
            " WHERE workspace_id = %(workspace)s AND wanted AND model_id <> %(model)s"
            " AND since < moment() - make_interval(secs => %(age)s)",
            values,
        )
        await db.execute(
            "INSERT INTO workspace_models AS w (workspace_id, model_id, wanted, complete, since)"
            " SELECT %(workspace)s, %(model)s, true,"
            " NOT EXISTS (SELECT FROM chunks WHERE workspace_id = %(workspace)s),"
            " moment() - make_interval(secs => %(age)s)"
            " WHERE NOT EXISTS (SELECT FROM workspace_models"
            " WHERE workspace_id = %(workspace)s AND wanted)"
            " ON CONFLICT (workspace_id, model_id) DO UPDATE SET wanted = true,"
            " complete = excluded.complete, since = excluded.since, trouble = NULL",
            values,
        )
    hit(Failpoint.MODEL_ANNOUNCED)
    return number if await wanted_model(db, workspace) == number else None


async def wanted_model(db: Connection, workspace: WorkspaceId) -> int | None:
    """The number of the model that new passages are to have; None before the first run."""
    found = await db.execute(
        "SELECT model_id FROM workspace_models WHERE workspace_id = %s AND wanted", (workspace,)
    )
    row = await found.fetchone()
    return None if row is None else int(row[0])


async def keep_batches_out(db: Connection, workspace: WorkspaceId) -> None:
    """In a transaction: wait for the batches that bring passages, and let none begin."""
    await db.execute(f"SELECT pg_advisory_xact_lock({_LOCK})".encode(), {"workspace": workspace})


async def note_written(db: Connection, workspace: WorkspaceId, model: int) -> None:
    """In a batch's transaction, before it brings passages that have this model's embeddings."""
    values = {"workspace": workspace, "model": model}
    await db.execute(f"SELECT pg_advisory_xact_lock_shared({_LOCK})".encode(), values)
    # A statement of its own, which sees what was committed before the lock was granted.
    await db.execute(
        "WITH other AS (UPDATE workspace_models SET complete = false"
        " WHERE workspace_id = %(workspace)s AND wanted AND complete AND model_id <> %(model)s)"
        " INSERT INTO workspace_models (workspace_id, model_id)"
        " SELECT %(workspace)s, %(model)s WHERE NOT EXISTS (SELECT FROM workspace_models"
        " WHERE workspace_id = %(workspace)s AND model_id = %(model)s) ON CONFLICT DO NOTHING",
        values,
    )


async def note_trouble(
    db: Connection, workspace: WorkspaceId, model: int, trouble: str | None
) -> None:
    """Why the passages that lack this model's embedding do not get it; None: they do."""
    await db.execute(
        "UPDATE workspace_models SET trouble = %(trouble)s WHERE workspace_id = %(workspace)s"
        " AND model_id = %(model)s AND trouble IS DISTINCT FROM %(trouble)s",
        {"workspace": workspace, "model": model, "trouble": trouble},
    )


async def workspaces_to_embed(db: Connection, model: str) -> list[WorkspaceId]:
    """Those with passages for which this model has not been wanted, complete and alone."""
    found = await db.execute(
        "SELECT w.id FROM workspaces w WHERE EXISTS (SELECT FROM workspace_models o"
        " JOIN models m ON m.id = o.model_id WHERE o.workspace_id = w.id"
        " AND NOT (m.name = %s AND o.wanted AND o.complete)) ORDER BY w.id",
        (model,),
    )
    return [WorkspaceId(row[0]) for row in await found.fetchall()]


async def model_states(db: Connection, workspace: WorkspaceId) -> tuple[int, Sequence[ModelState]]:
    """How many different passages there are, and the models, the wanted one first."""
    found = await db.execute(
        "SELECT count(DISTINCT hash) FROM chunks WHERE workspace_id = %s", (workspace,)
    )
    row = await found.fetchone()
    assert row is not None
    async with db.cursor(row_factory=class_row(ModelState)) as cursor:
        await cursor.execute(
            "SELECT m.name, m.dimension, w.wanted, w.complete, (SELECT count(*) FROM embeddings e"
            " WHERE e.workspace_id = w.workspace_id AND e.model_id = w.model_id) AS passages,"
            " w.trouble FROM workspace_models w JOIN models m ON m.id = w.model_id"
            " WHERE w.workspace_id = %s ORDER BY w.wanted DESC, w.since DESC, m.name",
            (workspace,),
        )
        return row[0], await cursor.fetchall()


async def troubled_models(
    db: Connection, workspace: WorkspaceId | None
) -> list[tuple[str, str, str]]:
    """Workspace, model and trouble, where a change of model does not get on."""
    found = await db.execute(
        "SELECT w.name, m.name, k.trouble FROM workspace_models k"
        " JOIN workspaces w ON w.id = k.workspace_id JOIN models m ON m.id = k.model_id"
        " WHERE k.wanted AND NOT k.complete AND k.trouble IS NOT NULL"
        " AND (%(workspace)s::bigint IS NULL OR k.workspace_id = %(workspace)s) ORDER BY 1, 2",
        {"workspace": workspace},
    )
    return [(row[0], row[1], row[2]) for row in await found.fetchall()]
