"""The queue: enqueue, claim, renew, finish. One of the few files that look across workspaces.

The table is the truth. A claim gives an epoch and a lease; whatever is written about a job names
its epoch, so that who has lost it changes nothing. A worker also holds an advisory lock as long
as it lives: jobs of one that has died are ready again at once, not only when the lease lapses.

Fair between workspaces: each job gets a turn when it is enqueued, one more than the last of its
workspace, but not less than the turn that is being served. So a workspace with ten thousand jobs
and one with five take turns until the five are done (start-time fair queueing, Goyal et al. 1996,
with jobs of equal length).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from syncline.core.jobs import (
    ATTEMPTS,
    ClaimedJob,
    Dead,
    Done,
    NewJob,
    Outcome,
    Released,
    Retry,
    Snooze,
)
from syncline.core.model import Json
from syncline.store.database import Connection

__all__ = [
    "CHANNEL",
    "LEASE_SECONDS",
    "MAKE_GIVEN",
    "claim",
    "enqueue",
    "finish",
    "hold_worker",
    "promote",
    "renew",
    "rescue",
]

CHANNEL = "syncline_jobs"
"""Notified when jobs become ready (an empty payload), or are to be cancelled (their id)."""
LEASE_SECONDS = 300

_GIVEN = """
WITH given AS (
    SELECT * FROM unnest(%(workspaces)s::bigint[], %(connections)s::bigint[], %(kinds)s::text[],
                         %(payloads)s::jsonb[], %(versions)s::int[], %(priorities)s::int[],
                         %(dedupe_keys)s::text[], %(limit_keys)s::text[])
         WITH ORDINALITY AS g (workspace_id, connection_id, kind, payload, version, priority,
                               dedupe_key, limit_key, n)
)"""
MAKE_GIVEN = f"""
, numbered AS (
    SELECT g.*, row_number() OVER (PARTITION BY workspace_id, priority ORDER BY n) AS nth
    FROM given g
), served AS (
    SELECT p.priority, coalesce((SELECT turn FROM jobs WHERE state = 'ready'
        AND priority = p.priority ORDER BY turn LIMIT 1), 0) AS turn
    FROM (SELECT DISTINCT priority FROM given) p
), begun AS (
    SELECT w.workspace_id, w.priority, greatest(s.turn, coalesce((
        SELECT turn FROM jobs j WHERE j.state = 'ready' AND j.workspace_id = w.workspace_id
        AND j.priority = w.priority ORDER BY turn DESC LIMIT 1), 0)) AS turn
    FROM (SELECT DISTINCT workspace_id, priority FROM given) w JOIN served s USING (priority)
), made AS (
    INSERT INTO jobs (workspace_id, connection_id, kind, payload, version, priority, turn,
                      dedupe_key, limit_key)
    SELECT g.workspace_id, g.connection_id, g.kind, g.payload, g.version, g.priority,
           b.turn + g.nth, g.dedupe_key, g.limit_key
    FROM numbered g JOIN begun b USING (workspace_id, priority) ORDER BY g.n
    ON CONFLICT (dedupe_key) WHERE state IN ('waiting', 'ready', 'running') DO NOTHING
    RETURNING id
), told AS (
    SELECT pg_notify('{CHANNEL}', '') FROM made LIMIT 1
)"""
"""After a CTE `given` with the jobs' columns and their order `n`: makes them, as `made`."""
_ENQUEUE = (
    f"{_GIVEN}{MAKE_GIVEN} SELECT m.id, (SELECT count(*) FROM told) FROM made m ORDER BY m.id"
)


async def enqueue(db: Connection, jobs: Sequence[NewJob]) -> list[int]:
    """Make these jobs, and wake the workers; the ids of those that were made.

    A job whose dedupe key a live one has is not made. Part of the caller's transaction, if any.
    """
    if not jobs:
        return []
    found = await db.execute(
        _ENQUEUE,
        {
            "workspaces": [job.workspace_id for job in jobs],
            "connections": [job.connection_id for job in jobs],
            "kinds": [job.kind for job in jobs],
            "payloads": [Jsonb(dict(job.payload)) for job in jobs],
            "versions": [job.version for job in jobs],
            "priorities": [job.priority for job in jobs],
            "dedupe_keys": [job.dedupe_key for job in jobs],
            "limit_keys": [job.limit_key for job in jobs],
        },
    )
    return [row[0] for row in await found.fetchall()]


