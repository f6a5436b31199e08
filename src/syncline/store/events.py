"""The outbox: what happened, written with what it tells, and read in the order of commits.

An event is written in the transaction that makes it happen. Ids are taken before a commit, so
one that was committed late may have a lower id than one that was read already. Readers therefore
go by the writing transaction, and only as far as no transaction is under way that could still
write (`pg_snapshot_xmin`). Where each consumer is, is stored: reading for alerts looks across
workspaces, everything else has the workspace first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from syncline.core.events import Event, EventKind
from syncline.core.model import ConnectionId, Json, WorkspaceId
from syncline.store.database import Connection

__all__ = [
    "Trouble",
    "emit",
    "end_of_events",
    "events_after",
    "list_events",
    "open_troubles",
    "settle",
    "take_events",
]

Position = tuple[str, int]
"""Of the last event read: its transaction, and its id."""


async def emit(
    db: Connection,
    workspace: WorkspaceId,
    kind: EventKind,
    *,
    connection: ConnectionId | None = None,
    payload: Mapping[str, Json] | None = None,
    once: bool = False,
) -> None:
    """Inside the transaction that makes it happen: say that it does.

    A connection's trouble stays open until `settle`; with `once` it is said only when it begins.
    Payloads hold no secrets.
    """
    detail = Jsonb(dict(payload or {}))
    if connection is not None and kind is not EventKind.RECOVERED:
        await db.execute(
            "SELECT raise_trouble(%s, %s, %s, %s, %s)",
            (workspace, connection, kind.value, detail, once),
        )
    else:
        await db.execute(
            "INSERT INTO events (workspace_id, kind, connection_id, payload)"
            " VALUES (%s, %s, %s, %s)",
            (workspace, kind.value, connection, detail),
        )


async def settle(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId, kinds: Sequence[EventKind]
) -> None:
    """These troubles are over; an event `recovered` says so for each that was there."""
    await db.execute(
        "SELECT settle_troubles(%s, %s, %s)",
        (workspace, connection, [kind.value for kind in kinds]),
    )


class Trouble(Struct, frozen=True):
    """What is wrong with a connection now."""

    connection_id: ConnectionId
    connection: str
    kind: str
    since: datetime


async def open_troubles(db: Connection, workspace: WorkspaceId) -> list[Trouble]:
    """By connection."""
    async with db.cursor(row_factory=class_row(Trouble)) as cursor:
        await cursor.execute(
            "SELECT t.connection_id, c.name AS connection, t.kind, t.since FROM troubles t"
            " JOIN connections c ON c.workspace_id = t.workspace_id AND c.id = t.connection_id"
            " WHERE t.workspace_id = %s ORDER BY c.name, t.since",
            (workspace,),
        )
        return await cursor.fetchall()


_SELECT = (
    "SELECT e.workspace_id, w.name AS workspace, e.id, e.kind, e.connection_id,"
    " c.name AS connection, e.payload, e.version, e.created_at"
    " FROM events e JOIN workspaces w ON w.id = e.workspace_id"
    " LEFT JOIN connections c ON c.workspace_id = e.workspace_id AND c.id = e.connection_id"
)
_SETTLED = "e.txid < pg_snapshot_xmin(pg_current_snapshot())"


async def list_events(
    db: Connection,
    workspace: WorkspaceId,
    *,
    kinds: Sequence[str] = (),
    connection: ConnectionId | None = None,
    limit: int = 50,
) -> list[Event]:
    """The newest `limit`, oldest first; of these kinds, and of this connection, where given."""
    async with db.cursor(row_factory=class_row(Event)) as cursor:
        await cursor.execute(
            _SELECT + " WHERE e.workspace_id = %s AND (%s::text[] = '{}' OR e.kind = ANY(%s))"
            " AND (%s::bigint IS NULL OR e.connection_id = %s) ORDER BY e.id DESC LIMIT %s",
            (workspace, list(kinds), list(kinds), connection, connection, limit),
        )
        return (await cursor.fetchall())[::-1]


async def end_of_events(db: Connection) -> Position:
    """Where `events_after` begins so that it tells what happens from now on."""
    found = await db.execute("SELECT (pg_snapshot_xmin(pg_current_snapshot()))::text")
    row = await found.fetchone()
    assert row is not None
    return str(int(row[0]) - 1), 2**62


async def events_after(
    db: Connection, workspace: WorkspaceId, position: Position, *, most: int = 500
) -> tuple[list[Event], Position]:
    """What has happened since, in the order in which it may be read, and where that ends."""
    found = await db.execute(
        f"SELECT e.id, e.txid::text FROM events e WHERE {_SETTLED}"
        " AND (e.txid, e.id) > (%s::xid8, %s::bigint) AND e.workspace_id = %s"
        " ORDER BY e.txid, e.id LIMIT %s",
        (*position, workspace, most),
    )
    rows = await found.fetchall()
    if not rows:
        return [], position
    return await _by_ids(db, [row[0] for row in rows]), (rows[-1][1], rows[-1][0])


async def take_events(db: Connection, reader: str, *, most: int = 500) -> list[Event] | None:
    """Inside a transaction: what this reader has not seen, of all workspaces; it has now.

    A new reader begins with the oldest. None where another session is reading in its name.
    """
    await db.execute(
        "INSERT INTO event_readers SELECT %s, system_identifier, '3', 0 FROM pg_control_system()"
        " ON CONFLICT DO NOTHING",
        (reader,),
    )
    found = await db.execute(
        "SELECT r.txid::text, r.event_id, r.server = s.system_identifier FROM event_readers r,"
        " pg_control_system() s WHERE r.name = %s FOR UPDATE OF r SKIP LOCKED",
        (reader,),
    )
    row = await found.fetchone()
    if row is None:
        return None
    if not row[2]:
        await _adopt(db)
        return await take_events(db, reader, most=most)
    found = await db.execute(
        f"SELECT e.id, e.txid::text FROM events e WHERE {_SETTLED}"
        " AND (e.txid, e.id) > (%s::xid8, %s::bigint) ORDER BY e.txid, e.id LIMIT %s",
        (row[0], row[1], most),
    )
    rows = await found.fetchall()
    if not rows:
        return []
    await db.execute(
        "UPDATE event_readers SET txid = %s::xid8, event_id = %s WHERE name = %s",
        (rows[-1][1], rows[-1][0], reader),
    )
    return await _by_ids(db, [row[0] for row in rows])


async def _by_ids(db: Connection, ids: Sequence[int]) -> list[Event]:
    async with db.cursor(row_factory=class_row(Event)) as cursor:
        await cursor.execute(
            _SELECT + " JOIN unnest(%s::bigint[]) WITH ORDINALITY AS u (id, n) ON u.id = e.id"
            " ORDER BY u.n",
            (list(ids),),
        )
        return await cursor.fetchall()


async def _adopt(db: Connection) -> None:
    """The rows came from another server, whose transaction ids say nothing here.

    From now on they are in the order of their ids; the few that were read out of it are read twice.
    """
    await db.execute("LOCK TABLE event_readers, events IN SHARE ROW EXCLUSIVE MODE")
    await db.execute(
        "UPDATE event_readers r SET txid = '3', server = s.system_identifier, event_id = coalesce("
        "(SELECT min(e.id) - 1 FROM events e WHERE (e.txid, e.id) > (r.txid, r.event_id)),"
        " (SELECT max(e.id) FROM events e), 0) FROM pg_control_system() s"
    )
    await db.execute("UPDATE events SET txid = '3'")
