"""The batch: one transaction that brings up to fifty entries into the knowledge base.

Locks are taken in one order (run, manifest, contents, embeddings, documents; each by key), so
that any number of batches may commit at once. Sending a batch again is harmless: its number is
part of what it commits.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from msgspec import Struct
from psycopg.types.json import Jsonb

from syncline.core.failpoints import Failpoint, hit
from syncline.core.model import EntryKey, Json
from syncline.store.contents import write_contents, write_embeddings
from syncline.store.database import Connection
from syncline.store.documents_write import write_documents
from syncline.store.manifest import Known, look_up
from syncline.store.manifest_write import write_manifest, write_originals
from syncline.store.models import note_written
from syncline.store.results import Decision, Document, Item, Result, decide
from syncline.store.runs import RunRef, hold

__all__ = ["Batch", "Committed", "commit_batch", "note_counts", "write_items"]

_MOMENTARY = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.LockNotAvailable,
)


class Batch(Struct, frozen=True):
    """Results that are stored together, in the name of a run."""

    run: RunRef
    seq: int
    results: Sequence[Result]
    chunking: bytes = b""
    """The fingerprint of how these contents were chunked."""
    model: int = 0
    embedded: tuple[Sequence[bytes], Any] = ((), None)
    """Chunk hashes and their new vectors."""
    reused: Sequence[bytes] = ()
    """Chunk hashes whose stored vectors serve."""


class Committed(Struct, frozen=True):
    """What a batch did. The same whether it was sent once or twice."""

    counts: Mapping[str, int]
    conflicts: Sequence[str] = ()
    """Ids of entries that changed in the store meanwhile: they are to be read again."""
    failed: Sequence[str] = ()


async def commit_batch(db: Connection, batch: Batch) -> Committed:
    """Store a batch, all or nothing.

    Raises `Fenced` if the run lost its right to write, `Conflict` if a content that the
    batch relied on is gone (prepare it again), and psycopg's errors if the database failed:
    then nothing was written, or, where the connection broke during the commit, the batch
    may have been committed and can be sent again.
    """
    for attempt in range(4):
        try:
            return await _commit(db, batch)
        except _MOMENTARY:
            if attempt == 3:
                raise
    raise AssertionError  # the loop returns or raises


async def _commit(db: Connection, batch: Batch) -> Committed:
    run = batch.run
    async with db.transaction():
        await hold(db, run)
        before = await _committed_before(db, batch)
        if before is not None:
            return before
        known = await look_up(db, run, [r.key for r in batch.results], lock=True)
        current = [r for r in batch.results if _revision(known, r.key) == r.revision]
        conflicts = [r.entry_id for r in batch.results if _revision(known, r.key) != r.revision]
        decisions = [(r, decide(r, known.get(r.key))) for r in current]
        contents = await _write_texts(db, batch, decisions)
        hit(Failpoint.BATCH_CONTENTS_WRITTEN)
        # New rows may collide with another lane's; those become conflicts as well.
        refused = await write_manifest(db, run, decisions, known)
        conflicts += [r.entry_id for r, _ in decisions if r.key in refused]
        decisions = [(r, d) for r, d in decisions if r.key not in refused]
        await write_originals(db, run, [r for r, _ in decisions])
        await write_documents(db, run, decisions, contents, known)
        hit(Failpoint.BATCH_DOCUMENTS_WRITTEN)
        done = _summary(batch, decisions, conflicts)
        await write_items(db, run, [d.item for _, d in decisions if d.item is not None])
        await _note(db, run, batch.seq, done)
        hit(Failpoint.BATCH_BEFORE_COMMIT)
    hit(Failpoint.BATCH_COMMITTED)
    return done


def _revision(known: Mapping[EntryKey, Known], key: EntryKey) -> int:
    row = known.get(key)
    return 0 if row is None else row.revision


async def _committed_before(db: Connection, batch: Batch) -> Committed | None:
    found = await db.execute(
        "SELECT result FROM run_batches WHERE workspace_id = %s AND run_id = %s AND part = %s"
        " AND attempt = %s AND seq = %s",
        (
            batch.run.workspace_id,
            batch.run.id,
            batch.run.part,
            batch.run.attempt,
            batch.seq,
        ),
    )
    row = await found.fetchone()
    if row is None:
        return None
    return Committed(row[0]["counts"], row[0]["conflicts"], row[0]["failed"])


def _as_json(done: Committed) -> Json:
    return {
        "counts": dict(done.counts),
        "conflicts": list(done.conflicts),
        "failed": list(done.failed),
    }


async def _write_texts(
    db: Connection, batch: Batch, decisions: Sequence[tuple[Result, Decision]]
) -> dict[bytes, int]:
    documents = [r.verdict for r, d in decisions if d.swaps and isinstance(r.verdict, Document)]
    if not documents:
        return {}
    wanted: dict[Any, Any] = {}
    for document in documents:
        if document.indexed is not None or document.content_hash not in wanted:
            wanted[document.content_hash] = document.indexed
    if batch.model:
        await note_written(db, batch.run.workspace_id, batch.model)
    # Those dropped by a conflict still bring their vectors: harmless, and the next try has them.
    ids = await write_contents(db, batch.run.workspace_id, batch.chunking, wanted)
    await write_embeddings(
        db, batch.run.workspace_id, batch.model, batch.embedded, sorted(set(batch.reused))
    )
    return {bytes(content_hash): content for content_hash, content in ids.items()}


def _summary(
    batch: Batch,
    decisions: Sequence[tuple[Result, Decision]],
    conflicts: Sequence[str],
) -> Committed:
    counts: Counter[str] = Counter()
    failed = []
    for result, decision in decisions:
        if decision.outcome is not None:
            counts[decision.outcome] += 1
            if decision.outcome == "failed":
                failed.append(result.entry_id)
        counts.update(decision.counts)
    counts.update(_reused(batch, decisions))
    return Committed({k: v for k, v in counts.items() if v}, list(conflicts), failed)


def _reused(batch: Batch, decisions: Sequence[tuple[Result, Decision]]) -> dict[str, int]:
    """What was stored already: texts of other documents, and vectors of passages."""
    texts = [
        result.verdict
        for result, decision in decisions
        if isinstance(result.verdict, Document)
        and (decision.outcome == "created" or "updated_text" in decision.counts)
    ]
    new = {each.content_hash for each in texts if each.indexed is not None}
    return {"texts_shared": len(texts) - len(new), "embeddings_reused": len(set(batch.reused))}


async def note_counts(db: Connection, run: RunRef, counts: Mapping[str, int]) -> None:
    """Inside a transaction: keep what it counts, which no batch has. Once in a run."""
    await _note(db, run, 0, Committed(counts))


async def _note(db: Connection, run: RunRef, seq: int, done: Committed) -> None:
    await db.execute(
        "INSERT INTO run_batches (workspace_id, run_id, part, attempt, seq, result)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (run.workspace_id, run.id, run.part, run.attempt, seq, Jsonb(_as_json(done))),
    )


async def write_items(db: Connection, run: RunRef, items: Sequence[Item]) -> None:
    """Put lines into the run's report."""
    if not items:
        return
    await db.execute(
        "INSERT INTO run_items (workspace_id, run_id, kind, entry_id, reason, detail)"
        " SELECT %s, %s, kind, entry_id, reason, detail::jsonb"
        " FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])"
        " AS i (kind, entry_id, reason, detail)",
        (
            run.workspace_id,
            run.id,
            [i.kind for i in items],
            [i.entry_id for i in items],
            [i.reason for i in items],
            [None if i.detail is None else json.dumps(i.detail) for i in items],
        ),
    )
