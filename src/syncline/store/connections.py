"""Connections: a workspace's configured connectors."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import psycopg
from msgspec import Struct
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from syncline.core.errors import NotHere, UsageError
from syncline.core.model import ConnectionId, Json, WorkspaceId
from syncline.store.database import Connection

__all__ = [
    "ConnectionRow",
    "add_connection",
    "find_connection",
    "list_connections",
    "remove_connection",
    "rename_connection",
    "replace_connection",
    "row_by_id",
]


class ConnectionRow(Struct, frozen=True):
    workspace_id: WorkspaceId
    id: ConnectionId
    kind: str
    name: str
    source: str
    """What a person typed, made canonical: a path or a URL."""
    options: Mapping[str, Json]
    options_version: int
    filter: Mapping[str, Json]
    keep_deleted: bool
    guard_fraction: float
    guard_minimum: int
    recheck_seconds: int
    created_at: datetime


_COLUMNS = (
    "workspace_id, id, kind, name, source, options, options_version, filter, keep_deleted,"
    " guard_fraction, guard_minimum, recheck_seconds, created_at"
)


async def add_connection(
    db: Connection,
    workspace: WorkspaceId,
    *,
    kind: str,
    name: str,
    source: str,
    options: Mapping[str, Json],
    options_version: int,
) -> ConnectionRow:
    """Make a connection. Raises `UsageError` if the name is taken."""
    async with db.cursor(row_factory=class_row(ConnectionRow)) as cursor:
        try:
            await cursor.execute(
                "INSERT INTO connections"
                " (workspace_id, kind, name, source, options, options_version)"
                f" VALUES (%s, %s, %s, %s, %s, %s) RETURNING {_COLUMNS}",
                (workspace, kind, name, source, Jsonb(dict(options)), options_version),
            )
        except psycopg.errors.UniqueViolation as error:
            raise _taken(name) from error
        row = await cursor.fetchone()
        assert row is not None
        return row


async def replace_connection(db: Connection, row: ConnectionRow) -> ConnectionRow:
    """Store everything of the row but its kind and name. Raises `NotHere`.

    Where its reading window becomes wider, its feeds are read from their beginning: they may have
    left out what is asked for now.
    """
    since, within = row.filter.get("updated_since"), row.filter.get("updated_within")
    async with db.transaction(), db.cursor(row_factory=class_row(ConnectionRow)) as cursor:
        # Whoever is storing a cursor (`store_cursor`) gets to its end; who comes after sees ours.
        await cursor.execute(
            "SELECT 1 FROM connections WHERE workspace_id = %s AND id = %s FOR NO KEY UPDATE",
            (row.workspace_id, row.id),
        )
        await cursor.execute(
            "WITH before AS (SELECT filter ->> 'updated_since' AS since,"
            " filter ->> 'updated_within' AS within FROM connections"
            " WHERE workspace_id = %s AND id = %s), forgotten AS (DELETE FROM cursors USING before"
            " WHERE workspace_id = %s AND connection_id = %s AND (since IS NOT NULL"
            " AND (%s::timestamptz < since::timestamptz) IS NOT FALSE"
            " OR within IS NOT NULL AND within IS DISTINCT FROM %s))"
            " UPDATE connections SET source = %s, options = %s, options_version = %s, filter = %s,"
            " keep_deleted = %s, guard_fraction = %s, guard_minimum = %s, recheck_seconds = %s"
            f" WHERE workspace_id = %s AND id = %s RETURNING {_COLUMNS}",
            (
                *(row.workspace_id, row.id) * 2,
                since,
                within,
                row.source,
                Jsonb(dict(row.options)),
                row.options_version,
                Jsonb(dict(row.filter)),
                row.keep_deleted,
                row.guard_fraction,
                row.guard_minimum,
                row.recheck_seconds,
                row.workspace_id,
                row.id,
            ),
        )
        stored = await cursor.fetchone()
    if stored is None:
        raise NotHere(f"There is no connection {row.name} any more.")
    return stored


async def rename_connection(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId, name: str
) -> ConnectionRow:
    """Give it another name. Raises `UsageError` if that is taken."""
    async with db.cursor(row_factory=class_row(ConnectionRow)) as cursor:
        try:
            await cursor.execute(
                "UPDATE connections SET name = %s WHERE workspace_id = %s AND id = %s"
                f" RETURNING {_COLUMNS}",
                (name, workspace, connection),
            )
        except psycopg.errors.UniqueViolation as error:
            raise _taken(name) from error
        row = await cursor.fetchone()
    if row is None:
        raise NotHere(f"There is no connection {connection} any more.")
    return row


def _taken(name: str) -> UsageError:
    return UsageError(
        f"There is already a connection named {name!r}.", hint="Choose another --name."
    )


async def find_connection(db: Connection, workspace: WorkspaceId, name: str) -> ConnectionRow:
    """The connection of this name or id. Raises `NotHere`, naming the ones there are."""
    for row in await list_connections(db, workspace):
        if name in (row.name, str(row.id)):
            return row
    names = [row.name for row in await list_connections(db, workspace)]
    raise NotHere(
        f"There is no connection {name!r} in this workspace.",
        hint=f"There are: {', '.join(names)}." if names else "Make one with `syncline sync`.",
    )


async def row_by_id(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId
) -> ConnectionRow | None:
    """The connection with this id."""
    async with db.cursor(row_factory=class_row(ConnectionRow)) as cursor:
        await cursor.execute(
            f"SELECT {_COLUMNS} FROM connections WHERE workspace_id = %s AND id = %s",
            (workspace, connection),
        )
        return await cursor.fetchone()


async def list_connections(db: Connection, workspace: WorkspaceId) -> list[ConnectionRow]:
    """All of a workspace's, by name."""
    async with db.cursor(row_factory=class_row(ConnectionRow)) as cursor:
        await cursor.execute(
            f"SELECT {_COLUMNS} FROM connections WHERE workspace_id = %s ORDER BY name",
            (workspace,),
        )
        return await cursor.fetchall()


async def remove_connection(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId
) -> int:
    """Remove a connection with its manifest, runs and documents; tell how many documents.

    The contents that only these documents pointed to are left to the collector.
    """
    async with db.transaction():
        # A run that holds the row's key lock finishes its batch first and then finds no run.
        await db.execute(
            "SELECT 1 FROM connections WHERE workspace_id = %s AND id = %s FOR UPDATE",
            (workspace, connection),
        )
        await db.execute(
            "INSERT INTO orphan_candidates (workspace_id, content_id)"
            " SELECT DISTINCT workspace_id, content_id FROM documents"
            " WHERE workspace_id = %s AND connection_id = %s",
            (workspace, connection),
        )
        found = await db.execute(
            "DELETE FROM documents WHERE workspace_id = %s AND connection_id = %s",
            (workspace, connection),
        )
        removed = found.rowcount
        await db.execute(
            "DELETE FROM connections WHERE workspace_id = %s AND id = %s", (workspace, connection)
        )
        # Last: who notes a trouble may hold a job that the line above waits for.
        await db.execute(
            "DELETE FROM troubles WHERE workspace_id = %s AND connection_id = %s",
            (workspace, connection),
        )
    return removed
