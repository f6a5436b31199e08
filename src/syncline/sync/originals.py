"""Fetched contents, as they are kept for another pipeline to read again."""

from __future__ import annotations

import zlib
from typing import Any

from msgspec import convert, to_builtins
from psycopg.rows import tuple_row

from syncline.core.model import Content, EntryKey, Json, Metadata
from syncline.store.database import Connection
from syncline.store.runs import RunRef

__all__ = ["LARGEST_ORIGINAL", "pack", "read_originals"]

LARGEST_ORIGINAL = 1_000_000
"""Bytes; larger contents are fetched again instead."""
_LEVEL = 3


def pack(content: Content) -> tuple[Json, bytes] | None:
    """A content's envelope and its compressed bytes; None if it is too large to keep."""
    if len(content.data) > LARGEST_ORIGINAL:
        return None
    envelope = {
        "media_type": content.media_type,
        "charset": content.charset,
        "metadata": to_builtins(content.metadata),
        "principals": content.principals,
        "version": content.version,
        "validators": dict(content.validators),
        "alias_of": content.alias_of,
        "directives": content.directives,
    }
    return envelope, zlib.compress(content.data, _LEVEL)


def _unpack(envelope: dict[str, Any], data: bytes) -> Content:
    principals = envelope["principals"]
    return Content(
        data=zlib.decompress(data),
        media_type=envelope["media_type"],
        charset=envelope["charset"],
        metadata=convert(envelope["metadata"], Metadata),
        principals=None if principals is None else tuple(principals),
        version=envelope["version"],
        validators=envelope["validators"],
        alias_of=envelope["alias_of"],
        directives=tuple(envelope["directives"]),
    )


async def read_originals(
    db: Connection, run: RunRef, keys: list[EntryKey]
) -> dict[EntryKey, Content]:
    """The kept originals of these entries."""
    async with db.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            "SELECT entry_key, envelope, data FROM originals"
            " WHERE workspace_id = %s AND connection_id = %s AND entry_key = ANY(%s)",
            (run.workspace_id, run.connection_id, keys),
        )
        return {EntryKey(row[0]): _unpack(row[1], row[2]) for row in await cursor.fetchall()}
