"""Hashes that say whether anything changed. Stable across processes, machines and releases."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b

from syncline.core.model import ContentHash, Json, Metadata
from syncline.pipeline.chunk import CHUNKER_VERSION, Chunking
from syncline.pipeline.extract import EXTRACTOR_VERSION
from syncline.pipeline.filter import Filter
from syncline.pipeline.terms import TERMS_VERSION

__all__ = [
    "attributes_hash",
    "content_hash",
    "index_fingerprint",
    "pipeline_fingerprint",
    "window_fingerprint",
]


def content_hash(text: str, stemming: str) -> ContentHash:
    """The identity of a normalised text, and of its stemming language unless that is English."""
    hashed = blake2b(text.encode(), digest_size=32)
    if stemming != "english":
        # A normalised text holds no NUL, so no text can end like this.
        hashed.update(b"\0" + stemming.encode())
    return ContentHash(hashed.digest())


def attributes_hash(metadata: Metadata, principals: tuple[str, ...] | None) -> bytes:
    """16 bytes over everything of a document but its content: metadata and access list.

    Not over `updated_at`, which moves with the version: a file that was only touched, or a
    page that was saved unchanged, is the same document.
    """
    return _hash(
        {
            "authors": metadata.authors,
            "categories": metadata.categories,
            "created_at": _moment(metadata.created_at),
            "language": metadata.language,
            "principals": None if principals is None else sorted(set(principals)),
            "properties": dict(metadata.properties),
            "tags": metadata.tags,
            "title": metadata.title,
            "url": metadata.url,
        }
    )


def pipeline_fingerprint(filter: Filter, chunking: Chunking) -> bytes:  # noqa: A002  (the field's word)
    """16 bytes over what decides how a content is stored; another one means: read it again.

    The reading window is not part of it, because a window removes nothing; nor is the embedder,
    because what lacks another one's embedding is known without reading anything.
    """
    return _hash(
        [
            filter.membership_key,
            EXTRACTOR_VERSION,
            CHUNKER_VERSION,
            chunking.size,
            chunking.overlap,
            TERMS_VERSION,
        ]
    )


def index_fingerprint(chunking: Chunking) -> bytes:
    """16 bytes over how a content is cut and tokenised, whoever brought it."""
    return _hash([CHUNKER_VERSION, chunking.size, chunking.overlap, TERMS_VERSION])


def window_fingerprint(pipeline: bytes, filter: Filter) -> bytes:  # noqa: A002  (the field's word)
    """16 bytes over a pipeline fingerprint and the reading window."""
    return _hash([pipeline.hex(), filter.window_key])


def _hash(value: dict[str, Json] | Sequence[Json]) -> bytes:
    written = json.dumps(value, sort_keys=True, separators=(",", ":"), default=_written)
    return blake2b(written.encode(), digest_size=16).digest()


def _written(value: object) -> Json:
    """Properties may hold what JSON has no word for: times, sets."""
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return str(value)


def _moment(value: datetime | None) -> str | None:
    if value is None:
        return None
    aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return aware.isoformat()
