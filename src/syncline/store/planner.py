"""Which connections are due, across all workspaces: the queries of the scheduler.

A connection that runs by itself has either the time of its next slot or a live job. Any number
of schedulers may ask at once: each due slot becomes one job, and slots that were missed are one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TypeAlias

from msgspec import Struct
from psycopg.rows import class_row

from syncline.core.model import ConnectionId, WorkspaceId
from syncline.store.database import Connection

__all__ = [
    "PAGE",
    "START",
    "PastRun",
    "Place",
    "Unplanned",
    "past_runs",
    "set_due",
    "tick",
    "unplanned",
]

Place: TypeAlias = tuple[int, int]
"""Among all connections, in order: a workspace's and a connection's id."""
START: Place = (0, 0)
PAGE = 1000
"""How many connections become jobs in one statement."""

_TICK = """
WITH due AS (
    SELECT c.workspace_id, c.id, c.next_due, c.source, (
        SELECT s.credential FROM secrets s
        WHERE s.workspace_id = c.workspace_id AND s.connection_id = c.id) AS credential
    FROM connections c
    WHERE c.next_due <= moment() AND NOT c.resting AND NOT c.paused AND c.attention IS NULL
    ORDER BY c.next_due LIMIT %(most)s FOR UPDATE OF c SKIP LOCKED
), planned AS (
    UPDATE connections c SET last_slot = d.next_due, next_due = NULL,
        behind_since = coalesce(c.behind_since, d.next_due) FROM due d
    WHERE c.workspace_id = d.workspace_id AND c.id = d.id
), given AS (
    SELECT jsonb_agg(jsonb_build_object(
        'workspace_id', workspace_id, 'connection_id', id, 'kind', 'sync',
        'payload', '{}'::jsonb, 'version', 1, 'priority', 0,
        'dedupe_key', 'sync ' || workspace_id || '/' || id,
        'limit_keys', array_remove(ARRAY[
            'host ' || lower(substring(source from '^[a-z]+://(?:[^/@]*@)?([^/?#]+)')),
            'credential ' || credential
        ], NULL)) ORDER BY next_due) AS jobs, count(*) AS count
    FROM due
), made AS (
    SELECT count(*) FROM given, make_jobs(given.jobs)
)
SELECT given.count, made.count FROM given, made
"""


@asynccontextmanager
async def _along_indexes(db: Connection) -> AsyncIterator[None]:
    """A transaction that reads along the indexes: how many connections are due changes from
    second to second, and statistics do not."""
    async with db.transaction():
        await db.execute(
            "SELECT set_config('enable_seqscan', 'off', true),"
            " set_config('enable_bitmapscan', 'off', true)"
        )
        yield


async def tick(db: Connection, *, most: int = PAGE) -> int:
    """Make jobs of up to `most` connections that are due; how many those were."""
    async with _along_indexes(db):
        found = await db.execute(_TICK, {"most": most})
        row = await found.fetchone()
    assert row is not None
    return int(row[0])


class Unplanned(Struct, frozen=True):
    """A connection that should have a next slot, and has none."""

    workspace_id: WorkspaceId
    id: ConnectionId
    kind: str
    schedule: str | None
    last_slot: datetime | None
    now: datetime
    """By the database's clock."""


_UNPLANNED = """
WITH page AS MATERIALIZED (
    SELECT c.workspace_id, c.id, c.kind, c.schedule, c.last_slot,
        row_number() OVER (ORDER BY c.workspace_id, c.id) AS nth,
        (c.schedule IS NOT NULL OR %(with_default)s) AND NOT EXISTS (
            SELECT FROM jobs j WHERE j.workspace_id = c.workspace_id AND j.connection_id = c.id
            AND j.kind = 'sync' AND j.state IN ('waiting', 'ready', 'running')) AS wanted
    FROM connections c
    WHERE c.next_due IS NULL AND NOT c.resting AND NOT c.paused AND c.attention IS NULL
        AND c.schedule IS DISTINCT FROM 'manual'
        AND (c.workspace_id, c.id) > (%(workspace)s, %(id)s)
    ORDER BY c.workspace_id, c.id LIMIT %(most)s
)
SELECT workspace_id, id, kind, schedule, last_slot, moment(), wanted, nth FROM page
WHERE wanted OR nth = %(most)s ORDER BY nth
"""


async def unplanned(
    db: Connection, *, with_default: bool, after: Place = START, most: int = 500
) -> tuple[list[Unplanned], Place | None]:
    """Those among the next `most` connections without a slot, and where to go on from there.

    Those without a schedule of their own only `with_default`. Most others have a job that lives:
    they are looked at, too, so what this takes does not depend on how many there are.
    """
    workspace, id_ = after
    wanted = {"with_default": with_default, "workspace": workspace, "id": id_, "most": most}
    async with _along_indexes(db), db.cursor() as cursor:
        await cursor.execute(_UNPLANNED, wanted)
        rows = await cursor.fetchall()
    full = bool(rows) and rows[-1][-1] == most
    place = (rows[-1][0], rows[-1][1]) if full else None
    return [Unplanned(*row[:-2]) for row in rows if row[-2]], place


class PastRun(Struct, frozen=True):
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
