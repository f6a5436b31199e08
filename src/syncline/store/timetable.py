"""When connections run by themselves: their schedules, pauses and next slots."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from syncline.core.errors import NotHere
from syncline.core.events import EventKind
from syncline.core.model import ConnectionId, Json, WorkspaceId
from syncline.store.connections import ConnectionRow, row_by_id
from syncline.store.database import Connection
from syncline.store.events import settle

__all__ = [
    "REFUSED",
    "Times",
    "connection_by_id",
    "note_attention",
    "note_refused",
    "pause",
    "resume",
    "set_active",
    "set_freshness",
    "set_schedule",
    "times_of",
]


class Times(Struct, frozen=True):
    """How a connection runs by itself."""

    id: ConnectionId
    schedule: str | None
    """As `syncline.scheduling.text` writes it; None: the installation's default."""
    paused: bool
    attention: Mapping[str, Json] | None
    """What a person has to mend: a `code` and a `message`."""
    stands_still: bool
    """Whether it waits for that person, and does not run by itself until then."""
    next_due: datetime | None
    job: str | None
    """The state of the job that syncs it, where there is one."""
    job_id: int | None = None
    freshness_seconds: int | None = None
    """How old it may be; None: as its schedule has it."""


async def connection_by_id(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId
) -> ConnectionRow:
    """Raises `NotHere`."""
    row = await row_by_id(db, workspace, connection)
    if row is None:
        raise NotHere(f"There is no connection {connection} any more.")
    return row


async def times_of(db: Connection, workspace: WorkspaceId) -> dict[ConnectionId, Times]:
    """Those of all connections of the workspace."""
    async with db.cursor(row_factory=class_row(Times)) as cursor:
        await cursor.execute(
            "SELECT c.id, c.schedule, c.paused, coalesce(c.attention, marked.error) AS attention,"
            " c.attention IS NOT NULL AS stands_still, c.next_due, j.state AS job,"
            " j.id AS job_id,"
            " c.freshness_seconds"
            " FROM connections c LEFT JOIN LATERAL (SELECT r.error FROM troubles t, runs r"
            " WHERE t.workspace_id = c.workspace_id AND t.connection_id = c.id"
            " AND t.kind = 'needs_attention' AND r.workspace_id = c.workspace_id"
            " AND r.connection_id = c.id AND r.state = 'failed' AND r.error ->> 'code' = ANY(%s)"
            " ORDER BY r.id DESC LIMIT 1) marked ON true"
            " LEFT JOIN LATERAL (SELECT id, state FROM jobs j"
            " WHERE j.workspace_id = c.workspace_id AND j.connection_id = c.id"
            " AND j.kind = 'sync' AND j.state IN ('waiting', 'ready', 'running')"
            " ORDER BY j.id DESC LIMIT 1) j ON true WHERE c.workspace_id = %s",
            (list(REFUSED), workspace),
        )
        return {row.id: row for row in await cursor.fetchall()}


async def set_schedule(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId, schedule: str | None
) -> None:
    """From now on; what made it stand still is forgotten, and the next slot found anew."""
    await db.execute(
        "UPDATE connections SET schedule = %s, next_due = NULL, last_slot = NULL,"
        " behind_since = NULL, attention = NULL WHERE workspace_id = %s AND id = %s",
        (schedule, workspace, connection),
    )


async def set_freshness(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId, seconds: int | None
) -> None:
    """How old it may be from now on; a target that was missed is forgotten."""
    async with db.transaction():
        await db.execute(
            "UPDATE connections SET freshness_seconds = %s WHERE workspace_id = %s AND id = %s",
            (seconds, workspace, connection),
        )
        await settle(db, workspace, connection, [EventKind.FRESHNESS_MISSED])


async def pause(db: Connection, workspace: WorkspaceId, connection: ConnectionId) -> None:
    """No slots any more; a job that waits is cancelled, a run that is under way is not."""
    async with db.transaction():
        await db.execute(
            "UPDATE connections SET paused = true, next_due = NULL"
            " WHERE workspace_id = %s AND id = %s",
            (workspace, connection),
        )
        await _cancel_waiting(db, workspace, connection)


async def set_active(db: Connection, workspace: WorkspaceId, *, active: bool) -> None:
    """Whether the workspace's connections run by themselves.

    Where they do no longer, jobs that wait are cancelled, runs that are under way are not.
    """
    async with db.transaction():
        await db.execute("UPDATE workspaces SET active = %s WHERE id = %s", (active, workspace))
        if not active:
            # Slots of what does not run would be looked at by every tick.
            await db.execute(
                "UPDATE connections SET next_due = NULL WHERE workspace_id = %s", (workspace,)
            )
            await _cancel_waiting(db, workspace)


async def _cancel_waiting(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId | None = None
) -> None:
    """Jobs of either lane; those that wait for the partitions of a run are part of it."""
    await db.execute(
        "UPDATE jobs SET state = 'cancelled', ended_at = moment()"
        " WHERE workspace_id = %(workspace)s AND kind IN ('sync', 'reconcile')"
        " AND connection_id = coalesce(%(id)s::bigint, connection_id)"
        " AND state IN ('waiting', 'ready') AND NOT EXISTS (SELECT FROM runs r"
        " WHERE r.workspace_id = jobs.workspace_id AND r.state = 'running'"
        " AND r.id = (jobs.payload ->> 'run')::bigint)",
        {"workspace": workspace, "id": connection},
    )


async def resume(db: Connection, workspace: WorkspaceId, connection: ConnectionId) -> None:
    """Runs by itself again, whether it was paused or needed attention."""
    await db.execute(
        "UPDATE connections SET paused = false, attention = NULL, next_due = NULL,"
        " last_slot = NULL, behind_since = NULL WHERE workspace_id = %s AND id = %s",
        (workspace, connection),
    )


async def note_attention(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId, error: Mapping[str, Json]
) -> None:
    """A person has to do something before it is worth running again."""
    await db.execute(
        "UPDATE connections SET attention = %s, next_due = NULL"
        " WHERE workspace_id = %s AND id = %s",
        (Jsonb(dict(error)), workspace, connection),
    )


REFUSED = ("forbidden", "rejected", "not_found", "blocked_address")
"""Codes of what only a person mends, if it lasts. Sites answer so for a while, too."""
_LASTS = "1 hour"
"""A refusal that is younger may be over by itself: a site that is being moved, a proxy's mood."""


async def note_refused(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId, error: Mapping[str, Json]
) -> None:
    """Mark it if runs have been failing for an hour, or none was ever done. It runs on by itself.

    The next run that is done ends the mark.
    """
    await db.execute(
        "WITH past AS (SELECT max(id) FILTER (WHERE state = 'done') AS done FROM runs"
        " WHERE workspace_id = %(workspace)s AND connection_id = %(id)s)"
        " SELECT raise_trouble(%(workspace)s, %(id)s, %(what)s, %(detail)s, true) FROM past"
        " WHERE done IS NULL OR EXISTS (SELECT FROM runs WHERE workspace_id = %(workspace)s"
        " AND connection_id = %(id)s AND id > done AND state = 'failed'"
        f" AND started_at <= moment() - interval '{_LASTS}')",
        {
            "workspace": workspace,
            "id": connection,
            "what": EventKind.NEEDS_ATTENTION.value,
            "detail": Jsonb({"error": dict(error), "runs_on": True}),
        },
    )
