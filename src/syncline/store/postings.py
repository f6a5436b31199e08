"""The full-text index: for each term, the chunks that hold it, as rows of a batch's segment.

A segment is written once, by the batch that brings its chunks, and never changed; small ones
are merged into larger ones by `postings_merge`. What has been deleted stays in its segment
until then: its numbers belong to no chunk any more, and no chunk gets them again.

An entry is 8 bytes, most significant first: the chunk's number (47 bits), how often the term
occurs in it (8), and how long it is (8, logarithmic): all that BM25 asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from math import log

from syncline.core.model import WorkspaceId
from syncline.core.prepared import Chunk
from syncline.store.binary import copy_in, posting_rows
from syncline.store.database import Connection

__all__ = [
    "BLOCK",
    "COPY_POSTINGS",
    "STEPS",
    "number_chunks",
    "pack",
    "write_postings",
]

BLOCK = 16
"""Chunks are numbered in blocks of so many. A block holds chunks of one content only."""
COPY_POSTINGS = "COPY postings (workspace_id, term, segment_id, entries) FROM STDIN (FORMAT binary)"

STEPS = 23
"""Codes to a factor of e: a length is stored to 2 %, up to 65,000 words."""


def _length_code(length: int) -> int:
    return min(255, round(log(1 + length) * STEPS))


_CODES = [_length_code(length) for length in range(4096)]


def pack(chunk: int, length: int) -> int:
    """An entry, but for how often the term occurs, which is added shifted by 8."""
    code = _CODES[length] if length < len(_CODES) else _length_code(length)
    return chunk << 16 | code


async def number_chunks(
    db: Connection, workspace: WorkspaceId, contents: Sequence[tuple[int, Sequence[Chunk]]]
) -> tuple[int, list[tuple[int, Sequence[Chunk], Sequence[int]]]]:
    """A new segment for these contents' chunks, and each chunk's number in the index."""
    counts = [-(-len(chunks) // BLOCK) for _, chunks in contents]
    found = await db.execute(
        "INSERT INTO segments (workspace_id, chunks, words) VALUES (%s, %s, %s) RETURNING id,"
        " ARRAY(SELECT nextval('chunk_blocks') FROM generate_series(1, %s))",
        (
            workspace,
            sum(len(chunks) for _, chunks in contents),
            sum(chunk.length for _, chunks in contents for chunk in chunks),
            sum(counts),
        ),
    )
    row = await found.fetchone()
    assert row is not None
    blocks = iter(row[1])
    numbered: list[tuple[int, Sequence[Chunk], Sequence[int]]] = []
    for (content, chunks), count in zip(contents, counts, strict=True):
        numbers = [
            block * BLOCK + place
            for block in [next(blocks) for _ in range(count)]
            for place in range(BLOCK)
        ]
        numbered.append((content, chunks, numbers[: len(chunks)]))
    return row[0], numbered


async def write_postings(
    db: Connection,
    workspace: WorkspaceId,
    segment: int,
    numbered: Iterable[tuple[int, Sequence[Chunk], Sequence[int]]],
) -> None:
    """In a batch's transaction: the segment's rows."""
    lists = _lists_of(
        [
            (chunk, number)
            for _, chunks, numbers in numbered
            for chunk, number in zip(chunks, numbers, strict=True)
        ]
    )
    await copy_in(db, COPY_POSTINGS, posting_rows(workspace, segment, lists))


def _lists_of(numbered: Sequence[tuple[Chunk, int]]) -> Iterable[tuple[str, bytes]]:
    """Each term with its entries, in the order of the index, which is that of the terms' bytes."""
    import numpy as np  # only where there is something to write

    found = [chunk.terms for chunk, number in numbered]
    entries = np.array([pack(number, chunk.length) for chunk, number in numbered], np.int64)
    lengths = np.fromiter(map(len, found), np.int64, len(found))
    places = _Places()
    words = np.fromiter(
        map(places.__getitem__, chain.from_iterable(found)), np.int64, int(lengths.sum())
    )
    names = sorted(places, key=str.encode)
    ranks = np.empty(len(names), np.int64)
    ranks[[places[name] for name in names]] = np.arange(len(names))
    # A word of a chunk is a number: sorted, equal ones stand together, and are counted.
    pairs = ranks[words] * len(found) + np.repeat(np.arange(len(found)), lengths)
    pairs.sort()
    first = np.flatnonzero(np.diff(pairs, prepend=-1))
    counts = np.diff(first, append=len(pairs))
    ranked, chunk = np.divmod(pairs[first], max(1, len(found)))
    packed = (entries[chunk] + (np.minimum(counts, 255) << 8)).astype(">i8").tobytes()
    ends = (np.searchsorted(ranked, np.arange(len(names)), side="right") * 8).tolist()
    return zip(
        names,
        (packed[start:end] for start, end in pairwise((0, *ends))),
        strict=True,
    )


class _Places(dict[str, int]):
    """A number for each word, in the order in which they are met."""

    def __missing__(self, word: str) -> int:
        self[word] = place = len(self)
        return place
