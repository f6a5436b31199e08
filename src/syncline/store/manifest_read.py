"""Reading the manifest for people: where an entry stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from psycopg.rows import class_row

from syncline.core.model import ConnectionId, EntryKey, Json, WorkspaceId, entry_key
from syncline.store.database import Connection

__all__ = ["EntryRow", "find_entries", "find_entries_ending"]


class EntryRow(Struct, frozen=True):
    """One entry of a connection, with the document that stands behind it."""

    connection_id: ConnectionId
    connection: str
    kind: str
    entry_key: EntryKey
    entry_id: str
    state: str
    reason: str | None
    alias_of: str | None
    version: str | None
    checked_at: datetime
    failures: int
    failure: Mapping[str, Json] | None
    gone: str | None
    gone_reason: str | None
    gone_since: datetime | None
    document: int | None
    document_state: str | None
    url: str | None
    alias_document: int | None
    """For an alias: the document of the entry that it stands for."""


_SELECT = """
SELECT m.connection_id, c.name AS connection, c.kind, m.entry_key, m.entry_id, m.state, m.reason,
       m.alias_of, m.version, m.checked_at, m.failures, m.failure, m.gone, m.gone_reason,
       m.gone_since, d.id AS document, d.state AS document_state, d.url, t.id AS alias_document
FROM manifest m
JOIN connections c ON c.workspace_id = m.workspace_id AND c.id = m.connection_id
LEFT JOIN documents d ON d.workspace_id = m.workspace_id AND d.connection_id = m.connection_id
    AND d.entry_key = m.entry_key
LEFT JOIN documents t ON t.workspace_id = m.workspace_id AND t.connection_id = m.connection_id
    AND t.entry_key = m.alias_key AND t.state = 'live'
WHERE m.workspace_id = %(workspace)s
"""


async def find_entries(
    db: Connection,
    workspace: WorkspaceId,
    names: Sequence[str],
    *,
    connection: ConnectionId | None = None,
) -> list[EntryRow]:
    """The entries with one of these ids, in any connection or in one."""
    return await _rows(
        db,
        "AND m.connection_id IN (SELECT id FROM connections WHERE workspace_id = %(workspace)s"
        " AND (%(connection)s::bigint IS NULL OR id = %(connection)s))"
        " AND m.entry_key = ANY(%(keys)s) ORDER BY m.connection_id, m.entry_key",
        {
            "workspace": workspace,
            "connection": connection,
            "keys": [entry_key(name) for name in names],
        },
    )


async def find_entries_ending(
    db: Connection, workspace: WorkspaceId, name: str, *, limit: int = 10
) -> list[EntryRow]:
    """The entries whose ids end in `/name`. Reads the whole workspace's manifest."""
    return await _rows(
        db,
        "AND right(m.entry_id, length(%(end)s)) = %(end)s ORDER BY m.entry_id LIMIT %(limit)s",
        {"workspace": workspace, "end": "/" + name.lstrip("/"), "limit": limit},
    )


async def _rows(db: Connection, where: str, values: Mapping[str, object]) -> list[EntryRow]:
    async with db.cursor(row_factory=class_row(EntryRow)) as cursor:
        await cursor.execute((_SELECT + where).encode(), values)
        return await cursor.fetchall()