async def claim(
    db: Connection, owner: str, *, most: int, per_key: int, lease: float = LEASE_SECONDS
) -> list[ClaimedJob]:
    """Take up to `most` jobs that are ready, at most `per_key` of one limit key running at once.

    Adds one to their attempts and epochs.
    """
    async with db.cursor(row_factory=class_row(ClaimedJob)) as cursor:
        await cursor.execute(
            "SELECT id, workspace_id, connection_id, kind, payload, version, attempts, epoch"
            " FROM claim_jobs(%s, %s, %s, %s) ORDER BY priority DESC, turn, id",
            (owner, most, round(lease), per_key),
        )
        return await cursor.fetchall()


async def renew(
    db: Connection, jobs: Sequence[tuple[int, int]], *, lease: float = LEASE_SECONDS
) -> dict[tuple[int, int], bool]:
    """Extend the leases of these (id, epoch); those that are still ours, and whether to cancel."""
    found = await db.execute(
        "UPDATE jobs j SET lease_until = moment() + make_interval(secs => %s)"
        " FROM (SELECT * FROM unnest(%s::bigint[], %s::int[]) AS u (id, epoch) ORDER BY id) u"
        " WHERE j.id = u.id AND j.epoch = u.epoch AND j.state = 'running'"
        " RETURNING j.id, j.epoch, j.cancel",
        (lease, [job for job, _ in jobs], [epoch for _, epoch in jobs]),
    )
    return {(row[0], row[1]): row[2] for row in await found.fetchall()}


_DONE = """
DELETE FROM jobs j USING unnest(%s::bigint[], %s::int[]) AS u (id, epoch)
WHERE j.id = u.id AND j.epoch = u.epoch AND j.state = 'running' RETURNING j.id
"""
_ENDED = f"""
UPDATE jobs j SET owner = NULL, lease_until = NULL, error = coalesce(u.error, j.error),
    state = CASE WHEN j.cancel THEN 'cancelled'
                 WHEN u.what = 'dead' OR u.what = 'retry' AND j.attempts >= {ATTEMPTS} THEN 'dead'
                 WHEN u.seconds > 0 THEN 'waiting' ELSE 'ready' END,
    attempts = j.attempts - CASE WHEN u.what IN ('snooze', 'released') THEN 1 ELSE 0 END,
    run_at = moment() + make_interval(secs => u.seconds), ended_at = moment(), cancel = false
FROM unnest(%(ids)s::bigint[], %(epochs)s::int[], %(whats)s::text[], %(seconds)s::float8[],
            %(errors)s::jsonb[]) AS u (id, epoch, what, seconds, error)
WHERE j.id = u.id AND j.epoch = u.epoch AND j.state = 'running' RETURNING j.id, j.state
"""


async def finish(db: Connection, outcomes: Sequence[tuple[ClaimedJob, Outcome]]) -> dict[int, str]:
    """Note what came of these jobs, durably; the new state of those that were still ours.

    A job that is `Done` has no row any more. One that a person has cancelled stays as
    `cancelled`, unless it is done.
    """
    states: dict[int, str] = {}
    done = [job for job, outcome in outcomes if isinstance(outcome, Done)]
    if done:
        found = await db.execute(_DONE, ([job.id for job in done], [job.epoch for job in done]))
        states |= {row[0]: "done" for row in await found.fetchall()}
    others = [each for each in outcomes if not isinstance(each[1], Done)]
    if others:
        found = await db.execute(_ENDED, _ended(others))
        states |= {row[0]: row[1] for row in await found.fetchall()}
        if "ready" in states.values():
            await db.execute(f"SELECT pg_notify('{CHANNEL}', '')")
    return states


