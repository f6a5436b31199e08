"""Circuit breakers: hosts that a connection leaves alone for a while, because they fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from psycopg.rows import class_row

from syncline.core.events import EventKind
from syncline.core.model import ConnectionId, Json, WorkspaceId
from syncline.store.database import Connection
from syncline.store.events import emit, settle
from syncline.transport.breaker import FAILURES, OPEN_SECONDS, PROBE_SECONDS
from syncline.transport.ledger import Breaker, Standing

__all__ = [
    "OpenBreaker",
    "claim_probe",
    "close_breaker",
    "close_breakers",
    "note_failures",
    "open_breakers",
    "read_breaker",
    "read_standing",
]

_STATE = (
    "failures, greatest(0, extract(epoch FROM greatest(open_until, {probe}) - moment())),"
    " open_until IS NOT NULL, reason"
)


async def read_breaker(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId, host: str
) -> Breaker:
    """A host's breaker; one that is closed and knows of no failures if there is no row."""
    found = await db.execute(
        f"SELECT {_STATE.format(probe='probe_until')} FROM breakers"
        " WHERE workspace_id = %s AND connection_id = %s AND host = %s",
        (workspace, connection, host),
    )
    return _breaker(await found.fetchone())


async def read_standing(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId, host: str, quota: str
) -> Standing:
    """The same, and whether the source itself has set a limit on this key's `quota` by now."""
    found = await db.execute(
        f"SELECT {_STATE.format(probe='probe_until')}, EXISTS (SELECT FROM quotas q"
        " WHERE q.key = %s AND greatest(q.closed_until, q.told_until) > moment())"
        " FROM (VALUES (1)) one LEFT JOIN breakers ON workspace_id = %s"
        " AND connection_id = %s AND host = %s",
        (quota, workspace, connection, host),
    )
    row = await found.fetchone()
    assert row is not None
    return Standing(_breaker(row[:4] if row[0] is not None else None), metered=row[4])


async def note_failures(
    db: Connection,
    workspace: WorkspaceId,
    connection: ConnectionId,
    host: str,
    failures: int,
    reason: str,
) -> Breaker:
    """Add failures to those in a row; with the fifth it opens, with any when it was half open.

    That it opens is an event.
    """
    async with db.transaction():
        row = await _add_failures(db, workspace, connection, host, failures, reason)
        noted = _breaker(row[:4])
        if noted.seconds:
            await emit(
                db,
                workspace,
                EventKind.BREAKER_OPEN,
                connection=connection,
                payload={"host": host, "until": row[4], "error": {"message": reason}},
                once=True,
            )
    return noted


async def _add_failures(
    db: Connection,
    workspace: WorkspaceId,
    connection: ConnectionId,
    host: str,
    failures: int,
    reason: str,
) -> tuple[Any, ...]:
    found = await db.execute(
        "INSERT INTO breakers AS b (workspace_id, connection_id, host, failures, reason,"
        f" open_until) VALUES (%(workspace)s, %(connection)s, %(host)s, %(failures)s, %(reason)s,"
        f" CASE WHEN %(failures)s >= {FAILURES}"
        f" THEN moment() + make_interval(secs => {OPEN_SECONDS}) END)"
        " ON CONFLICT (workspace_id, connection_id, host) DO UPDATE SET"
        " failures = b.failures + EXCLUDED.failures, reason = EXCLUDED.reason,"
        " probe_until = NULL,"
        " open_until = CASE WHEN b.open_until > moment() THEN b.open_until"
        f" WHEN b.open_until IS NOT NULL OR b.failures + EXCLUDED.failures >= {FAILURES}"
        f" THEN moment() + make_interval(secs => {OPEN_SECONDS}) END"
        f" RETURNING {_STATE.format(probe='open_until')}, to_json(open_until) #>> '{{}}'",
        {
            "workspace": workspace,
            "connection": connection,
            "host": host,
            "failures": failures,
            "reason": reason,
        },
    )
    row = await found.fetchone()
    assert row is not None
    return row


async def claim_probe(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId, host: str
) -> Breaker | None:
    """Have the host to oneself for a minute, to try it: None if so, else the breaker as it is.

    Of all that ask, one gets it.
    """
    key = {"workspace": workspace, "connection": connection, "host": host}
    found = await db.execute(
        "UPDATE breakers SET"
        f" probe_until = moment() + make_interval(secs => {PROBE_SECONDS})"
        " WHERE workspace_id = %(workspace)s AND connection_id = %(connection)s"
        " AND host = %(host)s AND open_until <= moment()"
        " AND coalesce(probe_until <= moment(), true)"
        " RETURNING host",
        key,
    )
    if await found.fetchone() is not None:
        return None
    return await read_breaker(db, workspace, connection, host)


async def close_breaker(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId, host: str
) -> None:
    """The host has answered."""
    async with db.transaction():
        await db.execute(
            "DELETE FROM breakers WHERE workspace_id = %s AND connection_id = %s AND host = %s",
            (workspace, connection, host),
        )
        found = await db.execute(
            "SELECT FROM breakers WHERE workspace_id = %s AND connection_id = %s"
            " AND open_until IS NOT NULL",
            (workspace, connection),
        )
        if await found.fetchone() is None:
            await settle(db, workspace, connection, [EventKind.BREAKER_OPEN])


async def close_breakers(db: Connection, workspace: WorkspaceId, connection: ConnectionId) -> None:
    """A person wants the connection's hosts to be asked again."""
    async with db.transaction():
        await db.execute(
            "DELETE FROM breakers WHERE workspace_id = %s AND connection_id = %s",
            (workspace, connection),
        )
        await settle(db, workspace, connection, [EventKind.BREAKER_OPEN])


class OpenBreaker(Struct, frozen=True):
    """A host that is not asked at present."""

    connection_id: ConnectionId
    host: str
    failures: int
    reason: str
    open_until: datetime

    def as_json(self) -> dict[str, Json]:
        """The documented fields."""
        return {
            "host": self.host,
            "failures": self.failures,
            "reason": self.reason,
            "open_until": self.open_until.isoformat(),
        }


async def open_breakers(
    db: Connection, workspace: WorkspaceId
) -> Mapping[ConnectionId, Sequence[OpenBreaker]]:
    """The hosts that are left alone now, by connection."""
    async with db.cursor(row_factory=class_row(OpenBreaker)) as cursor:
        await cursor.execute(
            "SELECT connection_id, host, failures, reason, open_until FROM breakers"
            " WHERE workspace_id = %s AND open_until > moment() ORDER BY connection_id, host",
            (workspace,),
        )
        found: dict[ConnectionId, list[OpenBreaker]] = {}
        for row in await cursor.fetchall():
            found.setdefault(row.connection_id, []).append(row)
        return found


def _breaker(row: tuple[Any, ...] | None) -> Breaker:
    if row is None:
        return Breaker()
    failures, seconds, was_open, reason = row
    seconds = float(seconds or 0)
    return Breaker(failures, seconds, half_open=was_open and not seconds, reason=reason)
