"""How large a database is, in all and table by table, and what it holds. Across workspaces."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from psycopg.rows import class_row

from syncline.store.database import Connection

__all__ = ["Holdings", "TableSize", "count_holdings", "largest_tables", "total_sizes"]


class TableSize(Struct, frozen=True):
    """A table with its partitions and indexes. `rows` is the server's own estimate."""

    name: str
    rows: int
    bytes: int


class Holdings(Struct, frozen=True):
    """What all workspaces have together."""

    workspaces: int
    connections: int
    documents: int
    """Live ones."""
    jobs: Mapping[str, int]
    """How many are in each state; one that is done has no row."""


async def count_holdings(db: Connection) -> Holdings:
    """Count them."""
    found = await db.execute(
        "SELECT (SELECT count(*) FROM workspaces), (SELECT count(*) FROM connections),"
        " (SELECT count(*) FROM documents WHERE state = 'live'),"
        " (SELECT coalesce(jsonb_object_agg(state, jobs), '{}') FROM"
        "  (SELECT state, count(*) AS jobs FROM jobs GROUP BY state) s)"
    )
    row = await found.fetchone()
    assert row is not None
    return Holdings(*row)


async def total_sizes(db: Connection) -> tuple[int, int]:
    """Bytes of the whole database, and of the schema's tables with their indexes."""
    found = await db.execute(
        "SELECT pg_database_size(current_database()),"
        " (SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class"
        " WHERE relnamespace = 'syncline'::regnamespace AND relkind = 'r')"
    )
    row = await found.fetchone()
    assert row is not None
    return row[0], row[1]


async def largest_tables(db: Connection, *, limit: int) -> list[TableSize]:
    """The largest first."""
    async with db.cursor(row_factory=class_row(TableSize)) as cursor:
        await cursor.execute(
            "SELECT c.relname AS name,"
            " sum(pg_stat_get_live_tuples(t.relid))::bigint AS rows,"
            " sum(pg_total_relation_size(t.relid))::bigint AS bytes"
            " FROM pg_class c, LATERAL (SELECT c.oid AS relid WHERE c.relkind = 'r' UNION ALL"
            "  SELECT p.relid FROM pg_partition_tree(c.oid) p WHERE c.relkind = 'p') t"
            " WHERE c.relnamespace = 'syncline'::regnamespace AND c.relkind IN ('r', 'p')"
            " AND NOT c.relispartition GROUP BY c.relname ORDER BY 3 DESC, 1 LIMIT %s",
            (limit,),
        )
        return await cursor.fetchall()
