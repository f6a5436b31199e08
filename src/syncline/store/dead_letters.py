"""What failed for good: entries and jobs, each with its cause, and what a person does with them.

One of the few files that look across workspaces, where an operator asks for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from psycopg.rows import class_row

from syncline.core.model import ConnectionId, WorkspaceId
from syncline.store.database import Connection
from syncline.store.jobs import CHANNEL
from syncline.store.results import MOST_FAILURES

__all__ = ["Cause", "Chosen", "DeadLetter", "causes", "discard", "list_dead_letters", "send_again"]


class Chosen(Struct, frozen=True):
    """Which dead letters: all that fit. With nothing set, all of the workspace."""

    connection: ConnectionId | None = None
    cause: str | None = None
    """An error's code."""
    entries: Sequence[str] | None = None
    """Entries' ids. With `jobs`, either of the two fits."""
    jobs: Sequence[int] | None = None


class DeadLetter(Struct, frozen=True):
    kind: str
    """`entry` or `job`."""
    id: str
    """An entry's id, or a job's number."""
    workspace: str
    connection: str | None
    code: str
    message: str
    tries: int
    at: datetime
    """When it was tried last."""


class Cause(Struct, frozen=True):
    kind: str
    code: str
    count: int
    connections: int


def _dead(entries: str, jobs: str) -> str:
    return f"""
WITH dead AS (
    SELECT 'entry' AS kind, m.entry_id AS id, m.workspace_id, m.connection_id, m.entry_key,
        NULL::bigint AS job, coalesce(m.failure ->> 'code', 'unknown') AS code,
        coalesce(m.failure ->> 'message', '') AS message, m.failures AS tries,
        m.written_at AS at
    FROM manifest m WHERE {entries} AND m.failures >= {MOST_FAILURES}
        AND (m.failure -> 'discarded' IS NULL OR %(named)s)
        AND (%(connection)s::bigint IS NULL OR m.connection_id = %(connection)s)
        AND (%(cause)s::text IS NULL OR coalesce(m.failure ->> 'code', 'unknown') = %(cause)s)
        AND (NOT %(named)s OR m.entry_id = ANY(%(entries)s))
    UNION ALL
    SELECT 'job', j.id::text, j.workspace_id, j.connection_id, NULL, j.id,
        coalesce(j.error ->> 'code', 'unknown'), coalesce(j.error ->> 'message', ''), j.attempts,
        coalesce(j.ended_at, j.created_at)
    FROM jobs j WHERE {jobs} AND j.state = 'dead'
        AND (%(connection)s::bigint IS NULL OR j.connection_id = %(connection)s)
        AND (%(cause)s::text IS NULL OR coalesce(j.error ->> 'code', 'unknown') = %(cause)s)
        AND (NOT %(named)s OR j.id = ANY(%(jobs)s))
)"""


_DEAD = _dead("m.workspace_id = %(workspace)s", "j.workspace_id = %(workspace)s")
_EVERYWHERE = _dead("true", "true")


def _values(workspace: WorkspaceId | None, chosen: Chosen) -> dict[str, Any]:
    return {
        "workspace": workspace,
        "connection": chosen.connection,
        "cause": chosen.cause,
        "named": chosen.entries is not None or chosen.jobs is not None,
        "entries": list(chosen.entries or ()),
        "jobs": list(chosen.jobs or ()),
    }


async def list_dead_letters(
    db: Connection, workspace: WorkspaceId | None, chosen: Chosen, *, limit: int, offset: int = 0
) -> list[DeadLetter]:
    """A page of them, the latest first; None: of all workspaces."""
    async with db.cursor(row_factory=class_row(DeadLetter)) as cursor:
        await cursor.execute(
            (_EVERYWHERE if workspace is None else _DEAD)
            + " SELECT d.kind, d.id, w.name AS workspace, c.name AS connection, d.code, d.message,"
            " d.tries, d.at FROM dead d JOIN workspaces w ON w.id = d.workspace_id"
            " LEFT JOIN connections c ON c.workspace_id = d.workspace_id"
            ' AND c.id = d.connection_id ORDER BY d.at DESC, d.id COLLATE "C"'
            " LIMIT %(limit)s OFFSET %(offset)s",
            {**_values(workspace, chosen), "limit": limit, "offset": offset},
        )
        return await cursor.fetchall()


async def causes(db: Connection, workspace: WorkspaceId | None, chosen: Chosen) -> list[Cause]:
    """How many there are of each cause, the most first; None: of all workspaces."""
    async with db.cursor(row_factory=class_row(Cause)) as cursor:
        await cursor.execute(
            (_EVERYWHERE if workspace is None else _DEAD)
            + " SELECT kind, code, count(*) AS count, count(DISTINCT connection_id)"
            " AS connections FROM dead GROUP BY kind, code ORDER BY count(*) DESC, kind, code",
            _values(workspace, chosen),
        )
        return await cursor.fetchall()


async def send_again(
    db: Connection, workspace: WorkspaceId, chosen: Chosen
) -> tuple[int, int, set[ConnectionId]]:
    """Have them tried again, with all their attempts before them.

    How many entries, which the next sync tries; how many jobs, which are ready now, but for those
    that another job does by now; and the entries' connections.
    """
    found = await db.execute(
        _DEAD + ", again AS (UPDATE manifest m SET failures = 1,"
        " failure = m.failure - 'discarded' FROM dead d"
        " WHERE m.workspace_id = %(workspace)s AND m.connection_id = d.connection_id"
        " AND m.entry_key = d.entry_key RETURNING m.connection_id)"
        ", of_one AS (SELECT DISTINCT ON (j.dedupe_key,"
        " CASE WHEN j.dedupe_key IS NULL THEN j.id END) j.id FROM dead d"
        " JOIN jobs j ON j.id = d.job WHERE NOT EXISTS (SELECT FROM jobs o"
        " WHERE o.dedupe_key = j.dedupe_key AND o.state IN ('waiting', 'ready', 'running')))"
        ", ready AS (UPDATE jobs j SET state = 'ready', attempts = 0, run_at = moment(),"
        " ended_at = NULL FROM of_one o WHERE j.id = o.id RETURNING j.id)"
        f", told AS (SELECT pg_notify('{CHANNEL}', '') FROM ready LIMIT 1)"
        " SELECT (SELECT count(*) FROM again), (SELECT count(*) FROM ready),"
        " (SELECT array_agg(DISTINCT connection_id) FROM again), (SELECT count(*) FROM told)",
        _values(workspace, chosen),
    )
    row = await found.fetchone()
    assert row is not None
    return row[0], row[1], {ConnectionId(id_) for id_ in row[2] or ()}


async def discard(db: Connection, workspace: WorkspaceId, chosen: Chosen) -> tuple[int, int]:
    """Have done with them: entries are left out until they change, jobs are forgotten.

    How many of each. What is stored of an entry stays.
    """
    found = await db.execute(
        _DEAD
        + ", left_out AS (UPDATE manifest m SET failure = m.failure || '{\"discarded\": true}'"
        " FROM dead d WHERE m.workspace_id = %(workspace)s AND m.connection_id = d.connection_id"
        " AND m.entry_key = d.entry_key RETURNING 1)"
        ", forgotten AS (DELETE FROM jobs j USING dead d WHERE j.id = d.job RETURNING 1)"
        " SELECT (SELECT count(*) FROM left_out), (SELECT count(*) FROM forgotten)",
        _values(workspace, chosen),
    )
    row = await found.fetchone()
    assert row is not None
    return row[0], row[1]
