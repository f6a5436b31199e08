"""Removing what has served its time, and whose turn it is to do so. It looks across workspaces."""

from __future__ import annotations

from syncline.core.model import WorkspaceId
from syncline.store.database import Connection

__all__ = [
    "end_service",
    "forget_alerts",
    "forget_events",
    "forget_jobs",
    "forget_runs",
    "forget_tombstones",
    "take_service",
]

_DAY = 86_400.0
_LOCK = "hashtextextended('syncline upkeep ' || %s::text, 0)"


async def forget_tombstones(
    db: Connection, workspace: WorkspaceId, *, older_than: float, most: int
) -> int:
    """Remove up to `most` documents that were deleted more than `older_than` seconds ago.

    Their contents are left to the collector. Answers how many.
    """
    found = await db.execute(
        "WITH old AS (SELECT id FROM documents WHERE workspace_id = %(workspace)s"
        " AND state = 'deleted' AND deleted_at < now() - make_interval(secs => %(age)s)"
        " ORDER BY entry_key LIMIT %(most)s FOR UPDATE SKIP LOCKED),"
        " removed AS (DELETE FROM documents d USING old WHERE d.workspace_id = %(workspace)s"
        " AND d.id = old.id AND d.state = 'deleted' RETURNING d.content_id),"
        " noted AS (INSERT INTO orphan_candidates (workspace_id, content_id)"
        " SELECT DISTINCT %(workspace)s::bigint, content_id FROM removed)"
        " SELECT count(*) FROM removed",
        {"workspace": workspace, "age": older_than, "most": most},
    )
    row = await found.fetchone()
    return 0 if row is None else int(row[0])


async def forget_runs(db: Connection, *, days: float, keep: int, most: int) -> int:
    """Remove up to `most` runs, with their reports, that ended more than `days` ago.

    The newest `keep` of each connection stay, and the newest that was done.
    """
    found = await db.execute(
        "DELETE FROM runs r USING (SELECT o.workspace_id, o.id FROM runs o"
        " WHERE o.ended_at < moment() - make_interval(secs => %(age)s)"
        " AND o.id < coalesce((SELECT k.id FROM runs k WHERE k.workspace_id = o.workspace_id"
        " AND k.connection_id = o.connection_id ORDER BY k.id DESC OFFSET %(keep)s - 1 LIMIT 1), 0)"
        " AND o.id < coalesce((SELECT d.id FROM runs d WHERE d.workspace_id = o.workspace_id"
        " AND d.connection_id = o.connection_id AND d.state = 'done'"
        " ORDER BY d.id DESC LIMIT 1), 0)"
        " ORDER BY o.ended_at LIMIT %(most)s) old"
        " WHERE r.workspace_id = old.workspace_id AND r.id = old.id",
        {"age": days * _DAY, "keep": keep, "most": most},
    )
    return found.rowcount


async def forget_jobs(db: Connection, *, days: float, most: int) -> int:
    """Remove up to `most` dead or cancelled jobs that ended more than `days` ago."""
    found = await db.execute(
        "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE state IN ('dead', 'cancelled')"
        " AND ended_at < moment() - make_interval(secs => %s) LIMIT %s FOR UPDATE SKIP LOCKED)",
        (days * _DAY, most),
    )
    return found.rowcount


async def forget_events(db: Connection, *, days: float, most: int) -> int:
    """Remove up to `most` events that happened more than `days` ago."""
    found = await db.execute(
        "DELETE FROM events e USING (SELECT workspace_id, id FROM events"
        " WHERE created_at < moment() - make_interval(secs => %s) ORDER BY created_at LIMIT %s) o"
        " WHERE e.workspace_id = o.workspace_id AND e.id = o.id",
        (days * _DAY, most),
    )
    return found.rowcount


async def forget_alerts(db: Connection, *, days: float) -> int:
    """Remove deliveries that nobody took for `days`, and what was told of connections that are
    gone, or is over since then."""
    removed = 0
    for statement in (
        "DELETE FROM alert_deliveries WHERE created_at < moment() - make_interval(secs => %s)",
        "DELETE FROM alerts a WHERE NOT open AND told_at < moment() - make_interval(secs => %s)",
    ):
        removed += (await db.execute(statement, (days * _DAY,))).rowcount
    for table in ("alerts", "troubles"):
        found = await db.execute(
            f"DELETE FROM {table} t WHERE connection_id <> 0 AND NOT EXISTS (SELECT FROM"
            " connections c WHERE c.workspace_id = t.workspace_id AND c.id = t.connection_id)"
        )
        removed += found.rowcount
    return removed


async def take_service(db: Connection, service: str, *, every: float) -> bool:
    """Whether this service's time has come, and nobody is at it: then it is ours.

    The session's lock says so until `end_service`; the next time is `every` seconds from now.
    """
    found = await db.execute(f"SELECT pg_try_advisory_lock({_LOCK})", (service,))
    row = await found.fetchone()
    if row is None or not row[0]:
        return False
    found = await db.execute(
        "INSERT INTO upkeep AS u (service, due_at) VALUES (%(service)s,"
        " moment() + make_interval(secs => %(every)s)) ON CONFLICT (service) DO UPDATE"
        " SET due_at = excluded.due_at WHERE u.due_at <= moment() RETURNING 1",
        {"service": service, "every": every},
    )
    if await found.fetchone() is not None:
        return True
    await db.execute(f"SELECT pg_advisory_unlock({_LOCK})", (service,))
    return False


async def end_service(db: Connection, service: str, done: int | None) -> None:
    """It has ended; `done` is how much it did, None where it failed."""
    await db.execute(
        "UPDATE upkeep SET ended_at = moment(), done = %s WHERE service = %s", (done, service)
    )
    await db.execute(f"SELECT pg_advisory_unlock({_LOCK})", (service,))
