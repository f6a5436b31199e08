"""Reading documents for people: lists, one with its text, who shares a content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from psycopg.rows import class_row

from syncline.core.errors import NotHere
from syncline.core.model import ConnectionId, DocumentId, Json, WorkspaceId, entry_key
from syncline.store.database import Connection

__all__ = [
    "DocumentRow",
    "count_documents",
    "find_document",
    "find_documents",
    "list_documents",
    "sharing_content",
    "text_of",
]


class DocumentRow(Struct, frozen=True):
    """A document with its metadata, and its connection's name."""

    id: DocumentId
    connection_id: ConnectionId
    connection: str
    kind: str
    entry_id: str
    state: str
    """`live`, `held` (live, and waiting for a person's word) or `deleted`."""
    content_id: int
    title: str | None
    url: str | None
    language: str | None
    authors: Sequence[str]
    categories: Sequence[str]
    tags: Sequence[str]
    properties: Mapping[str, Json]
    principals: Sequence[str] | None
    source_created: datetime | None
    source_updated: datetime | None
    created_run: int
    changed_run: int
    created_at: datetime
    changed_at: datetime
    deleted_at: datetime | None
    deleted_reason: str | None


_SELECT = """
SELECT d.id, d.connection_id, c.name AS connection, c.kind, d.entry_id,
       CASE WHEN d.state = 'live' AND m.gone = 'held' THEN 'held' ELSE d.state END AS state,
       d.content_id, d.title, d.url, d.language, d.authors, d.categories, d.tags, d.properties,
       d.principals, d.source_created, d.source_updated, d.created_run, d.changed_run,
       d.created_at, d.changed_at, d.deleted_at, d.deleted_reason
"""
_FROM = """
FROM documents d
JOIN connections c ON c.workspace_id = d.workspace_id AND c.id = d.connection_id
LEFT JOIN manifest m ON m.workspace_id = d.workspace_id AND m.connection_id = d.connection_id
    AND m.entry_key = d.entry_key
"""
_WANTED = """
WHERE d.workspace_id = %(workspace)s
  AND (%(connection)s::bigint IS NULL OR d.connection_id = %(connection)s)
  AND (%(tag)s::text IS NULL OR lower(%(tag)s) IN (SELECT lower(t) FROM unnest(d.tags) t))
  AND CASE %(state)s WHEN 'all' THEN true WHEN 'held' THEN m.gone = 'held' AND d.state = 'live'
      ELSE d.state = %(state)s END
"""


async def list_documents(
    db: Connection,
    workspace: WorkspaceId,
    *,
    connection: ConnectionId | None,
    state: str,
    tag: str | None,
    limit: int,
    offset: int,
) -> list[DocumentRow]:
    """A page of documents, by connection and entry. `state` is `live`, `deleted`, `held`, `all`."""
    return await _rows(
        db,
        _SELECT
        + _FROM
        + _WANTED
        + 'ORDER BY c.name, d.entry_id COLLATE "C" LIMIT %(limit)s OFFSET %(offset)s',
        {
            "workspace": workspace,
            "connection": connection,
            "state": state,
            "tag": tag,
            "limit": limit,
            "offset": offset,
        },
    )


async def count_documents(
    db: Connection,
    workspace: WorkspaceId,
    *,
    connection: ConnectionId | None,
    state: str,
    tag: str | None,
) -> int:
    """How many documents `list_documents` has to show in all."""
    found = await db.execute(
        ("SELECT count(*)" + _FROM + _WANTED).encode(),
        {"workspace": workspace, "connection": connection, "state": state, "tag": tag},
    )
    row = await found.fetchone()
    return 0 if row is None else int(row[0])


async def find_document(db: Connection, workspace: WorkspaceId, document: int) -> DocumentRow:
    """One document, live or deleted. Raises `NotHere`."""
    rows = await _rows(
        db,
        _SELECT + _FROM + "WHERE d.workspace_id = %(workspace)s AND d.id = %(id)s",
        {"workspace": workspace, "id": document},
    )
    if not rows:
        raise NotHere(
            f"There is no document {document} in this workspace.",
            hint="`syncline documents list --state all` lists them, deleted ones too.",
        )
    return rows[0]


async def find_documents(
    db: Connection, workspace: WorkspaceId, names: Sequence[str], *, limit: int = 10
) -> list[DocumentRow]:
    """Documents, live or deleted, of which one of `names` is the entry's id or the URL."""
    return await _rows(
        db,
        _SELECT + _FROM + "WHERE d.workspace_id = %(workspace)s AND (d.url = ANY(%(names)s) OR"
        " (d.entry_key = ANY(%(keys)s) AND d.connection_id IN"
        " (SELECT id FROM connections WHERE workspace_id = %(workspace)s)))"
        " ORDER BY d.id LIMIT %(limit)s",
        {
            "workspace": workspace,
            "names": list(names),
            "keys": [entry_key(name) for name in names],
            "limit": limit,
        },
    )


async def sharing_content(
    db: Connection, workspace: WorkspaceId, document: DocumentRow, *, limit: int = 20
) -> list[DocumentRow]:
    """Other live documents with the same content."""
    return await _rows(
        db,
        _SELECT + _FROM + "WHERE d.workspace_id = %(workspace)s AND d.content_id = %(content)s"
        " AND d.id <> %(id)s AND d.state = 'live' ORDER BY d.id LIMIT %(limit)s",
        {
            "workspace": workspace,
            "content": document.content_id,
            "id": document.id,
            "limit": limit,
        },
    )


async def text_of(db: Connection, workspace: WorkspaceId, content: int) -> tuple[str, int]:
    """A content's text, and how many chunks it has."""
    found = await db.execute(
        "SELECT text, (SELECT count(*) FROM chunks ch WHERE ch.workspace_id = c.workspace_id"
        " AND ch.content_id = c.id) FROM contents c WHERE c.workspace_id = %s AND c.id = %s",
        (workspace, content),
    )
    row = await found.fetchone()
    assert row is not None  # a document's foreign key
    return row[0], row[1]


async def _rows(db: Connection, query: str, values: Mapping[str, object]) -> list[DocumentRow]:
    async with db.cursor(row_factory=class_row(DocumentRow)) as cursor:
        await cursor.execute(query.encode(), values)
        return await cursor.fetchall()
