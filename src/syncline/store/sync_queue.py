"""Syncs that a person asks for, of many connections at once: across workspaces where asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from syncline.core.jobs import NewJob
from syncline.core.model import ConnectionId, Json, WorkspaceId
from syncline.store.database import Connection
from syncline.store.jobs import CHANNEL, enqueue

__all__ = [
    "Candidate",
    "EndedSync",
    "candidates",
    "ended_syncs",
    "hurry",
    "limit_keys",
    "make_sync_jobs",
    "take_back",
    "workers_alive",
]

_PRIORITY = 10
"""Before what is merely due."""


class Candidate(Struct, frozen=True):
    """A connection that may be synced."""

    workspace_id: WorkspaceId
    workspace: str
    id: ConnectionId
    name: str
    source: str
    credential: str | None
    """Tells its secrets from others."""
    resting: str | None
    """Why it is not: it is paused, its workspace is not active, it needs attention."""


async def candidates(
    db: Connection, workspace: WorkspaceId | None, connection: ConnectionId | None = None
) -> list[Candidate]:
    """All connections of a workspace, or of all workspaces, by name; or just one."""
    async with db.cursor(row_factory=class_row(Candidate)) as cursor:
        await cursor.execute(
            "SELECT c.workspace_id, w.name AS workspace, c.id, c.name, c.source,"
            " (SELECT s.credential FROM secrets s WHERE s.workspace_id = c.workspace_id"
            " AND s.connection_id = c.id) AS credential,"
            " CASE WHEN NOT w.active THEN 'its workspace is not active'"
            " WHEN c.paused THEN 'it is paused'"
            " WHEN c.attention IS NOT NULL THEN 'it needs attention' END AS resting"
            " FROM connections c JOIN workspaces w ON w.id = c.workspace_id"
            " WHERE (%(workspace)s::bigint IS NULL OR c.workspace_id = %(workspace)s)"
            " AND (%(connection)s::bigint IS NULL OR c.id = %(connection)s)"
            " ORDER BY w.name, c.name",
            {"workspace": workspace, "connection": connection},
        )
        return await cursor.fetchall()


async def make_sync_jobs(
    db: Connection, chosen: Sequence[Candidate], payload: Mapping[str, Json]
) -> dict[int, Candidate]:
    """The jobs that sync these, by id: new ones, and those that were there already.

    What waits is told to be quick, and to do as `payload` says.
    """
    keys = {f"sync {each.workspace_id}/{each.id}": each for each in chosen}
    await enqueue(
        db,
        [
            NewJob(
                each.workspace_id,
                "sync",
                payload,
                each.id,
                priority=_PRIORITY,
                dedupe_key=key,
                limit_keys=limit_keys(each.source, each.credential),
            )
            for key, each in keys.items()
        ],
    )
    await hurry(db, list(keys), payload)
    found = await db.execute(
        "SELECT id, dedupe_key FROM jobs WHERE dedupe_key = ANY(%s)"
        " AND state IN ('waiting', 'ready', 'running')",
        (list(keys),),
    )
    return {row[0]: keys[row[1]] for row in await found.fetchall()}


async def hurry(db: Connection, keys: Sequence[str], payload: Mapping[str, Json]) -> None:
    """What waits with these keys is ready now.

    With `force` in the payload, so is what runs: its worker has lost it.
    """
    states = ["waiting", "ready", *(["running"] if payload.get("force") else [])]
    await db.execute(
        "WITH quick AS (UPDATE jobs SET state = 'ready', run_at = moment(), priority = %s,"
        " attempts = 0, payload = payload || %s, owner = NULL, lease_until = NULL,"
        " epoch = epoch + CASE WHEN state = 'running' THEN 1 ELSE 0 END"
        " WHERE dedupe_key = ANY(%s) AND state = ANY(%s) RETURNING id)"
        f" SELECT pg_notify('{CHANNEL}', '') FROM quick LIMIT 1",
        (_PRIORITY, Jsonb(dict(payload)), list(keys), states),
    )


async def take_back(db: Connection, job: int) -> bool:
    """Remove a job that nobody has claimed yet; whether that is so."""
    found = await db.execute("DELETE FROM jobs WHERE id = %s AND state = 'ready'", (job,))
    return found.rowcount > 0


def limit_keys(source: str, credential: str | None) -> Sequence[str]:
    """What the planner limits runs by."""
    keys = [] if credential is None else [f"credential {credential}"]
    scheme, separator, rest = source.partition("://")
    if not separator or not scheme.isalpha():
        return keys
    return [f"host {rest.split('/')[0].split('?')[0].rpartition('@')[2].lower()}", *keys]


async def workers_alive(db: Connection) -> int:
    """How many workers there are, on any machine."""
    found = await db.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'syncline worker'"
    )
    row = await found.fetchone()
    assert row is not None
    return int(row[0])


class EndedSync(Struct, frozen=True):
    """How a job ended, and the run that it led to."""

    job: int
    state: str
    """`done`, `dead` or `cancelled`."""
    error: Mapping[str, Json] | None
    run: int | None
    run_state: str | None
    counts: Mapping[str, int] | None
    run_error: Mapping[str, Json] | None


async def ended_syncs(db: Connection, jobs: Mapping[int, Candidate]) -> list[EndedSync]:
    """Those of these jobs that have ended, each with its connection's latest run."""
    wanted: dict[str, list[Any]] = {"jobs": [], "workspaces": [], "connections": []}
    for job, each in jobs.items():
        wanted["jobs"].append(job)
        wanted["workspaces"].append(each.workspace_id)
        wanted["connections"].append(each.id)
    async with db.cursor(row_factory=class_row(EndedSync)) as cursor:
        await cursor.execute(
            "SELECT u.job, coalesce(j.state, 'done') AS state, j.error, r.id AS run,"
            " r.state AS run_state, r.counts, r.error AS run_error"
            " FROM unnest(%(jobs)s::bigint[], %(workspaces)s::bigint[], %(connections)s::bigint[])"
            " AS u (job, workspace, connection) LEFT JOIN jobs j ON j.id = u.job"
            " LEFT JOIN LATERAL (SELECT id, state, counts, error FROM runs"
            " WHERE workspace_id = u.workspace AND connection_id = u.connection"
            " ORDER BY id DESC LIMIT 1) r ON true"
            " WHERE j.id IS NULL OR j.state IN ('dead', 'cancelled')",
            wanted,
        )
        return await cursor.fetchall()
