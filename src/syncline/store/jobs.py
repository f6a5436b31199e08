"""The queue: enqueue, claim, renew, finish. One of the few files that look across workspaces.

The table is the truth. A claim gives an epoch and a lease; whatever is written about a job names
its epoch and its owner, so that who has lost it changes nothing. (A crash of the server may undo a
claim, and the next one has the same epoch.) A worker also holds an advisory lock as long
as it lives: jobs of one that has died are ready again at once, not only when the lease lapses.

Fair between workspaces: each job gets a turn when it is enqueued, one more than the last of its
workspace, but not less than the turn that is being served. So a workspace with ten thousand jobs
and one with five take turns until the five are done (start-time fair queueing, Goyal et al. 1996,
with jobs of equal length).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from syncline.core.jobs import (
    ATTEMPTS,
    LOSSES,
    ClaimedJob,
    Dead,
    Done,
    HandedOn,
    Lost,
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
    "claim",
    "enqueue",
    "finish",
    "gone_workers",
    "hold_worker",
    "promote",
    "renew",
    "rescue",
    "unknown_kinds",
]

CHANNEL = "syncline_jobs"
"""Notified when jobs become ready (an empty payload), or are to be cancelled (their id)."""
LEASE_SECONDS = 300
_APART_SECONDS = 60


async def enqueue(db: Connection, jobs: Sequence[NewJob]) -> list[int]:
    """Make these jobs, and wake the workers; the ids of those that were made.

    A job whose dedupe key a live one has is not made. Part of the caller's transaction, if any.
    """
    if not jobs:
        return []
    new = [
        {
            "workspace_id": job.workspace_id,
            "connection_id": job.connection_id,
            "kind": job.kind,
            "payload": dict(job.payload),
            "version": job.version,
            "priority": job.priority,
            "dedupe_key": job.dedupe_key,
            "limit_keys": list(job.limit_keys),
        }
        for job in jobs
    ]
    found = await db.execute("SELECT make_jobs(%s)", (Jsonb(new),))
    return [row[0] for row in await found.fetchall()]


async def claim(
    db: Connection,
    owner: str,
    *,
    most: int,
    per_key: int,
    kinds: Collection[str] | None = None,
    lease: float = LEASE_SECONDS,
) -> list[ClaimedJob]:
    """Take up to `most` jobs that are ready, at most `per_key` of each limit key running at once.

    Only those of these kinds, if any are named. Adds one to their attempts and epochs.
    """
    async with db.cursor(row_factory=class_row(ClaimedJob)) as cursor:
        await cursor.execute(
            "SELECT id, workspace_id, connection_id, kind, payload, version, attempts, epoch, owner"
            " FROM claim_jobs(%s, %s, %s, %s, %s) ORDER BY priority DESC, turn, id",
            (owner, most, round(lease), per_key, None if kinds is None else list(kinds)),
        )
        return await cursor.fetchall()


async def renew(
    db: Connection, jobs: Sequence[tuple[int, int]], *, owner: str, lease: float = LEASE_SECONDS
) -> dict[tuple[int, int], bool]:
    """Extend the leases of these (id, epoch); those that are still ours, and whether to cancel."""
    found = await db.execute(
        "UPDATE jobs j SET lease_until = moment() + make_interval(secs => %s)"
        " FROM (SELECT * FROM unnest(%s::bigint[], %s::int[]) AS u (id, epoch) ORDER BY id) u"
        " WHERE j.id = u.id AND j.epoch = u.epoch AND j.state = 'running' AND j.owner = %s"
        " RETURNING j.id, j.epoch, j.cancel",
        (lease, [job for job, _ in jobs], [epoch for _, epoch in jobs], owner),
    )
    return {(row[0], row[1]): row[2] for row in await found.fetchall()}


async def finish(db: Connection, outcomes: Sequence[tuple[ClaimedJob, Outcome]]) -> dict[int, str]:
    """Note what came of these jobs, durably; the new state of those that were still ours.

    A job that is `Done` has no row any more. One that a person has cancelled stays as
    `cancelled`, unless it is done.
    """
    found = await db.execute(
        "SELECT id, state, limited FROM finish_jobs(%s, %s)",
        (Jsonb([_in_words(job, outcome) for job, outcome in outcomes]), ATTEMPTS),
    )
    rows = await found.fetchall()
    if any(state == "ready" or limited for _, state, limited in rows):
        await db.execute(f"SELECT pg_notify('{CHANNEL}', '')")
    return {id_: state for id_, state, _ in rows}


def _in_words(job: ClaimedJob, outcome: Outcome) -> dict[str, Json]:
    words: dict[str, Json] = {"id": job.id, "epoch": job.epoch, "owner": job.owner}
    match outcome:
        case Done():
            return words | {"outcome": "done"}
        case Retry(seconds, error):
            return words | {"outcome": "retry", "wait": max(0.0, seconds), "error": error}
        case Snooze(seconds, reason):
            return words | {"outcome": "snooze", "wait": max(0.0, seconds), "error": reason}
        case Lost(seconds, error):
            return words | {
                "outcome": "lost",
                "wait": max(0.0, seconds),
                "error": error,
                "losses": LOSSES,
            }
        case Released():
            return words | {"outcome": "released", "wait": 0}
        case HandedOn():
            raise ValueError("a job that was handed on is not ended")
        case Dead(error):
            return words | {"outcome": "dead", "wait": 0, "error": error}


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


def _kind_lock(kind: str) -> str:
    return f"hashtextextended('syncline jobs of kind ' || {kind}, 0)"


async def hold_worker(db: Connection, owner: str, kinds: Collection[str] = ()) -> None:
    """Be known to live, and to know these kinds of jobs, as long as this session does."""
    await db.execute(f"SELECT pg_advisory_lock({_worker_lock('%s::text')})", (owner,))
    await db.execute(
        f"SELECT pg_advisory_lock_shared({_kind_lock('k')}) FROM unnest(%s::text[]) k",
        (sorted(kinds),),
    )


_HELD = """(SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted
    AND l.objsubid = 1
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (l.classid::bigint << 32 | l.objid::bigint) = {})"""


async def unknown_kinds(db: Connection, kinds: Collection[str]) -> set[str]:
    """Which of these kinds no worker that lives knows; none where there is no worker at all."""
    found = await db.execute(
        "SELECT k FROM unnest(%s::text[]) k WHERE EXISTS (SELECT FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'syncline worker')"
        f" AND NOT EXISTS {_HELD.format(_kind_lock('k'))}",
        (sorted(kinds),),
    )
    return {row[0] for row in await found.fetchall()}


_GONE = f"""
SELECT o.owner FROM (SELECT DISTINCT owner FROM jobs WHERE state = 'running') o
WHERE NOT EXISTS {_HELD.format(_worker_lock("o.owner"))}
"""

_RESCUE = f"""
WITH gone AS (
    SELECT g.owner FROM ({_GONE}) g WHERE %(only)s::text[] IS NULL OR g.owner = ANY(%(only)s)
), lapsed AS (
    SELECT j.id, j.owner IN (SELECT owner FROM gone) AS died FROM jobs j WHERE j.state = 'running'
        AND (j.lease_until < moment() OR j.owner IN (SELECT owner FROM gone))
    ORDER BY j.id LIMIT 1000 FOR UPDATE SKIP LOCKED
)
UPDATE jobs j SET owner = NULL, lease_until = NULL, ended_at = moment(), cancel = false,
    state = CASE WHEN j.cancel THEN 'cancelled' WHEN j.attempts >= {ATTEMPTS} THEN 'dead'
                 WHEN j.attempts > 1 THEN 'waiting' ELSE 'ready' END,
    run_at = moment() + make_interval(secs => {_APART_SECONDS} + j.id %% {_APART_SECONDS}),
    epoch = j.epoch + 1, error = jsonb_build_object(
        'code', CASE WHEN l.died THEN 'worker_died' ELSE 'lease_lapsed' END,
        'message', CASE WHEN l.died THEN 'The worker ' || j.owner || ' died while it did this.'
                   ELSE 'The worker ' || j.owner || ' was not heard of for too long.' END)
FROM lapsed l WHERE j.id = l.id
RETURNING j.id, j.workspace_id, j.connection_id, j.kind, j.state, j.error
"""


async def gone_workers(db: Connection) -> set[str]:
    """Workers that have jobs and no session: they have died, or have just lost it."""
    return {row[0] for row in await (await db.execute(_GONE)).fetchall()}


async def rescue(db: Connection, *, only: Collection[str] | None = None) -> list[dict[str, Any]]:
    """Take back the jobs of workers that have died, or were not heard of in time.

    With `only`, no others are held to be dead: a session that was cut comes back.

    They are ready again, or dead after the last attempt, which the rows say. Those that have lost
    more than one worker wait for a while, each for another one: if one of them kills workers, it
    has others beside it the next time.
    """
    async with db.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_RESCUE, {"only": None if only is None else list(only)})
        rows = await cursor.fetchall()
    if any(row["state"] == "ready" for row in rows):
        await db.execute(f"SELECT pg_notify('{CHANNEL}', '')")
    return rows
