"""PostgreSQL's binary formats, for the tables that take most of the bytes.

Formats: COPY's from the PostgreSQL manual (COPY, "Binary Format"); `tsvector` as
`tsvectorrecv` reads it; `halfvec` as pgvector's `halfvec_recv` does.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from syncline.core.prepared import Chunk

__all__ = [
    "array_literal",
    "chunk_rows",
    "embedding_rows",
    "signature_rows",
    "term_vector",
    "terms_literal",
]

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = struct.pack(">h", -1)
_int4 = struct.Struct(">i").pack
_int8_field = struct.Struct(">iq").pack
_int4_field = struct.Struct(">ii").pack
_array_head = struct.Struct(">iiiii").pack
_TEXT_OID, _INT8_OID = 25, 20
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


_entry_tail = [b"\0" * 3] + [
    b"\0" + struct.pack(">HH", 1, _weight(n) << 14 | n) for n in range(1, 256)
]


def term_vector(terms: Mapping[str, int]) -> bytes:
    """A `tsvector` whose lexemes have one position: the term's frequency, weighted by class."""
    parts = [_int4(len(terms))]
    for term, count in sorted((term.encode(), count) for term, count in terms.items()):
        parts.append(term)
        if count < 256:
            parts.append(_entry_tail[count])
        else:
            parts.append(b"\0" + struct.pack(">HH", 1, 3 << 14 | min(count, _MOST_OFTEN)))
    return b"".join(parts)


def terms_literal(terms: Mapping[str, int]) -> str:
    """The same as text, for a single short value such as a title."""
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
    return _array_head(1, 0, _TEXT_OID, len(values), 1) + b"".join(
        _field(value.encode()) for value in values
    )


def chunk_rows(workspace: int, contents: Iterable[tuple[int, Sequence[Chunk]]]) -> bytes:
    """A COPY payload for `chunks`: workspace_id, content_id, n, start, length, hash, text,
    headings, terms."""
    parts = [_HEADER]
    workspace_field = _int8_field(8, workspace)
    for content, chunks in contents:
        content_field = _int8_field(8, content)
        for chunk in chunks:
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
                _field(term_vector(chunk.terms)),
            )
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
    workspace: int, version: int, signatures: Iterable[tuple[int, Sequence[int]]]
) -> bytes:
    """A COPY payload of (workspace_id, content_id, version, compared, bands).

    Who has no bands has nothing to be compared with.
    """
    parts = [_HEADER]
    workspace_field = b"\0\x05" + _int8_field(8, workspace)
    version_field = struct.pack(">ih", 2, version)
    for content, bands in signatures:
        parts += (
            workspace_field,
            _int8_field(8, content),
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
