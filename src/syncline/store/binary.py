"""COPY in PostgreSQL's binary formats, for the tables that take most of the bytes.

Formats: COPY's from the PostgreSQL manual (COPY, "Binary Format"); `halfvec` as pgvector's
`halfvec_recv` reads it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, LiteralString

from psycopg.pq import TransactionStatus

from syncline.core.prepared import Chunk
from syncline.store.sessions import Connection

__all__ = [
    "array_literal",
    "bigints",
    "chunk_rows",
    "copy_in",
    "embedding_rows",
    "posting_rows",
    "signature_rows",
    "terms_literal",
]

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = struct.pack(">h", -1)
_int4 = struct.Struct(">i").pack
# The number of fields, five numbers with their lengths, a hash with its own, the text's length.
_chunk_head = struct.Struct(">h iq iq ii ii ii i16s i").pack
_int8_field = struct.Struct(">iq").pack
_array_head = struct.Struct(">iiiii").pack
_TEXT_OID, _INT8_OID = 25, 20
_MOST_OFTEN = 16383
"""A position has 14 bits; we keep a term's frequency there."""


async def copy_in(db: Connection, statement: LiteralString, rows: bytes) -> None:
    """Send rows with a COPY. Where it is interrupted as it begins, the session is closed."""
    try:
        async with db.cursor().copy(statement) as copy:
            await copy.write(rows)
    except BaseException:
        # psycopg leaves such a COPY open, and nothing else can be said in that session.
        if db.info.transaction_status is TransactionStatus.ACTIVE:
            await db.close()
        raise


def _field(data: bytes) -> bytes:
    return _int4(len(data)) + data


def _weight(frequency: int) -> int:
    """How often a term occurs, in the four classes that `ts_rank` can tell apart."""
    if frequency == 1:
        return 0
    if frequency <= 3:
        return 1
    return 2 if frequency <= 7 else 3


def terms_literal(terms: Mapping[str, int]) -> str:
    """A `tsvector` as text, for a short value such as a title: the positions are frequencies."""
    return " ".join(
        "'{}':{}{}".format(
            term.replace("\\", "\\\\").replace("'", "''"),
            min(count, _MOST_OFTEN),
            "DCBA"[_weight(count)],
        )
        for term, count in sorted(terms.items())
    )


def bigints(values: Iterable[int]) -> str:
    """A `bigint[]` or `int[]` as text; the driver looks at each member of a list several times."""
    return "{" + ",".join(map(str, values)) + "}"


def array_literal(values: Sequence[str]) -> str:
    """A `text[]` as text, so that arrays of arrays can pass through `unnest`."""
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"


@lru_cache(maxsize=256)
def _text_array(values: tuple[str, ...]) -> bytes:
    if not values:
        return struct.pack(">iii", 0, 0, _TEXT_OID)
    return _array_head(1, 0, _TEXT_OID, len(values), 1) + b"".join(
        _field(value.encode()) for value in values
    )


def chunk_rows(
    workspace: int, contents: Iterable[tuple[int, Sequence[Chunk], Sequence[int]]]
) -> bytes:
    """A COPY payload for `chunks`: workspace_id, content_id, n, start, length, hash, text,
    headings, id. Each content comes with its chunks and their ids."""
    parts = [_HEADER]
    for content, chunks, ids in contents:
        for chunk, chunk_id in zip(chunks, ids, strict=True):
            text = chunk.text.encode()
            headings = _text_array(chunk.headings)
            parts += (
                _chunk_head(
                    *(9, 8, workspace, 8, content),
                    *(4, chunk.n, 4, chunk.start, 4, chunk.length),
                    *(len(chunk.hash), chunk.hash, len(text)),
                ),
                text,
                _int4(len(headings)),
                headings,
                _int8_field(8, chunk_id),
            )
    parts.append(_TRAILER)
    return b"".join(parts)


def posting_rows(workspace: int, segment: int, lists: Iterable[tuple[str, bytes]]) -> bytes:
    """A COPY payload for `postings`: workspace_id, term, segment_id, entries."""
    parts = [_HEADER]
    head = b"\0\x04" + _int8_field(8, workspace)
    segment_field = _int8_field(8, segment)
    for term, entries in lists:
        parts += (head, _field(term.encode()), segment_field, _field(entries))
    parts.append(_TRAILER)
    return b"".join(parts)


def embedding_rows(hashes: Sequence[bytes], vectors: Any) -> bytes:
    """A COPY payload of (chunk_hash, vector); `vectors` is a float array, one row a hash."""
    parts = [_HEADER]
    head = struct.pack(">hh", vectors.shape[1], 0)
    for chunk_hash, row in zip(hashes, vectors.astype(">f2"), strict=True):
        parts += (b"\0\x02", _field(chunk_hash), _field(head + row.tobytes()))
    parts.append(_TRAILER)
    return b"".join(parts)


def signature_rows(
    workspace: int, version: int, signatures: Iterable[tuple[int, int, Sequence[int]]]
) -> bytes:
    """A COPY payload of (workspace_id, content_id, place, version, compared, bands).

    Who has no bands has nothing to be compared with.
    """
    parts = [_HEADER]
    workspace_field = b"\0\x06" + _int8_field(8, workspace)
    version_field = struct.pack(">ih", 2, version)
    for content, place, bands in signatures:
        parts += (
            workspace_field,
            _int8_field(8, content),
            _int8_field(8, place),
            version_field,
            b"\0\0\0\x01\0" if bands else b"\0\0\0\x01\x01",
            _field(_int8_array(bands)),
        )
    parts.append(_TRAILER)
    return b"".join(parts)


def _int8_array(values: Sequence[int]) -> bytes:
    if not values:
        return struct.pack(">iii", 0, 0, _INT8_OID)
    head = _array_head(1, 0, _INT8_OID, len(values), 1)
    return head + b"".join(_int8_field(8, value) for value in values)
