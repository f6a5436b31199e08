"""PostgreSQL's binary formats, for the tables that take most of the bytes.

Formats: COPY's from the PostgreSQL manual (COPY, "Binary Format"); `halfvec` as pgvector's
`halfvec_recv` reads it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from syncline.core.prepared import Chunk

__all__ = ["array_literal", "chunk_rows", "embedding_rows", "posting_rows", "terms_literal"]

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = struct.pack(">h", -1)
_int4 = struct.Struct(">i").pack
_int8_field = struct.Struct(">iq").pack
_int4_field = struct.Struct(">ii").pack
_text_array_head = struct.Struct(">iiiii").pack
_TEXT_OID = 25
_MOST_OFTEN = 16383
"""A position has 14 bits; we keep a term's frequency there."""


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


def array_literal(values: Sequence[str]) -> str:
    """A `text[]` as text, so that arrays of arrays can pass through `unnest`."""
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"


def _text_array(values: Sequence[str]) -> bytes:
    if not values:
        return struct.pack(">iii", 0, 0, _TEXT_OID)
    return _text_array_head(1, 0, _TEXT_OID, len(values), 1) + b"".join(
        _field(value.encode()) for value in values
    )


def chunk_rows(
    workspace: int, contents: Iterable[tuple[int, Sequence[Chunk], Sequence[int]]]
) -> bytes:
    """A COPY payload for `chunks`: workspace_id, content_id, n, start, length, hash, text,
    headings, id. Each content comes with its chunks and their ids."""
    parts = [_HEADER]
    workspace_field = _int8_field(8, workspace)
    for content, chunks, ids in contents:
        content_field = _int8_field(8, content)
        for chunk, chunk_id in zip(chunks, ids, strict=True):
            parts += (
                b"\0\x09",
                workspace_field,
                content_field,
                _int4_field(4, chunk.n),
                _int4_field(4, chunk.start),
                _int4_field(4, chunk.length),
                _field(chunk.hash),
                _field(chunk.text.encode()),
                _field(_text_array(chunk.headings)),
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
