"""What tells whether a knowledge base is well: lag, failed runs, stuck jobs.

Of one workspace, or of all: one of the few files that look across. Ages are in seconds, by the
database's clock.
"""

from __future__ import annotations

from msgspec import Struct
from psycopg.rows import class_row

from syncline.core.model import ConnectionId, WorkspaceId
from syncline.store.database import Connection
from syncline.store.jobs import unknown_kinds

__all__ = [
    "Behind",
    "Failing",
    "Stuck",
    "Unknown",
    "failing_runs",
    "lagging",
    "stuck_jobs",
    "unknown_jobs",
]


class Behind(Struct, frozen=True):
    """A connection that is behind its schedule, or its freshness target."""

    workspace_id: WorkspaceId
    workspace: str
    connection_id: ConnectionId
    connection: str
    lag: float
    age: float
    """Since the newest complete run began; where there is none, since it was made."""
    target: float | None
    """How old it may be, where it has a target of its own."""
    attention: str | None
    """What a person has to mend before it goes on."""
    job: int | None
    job_state: str | None


# A slot that is being seen to is as late as it was begun. One that was never planned is not late.
LAG = """
WITH clock AS MATERIALIZED (SELECT moment() AS now), live AS (
    SELECT DISTINCT ON (workspace_id, connection_id) workspace_id, connection_id, id, state,
        CASE WHEN payload ? 'run' THEN (SELECT r.started_at FROM runs r WHERE r.state = 'running'
            AND r.workspace_id = j.workspace_id AND r.id = (j.payload ->> 'run')::bigint)
        WHEN state = 'running' THEN started_at END AS begun_at
    FROM jobs j WHERE kind = 'sync' AND state IN ('waiting', 'ready', 'running')
    ORDER BY workspace_id, connection_id, id DESC
)
SELECT c.workspace_id, w.name AS workspace, c.id AS connection_id, c.name AS connection,
    coalesce(greatest(0, CASE WHEN c.freshness_seconds IS NOT NULL
        THEN extract(epoch FROM now - coalesce(c.fresh_at, c.created_at)) - c.freshness_seconds
        ELSE extract(epoch FROM coalesce(j.begun_at, now)
                     - least(c.behind_since, c.next_due)) END), 0)::float8 AS lag,
    greatest(0, extract(epoch FROM now - coalesce(c.fresh_at, c.created_at)))::float8 AS age,
    c.freshness_seconds::float8 AS target, c.attention ->> 'message' AS attention,
    j.id AS job, j.state AS job_state
FROM clock, connections c JOIN workspaces w ON w.id = c.workspace_id AND w.active
LEFT JOIN live j ON j.workspace_id = c.workspace_id AND j.connection_id = c.id
WHERE NOT c.paused AND (c.schedule IS NOT NULL OR %(with_default)s)
    AND c.schedule IS DISTINCT FROM 'manual'
    AND (%(workspace)s::bigint IS NULL OR c.workspace_id = %(workspace)s)
"""
"""Every connection that runs by itself; `with_default`: those without a schedule do too."""


async def lagging(
    db: Connection, workspace: WorkspaceId | None, *, with_default: bool, most: int
) -> list[Behind]:
    """Those that are behind at all, the worst first."""
    async with db.cursor(row_factory=class_row(Behind)) as cursor:
        await cursor.execute(
            f"SELECT * FROM ({LAG}) l WHERE lag > 0 ORDER BY lag DESC LIMIT %(most)s",
            {"workspace": workspace, "with_default": with_default, "most": most},
        )
        return await cursor.fetchall()


class Failing(Struct, frozen=True):
    """A connection's runs that ended lately."""

    workspace: str
    connection: str
    runs: int
    failed: int
    message: str | None
    """Of the newest that failed."""


