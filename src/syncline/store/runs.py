"""Runs: who may write to a connection's lane, and what came of it.

A run's right to write is its row: state `running` and its epoch. Every write of a run first
takes a key-share lock on that row and finds both unchanged (`hold`); who takes the lane over
locks the row for update, so it waits for a batch that is just committing, and no batch can
start after it. Renewing the lease and noting progress do not conflict with either.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

import psycopg
from msgspec import Struct
from psycopg.types.json import Jsonb

from syncline.core.errors import Fenced, RunInProgress
from syncline.core.model import ConnectionId, Json, Lane, Mode, RunId, RunState, WorkspaceId
from syncline.store.database import Connection

__all__ = [
    "COUNTED",
    "LANE_LOCK",
    "LEASE_SECONDS",
    "SESSION",
    "SHARED",
    "RunRef",
    "close_run",
    "end_sessions",
    "fence_run",
    "hold",
    "last_completed",
    "let_go",
    "name_session",
    "open_run",
    "renew",
    "resume_run",
    "session_name",
    "was_done_since",
]

LEASE_SECONDS = 300
SESSION = "syncline run"
"""What the sessions of runs are called before they have one."""
LANE_LOCK = "syncline run"
"""The keys of lanes' locks begin with it. All versions that share a database must agree."""
_MOMENT = "500ms"


class RunRef(Struct, frozen=True):
    """What a write of a run must carry."""

    workspace_id: WorkspaceId
    connection_id: ConnectionId
    id: RunId
    epoch: int
    part: int = 0
    """Which share of it, where several workers read one run: see `parts.py`."""
    attempt: int = 0
    """Which of the attempts at that share; an earlier one must not write any more."""


SHARED = (
    "(r.parts IS NOT NULL AND EXISTS (SELECT FROM jobs j WHERE j.workspace_id = r.workspace_id"
    " AND j.connection_id = r.connection_id AND j.kind <> 'partition'"
    " AND j.state IN ('waiting', 'ready', 'running') AND (j.payload ->> 'run')::bigint = r.id))"
)
"""Whether a row `r` of runs goes on as jobs: nobody need hold it meanwhile."""

COUNTED = """
CASE WHEN counts = '{}' THEN (
    SELECT coalesce(jsonb_object_agg(key, total), '{}') FROM (
        SELECT key, sum(value::int) AS total FROM (
            SELECT b.result -> 'counts' AS counts FROM run_batches b
            WHERE b.workspace_id = runs.workspace_id AND b.run_id = runs.id
            UNION ALL
            SELECT p.counts FROM run_parts p
            WHERE p.workspace_id = runs.workspace_id AND p.run_id = runs.id
        ) c, jsonb_each_text(c.counts) GROUP BY key) t)
    ELSE counts END
"""
"""What a run has done that cannot tell any more."""


def session_name(run: RunRef) -> str:
    """The application name of a run's database sessions, by which a successor ends them."""
    whole = f"{SESSION} {run.workspace_id}/{run.id}"
    return f"{whole}/{run.part}/{run.attempt}" if run.part else whole


async def end_sessions(db: Connection, name: str) -> None:
    """End the other sessions of this name, and those of its parts: one that hangs in the middle
    of a batch would keep us waiting for its lock."""
    await db.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE (application_name = %s OR starts_with(application_name, %s))"
        " AND datname = current_database() AND pid <> pg_backend_pid()",
        (name, f"{name}/"),
    )


def _lock_key(workspace: WorkspaceId, connection: ConnectionId, lane: Lane) -> str:
    return f"{LANE_LOCK} {workspace}/{connection}/{lane}"


