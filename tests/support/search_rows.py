"""Rows by the thousand for search tests, put into the tables without a sync."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg.conninfo import make_conninfo

from syncline.core.model import WorkspaceId
from syncline.settings import Settings
from syncline.store.connections import add_connection
from syncline.store.database import Connection
from syncline.store.embedded import EmbeddedServer
from syncline.store.postings import pack
from syncline.store.workspaces import make_workspace

__all__ = ["Filled", "analyse", "fill", "put_embeddings", "put_rows"]


@dataclass(frozen=True, slots=True)
class Filled:
    workspace: WorkspaceId
    connection: int


async def fill(db: Connection, workspace: str, name: str = "rows", kind: str = "rows") -> Filled:
    """A workspace with an empty connection."""
    ws = await make_workspace(db, workspace)
    row = await add_connection(
        db, ws, kind=kind, name=name, source=f"rows:{name}", options={}, options_version=1
    )
    return Filled(ws, row.id)


async def put_rows(
    db: Connection,
    to: Filled,
    count: int,
    *,
    text: str = "alpha",
    prefix: str = "d",
    principals: Sequence[str] | None = None,
) -> None:
    """`count` documents with a content and a chunk each: `text`, `wN` and one of 50 `gN`."""
    values = {
        "ws": to.workspace,
        "connection": to.connection,
        "count": count,
        "text": text,
        "words": len(text.split()) + 2,
        "code": pack(0, len(text.split()) + 2),
        "prefix": prefix,
        "principals": None if principals is None else list(principals),
    }
    async with db.transaction():
        await db.execute(
            "CREATE TEMPORARY TABLE made ON COMMIT DROP AS SELECT nextval('content_ids') AS id,"
            " nextval('chunk_blocks') * 16 AS chunk, i,"
            " %(text)s || ' w' || i || ' g' || i %% 50 AS text,"
            " %(prefix)s || '-' || lpad(i::text, 6, '0') AS entry"
            " FROM generate_series(1, %(count)s) AS i",
            values,
        )
        await db.execute(
            "INSERT INTO contents (workspace_id, id, hash, stemming, chunking, text)"
            " SELECT %(ws)s, id, sha256((id || text)::bytea), 'english', '', text FROM made",
            values,
        )
        await db.execute(
            "INSERT INTO chunks (workspace_id, content_id, n, start, length, hash, text, headings,"
            " id) SELECT %(ws)s, id, 0, 0, 40, decode(md5(text), 'hex'),"
            " text || repeat(' filling', 40), '{}', chunk FROM made",
            values,
        )
        # Entries as store/postings.py packs them.
        await db.execute(
            "WITH made_segment AS (INSERT INTO segments (workspace_id, chunks, words)"
            " VALUES (%(ws)s, %(count)s, %(words)s::bigint * %(count)s) RETURNING id)"
            " INSERT INTO postings (workspace_id, term, segment_id, entries)"
            " SELECT %(ws)s, word, s.id,"
            " string_agg(int8send((chunk << 16) | (1 << 8) | %(code)s), '')"
            " FROM made_segment s, made, regexp_split_to_table(text, ' ') AS word"
            " GROUP BY word, s.id",
            values,
        )
        await db.execute(
            "INSERT INTO documents (workspace_id, connection_id, entry_key, entry_id, content_id,"
            " title, title_terms, principals, created_run, changed_run)"
            " SELECT %(ws)s, %(connection)s, decode(md5(entry), 'hex'), entry, id, entry, '',"
            " %(principals)s::text[], 1, 1 FROM made",
            values,
        )
    await db.execute("SELECT refresh_statistics()")  # as a sync that writes so much does


async def put_embeddings(db: Connection, to: Filled, model: str) -> None:
    """For every chunk the same vector."""
    await db.execute(
        "INSERT INTO models (name, dimension) VALUES (%s, 256) ON CONFLICT DO NOTHING", (model,)
    )
    await db.execute(
        "INSERT INTO workspace_models (workspace_id, model_id, wanted, complete)"
        " SELECT %s, id, true, true FROM models WHERE name = %s ON CONFLICT DO NOTHING",
        (to.workspace, model),
    )
    await db.execute(
        "INSERT INTO embeddings (workspace_id, model_id, chunk_hash, vector)"
        " SELECT DISTINCT ON (c.hash) c.workspace_id, m.id, c.hash,"
        " array_fill(0.0625::real, ARRAY[256])::halfvec"
        " FROM chunks c, models m WHERE c.workspace_id = %s AND m.name = %s",
        (to.workspace, model),
    )
    await db.execute("SELECT refresh_statistics()")


_ANALYSED = (
    *("contents", "chunks", "embeddings", "documents", "manifest"),
    *("content_bands", "content_signatures"),
)


async def analyse(settings: Settings) -> None:
    """What the server does by itself after a while: statistics, and an index in order."""
    server = EmbeddedServer(settings)
    address = await server.acquire()
    try:
        owner = make_conninfo(**address.parameters("owner"))
        async with await psycopg.AsyncConnection.connect(owner, autocommit=True) as connection:
            for table in _ANALYSED:
                await connection.execute(f"VACUUM (ANALYZE) syncline.{table}".encode())
    finally:
        await server.release()
