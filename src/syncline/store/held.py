"""What a person decides about documents: held deletions, and bringing deleted ones back.

Rows are locked in the order of a batch: the manifest's before the documents', each by key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from psycopg.rows import class_row

from syncline.core.events import EventKind
from syncline.core.model import ConnectionId, DocumentId, EntryKey, WorkspaceId
from syncline.store.database import Connection
from syncline.store.events import settle
from syncline.store.gone import Candidate, bury

__all__ = ["HeldDeletion", "approve_held", "list_held", "reject_held", "restore_document"]


class HeldDeletion(Struct, frozen=True):
    """A live document that the guard has kept from going."""

    document: DocumentId
    connection_id: ConnectionId
    connection: str
    entry_key: EntryKey
    entry_id: str
    title: str | None
    url: str | None
    reason: str
    since: datetime


_HELD = """
FROM manifest m
JOIN documents d ON d.workspace_id = m.workspace_id AND d.connection_id = m.connection_id
    AND d.entry_key = m.entry_key AND d.state = 'live'
JOIN connections c ON c.workspace_id = m.workspace_id AND c.id = m.connection_id
WHERE m.workspace_id = %(workspace)s AND m.gone = 'held'
  AND (%(connection)s::bigint IS NULL OR m.connection_id = %(connection)s)
"""


async def list_held(
    db: Connection, workspace: WorkspaceId, *, connection: ConnectionId | None = None
) -> list[HeldDeletion]:
    """All that is held, by connection and entry."""
    async with db.cursor(row_factory=class_row(HeldDeletion)) as cursor:
        await cursor.execute(
            "SELECT d.id AS document, m.connection_id, c.name AS connection, m.entry_key,"
            " m.entry_id, d.title, d.url, coalesce(m.gone_reason, '') AS reason,"
            " coalesce(m.gone_since, m.written_at) AS since"
            + _HELD
            + 'ORDER BY c.name, m.entry_id COLLATE "C"',
            {"workspace": workspace, "connection": connection},
        )
        return await cursor.fetchall()


async def approve_held(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId, keys: Sequence[EntryKey]
) -> int:
    """Make tombstones of those that are still held; answer how many that were.

    What a run has seen again meanwhile is no longer held, and stays.
    """
    async with db.transaction():
        still = await _lock_held(db, workspace, connection, keys)
        found = await db.execute(
            "SELECT d.id, m.entry_key, m.entry_id, d.content_id, d.title,"
            " coalesce(m.gone_reason, ''), m.state = 'gone'"
            " FROM manifest m JOIN documents d ON d.workspace_id = m.workspace_id"
            " AND d.connection_id = m.connection_id AND d.entry_key = m.entry_key"
            " WHERE m.workspace_id = %s AND m.connection_id = %s AND m.entry_key = ANY(%s)"
            " AND d.state = 'live' ORDER BY m.entry_key",
            (workspace, connection, still),
        )
        candidates = [
            Candidate(
                DocumentId(r[0]),
                EntryKey(r[1]),
                r[2],
                r[3],
                r[4],
                f"{r[5]}; approved by a person".removeprefix("; "),
                unlisted=r[6],
            )
            for r in await found.fetchall()
        ]
        await bury(db, workspace, connection, candidates)
        await _settle_held(db, workspace, connection)
    return len(candidates)


async def reject_held(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId, keys: Sequence[EntryKey]
) -> int:
    """Keep those that are still held, for good; answer how many that were."""
    async with db.transaction():
        still = await _lock_held(db, workspace, connection, keys)
        await db.execute(
            "UPDATE manifest SET gone = 'kept', revision = revision + 1"
            " WHERE workspace_id = %s AND connection_id = %s AND entry_key = ANY(%s)",
            (workspace, connection, still),
        )
        await _settle_held(db, workspace, connection)
    return len(still)


async def _settle_held(db: Connection, workspace: WorkspaceId, connection: ConnectionId) -> None:
    found = await db.execute(
        "SELECT 1 FROM manifest WHERE workspace_id = %s AND connection_id = %s AND gone = 'held'"
        " LIMIT 1",
        (workspace, connection),
    )
    if await found.fetchone() is None:
        await settle(db, workspace, connection, [EventKind.DELETIONS_HELD])


async def _lock_held(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId, keys: Sequence[EntryKey]
) -> list[EntryKey]:
    found = await db.execute(
        "SELECT entry_key, gone FROM manifest WHERE workspace_id = %s AND connection_id = %s"
        " AND entry_key = ANY(%s) ORDER BY entry_key FOR UPDATE",
        (workspace, connection, list(keys)),
    )
    return [EntryKey(row[0]) for row in await found.fetchall() if row[1] == "held"]


async def restore_document(db: Connection, workspace: WorkspaceId, document: int) -> bool:
    """Bring a tombstone back to life, and mark its entry as kept; False if it is none.

    A later run that finds the entry again takes it over; one that does not leaves it alone.
    """
    names: Mapping[str, object] = {"workspace": workspace, "id": document}
    async with db.transaction():
        await db.execute(
            "INSERT INTO manifest AS m (workspace_id, connection_id, entry_key, entry_id,"
            " partition, locator, state, reason, content_hash, gone, gone_reason, gone_since)"
            " SELECT d.workspace_id, d.connection_id, d.entry_key, d.entry_id, '', '{}', 'gone',"
            " 'restored by a person', t.hash, 'kept', 'restored by a person', now()"
            " FROM documents d JOIN contents t ON t.workspace_id = d.workspace_id"
            " AND t.id = d.content_id"
            " WHERE d.workspace_id = %(workspace)s AND d.id = %(id)s AND d.state = 'deleted'"
            " ON CONFLICT (workspace_id, connection_id, entry_key) DO UPDATE SET gone = 'kept',"
            " gone_reason = 'restored by a person', gone_since = now(),"
            " revision = m.revision + 1, written_at = clock_timestamp()",
            names,
        )
        found = await db.execute(
            "UPDATE documents SET state = 'live', deleted_at = NULL, deleted_reason = NULL,"
            " changed_at = now()"
            " WHERE workspace_id = %(workspace)s AND id = %(id)s AND state = 'deleted'",
            names,
        )
    return found.rowcount == 1