def _ended(outcomes: Sequence[tuple[ClaimedJob, Outcome]]) -> dict[str, list[Any]]:
    whats, seconds, errors = [], [], []
    for _, outcome in outcomes:
        what, wait, error = _in_words(outcome)
        whats.append(what)
        seconds.append(max(0.0, wait))
        errors.append(None if error is None else Jsonb(dict(error)))
    return {
        "ids": [job.id for job, _ in outcomes],
        "epochs": [job.epoch for job, _ in outcomes],
        "whats": whats,
        "seconds": seconds,
        "errors": errors,
    }


def _in_words(outcome: Outcome) -> tuple[str, float, Mapping[str, Json] | None]:
    match outcome:
        case Retry(seconds, error):
            return "retry", seconds, error
        case Snooze(seconds, reason):
            return "snooze", seconds, reason
        case Released():
            return "released", 0.0, None
        case Dead(error):
            return "dead", 0.0, error
        case Done():
            raise AssertionError("done jobs are deleted")


async def promote(db: Connection) -> int:
    """Make the jobs ready whose time has come, and wake the workers; how many those were."""
    found = await db.execute(
        "WITH due AS (SELECT id FROM jobs WHERE state = 'waiting' AND run_at <= moment()"
        " ORDER BY run_at LIMIT 1000 FOR UPDATE SKIP LOCKED),"
        " made AS (UPDATE jobs j SET state = 'ready' FROM due WHERE j.id = due.id RETURNING j.id),"
        f" told AS (SELECT pg_notify('{CHANNEL}', '') FROM made LIMIT 1)"
        " SELECT count(*), (SELECT count(*) FROM told) FROM made"
    )
    row = await found.fetchone()
    assert row is not None
    return int(row[0])


def _worker_lock(owner: str) -> str:
    return f"hashtextextended('syncline worker ' || {owner}, 0)"


async def hold_worker(db: Connection, owner: str) -> None:
    """Be known to live, as long as this session does."""
    await db.execute(f"SELECT pg_advisory_lock({_worker_lock('%s::text')})", (owner,))


_RESCUE = f"""
WITH gone AS (
    SELECT o.owner FROM (SELECT DISTINCT owner FROM jobs WHERE state = 'running') o
    WHERE NOT EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted
        AND l.objsubid = 1
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (l.classid::bigint << 32 | l.objid::bigint) = {_worker_lock("o.owner")})
), lapsed AS (
    SELECT j.id, j.owner IN (SELECT owner FROM gone) AS died FROM jobs j WHERE j.state = 'running'
        AND (j.lease_until < moment() OR j.owner IN (SELECT owner FROM gone))
    ORDER BY j.id LIMIT 1000 FOR UPDATE SKIP LOCKED
)
UPDATE jobs j SET owner = NULL, lease_until = NULL, ended_at = moment(), cancel = false,
    state = CASE WHEN j.cancel THEN 'cancelled' WHEN j.attempts >= {ATTEMPTS} THEN 'dead'
                 ELSE 'ready' END,
    epoch = j.epoch + 1, error = jsonb_build_object(
        'code', CASE WHEN l.died THEN 'worker_died' ELSE 'lease_lapsed' END,
        'message', CASE WHEN l.died THEN 'The worker ' || j.owner || ' died while it did this.'
                   ELSE 'The worker ' || j.owner || ' was not heard of for too long.' END)
FROM lapsed l WHERE j.id = l.id
RETURNING j.id, j.workspace_id, j.connection_id, j.kind, j.state, j.error
"""


async def rescue(db: Connection) -> list[dict[str, Any]]:
    """Take back the jobs of workers that have died, or were not heard of in time.

    They are ready again, or dead after the last attempt, which the rows say.
    """
    async with db.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_RESCUE)
        rows = await cursor.fetchall()
    if any(row["state"] == "ready" for row in rows):
        await db.execute(f"SELECT pg_notify('{CHANNEL}', '')")
    return rows
