"""Pairs that a person is asked about, what they have said, and all near-duplicates there are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import psycopg
from msgspec import Struct
from psycopg.rows import class_row

from syncline.core.model import ConnectionId, WorkspaceId
from syncline.store.database import Connection
from syncline.store.near import DOUBT, NEAR

__all__ = [
    "Copy",
    "PairRow",
    "contents_with_near_duplicates",
    "copies_of",
    "decided_pairs",
    "decision_on",
    "forget_decision",
    "open_pairs",
    "record_decision",
    "similar_contents",
    "similarity_of",
]


class PairRow(Struct, frozen=True):
    """Two documents that are much alike, or that a person has said something of."""

    a: int
    b: int
    jaccard: float | None
    """None where they have less than three quarters in common."""
    numbers_differ: bool
    titles_differ: bool
    same: bool | None
    """A person's word; None where it is still waited for."""
    decided_at: datetime | None
    total: int
    """How many such pairs there are in all."""


class Copy(Struct, frozen=True):
    """A live document in a list of near-duplicates."""

    content: int
    id: int
    connection: str
    entry_id: str
    title: str | None


# The canonical live document of a content, with its place in the order of documents.
_FIRST = """(SELECT d.id, d.connection_id, ARRAY[c.name, d.entry_id] COLLATE "C" AS place
    FROM documents d
    JOIN connections c ON c.workspace_id = d.workspace_id AND c.id = d.connection_id
    WHERE d.workspace_id = p.workspace_id AND d.content_id = {content} AND d.state = 'live'
    ORDER BY place LIMIT 1)"""
_OPEN = f"""
WITH doubtful AS (
    SELECT p.*, NOT EXISTS (SELECT FROM documents x JOIN documents y
        ON y.workspace_id = x.workspace_id AND y.content_id = p.b AND y.state = 'live'
            AND y.title_terms = x.title_terms
        WHERE x.workspace_id = p.workspace_id AND x.content_id = p.a AND x.state = 'live'
        ) AS titles_differ
    FROM near_pairs p
    WHERE p.workspace_id = %(workspace)s AND p.jaccard BETWEEN {DOUBT[0]} AND {DOUBT[1]}
)
SELECT CASE WHEN x.place < y.place THEN x.id ELSE y.id END AS a,
       CASE WHEN x.place < y.place THEN y.id ELSE x.id END AS b,
       p.jaccard, p.numbers_differ, p.titles_differ, NULL::boolean AS same,
       NULL::timestamptz AS decided_at, count(*) OVER () AS total
FROM doubtful p
CROSS JOIN LATERAL {_FIRST.format(content="p.a")} x
CROSS JOIN LATERAL {_FIRST.format(content="p.b")} y
WHERE (p.numbers_differ OR p.titles_differ)
  AND (%(connection)s::bigint IS NULL OR %(connection)s IN (x.connection_id, y.connection_id))
  AND NOT EXISTS (SELECT FROM documents d JOIN near_decisions n
      ON n.workspace_id = d.workspace_id AND d.id IN (n.a, n.b)
      JOIN documents o ON o.workspace_id = d.workspace_id AND o.content_id = p.b
          AND o.state = 'live' AND o.id IN (n.a, n.b)
      WHERE d.workspace_id = p.workspace_id AND d.content_id = p.a AND d.state = 'live')
ORDER BY p.jaccard DESC, least(x.place, y.place), greatest(x.place, y.place)
LIMIT %(limit)s OFFSET %(offset)s
"""
_DECIDED = """
SELECT n.a, n.b, CASE WHEN x.content_id = y.content_id THEN 1 ELSE p.jaccard END AS jaccard,
       coalesce(p.numbers_differ, false) AS numbers_differ,
       x.title_terms <> y.title_terms AS titles_differ, n.same, n.decided_at,
       count(*) OVER () AS total
FROM near_decisions n
JOIN documents x ON x.workspace_id = n.workspace_id AND x.id = n.a
JOIN documents y ON y.workspace_id = n.workspace_id AND y.id = n.b
LEFT JOIN near_pairs p ON p.workspace_id = n.workspace_id
    AND p.a = least(x.content_id, y.content_id) AND p.b = greatest(x.content_id, y.content_id)
WHERE n.workspace_id = %(workspace)s AND n.same = %(same)s
  AND (%(connection)s::bigint IS NULL OR %(connection)s IN (x.connection_id, y.connection_id))
ORDER BY n.decided_at DESC, n.a, n.b LIMIT %(limit)s OFFSET %(offset)s
"""


async def open_pairs(
    db: Connection,
    workspace: WorkspaceId,
    *,
    connection: ConnectionId | None,
    limit: int,
    offset: int,
) -> list[PairRow]:
    """A page of the pairs in doubt whose titles or numbers disagree: the most alike first.

    Each content speaks through its canonical document; one word on any of its documents and
    any of the other's settles the pair.
    """
    values = {"connection": connection, "limit": limit, "offset": offset}
    return await _pairs(db, _OPEN, {"workspace": workspace, **values})


