"""What a scrape asks of the whole database: queue, lag, freshness. It looks across workspaces."""

from __future__ import annotations

from msgspec import Struct
from psycopg.rows import class_row

from syncline.store.database import Connection
from syncline.store.health_read import LAG

__all__ = ["ConnectionLags", "Lag", "queue_depths", "read_lags", "read_numbers", "troubles_by_kind"]


async def queue_depths(db: Connection) -> dict[str, int]:
    """How many jobs there are in each state."""
    depths = dict.fromkeys(("waiting", "ready", "running", "dead", "cancelled"), 0)
    found = await db.execute("SELECT state, count(*) FROM jobs GROUP BY state")
    return depths | dict(await found.fetchall())


async def troubles_by_kind(db: Connection) -> dict[str, int]:
    """How many are open."""
    found = await db.execute("SELECT kind, count(*) FROM troubles GROUP BY kind ORDER BY kind")
    return dict(await found.fetchall())


async def read_numbers(db: Connection) -> tuple[float, int, int]:
    """The longest wait of a ready job in seconds, runs under way, alerts not delivered."""
    found = await db.execute(
        "SELECT coalesce((SELECT extract(epoch FROM moment() - min(run_at)) FROM jobs"
        " WHERE state = 'ready'), 0)::float8,"
        " (SELECT count(*) FROM runs WHERE state = 'running' AND lease_until > clock_timestamp()),"
        " (SELECT count(*) FROM alert_deliveries WHERE due_at <= moment())"
    )
    row = await found.fetchone()
    assert row is not None
    return row[0], row[1], row[2]


class Lag(Struct, frozen=True):
    """How far a connection is behind, and how old it is, in seconds."""

    workspace: str
    connection: str
    lag: float
    age: float


class ConnectionLags(Struct, frozen=True):
    """All connections that run by themselves: the worst one by one, the others summed."""

    worst: list[Lag]
    connections: int
    lag: float
    age: float
    """Sums of all, the worst included."""


async def read_lags(db: Connection, *, with_default: bool, most: int) -> ConnectionLags:
    """The `most` that are furthest behind; among equals, the oldest."""
    values = {"workspace": None, "with_default": with_default, "most": most}
    found = await db.execute(
        f"SELECT count(*), coalesce(sum(lag), 0), coalesce(sum(age), 0) FROM ({LAG}) l", values
    )
    row = await found.fetchone()
    assert row is not None
    async with db.cursor(row_factory=class_row(Lag)) as cursor:
        await cursor.execute(
            f"SELECT workspace, connection, lag, age FROM ({LAG}) l"
            " ORDER BY lag DESC, age DESC LIMIT %(most)s",
            values,
        )
        return ConnectionLags(await cursor.fetchall(), row[0], row[1], row[2])
