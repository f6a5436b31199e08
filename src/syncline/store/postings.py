"""The full-text index: for each term, the chunks that hold it, as rows of a batch's segment.

A segment is written once, by the batch that brings its chunks, and never changed; small ones
are merged into larger ones by `postings_merge`. What has been deleted stays in its segment
until then: its numbers belong to no chunk any more, and no chunk gets them again.

An entry is 8 bytes, most significant first: the chunk's number (47 bits), how often the term
occurs in it (8), and how long it is (8, logarithmic): all that BM25 asks for.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import log

from syncline.core.model import WorkspaceId
from syncline.core.prepared import Chunk
from syncline.store.binary import posting_rows
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
    lists: defaultdict[str, list[int]] = defaultdict(list)
    for _, chunks, numbers in numbered:
        for chunk, number in zip(chunks, numbers, strict=True):
            bare = pack(number, chunk.length)
            for term, count in chunk.terms.items():
                lists[term].append(bare + (min(count, 255) << 8))
    async with db.cursor().copy(COPY_POSTINGS) as copy:
        await copy.write(posting_rows(workspace, segment, _packed(lists)))


def _packed(lists: Mapping[str, Sequence[int]]) -> Iterable[tuple[str, bytes]]:
    """In the order of the index, which is that of the terms' bytes."""
    for term in sorted(lists, key=str.encode):
        entries = lists[term]
        yield term, struct.pack(f">{len(entries)}q", *entries)