async def decided_pairs(
    db: Connection,
    workspace: WorkspaceId,
    *,
    same: bool,
    connection: ConnectionId | None,
    limit: int,
    offset: int,
) -> list[PairRow]:
    """A page of the pairs that a person has called the same, or different; the newest first."""
    values = {"connection": connection, "same": same, "limit": limit, "offset": offset}
    return await _pairs(db, _DECIDED, {"workspace": workspace, **values})


async def _pairs(db: Connection, query: str, values: dict[str, object]) -> list[PairRow]:
    async with db.cursor(row_factory=class_row(PairRow)) as cursor:
        await cursor.execute(query.encode(), values)
        return await cursor.fetchall()


async def record_decision(
    db: Connection, workspace: WorkspaceId, one: int, other: int, *, same: bool
) -> bool:
    """Keep a person's word on two documents, in place of an earlier one; False if one has gone."""
    try:
        await db.execute(
            "INSERT INTO near_decisions (workspace_id, a, b, same) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (workspace_id, a, b) DO UPDATE SET same = excluded.same,"
            " decided_at = now()",
            (workspace, min(one, other), max(one, other), same),
        )
    except psycopg.errors.ForeignKeyViolation:
        return False
    return True


async def forget_decision(db: Connection, workspace: WorkspaceId, one: int, other: int) -> bool:
    """Take a person's word on two documents back; False where there is none."""
    found = await db.execute(
        "DELETE FROM near_decisions WHERE workspace_id = %s AND a = %s AND b = %s",
        (workspace, min(one, other), max(one, other)),
    )
    return found.rowcount > 0


async def decision_on(
    db: Connection, workspace: WorkspaceId, one: int, other: int
) -> tuple[bool, datetime] | None:
    """Whether these two were called the same, and when; None without a word."""
    found = await db.execute(
        "SELECT same, decided_at FROM near_decisions WHERE workspace_id = %s AND a = %s AND b = %s",
        (workspace, min(one, other), max(one, other)),
    )
    row = await found.fetchone()
    return None if row is None else (row[0], row[1])


async def similarity_of(
    db: Connection, workspace: WorkspaceId, one: int, other: int
) -> float | None:
    """What two contents have in common; None where it is less than is remembered."""
    if one == other:
        return 1.0
    found = await db.execute(
        "SELECT jaccard FROM near_pairs WHERE workspace_id = %s AND a = %s AND b = %s",
        (workspace, min(one, other), max(one, other)),
    )
    row = await found.fetchone()
    return None if row is None else float(row[0])


async def similar_contents(
    db: Connection, workspace: WorkspaceId, content: int, *, most: int
) -> dict[int, float | None]:
    """The `most` contents that are most like this one, with what they have in common; and all
    that a person has called the same as any (None where they have little in common)."""
    found = await db.execute(
        "(SELECT CASE WHEN a = %(content)s THEN b ELSE a END, jaccard FROM near_pairs"
        " WHERE workspace_id = %(workspace)s AND %(content)s IN (a, b) AND jaccard >= %(near)s"
        " ORDER BY jaccard DESC, 1 LIMIT %(most)s)"
        " UNION ALL SELECT d.content_id, NULL FROM near_decisions n JOIN documents d"
        " ON d.workspace_id = n.workspace_id AND d.id IN (n.a, n.b)"
        " WHERE n.workspace_id = %(workspace)s AND n.same AND d.content_id <> %(content)s",
        {"workspace": workspace, "content": content, "near": NEAR, "most": most},
    )
    similar: dict[int, float | None] = {}
    for other, jaccard in await found.fetchall():
        similar.setdefault(other, jaccard)
    return similar


async def contents_with_near_duplicates(db: Connection, workspace: WorkspaceId) -> list[int]:
    """All that may be in a cluster: near-duplicates, and what a person has called the same."""
    found = await db.execute(
        "SELECT a FROM near_pairs WHERE workspace_id = %(workspace)s AND jaccard >= %(near)s"
        " UNION SELECT b FROM near_pairs WHERE workspace_id = %(workspace)s AND jaccard >= %(near)s"
        " UNION SELECT d.content_id FROM near_decisions n JOIN documents d"
        " ON d.workspace_id = n.workspace_id AND d.id IN (n.a, n.b)"
        " WHERE n.workspace_id = %(workspace)s AND n.same",
        {"workspace": workspace, "near": NEAR},
    )
    return [row[0] for row in await found.fetchall()]


async def copies_of(
    db: Connection, workspace: WorkspaceId, contents: Sequence[int]
) -> dict[int, list[Copy]]:
    """The live documents of each of these contents, by connection and entry."""
    async with db.cursor(row_factory=class_row(Copy)) as cursor:
        await cursor.execute(
            "SELECT d.content_id AS content, d.id, c.name AS connection, d.entry_id, d.title"
            " FROM documents d JOIN connections c"
            " ON c.workspace_id = d.workspace_id AND c.id = d.connection_id"
            " WHERE d.workspace_id = %s AND d.state = 'live' AND d.content_id = ANY(%s)"
            ' ORDER BY c.name COLLATE "C", d.entry_id COLLATE "C"',
            (workspace, list(contents)),
        )
        found: dict[int, list[Copy]] = {}
        for copy in await cursor.fetchall():
            found.setdefault(copy.content, []).append(copy)
        return found
