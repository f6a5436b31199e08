"""What has been told of troubles, and what is still to be delivered. It looks across workspaces.

The state of an alert is changed by whoever reads the events, which is one session at a time.
Deliveries are claimed for a while, so that one whose sender has died is sent by another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from syncline.core.model import ConnectionId, Json, WorkspaceId
from syncline.store.database import Connection

__all__ = [
    "Delivery",
    "about_to_be_told",
    "claim_deliveries",
    "delivered",
    "not_delivered",
    "open_kinds",
    "recovery_to_be_told",
    "tell",
]

_CLAIM_SECONDS = 60.0


class Delivery(Struct, frozen=True):
    """A message that one channel has to deliver."""

    workspace_id: WorkspaceId
    id: int
    channel: str
    message: Mapping[str, Json]
    attempts: int
    """This one included."""


async def open_kinds(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId
) -> frozenset[str]:
    """The kinds of a connection's troubles that have been told, or are about to be."""
    found = await db.execute(
        "SELECT kind FROM alerts WHERE workspace_id = %s AND connection_id = %s AND open",
        (workspace, connection),
    )
    return frozenset(row[0] for row in await found.fetchall())


async def about_to_be_told(
    db: Connection,
    workspace: WorkspaceId,
    connection: ConnectionId | None,
    kind: str,
    *,
    since: datetime,
    every: float,
) -> datetime | None:
    """Note a trouble; when to tell of it, or None where it was told less than `every` seconds ago.

    One that comes back too soon is told when that time has passed.
    """
    found = await db.execute(
        "INSERT INTO alerts AS a (workspace_id, connection_id, kind, open, since, told_at)"
        " VALUES (%(workspace)s, %(connection)s, %(kind)s, true, %(since)s, moment())"
        " ON CONFLICT (workspace_id, connection_id, kind) DO UPDATE SET open = true,"
        " since = CASE WHEN a.open THEN a.since ELSE excluded.since END,"
        " told_at = greatest(moment(), a.told_at + make_interval(secs => %(every)s))"
        " WHERE NOT a.open OR a.told_at + make_interval(secs => %(every)s) <= moment()"
        " RETURNING told_at",
        {
            "workspace": workspace,
            "connection": connection or 0,
            "kind": kind,
            "since": since,
            "every": every,
        },
    )
    row = await found.fetchone()
    return None if row is None else row[0]


async def recovery_to_be_told(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId, kind: str, *, every: float
) -> frozenset[str] | None:
    """Note that a trouble is over; None where nobody was told of it.

    What nobody has been told yet is not told any more: answers the channels that were spared.
    """
    found = await db.execute(
        "UPDATE alerts SET open = false WHERE workspace_id = %s AND connection_id = %s"
        " AND kind = %s AND open RETURNING 1",
        (workspace, connection, kind),
    )
    if await found.fetchone() is None:
        return None
    found = await db.execute(
        "DELETE FROM alert_deliveries WHERE workspace_id = %s AND connection_id = %s"
        " AND kind = %s AND attempts = 0 RETURNING channel",
        (workspace, connection, kind),
    )
    spared = frozenset(row[0] for row in await found.fetchall())
    if spared:
        # As it was: the next one is told as if this had not been.
        await db.execute(
            "UPDATE alerts SET told_at = told_at - make_interval(secs => %s)"
            " WHERE workspace_id = %s AND connection_id = %s AND kind = %s",
            (every, workspace, connection, kind),
        )
    return spared


async def tell(
    db: Connection,
    workspace: WorkspaceId,
    connection: ConnectionId | None,
    kind: str,
    message: Mapping[str, Json],
    *,
    channels: Sequence[str],
    at: datetime | None = None,
) -> None:
    """Let this message be delivered through these channels, now or at a later time.

    `kind` is that of the trouble, also where the message says that it is over: what one channel
    tells of one trouble is in order.
    """
    await db.execute(
        "INSERT INTO alert_deliveries"
        " (workspace_id, connection_id, kind, channel, message, due_at)"
        " SELECT %s, %s, %s, channel, %s, coalesce(%s, moment())"
        " FROM unnest(%s::text[]) AS channel",
        (workspace, connection or 0, kind, Jsonb(dict(message)), at, list(channels)),
    )


async def claim_deliveries(db: Connection, channels: Sequence[str], *, most: int) -> list[Delivery]:
    """What is due on these channels, ours for a minute."""
    async with db.cursor(row_factory=class_row(Delivery)) as cursor:
        await cursor.execute(
            "WITH due AS (SELECT d.workspace_id, d.id FROM alert_deliveries d"
            " WHERE d.channel = ANY(%s) AND d.due_at <= moment()"
            " AND (d.claimed_until IS NULL OR d.claimed_until < moment())"
            " AND NOT EXISTS (SELECT FROM alert_deliveries e WHERE"
            " e.workspace_id = d.workspace_id AND e.connection_id = d.connection_id"
            " AND e.kind = d.kind AND e.channel = d.channel AND e.id < d.id)"
            " ORDER BY d.due_at LIMIT %s FOR UPDATE SKIP LOCKED)"
            " UPDATE alert_deliveries d SET attempts = d.attempts + 1,"
            " claimed_until = moment() + make_interval(secs => %s)"
            " FROM due WHERE d.workspace_id = due.workspace_id AND d.id = due.id"
            " RETURNING d.workspace_id, d.id, d.channel, d.message, d.attempts",
            (list(channels), most, _CLAIM_SECONDS),
        )
        return await cursor.fetchall()


async def delivered(db: Connection, delivery: Delivery) -> None:
    """It has reached somebody."""
    await db.execute(
        "DELETE FROM alert_deliveries WHERE workspace_id = %s AND id = %s",
        (delivery.workspace_id, delivery.id),
    )


async def not_delivered(db: Connection, delivery: Delivery, error: str, *, again: float) -> None:
    """It is tried again after so many seconds."""
    await db.execute(
        "UPDATE alert_deliveries SET due_at = moment() + make_interval(secs => %s),"
        " claimed_until = NULL, error = %s WHERE workspace_id = %s AND id = %s AND attempts = %s",
        (again, error, delivery.workspace_id, delivery.id, delivery.attempts),
    )
