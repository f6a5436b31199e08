"""The manifest: what we know of every entry a connection has ever listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct
from psycopg.rows import class_row

from syncline.core.model import EntryKey, Json
from syncline.store.database import Connection
from syncline.store.runs import RunRef, hold

__all__ = [
    "Known",
    "aliases_of",
    "failing",
    "look_up",
    "note_pipeline",
    "note_seen",
    "note_unlisted",
    "outdated",
    "pipeline_is",
    "refresh_statistics",
    "unlisted",
]


class Known(Struct, frozen=True):
    """One entry's row, as far as a run has to know it."""

    entry_key: EntryKey
    entry_id: str
    partition: str
    locator: Mapping[str, Json]
    state: str
    reason: str | None
    alias_of: str | None
    version: str | None
    validators: Mapping[str, str]
    age: float
    """Seconds since the source was last asked for it."""
    fingerprint: bytes | None
    content_hash: bytes | None
    attributes_hash: bytes | None
    revision: int
    failures: int
    failure: Mapping[str, Json] | None
    gone: str | None
    live: bool
    """Whether a live document stands behind it."""
    content_id: int | None
    """Of its document, live or not."""
    target_live: bool
    """For an alias: whether the entry it points to has a live document."""


_MUCH = 200
_UNLISTED = "not listed by the source, but still there"
# Lateral, so that each row looks its document up by the whole key: before the first statistics
# are there, a join would go through all documents of the connection for each row.
_SELECT = """
SELECT m.entry_key, m.entry_id, m.partition, m.locator, m.state, m.reason, m.alias_of, m.version,
       m.validators, extract(epoch FROM clock_timestamp() - m.checked_at)::float8 AS age,
       m.fingerprint, m.content_hash, m.attributes_hash, m.revision, m.failures, m.failure, m.gone,
       coalesce(d.state = 'live', false) AS live, d.content_id,
       coalesce(t.state = 'live', false) AS target_live
FROM manifest m
LEFT JOIN LATERAL (SELECT state, content_id FROM documents d WHERE d.workspace_id = m.workspace_id
    AND d.connection_id = m.connection_id AND d.entry_key = m.entry_key LIMIT 1) d ON true
LEFT JOIN LATERAL (SELECT state FROM documents t WHERE t.workspace_id = m.workspace_id
    AND t.connection_id = m.connection_id AND t.entry_key = m.alias_key LIMIT 1) t ON true
"""


async def look_up(
    db: Connection, run: RunRef, keys: Sequence[EntryKey], *, lock: bool = False
) -> dict[EntryKey, Known]:
    """The rows of these entries; with `lock`, in a transaction, locked in the order of keys."""
    return await _known(
        db,
        " WHERE m.workspace_id = %s AND m.connection_id = %s AND m.entry_key = ANY(%s)"
        + (" ORDER BY m.entry_key FOR UPDATE OF m" if lock else ""),
        (run.workspace_id, run.connection_id, list(keys)),
    )


async def failing(db: Connection, run: RunRef, *, most: int) -> dict[EntryKey, Known]:
    """The entries that failed before and are to be tried again: fewer than `most` times so far."""
    return await _known(
        db,
        " WHERE m.workspace_id = %s AND m.connection_id = %s AND m.failures > 0"
        " AND m.failures < %s",
        (run.workspace_id, run.connection_id, most),
    )


async def aliases_of(
    db: Connection, run: RunRef, targets: Sequence[EntryKey]
) -> dict[EntryKey, Known]:
    """The entries that are aliases of these."""
    return await _known(
        db,
        " WHERE m.workspace_id = %s AND m.connection_id = %s AND m.state = 'alias'"
        " AND m.alias_key = ANY(%s)",
        (run.workspace_id, run.connection_id, list(targets)),
    )


async def outdated(
    db: Connection, run: RunRef, fingerprints: Sequence[bytes], *, after: bytes = b"", limit: int
) -> dict[EntryKey, Known]:
    """Entries that another pipeline has read; a page of them, in the order of keys."""
    return await _known(
        db,
        " WHERE m.workspace_id = %s AND m.connection_id = %s AND m.failures = 0"
        " AND m.state IN ('stored', 'filtered', 'alias') AND m.fingerprint <> ALL(%s::bytea[])"
        " AND m.entry_key > %s ORDER BY m.entry_key LIMIT %s",
        (run.workspace_id, run.connection_id, list(fingerprints), after, limit),
    )


async def pipeline_is(db: Connection, run: RunRef, fingerprint: bytes) -> bool:
    """Whether a run of this pipeline has been through all entries of the connection."""
    found = await db.execute(
        "SELECT pipeline = %s FROM connections WHERE workspace_id = %s AND id = %s",
        (fingerprint, run.workspace_id, run.connection_id),
    )
    row = await found.fetchone()
    return bool(row and row[0])


