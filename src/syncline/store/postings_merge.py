"""Merging the full-text index's small segments into larger ones, without what was deleted.

A merge is one transaction that reads rows nobody changes: searches see the segments before it
or after it, batches add theirs meanwhile, and a crash leaves everything as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syncline.core.failpoints import Failpoint, hit
from syncline.core.model import WorkspaceId
from syncline.store.binary import copy_in, posting_rows
from syncline.store.database import Connection
from syncline.store.entries import Entries, entries_of
from syncline.store.postings import COPY_POSTINGS

__all__ = ["merge_segments"]

_ROWS = 10_000


async def merge_segments(db: Connection, workspace: WorkspaceId, segments: Sequence[int]) -> bool:
    """Make one of these segments. False where another process is merging one of them."""
    async with db.transaction():
        found = await db.execute(
            "SELECT id FROM segments WHERE workspace_id = %s AND id = ANY(%s) ORDER BY id"
            " FOR UPDATE SKIP LOCKED",
            (workspace, list(segments)),
        )
        if len(await found.fetchall()) < len(segments):
            return False
        found = await db.execute(
            "INSERT INTO segments (workspace_id, chunks, words) VALUES (%s, 0, 0) RETURNING id",
            (workspace,),
        )
        row = await found.fetchone()
        assert row is not None
        alive = await _Alive.read(db, workspace)
        words = await _copy(db, workspace, segments, row[0], alive)
        for table, column in (("postings", "segment_id"), ("segments", "id")):
            await db.execute(
                f"DELETE FROM {table} WHERE workspace_id = %s AND {column} = ANY(%s)".encode(),
                (workspace, list(segments)),
            )
        await db.execute(
            "UPDATE segments SET chunks = %s, words = %s WHERE workspace_id = %s AND id = %s",
            (alive.seen, words, workspace, row[0]),
        )
        hit(Failpoint.SEGMENTS_MERGED)
    return True


async def _copy(
    db: Connection, workspace: WorkspaceId, old: Sequence[int], new: int, alive: _Alive
) -> int:
    """Write the merged rows; answer how many words they count."""
    words = 0
    async with db.cursor("merging", binary=True) as rows:
        await rows.execute(
            "SELECT term, entries FROM postings WHERE workspace_id = %s AND segment_id = ANY(%s)"
            " ORDER BY term, segment_id",
            (workspace, list(old)),
        )
        held: list[tuple[str, bytes]] = []
        while True:
            fetched = await rows.fetchmany(_ROWS)
            held += fetched
            # The last term may go on in the next rows.
            ended = _without_last(held) if fetched else held
            merged: list[tuple[str, bytes]] = []
            for term, parts in groupby(ended, itemgetter(0)):
                entries = alive.of(entries_of(b"".join(part[1] for part in parts)))
                if len(entries):
                    merged.append((term, entries.astype(">i8").tobytes()))
                    words += int((entries >> 8 & 0xFF).sum())
            if merged:
                await copy_in(db, COPY_POSTINGS, posting_rows(workspace, new, merged))
            held = held[len(ended) :]
            if not fetched:
                return words


def _without_last(rows: Sequence[tuple[str, bytes]]) -> Sequence[tuple[str, bytes]]:
    end = len(rows)
    while end and rows[end - 1][0] == rows[-1][0]:
        end -= 1
    return rows[:end]


class _Alive:
    """The chunks that are there, and which of them a merge has met."""

    def __init__(self, ids: NDArray[np.int64]) -> None:
        self._ids = ids
        self._met = np.zeros(len(ids), np.bool_)

    @classmethod
    async def read(cls, db: Connection, workspace: WorkspaceId) -> _Alive:
        found = await db.cursor(binary=True).execute(
            "SELECT string_agg(int8send(id), '' ORDER BY id) FROM chunks WHERE workspace_id = %s",
            (workspace,),
        )
        row: tuple[Any, ...] | None = await found.fetchone()
        return cls(entries_of(row[0] if row and row[0] else b""))

    def of(self, entries: Entries) -> Entries:
        """Those of chunks that are there."""
        if not len(self._ids):
            return entries[:0]
        chunks = entries >> 16
        place = np.minimum(np.searchsorted(self._ids, chunks), len(self._ids) - 1)
        there = self._ids[place] == chunks
        self._met[place[there]] = True
        kept: Entries = entries[there]
        return kept

    @property
    def seen(self) -> int:
        return int(self._met.sum())
