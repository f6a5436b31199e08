"""Documents that stop being there: absence, moves, the deletion guard, tombstones.

An entry whose document is to go carries `gone` in the manifest: `pending` until the run's end
decides, `held` while a person is asked, `kept` where a person (or `keep_deleted`) said to keep
it. The mark outlives a crash, so the next run decides what this one could not.

Each row looks its neighbours up by their whole key (`LATERAL`, scalar subqueries): a join would
be planned by statistics that a first run has not got yet, and turn quadratic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from syncline.core.events import EventKind
from syncline.core.failpoints import Failpoint, hit
from syncline.core.model import DocumentId, EntryKey, RunId
from syncline.store.batches import note_counts, write_items
from syncline.store.database import Connection
from syncline.store.events import emit
from syncline.store.results import Item
from syncline.store.runs import RunRef, hold

__all__ = [
    "Candidate",
    "Move",
    "apply_gone",
    "bury",
    "created_since",
    "live_documents",
    "mark_unlisted",
    "pending",
]


class Candidate(Struct, frozen=True):
    """A live document that is gone, or a new one that it may have become."""

    document: DocumentId
    entry_key: EntryKey
    entry_id: str
    content_id: int
    title: str | None
    reason: str = ""
    unlisted: bool = False
    """Gone because the source says so, not because a filter or an alias does."""
    held: bool = False
    outcome: str = ""
    """For a new one: what this run counted it as."""


class Move(Struct, frozen=True):
    """The document of `old` goes on as that of `new`."""

    old: Candidate
    new: Candidate


async def mark_unlisted(
    db: Connection,
    run: RunRef,
    *,
    reason: str = "no longer listed by the source",
    only: Sequence[EntryKey] | None = None,
) -> None:
    """After a complete enumeration: what was known before it and not listed is pending.

    With `only`, just these, whose absence the source has confirmed. Rows without a live
    document are forgotten.
    """
    unseen = (
        " AND m.written_at < r.started_at AND (SELECT 1 FROM run_seen s"
        " WHERE s.workspace_id = m.workspace_id AND s.run_id = r.id AND s.entry_key = m.entry_key"
        " LIMIT 1) IS NULL"
    )
    async with db.transaction():
        await hold(db, run)
        await db.execute(
            "DELETE FROM manifest m USING runs r WHERE m.workspace_id = %(workspace)s"
            " AND m.connection_id = %(connection)s AND r.workspace_id = m.workspace_id"
            " AND r.id = %(run)s AND (SELECT 1 FROM documents d"
            " WHERE d.workspace_id = m.workspace_id AND d.connection_id = m.connection_id"
            " AND d.entry_key = m.entry_key AND d.state = 'live' LIMIT 1) IS NULL" + unseen,
            _names(run),
        )
        await db.execute(
            "WITH absent AS (SELECT m.entry_key FROM manifest m"
            " JOIN runs r ON r.workspace_id = m.workspace_id AND r.id = %(run)s"
            " WHERE m.workspace_id = %(workspace)s AND m.connection_id = %(connection)s"
            " AND m.state <> 'gone' AND m.gone IS DISTINCT FROM 'kept'"
            " AND (%(only)s::bytea[] IS NULL OR m.entry_key = ANY(%(only)s))"
            + unseen
            + " ORDER BY m.entry_key FOR UPDATE OF m)"
            " UPDATE manifest m SET gone = coalesce(m.gone, 'pending'),"
            " gone_reason = %(reason)s, reason = %(reason)s, state = 'gone',"
            " gone_since = coalesce(m.gone_since, now()), revision = m.revision + 1,"
            " written_at = clock_timestamp()"
            " FROM absent a WHERE m.workspace_id = %(workspace)s"
            " AND m.connection_id = %(connection)s AND m.entry_key = a.entry_key",
            _names(run) | {"only": None if only is None else list(only), "reason": reason},
        )
    hit(Failpoint.ABSENCE_DECIDED)


def _names(run: RunRef) -> dict[str, object]:
    return {"workspace": run.workspace_id, "connection": run.connection_id, "run": run.id}


async def pending(db: Connection, run: RunRef) -> list[Candidate]:
    """The live documents that are gone and not yet decided, or held; in the order of entries."""
    found = await db.execute(
        "SELECT d.id, m.entry_key, m.entry_id, d.content_id, d.title, m.gone_reason,"
        " m.state = 'gone', m.gone = 'held'"
        " FROM manifest m CROSS JOIN LATERAL (SELECT id, content_id, title FROM documents d"
        " WHERE d.workspace_id = m.workspace_id AND d.connection_id = m.connection_id"
        " AND d.entry_key = m.entry_key AND d.state = 'live' LIMIT 1) d"
        " WHERE m.workspace_id = %s AND m.connection_id = %s AND m.gone IN ('pending', 'held')"
        ' ORDER BY m.entry_id COLLATE "C"',
        (run.workspace_id, run.connection_id),
    )
    return [
        Candidate(DocumentId(r[0]), EntryKey(r[1]), r[2], r[3], r[4], r[5] or "", r[6], r[7])
        for r in await found.fetchall()
    ]


async def created_since(
    db: Connection, run: RunRef, after: RunId, contents: Sequence[int]
) -> list[Candidate]:
    """Live documents with one of these contents that no completed run has closed over yet.

    `after` is the last completed run: what an interrupted run created can still be the new
    place of something that moved.
    """
    found = await db.execute(
        "SELECT d.id, d.entry_key, d.entry_id, d.content_id, d.title,"
        " CASE WHEN d.created_run = %(run)s THEN 'created'"
        " WHEN d.changed_run = %(run)s THEN 'updated' ELSE 'unchanged' END"
        " FROM documents d CROSS JOIN LATERAL (SELECT state, gone FROM manifest m"
        " WHERE m.workspace_id = d.workspace_id AND m.connection_id = d.connection_id"
        " AND m.entry_key = d.entry_key LIMIT 1) m"
        " WHERE d.workspace_id = %(workspace)s AND d.connection_id = %(connection)s"
        " AND d.state = 'live' AND d.created_run > %(after)s AND d.content_id = ANY(%(contents)s)"
        " AND m.state = 'stored' AND m.gone IS NULL ORDER BY d.entry_id COLLATE \"C\"",
        _names(run) | {"after": after, "contents": list(contents)},
    )
    return [
        Candidate(DocumentId(r[0]), EntryKey(r[1]), r[2], r[3], r[4], outcome=r[5])
        for r in await found.fetchall()
    ]


async def live_documents(db: Connection, run: RunRef) -> int:
    """How many live documents the connection had before this run: what the guard measures by."""
    found = await db.execute(
        "SELECT count(*) FROM documents WHERE workspace_id = %s AND connection_id = %s"
        " AND state = 'live' AND created_run < %s",
        (run.workspace_id, run.connection_id, run.id),
    )
    row = await found.fetchone()
    return 0 if row is None else int(row[0])


async def apply_gone(
    db: Connection,
    run: RunRef,
    *,
    moves: Sequence[Move],
    delete: Sequence[Candidate],
    hold_back: Sequence[Candidate],
    keep: Sequence[Candidate],
    items: Sequence[Item],
    counts: Mapping[str, int],
) -> None:
    """Everything that the run's end decides, in one transaction. Raises `Fenced`.

    `counts` are kept as a batch's are, for who goes on after a crash.
    """
    async with db.transaction():
        await hold(db, run)
        for move in sorted(moves, key=lambda m: m.old.entry_key):
            await _move(db, run, move)
        hit(Failpoint.MOVES_WRITTEN)
        await _set_gone(db, run, hold_back, "held")
        if hold_back:
            await emit(
                db,
                run.workspace_id,
                EventKind.DELETIONS_HELD,
                connection=run.connection_id,
                payload={"run": run.id, "held": len(hold_back)},
            )
        await _set_gone(db, run, keep, "kept")
        await bury(db, run.workspace_id, run.connection_id, delete)
        await write_items(db, run, items)
        await note_counts(db, run, counts)
        hit(Failpoint.DELETIONS_BEFORE_COMMIT)
    hit(Failpoint.DELETIONS_COMMITTED)


async def _move(db: Connection, run: RunRef, move: Move) -> None:
    """The new document's row gives its state to the old one and goes; its id was never used up."""
    names = _names(run) | {
        "old": move.old.document,
        "new": move.new.document,
        "old_key": move.old.entry_key,
    }
    await db.execute(
        "SELECT 1 FROM manifest WHERE workspace_id = %s AND connection_id = %s"
        " AND entry_key = ANY(%s) ORDER BY entry_key FOR UPDATE",
        (run.workspace_id, run.connection_id, [move.old.entry_key, move.new.entry_key]),
    )
    await db.execute(
        "DELETE FROM manifest WHERE workspace_id = %(workspace)s"
        " AND connection_id = %(connection)s AND entry_key = %(old_key)s",
        names,
    )
    await db.execute(
        "WITH taken AS (DELETE FROM documents WHERE workspace_id = %(workspace)s"
        " AND id = %(new)s RETURNING *)"
        " UPDATE documents d SET entry_key = t.entry_key, entry_id = t.entry_id, title = t.title,"
        " title_terms = t.title_terms, url = t.url, language = t.language, authors = t.authors,"
        " categories = t.categories, tags = t.tags, properties = t.properties,"
        " principals = t.principals, source_created = t.source_created,"
        " source_updated = t.source_updated, changed_run = %(run)s, changed_at = now()"
        " FROM taken t WHERE d.workspace_id = %(workspace)s AND d.id = %(old)s",
        names,
    )


