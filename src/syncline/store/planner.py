"""Which connections are due, across all workspaces: the queries of the scheduler.

A connection that runs by itself has either the time of its next slot or a live job. Any number
of schedulers may ask at once: each due slot becomes one job, and slots that were missed are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from syncline.core.model import ConnectionId, WorkspaceId
from syncline.store.database import Connection
from syncline.store.jobs import MAKE_GIVEN

__all__ = ["PastRun", "Unplanned", "past_runs", "set_due", "tick", "unplanned"]

_TICK = f"""
WITH due AS (
    SELECT c.workspace_id, c.id, c.next_due, c.source FROM connections c
    JOIN workspaces w ON w.id = c.workspace_id AND w.active
    WHERE c.next_due <= moment() AND NOT c.paused AND c.attention IS NULL
    ORDER BY c.next_due LIMIT %(most)s FOR UPDATE OF c SKIP LOCKED
), planned AS (
    UPDATE connections c SET last_slot = d.next_due, next_due = NULL,
        behind_since = coalesce(c.behind_since, d.next_due) FROM due d
    WHERE c.workspace_id = d.workspace_id AND c.id = d.id
), given AS (
    SELECT workspace_id, id AS connection_id, 'sync' AS kind, '{{}}'::jsonb AS payload,
           1 AS version, 0::smallint AS priority,
           'sync ' || workspace_id || '/' || id AS dedupe_key,
           'host ' || lower(substring(source from '^[a-z]+://(?:[^/@]*@)?([^/?#]+)')) AS limit_key,
           row_number() OVER (ORDER BY next_due) AS n
    FROM due
){MAKE_GIVEN}
SELECT (SELECT count(*) FROM due), (SELECT count(*) FROM made), (SELECT count(*) FROM told)
"""


async def tick(db: Connection, *, most: int = 500) -> int:
    """Make jobs of up to `most` connections that are due; how many those were."""
    found = await db.execute(_TICK, {"most": most})
    row = await found.fetchone()
    assert row is not None
    return int(row[0])


@dataclass(frozen=True, slots=True)
class Unplanned:
    """A connection that should have a next slot, and has none."""

    workspace_id: WorkspaceId
    id: ConnectionId
    kind: str
    schedule: str | None
    last_slot: datetime | None
    now: datetime
    """By the database's clock."""


async def unplanned(db: Connection, *, with_default: bool, most: int = 500) -> list[Unplanned]:
    """Up to `most` of them; those without a schedule of their own only `with_default`."""
    async with db.cursor(row_factory=class_row(Unplanned)) as cursor:
        await cursor.execute(
            "SELECT c.workspace_id, c.id, c.kind, c.schedule, c.last_slot, moment() AS now"
            " FROM connections c JOIN workspaces w ON w.id = c.workspace_id AND w.active"
            " WHERE c.next_due IS NULL AND NOT c.paused AND c.attention IS NULL"
            " AND c.schedule IS DISTINCT FROM 'manual' AND (c.schedule IS NOT NULL OR %s)"
            " AND NOT EXISTS (SELECT FROM jobs j WHERE j.workspace_id = c.workspace_id"
            " AND j.connection_id = c.id AND j.kind = 'sync'"
            " AND j.state IN ('waiting', 'ready', 'running'))"
            " ORDER BY c.workspace_id, c.id LIMIT %s",
            (with_default, most),
        )
        return await cursor.fetchall()


@dataclass(frozen=True, slots=True)
class PastRun:
    """What the planner wants to know of a run."""

    connection_id: ConnectionId
    started_at: datetime
    listed: int
    changed: int
    failed: int
    done: bool


async def past_runs(
    db: Connection, workspace: WorkspaceId, connections: Sequence[ConnectionId], *, most: int
) -> list[PastRun]:
    """The newest `most` ended runs of each of these connections, newest first."""
    async with db.cursor(row_factory=class_row(PastRun)) as cursor:
        await cursor.execute(
            "SELECT r.* FROM unnest(%(ids)s::bigint[]) AS c (id) CROSS JOIN LATERAL ("
            "SELECT connection_id, started_at, coalesce((counts ->> 'listed')::int, 0) AS listed,"
            " coalesce((counts ->> 'created')::int, 0) + coalesce((counts ->> 'updated')::int, 0)"
            " + coalesce((counts ->> 'deleted')::int, 0) AS changed,"
            " coalesce((counts ->> 'failed')::int, 0) AS failed, state = 'done' AS done"
            " FROM runs WHERE workspace_id = %(workspace)s AND connection_id = c.id"
            " AND state <> 'running' ORDER BY id DESC LIMIT %(most)s) r",
            {"workspace": workspace, "ids": list(connections), "most": most},
        )
        return await cursor.fetchall()


async def set_due(
    db: Connection, slots: Sequence[tuple[WorkspaceId, ConnectionId, datetime]]
) -> None:
    """Give these connections their next slots, unless they have got one meanwhile."""
    await db.execute(
        "UPDATE connections c SET next_due = u.due"
        " FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[]) AS u (workspace, id, due)"
        " WHERE c.workspace_id = u.workspace AND c.id = u.id AND c.next_due IS NULL"
        " AND NOT c.paused",
        (
            [workspace for workspace, _, _ in slots],
            [connection for _, connection, _ in slots],
            [due for _, _, due in slots],
        ),
    )