async def note_pipeline(db: Connection, run: RunRef, fingerprint: bytes) -> None:
    """Remember that it has."""
    async with db.transaction():
        await hold(db, run)
        await db.execute(
            "UPDATE connections SET pipeline = %s WHERE workspace_id = %s AND id = %s",
            (fingerprint, run.workspace_id, run.connection_id),
        )


async def unlisted(
    db: Connection, run: RunRef, *, recheck: float = 0, after: bytes = b"", limit: int = 500
) -> dict[EntryKey, Known]:
    """Live documents' entries that this complete run did not list, though known before it began.

    A page of them, in the order of keys, beginning after the key `after`. Those that the source
    confirmed to be there although unlisted, within the last `recheck` seconds, are left out.
    """
    return await _known(
        db,
        " JOIN runs r ON r.workspace_id = m.workspace_id AND r.id = %s"
        " WHERE m.workspace_id = %s AND m.connection_id = %s AND d.state = 'live'"
        " AND m.written_at < r.started_at AND m.gone IS NULL"
        " AND (m.reason IS DISTINCT FROM %s"
        " OR m.checked_at < clock_timestamp() - make_interval(secs => %s))"
        " AND (SELECT 1 FROM run_seen s WHERE s.workspace_id = m.workspace_id"
        " AND s.run_id = r.id AND s.entry_key = m.entry_key LIMIT 1) IS NULL"
        " AND m.entry_key > %s ORDER BY m.entry_key LIMIT %s",
        (run.id, run.workspace_id, run.connection_id, _UNLISTED, recheck, after, limit),
    )


async def _known(db: Connection, where: str, values: Sequence[object]) -> dict[EntryKey, Known]:
    async with db.cursor(row_factory=class_row(Known)) as cursor:
        await cursor.execute(_SELECT + where, values)
        return {row.entry_key: row for row in await cursor.fetchall()}


async def note_seen(db: Connection, run: RunRef, keys: Sequence[EntryKey]) -> set[EntryKey]:
    """Note entries as listed by this run; answer those that it had listed before.

    Of a run's part: what any part has listed, but for this one's earlier attempts. Raises `Fenced`.
    """
    async with db.transaction():
        await hold(db, run)
        found = await db.execute(
            "INSERT INTO run_seen (workspace_id, run_id, entry_key, part, attempt)"
            " SELECT %s, %s, key, %s, %s FROM unnest(%s::bytea[]) AS key"
            " ON CONFLICT DO NOTHING RETURNING entry_key",
            (run.workspace_id, run.id, run.part, run.attempt, list(keys)),
        )
    new = {EntryKey(row[0]) for row in await found.fetchall()}
    repeated = set(keys) - new
    if run.part:
        found = await db.execute(
            "SELECT entry_key FROM run_seen WHERE workspace_id = %s AND run_id = %s"
            " AND entry_key = ANY(%s) AND part <> %s",
            (run.workspace_id, run.id, list(new), run.part),
        )
        repeated |= {EntryKey(row[0]) for row in await found.fetchall()}
    return repeated


async def note_unlisted(db: Connection, run: RunRef, keys: Sequence[EntryKey]) -> None:
    """Remember that these are there although no listing names them."""
    async with db.transaction():
        await hold(db, run)
        await db.execute(
            "WITH there AS (SELECT entry_key FROM manifest WHERE workspace_id = %(workspace)s"
            " AND connection_id = %(connection)s AND entry_key = ANY(%(keys)s)"
            " ORDER BY entry_key FOR UPDATE)"
            " UPDATE manifest m SET reason = %(reason)s, checked_at = clock_timestamp()"
            " FROM there t WHERE m.workspace_id = %(workspace)s AND m.state = 'stored'"
            " AND m.connection_id = %(connection)s AND m.entry_key = t.entry_key",
            {
                "workspace": run.workspace_id,
                "connection": run.connection_id,
                "keys": list(keys),
                "reason": _UNLISTED,
            },
        )


async def refresh_statistics(db: Connection, *, written: int) -> None:
    """Have the planner's statistics taken, where this run wrote much or there are none yet.

    A database that is up for a sync at a time sees no autovacuum.
    """
    if written < _MUCH:
        found = await db.execute(
            "SELECT reltuples < 0 FROM pg_class WHERE oid = 'manifest'::regclass"
        )
        row = await found.fetchone()
        if row is None or not row[0]:
            return
    await db.execute("SELECT refresh_statistics()")
