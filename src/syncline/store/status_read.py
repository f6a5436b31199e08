"""What `syncline status` asks: how each connection of a workspace is doing, in counts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct
from psycopg.rows import class_row

from syncline.core.model import ConnectionId, Json, WorkspaceId
from syncline.store.database import Connection
from syncline.store.runs_read import STATE_NOW

__all__ = ["ConnectionState", "connection_states", "fresh_at", "last_listed", "workspace_size"]


class ConnectionState(Struct, frozen=True):
    """A connection with its counts and its last run. Ages are in seconds, by the database."""

    id: ConnectionId
    name: str
    kind: str
    source: str
    documents: int
    chunks: int
    deleted: int
    """Tombstones."""
    failing: int
    """Entries whose last reading failed, dead letters among them."""
    dead_letters: int
    held: int
    freshness: float | None
    """Seconds since the newest complete run began; None where there is none."""
    run: int | None
    run_state: str | None
    run_mode: str | None
    run_started: datetime | None
    run_age: float | None
    """Seconds since the last run ended, or began if it has not ended."""
    run_counts: Mapping[str, Json] | None
    run_error: Mapping[str, Json] | None
    run_progress: Mapping[str, Json] | None
    """What the last run has noted of itself, while it is under way."""


_STATES = f"""
SELECT c.id, c.name, c.kind, c.source,
       coalesce(d.live, 0) AS documents, coalesce(k.chunks, 0) AS chunks,
       coalesce(d.deleted, 0) AS deleted,
       coalesce(f.failing, 0) AS failing, coalesce(f.dead, 0) AS dead_letters,
       coalesce(h.held, 0) AS held,
       (SELECT extract(epoch FROM clock_timestamp() - started_at)::float8 FROM runs
        WHERE workspace_id = c.workspace_id AND connection_id = c.id AND state = 'done'
          AND coalesce((counts ->> 'incomplete')::int, 0) = 0
        ORDER BY id DESC LIMIT 1) AS freshness,
       r.id AS run, {STATE_NOW} AS run_state, r.mode AS run_mode, r.started_at AS run_started,
       extract(epoch FROM clock_timestamp() - coalesce(r.ended_at, r.started_at))::float8
           AS run_age,
       r.counts AS run_counts, r.error AS run_error, r.progress AS run_progress
FROM connections c
LEFT JOIN (SELECT connection_id, count(*) FILTER (WHERE state = 'live') AS live,
                  count(*) FILTER (WHERE state = 'deleted') AS deleted
           FROM documents WHERE workspace_id = %(workspace)s GROUP BY connection_id) d
    ON d.connection_id = c.id
LEFT JOIN (SELECT p.connection_id, count(*) AS chunks
           FROM (SELECT DISTINCT connection_id, content_id FROM documents
                 WHERE workspace_id = %(workspace)s AND state = 'live') p
           JOIN chunks ch ON ch.workspace_id = %(workspace)s AND ch.content_id = p.content_id
           GROUP BY p.connection_id) k ON k.connection_id = c.id
LEFT JOIN (SELECT connection_id, count(*) AS failing,
                  count(*) FILTER (WHERE failures >= %(dead)s) AS dead
           FROM manifest WHERE workspace_id = %(workspace)s AND failures > 0
               AND failure -> 'discarded' IS NULL
           GROUP BY connection_id) f ON f.connection_id = c.id
LEFT JOIN (SELECT connection_id, count(*) AS held
           FROM manifest WHERE workspace_id = %(workspace)s AND gone = 'held'
           GROUP BY connection_id) h ON h.connection_id = c.id
LEFT JOIN LATERAL (SELECT * FROM runs WHERE workspace_id = c.workspace_id
                   AND connection_id = c.id ORDER BY id DESC LIMIT 1) r ON true
WHERE c.workspace_id = %(workspace)s ORDER BY c.name
"""


async def connection_states(
    db: Connection, workspace: WorkspaceId, *, dead_after: int
) -> list[ConnectionState]:
    """Every connection of the workspace, by name."""
    async with db.cursor(row_factory=class_row(ConnectionState)) as cursor:
        await cursor.execute(_STATES, {"workspace": workspace, "dead": dead_after})
        return await cursor.fetchall()


async def workspace_size(db: Connection, workspace: WorkspaceId) -> tuple[int, int, int]:
    """Live documents, distinct contents' chunks, and the whole database's bytes."""
    found = await db.execute(
        "SELECT (SELECT count(*) FROM documents WHERE workspace_id = %s AND state = 'live'),"
        " (SELECT count(*) FROM chunks WHERE workspace_id = %s),"
        " pg_database_size(current_database())",
        (workspace, workspace),
    )
    row = await found.fetchone()
    assert row is not None
    return row[0], row[1], row[2]


async def fresh_at(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId
) -> datetime | None:
    """When the newest run began that read all of it; None where there was none."""
    found = await db.execute(
        "SELECT fresh_at FROM connections WHERE workspace_id = %s AND id = %s",
        (workspace, connection),
    )
    row = await found.fetchone()
    return None if row is None else row[0]


async def last_listed(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId
) -> int | None:
    """How many entries the newest complete run listed; None where there is none."""
    found = await db.execute(
        "SELECT (counts ->> 'listed')::bigint FROM runs WHERE workspace_id = %s"
        " AND connection_id = %s AND state = 'done' ORDER BY id DESC LIMIT 1",
        (workspace, connection),
    )
    row = await found.fetchone()
    return None if row is None else row[0]