async def open_run(
    db: Connection,
    workspace: WorkspaceId,
    connection: ConnectionId,
    mode: Mode,
    *,
    force: bool = False,
) -> RunRef:
    """Take the lane. `db` must stay open as long as the run: its session is the sign of life.

    A run whose session is gone, or whose lease has lapsed, is marked as interrupted and
    replaced at once; so is, with `force`, one that is alive. Raises `RunInProgress`.
    """
    lane = mode.lane
    key = _lock_key(workspace, connection, lane)
    alone = await _lock(db, key)
    holder = await _running(db, workspace, connection, lane)
    if holder is not None:
        lapsed, shared = holder[3:]
        if not ((alone and not shared) or lapsed or force):
            await let_go(db)
            raise RunInProgress(
                f"Run {holder[0]} of this connection is under way"
                f" (held by {holder[1]} since {holder[2]:%H:%M:%S} UTC).",
                hint="Wait for it with --wait, or end it and start anew with --force.",
            )
        await _fence(db, workspace, RunId(holder[0]))
    elif not alone and not force:
        raise RunInProgress(
            "Another process is just opening or closing a run of this connection.",
            hint="Try again, or use --wait.",
        )
    if not alone:
        # The fenced run's session is being ended; its lock goes with it.
        await db.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (key,))
    found = await db.execute(
        "INSERT INTO runs (workspace_id, connection_id, lane, mode, state, owner, lease_until)"
        " VALUES (%s, %s, %s, %s, 'running', %s, clock_timestamp() + make_interval(secs => %s))"
        " RETURNING id, epoch",
        (workspace, connection, lane, mode, f"{socket.gethostname()}:{os.getpid()}", LEASE_SECONDS),
    )
    made = await found.fetchone()
    assert made is not None
    run = RunRef(workspace, connection, RunId(made[0]), made[1])
    await name_session(db, run)
    return run


async def resume_run(db: Connection, run: RunRef, lane: Lane) -> None:
    """Take the lane of a run that goes on here. `db` must stay open as long as it does.

    Raises `RunInProgress` where another holds it, and `Fenced` where the run is over.
    """
    if not await _lock(db, _lock_key(run.workspace_id, run.connection_id, lane)):
        raise RunInProgress(f"Another process is at run {run.id} of this connection.")
    await renew(db, run)
    await name_session(db, run)


async def name_session(db: Connection, run: RunRef) -> None:
    """Let a successor find the session."""
    await db.execute("SELECT set_config('application_name', %s, false)", (session_name(run),))


async def _lock(db: Connection, key: str) -> bool:
    """Take the lane's lock. Waits a moment: the server may not yet have noticed that the session
    of a process that has just been killed is gone."""
    try:
        async with db.transaction():
            await db.execute(f"SET LOCAL lock_timeout = '{_MOMENT}'")
            await db.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (key,))
    except psycopg.errors.LockNotAvailable:
        return False
    return True


async def let_go(db: Connection) -> None:
    """Give the lane's lock back, so that the next run need not wait for the session's end."""
    if not db.closed and not db.broken:
        # Where the server has just gone, the lock has gone with it.
        with suppress(psycopg.OperationalError):
            await db.execute("SELECT pg_advisory_unlock_all()")


async def _running(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId, lane: Lane
) -> tuple[int, str, datetime, bool, bool] | None:
    found = await db.execute(
        "SELECT r.id, r.owner, r.started_at AT TIME ZONE 'UTC',"
        f" r.lease_until < clock_timestamp(), {SHARED}"
        " FROM runs r WHERE r.workspace_id = %s AND r.connection_id = %s AND r.lane = %s"
        " AND r.state = 'running'",
        (workspace, connection, lane),
    )
    row = await found.fetchone()
    return None if row is None else (row[0], row[1], row[2], row[3], row[4])


async def _fence(db: Connection, workspace: WorkspaceId, run: RunId) -> None:
    """Mark a run as interrupted, so that nothing more is written in its name."""
    await end_sessions(db, f"{SESSION} {workspace}/{run}")
    async with db.transaction():
        await db.execute(
            "SELECT 1 FROM runs WHERE workspace_id = %s AND id = %s FOR UPDATE", (workspace, run)
        )
        await db.execute(
            "UPDATE runs SET state = 'interrupted', epoch = epoch + 1, progress = NULL,"
            " ended_at = clock_timestamp(), counts = "
            + COUNTED
            + " WHERE workspace_id = %s AND id = %s AND state = 'running'",
            (workspace, run),
        )
        await _forget_working_rows(db, workspace, run)


async def fence_run(db: Connection, workspace: WorkspaceId, run: int) -> None:
    """End a run that goes on as jobs, from outside: nothing more is written in its name."""
    await _fence(db, workspace, RunId(run))


async def _forget_working_rows(db: Connection, workspace: WorkspaceId, run: RunId) -> None:
    for table in ("run_seen", "run_batches", "run_parts"):
        await db.execute(
            f"DELETE FROM {table} WHERE workspace_id = %s AND run_id = %s",
            (workspace, run),
        )
    await db.execute(
        "DELETE FROM jobs j USING runs r WHERE r.workspace_id = %s AND r.id = %s"
        " AND r.parts IS NOT NULL AND j.workspace_id = r.workspace_id"
        " AND j.connection_id = r.connection_id AND j.kind = 'partition'"
        " AND (j.payload ->> 'run')::bigint = r.id",
        (workspace, run),
    )


