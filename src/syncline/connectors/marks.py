"""Marks that a connector leaves for itself: versions of what it has read, and stored cursors."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, AsyncIterator
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TypeVar

from syncline.core.errors import Rejected
from syncline.core.model import Change, Checkpoint, Cursor, Failed

__all__ = ["cursor_moment", "cursor_value", "digest", "ending_at"]

V = TypeVar("V")


def digest(*parts: object, data: bytes = b"") -> str:
    """Moves with any of the parts (JSON, dates, tuples), and with the data."""
    known = json.dumps(parts, sort_keys=True, default=str, separators=(",", ":"))
    hashed = blake2b(known.encode(), digest_size=12)
    hashed.update(data)
    return hashed.hexdigest()


def cursor_value(cursor: Cursor, version: int, kind: type[V]) -> V:
    """What a stored cursor holds. Raises `Rejected` where other code has written it."""
    if cursor.version != version or not isinstance(cursor.value, kind):
        raise Rejected(
            f"The cursor was written by another version of this connector ({cursor.version})",
            hint="Upgrade Syncline here too, or read all of it again with --full.",
        )
    return cursor.value


def cursor_moment(cursor: Cursor, version: int, name: str) -> datetime:
    """The moment of this name in a stored cursor: in ISO 8601, or in epoch seconds.

    Raises as `cursor_value`.
    """
    stored = cursor_value(cursor, version, dict)[name]
    if isinstance(stored, str):
        return datetime.fromisoformat(stored)
    return datetime.fromtimestamp(stored, UTC)


async def ending_at(cursor: Cursor, changes: AsyncIterable[Change]) -> AsyncIterator[Change]:
    """The changes, and a checkpoint after them, if none was missing from the list."""
    whole = True
    async for each in changes:
        whole = whole and not (isinstance(each, Failed) and each.id is None)
        yield each
    if whole:
        yield Checkpoint(cursor)
