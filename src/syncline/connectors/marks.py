"""Marks that a connector leaves for itself: versions of what it has read, and stored cursors."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import TypeVar

from syncline.core.errors import Rejected
from syncline.core.model import Cursor

__all__ = ["cursor_value", "digest"]

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