async def hold(db: Connection, run: RunRef) -> None:
    """Inside a transaction: make sure that the run may write until it ends. Raises `Fenced`."""
    found = await db.execute(
        "SELECT 1 FROM runs WHERE workspace_id = %s AND id = %s AND epoch = %s"
        " AND state = 'running' FOR KEY SHARE",
        (run.workspace_id, run.id, run.epoch),
    )
    if await found.fetchone() is None:
        raise Fenced(
            f"Run {run.id} has been taken over or ended; it must not write any more.",
            hint="`syncline runs` shows which run replaced it.",
        )
    if run.part:
        found = await db.execute(
            "SELECT 1 FROM run_parts WHERE workspace_id = %s AND run_id = %s AND part = %s"
            " AND attempt = %s AND NOT over FOR KEY SHARE",
            (run.workspace_id, run.id, run.part, run.attempt),
        )
        if await found.fetchone() is None:
            raise Fenced(f"Part {run.part} of run {run.id} has been taken over by another worker.")


async def renew(db: Connection, run: RunRef, progress: Mapping[str, Json] | None = None) -> None:
    """Extend the lease, and note how far the run has come. Raises `Fenced`."""
    found = await db.execute(
        "UPDATE runs SET lease_until = clock_timestamp() + make_interval(secs => %s),"
        " progress = coalesce(%s, progress)"
        " WHERE workspace_id = %s AND id = %s AND epoch = %s AND state = 'running'",
        (
            LEASE_SECONDS,
            None if progress is None else Jsonb(dict(progress)),
            run.workspace_id,
            run.id,
            run.epoch,
        ),
    )
    if found.rowcount == 0:
        raise Fenced(f"Run {run.id} has been taken over by another.")


async def close_run(
    db: Connection,
    run: RunRef,
    state: RunState,
    counts: Mapping[str, Json],
    error: Mapping[str, Json] | None = None,
) -> None:
    """End a run and give the lane back. Raises `Fenced` if it was no longer ours."""
    async with db.transaction():
        # The connection is locked before the run, as by who removes it: its freshness follows.
        found = await db.execute(
            "WITH locked AS MATERIALIZED (SELECT FROM connections"
            " WHERE workspace_id = %s AND id = %s FOR NO KEY UPDATE)"
            " UPDATE runs SET state = %s, counts = %s, error = %s, progress = NULL,"
            " ended_at = clock_timestamp() FROM locked"
            " WHERE workspace_id = %s AND id = %s AND epoch = %s AND state = 'running'",
            (
                run.workspace_id,
                run.connection_id,
                state,
                Jsonb(dict(counts)),
                None if error is None else Jsonb(dict(error)),
                run.workspace_id,
                run.id,
                run.epoch,
            ),
        )
        if found.rowcount == 0:
            raise Fenced(f"Run {run.id} has been taken over by another.")
        if state is RunState.DONE:
            # Whatever a person had to mend is mended.
            await db.execute(
                "UPDATE connections SET attention = NULL"
                " WHERE workspace_id = %s AND id = %s AND attention IS NOT NULL",
                (run.workspace_id, run.connection_id),
            )
        await _forget_working_rows(db, run.workspace_id, run.id)


async def last_completed(db: Connection, run: RunRef) -> RunId:
    """The newest run of this connection that was done before this one; 0 if none was."""
    found = await db.execute(
        "SELECT coalesce(max(id), 0) FROM runs WHERE workspace_id = %s AND connection_id = %s"
        " AND state = 'done' AND id < %s",
        (run.workspace_id, run.connection_id, run.id),
    )
    row = await found.fetchone()
    return RunId(row[0] if row else 0)


async def was_done_since(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId, run: int
) -> bool:
    """Inside a transaction: whether a run of the connection was done after this one had ended.

    None is from now on, until the transaction ends: `close_run` waits for it.
    """
    await db.execute(
        "SELECT FROM connections WHERE workspace_id = %s AND id = %s FOR NO KEY UPDATE",
        (workspace, connection),
    )
    found = await db.execute(
        "SELECT EXISTS (SELECT FROM runs o JOIN runs r ON o.ended_at > r.ended_at"
        " WHERE r.workspace_id = %(workspace)s AND r.id = %(run)s AND o.state = 'done'"
        " AND o.workspace_id = %(workspace)s AND o.connection_id = %(connection)s)",
        {"workspace": workspace, "connection": connection, "run": run},
    )
    row = await found.fetchone()
    return bool(row and row[0])