async def failing_runs(
    db: Connection, workspace: WorkspaceId | None, *, seconds: float, most: int
) -> tuple[int, int, list[Failing]]:
    """How many runs ended in so many seconds, how many of them failed, and whose most."""
    values = {"workspace": workspace, "seconds": seconds, "most": most}
    ended = (
        "FROM runs r WHERE r.ended_at > moment() - make_interval(secs => %(seconds)s)"
        " AND r.state IN ('done', 'failed')"
        " AND (%(workspace)s::bigint IS NULL OR r.workspace_id = %(workspace)s)"
    )
    found = await db.execute(
        f"SELECT count(*), count(*) FILTER (WHERE r.state = 'failed') {ended}", values
    )
    row = await found.fetchone()
    assert row is not None
    if not row[1]:
        return row[0], 0, []
    async with db.cursor(row_factory=class_row(Failing)) as cursor:
        await cursor.execute(
            "SELECT w.name AS workspace, c.name AS connection, f.runs, f.failed, f.message FROM ("
            "SELECT r.workspace_id, r.connection_id, count(*) AS runs,"
            " count(*) FILTER (WHERE r.state = 'failed') AS failed,"
            " (array_agg(r.error ->> 'message' ORDER BY r.id DESC)"
            f" FILTER (WHERE r.state = 'failed'))[1] AS message {ended} GROUP BY 1, 2) f"
            " JOIN workspaces w ON w.id = f.workspace_id"
            " JOIN connections c ON c.workspace_id = f.workspace_id AND c.id = f.connection_id"
            " WHERE f.failed > 0 ORDER BY f.failed DESC, 1, 2 LIMIT %(most)s",
            values,
        )
        return row[0], row[1], await cursor.fetchall()


class Stuck(Struct, frozen=True):
    """A job that does not get on."""

    workspace: str
    connection: str | None
    job: int
    owner: str
    lapsed: float
    """Seconds since its lease has lapsed; 0 or less where it has not."""
    running: float
    """Seconds since it was begun."""


async def stuck_jobs(
    db: Connection, workspace: WorkspaceId | None, *, unheard: float, longest: float, most: int
) -> list[Stuck]:
    """Jobs whose lease lapsed more than `unheard` seconds ago, or that run longer than `longest`.

    The lapsed ones first.
    """
    async with db.cursor(row_factory=class_row(Stuck)) as cursor:
        await cursor.execute(
            "SELECT w.name AS workspace, c.name AS connection, j.id AS job, j.owner,"
            " extract(epoch FROM moment() - j.lease_until)::float8 AS lapsed,"
            " extract(epoch FROM moment() - j.started_at)::float8 AS running"
            " FROM jobs j JOIN workspaces w ON w.id = j.workspace_id"
            " LEFT JOIN connections c ON c.workspace_id = j.workspace_id"
            " AND c.id = j.connection_id WHERE j.state = 'running'"
            " AND (j.lease_until < moment() - make_interval(secs => %(unheard)s)"
            " OR j.started_at < moment() - make_interval(secs => %(longest)s))"
            " AND (%(workspace)s::bigint IS NULL OR j.workspace_id = %(workspace)s)"
            " ORDER BY lapsed DESC LIMIT %(most)s",
            {"workspace": workspace, "unheard": unheard, "longest": longest, "most": most},
        )
        return await cursor.fetchall()


class Unknown(Struct, frozen=True):
    """Jobs that wait for a worker which knows their kind, while those that run do not."""

    kind: str
    count: int
    workspace: str
    """One that has some of them."""


async def unknown_jobs(db: Connection, workspace: WorkspaceId | None) -> list[Unknown]:
    """By kind."""
    found = await db.execute(
        "SELECT j.kind, count(*), min(w.name) FROM jobs j"
        " JOIN workspaces w ON w.id = j.workspace_id"
        " WHERE j.state = 'ready' AND (%(workspace)s::bigint IS NULL"
        " OR j.workspace_id = %(workspace)s) GROUP BY j.kind ORDER BY j.kind",
        {"workspace": workspace},
    )
    rows = await found.fetchall()
    unknown = await unknown_kinds(db, [row[0] for row in rows]) if rows else set()
    return [Unknown(*row) for row in rows if row[0] in unknown]
