"""What a worker does with a batch: read, extract, chunk, embed, and commit.

It runs in a process of its own, one a core, and each commits what it has prepared, so that no
single writer stands behind them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from syncline.core.capabilities import Capabilities
from syncline.core.errors import Conflict
from syncline.core.failpoints import Failpoint, hit
from syncline.core.model import Content, Gone, Metadata, NotModified
from syncline.core.ports import Connector, Embedder, EmbedderInfo
from syncline.core.prepared import Extracted
from syncline.pipeline.chunk import Chunking, chunk
from syncline.pipeline.compare import ChunkKey, compare
from syncline.pipeline.filter import Filter, Rejection
from syncline.pipeline.fingerprint import (
    attributes_hash,
    index_fingerprint,
    pipeline_fingerprint,
    window_fingerprint,
)
from syncline.pipeline.prepare import Alias, read
from syncline.pipeline.terms import terms
from syncline.store.batches import Batch, commit_batch
from syncline.store.contents import known_contents, known_embeddings, sections_of
from syncline.store.database import Connection
from syncline.store.manifest import Known, look_up
from syncline.store.models import model_id
from syncline.store.results import (
    Absent,
    Broken,
    Decision,
    Document,
    Filtered,
    Indexed,
    Result,
    Same,
    decide,
)
from syncline.sync.originals import pack
from syncline.sync.work import BatchDone, RunContext, WorkItem, as_broken

__all__ = ["Preparer"]


class _Reading(Struct, frozen=True):
    """An item whose text has been read, or could not be."""

    item: WorkItem
    content: Content | None
    outcome: Extracted | Rejection | Alias | Broken | Absent | Same


class Preparer:
    """Prepares and stores the batches of one run."""

    def __init__(
        self,
        context: RunContext,
        *,
        connector: Connector | None,
        capabilities: Capabilities,
        embedder: EmbedderInfo,
        load_embedder: Callable[[], Embedder],
        session: Callable[[], AbstractAsyncContextManager[Connection]],
        resources: AsyncExitStack,
    ) -> None:
        """`session` lends one of the database's for a batch."""
        self._context = context
        self._connector = connector
        self._capabilities = capabilities
        self._embedder = embedder
        self._load_embedder = load_embedder
        self._session = session
        self._resources = resources
        self._filter = Filter.model_validate(dict(context.filter))
        if context.now is not None:
            self._filter = self._filter.at(context.now)
        self._chunking = Chunking()
        self._fingerprint = pipeline_fingerprint(self._filter, self._chunking)
        self._window = window_fingerprint(self._fingerprint, self._filter)
        self._index = index_fingerprint(self._chunking)
        self._model: int | None = None

    async def close(self) -> None:
        """Close the connector."""
        await self._resources.aclose()

    async def run(self, seq: int, items: Sequence[WorkItem]) -> BatchDone:
        """Prepare and store one batch. Raises `Fenced`, or psycopg's errors."""
        # Files are small and many: the disk answers for one while another is being opened.
        readings = await asyncio.gather(*(self._read(item) for item in items))
        aliases = [
            (r.item.entry.id, r.outcome.target) for r in readings if isinstance(r.outcome, Alias)
        ]
        readings = [r for r in readings if not isinstance(r.outcome, Alias)]
        async with self._session() as db:
            return await self._store(db, seq, readings, aliases)

    async def _store(
        self,
        db: Connection,
        seq: int,
        readings: Sequence[_Reading],
        aliases: Sequence[tuple[str, str]],
    ) -> BatchDone:
        for attempt in range(5):
            known = await look_up(db, self._context.run, [r.item.entry.key for r in readings])
            batch, decisions = await self._prepare(db, seq, readings, known)
            hit(Failpoint.BATCH_PREPARED)
            if self._context.plan:
                return _planned(batch, decisions, known, aliases)
            try:
                done = await commit_batch(db, batch)
            except Conflict:
                # What we relied on was collected meanwhile; the next look sees that.
                if attempt == 4:
                    raise
                continue
            return BatchDone(done.counts, conflicts=done.conflicts, aliases=aliases)
        raise AssertionError  # the loop returns or raises

    async def _read(self, item: WorkItem) -> _Reading:
        content = item.content
        try:
            if content is None:
                assert self._connector is not None
                fetched = await self._connector.fetch(item.entry.locator, None)
                if isinstance(fetched, Gone):
                    return _Reading(item, None, Absent(fetched.reason))
                if isinstance(fetched, NotModified):
                    return _Reading(item, None, Same())
                content = fetched
            outcome = read(
                content,
                item.entry.metadata,
                self._filter,
                canonical_links=self._capabilities.canonical_links,
                follow_canonical=item.follow_canonical,
                entry_id=item.entry.id,
            )
        except Exception as error:  # noqa: BLE001 - one entry's content must not end its batch
            return _Reading(item, None, as_broken(error))
        return _Reading(item, content, outcome)

    async def _prepare(
        self, db: Connection, seq: int, readings: Sequence[_Reading], known: dict[Any, Known]
    ) -> tuple[Batch, list[Decision]]:
        run = self._context.run
        texts = {r.outcome.hash: r.outcome for r in readings if isinstance(r.outcome, Extracted)}
        stored = await known_contents(db, run.workspace_id, list(texts), self._index)
        indexed = self._index_texts([text for h, text in texts.items() if h not in stored])
        sections = await self._compare(db, readings, known, indexed)
        results = [self._result(r, indexed, sections) for r in readings]
        made, reused = await self._embed(db, indexed)
        batch = Batch(
            run,
            seq,
            results,
            chunking=self._index,
            model=self._model or 0,
            embedded=made,
            reused=reused,
        )
        return batch, [decide(r, known.get(r.key)) for r in results]

    def _index_texts(self, texts: Sequence[Extracted]) -> dict[Any, Indexed]:
        """Contents that are not stored yet, ready to be searched."""
        if not texts:
            return {}
        from syncline.pipeline.minhash import bands_of_each  # NumPy, where there is work for it

        bands = bands_of_each([text.text for text in texts])
        return {
            text.hash: Indexed(
                text.text,
                text.stemming,
                chunk(text.text, text.stemming, self._chunking),
                own,
            )
            for text, own in zip(texts, bands, strict=True)
        }

    async def _embed(
        self, db: Connection, indexed: dict[Any, Indexed]
    ) -> tuple[tuple[Sequence[bytes], Any], Sequence[bytes]]:
        """Vectors for the chunks whose text has none yet; and the hashes of the others."""
        wanted = {c.hash: c for i in indexed.values() for c in i.chunks}
        if not wanted:
            return ((), None), ()
        if self._model is None:
            self._model = await model_id(db, self._embedder, make=not self._context.plan)
        have = await known_embeddings(db, self._context.run.workspace_id, self._model, list(wanted))
        missing = sorted(set(wanted) - have)
        if not missing or self._context.plan:
            return (missing, None), sorted(have)
        vectors = await self._load_embedder().embed([wanted[h].embedding_text for h in missing])
        return (missing, vectors), sorted(have)

    async def _compare(
        self,
        db: Connection,
        readings: Sequence[_Reading],
        known: dict[Any, Known],
        indexed: dict[Any, Indexed],
    ) -> dict[str, Any]:
        """Layer three of change detection: for texts that moved, which sections did."""
        moved = {}
        for reading in readings:
            before = known.get(reading.item.entry.key)
            if (
                isinstance(reading.outcome, Extracted)
                and before is not None
                and before.live
                and before.content_id is not None
                and before.content_hash != reading.outcome.hash
            ):
                moved[reading.item.entry.id] = (before.content_id, reading.outcome)
        if not moved:
            return {}
        old = await sections_of(
            db, self._context.run.workspace_id, sorted({c for c, _ in moved.values()})
        )
        answers = {}
        for entry_id, (content, text) in moved.items():
            new = indexed.get(text.hash)
            chunks = new.chunks if new else chunk(text.text, text.stemming, self._chunking)
            changes = compare(
                [ChunkKey(h, headings) for h, headings in old.get(content, [])],
                [ChunkKey(c.hash, c.headings) for c in chunks],
            )
            answers[entry_id] = {
                "added": list(changes.added),
                "removed": list(changes.removed),
                "changed": list(changes.changed),
                "chunks_kept": changes.kept,
                "chunks_new": changes.new,
                "chunks_dropped": changes.dropped,
            }
        return answers

    def _result(
        self, reading: _Reading, indexed: dict[Any, Indexed], sections: dict[str, Any]
    ) -> Result:
        item, outcome, content = reading.item, reading.outcome, reading.content
        entry = item.entry
        verdict: Any = outcome
        if isinstance(outcome, Rejection):
            window = outcome.kind == "window"
            fingerprint = self._window if window else self._fingerprint
            verdict = Filtered(outcome.reason, fingerprint, belongs=window)
        elif isinstance(outcome, Extracted):
            assert content is not None
            verdict = self._document(entry.id, outcome, content, indexed, sections)
        version = entry.version if content is None or content.version is None else content.version
        return Result(
            entry_id=entry.id,
            key=entry.key,
            partition=item.partition,
            parent=entry.parent,
            locator=entry.locator,
            version=version,
            validators={} if content is None else content.validators,
            revision=item.revision,
            verdict=verdict,
        )

    def _document(
        self,
        entry_id: str,
        text: Extracted,
        content: Content,
        indexed: dict[Any, Indexed],
        sections: dict[str, Any],
    ) -> Document:
        about: Metadata = text.metadata
        if about.title is None:
            about = replace(about, title=_name_of(entry_id))
        return Document(
            content_hash=text.hash,
            attributes_hash=attributes_hash(about, content.principals),
            fingerprint=self._fingerprint,
            metadata=about,
            title_terms=terms(about.title or "", text.stemming),
            principals=content.principals,
            indexed=indexed.get(text.hash),
            sections=sections.get(entry_id),
            original=None if self._capabilities.local else pack(content),
        )


def _name_of(entry_id: str) -> str:
    """A title for what has none: the last part of its id."""
    return entry_id.rstrip("/").rpartition("/")[2] or entry_id


def _planned(
    batch: Batch,
    decisions: Sequence[Decision],
    known: dict[Any, Known],
    aliases: Sequence[tuple[str, str]],
) -> BatchDone:
    """What a batch would do."""
    counts: Counter[str] = Counter(chunks_to_embed=len(batch.embedded[0]))
    created = []
    removed = []
    for result, decision in zip(batch.results, decisions, strict=True):
        if decision.outcome is not None:
            counts[decision.outcome.value] += 1
        counts.update(decision.counts)
        before = known.get(result.key)
        if decision.outcome == "created" and isinstance(result.verdict, Document):
            created.append((result.entry_id, result.verdict.content_hash))
        elif before is not None and before.live and isinstance(result.verdict, Filtered | Absent):
            removed.append((result.entry_id, result.verdict.reason))
    return BatchDone(
        {k: v for k, v in counts.items() if v},
        aliases=aliases,
        created=created,
        removed=removed,
        items=[decision.item for decision in decisions if decision.item is not None],
    )