async def _set_gone(
    db: Connection, run: RunRef, candidates: Sequence[Candidate], state: str
) -> None:
    if not candidates:
        return
    await db.execute(
        "WITH marked AS (SELECT entry_key FROM manifest WHERE workspace_id = %s"
        " AND connection_id = %s AND entry_key = ANY(%s) ORDER BY entry_key FOR UPDATE)"
        " UPDATE manifest m SET gone = %s, revision = revision + 1 FROM marked k"
        " WHERE m.workspace_id = %s AND m.connection_id = %s AND m.entry_key = k.entry_key",
        (
            run.workspace_id,
            run.connection_id,
            [c.entry_key for c in candidates],
            state,
            run.workspace_id,
            run.connection_id,
        ),
    )


async def bury(
    db: Connection, workspace: int, connection: int, candidates: Sequence[Candidate]
) -> None:
    """Inside a transaction: make tombstones. Entries that the source still lists stay known."""
    if not candidates:
        return
    keys = sorted(c.entry_key for c in candidates)
    await db.execute(
        "SELECT 1 FROM manifest WHERE workspace_id = %s AND connection_id = %s"
        " AND entry_key = ANY(%s) ORDER BY entry_key FOR UPDATE",
        (workspace, connection, keys),
    )
    await db.execute(
        "UPDATE documents d SET state = 'deleted', deleted_at = now(), deleted_reason = c.reason"
        " FROM (SELECT * FROM unnest(%s::bytea[], %s::text[]) AS n (entry_key, reason)"
        " ORDER BY entry_key) c WHERE d.workspace_id = %s AND d.connection_id = %s"
        " AND d.entry_key = c.entry_key AND d.entry_key = ANY(%s) AND d.state = 'live'",
        (
            [c.entry_key for c in candidates],
            [c.reason for c in candidates],
            workspace,
            connection,
            keys,
        ),
    )
    await db.execute(
        "DELETE FROM manifest WHERE workspace_id = %s AND connection_id = %s"
        " AND entry_key = ANY(%s)",
        (workspace, connection, [c.entry_key for c in candidates if c.unlisted]),
    )
    await db.execute(
        "UPDATE manifest SET gone = NULL, gone_reason = NULL, gone_since = NULL,"
        " revision = revision + 1"
        " WHERE workspace_id = %s AND connection_id = %s AND entry_key = ANY(%s)",
        (workspace, connection, [c.entry_key for c in candidates if not c.unlisted]),
    )
