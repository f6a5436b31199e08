"""What the guard holds, and a person's word on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from msgspec import Struct

from syncline.core.errors import NotHere
from syncline.core.model import ConnectionId, EntryKey, Json, WorkspaceId
from syncline.store.database import Connection
from syncline.store.held import HeldDeletion, approve_held, list_held, reject_held
from syncline.sync.sources import find_named

__all__ = ["Decided", "HeldGroup", "approve", "held_groups", "reject"]


class HeldGroup(Struct, frozen=True):
    """One connection's held deletions."""

    connection: str
    since: datetime
    reasons: dict[str, int]
    """How many for each reason."""
    documents: Sequence[HeldDeletion]

    def as_json(self) -> dict[str, Json]:
        """The documented fields."""
        return {
            "connection": self.connection,
            "held": len(self.documents),
            "since": self.since.isoformat(),
            "reasons": self.reasons,
            "documents": [
                {
                    "id": each.document,
                    "entry": each.entry_id,
                    "title": each.title,
                    "url": each.url,
                    "reason": each.reason,
                    "since": each.since.isoformat(),
                }
                for each in self.documents
            ],
        }


class Decided(Struct, frozen=True):
    """What came of a person's word."""

    decided: int
    not_held: int
    """Asked for, but no longer held: the source listed them again, or someone was quicker."""

    def as_json(self) -> dict[str, Json]:
        """The documented fields."""
        return {"decided": self.decided, "not_held": self.not_held}


async def held_groups(
    db: Connection, workspace: WorkspaceId, connection: str | None = None
) -> list[HeldGroup]:
    """Everything that is held, by connection. Raises `NotHere` for an unknown one."""
    only = None if connection is None else (await find_named(db, workspace, connection)).id
    groups: dict[str, list[HeldDeletion]] = {}
    for held in await list_held(db, workspace, connection=only):
        groups.setdefault(held.connection, []).append(held)
    return [
        HeldGroup(
            name,
            min(each.since for each in documents),
            dict(Counter(each.reason for each in documents).most_common()),
            documents,
        )
        for name, documents in groups.items()
    ]


async def approve(db: Connection, workspace: WorkspaceId, what: Sequence[str | int]) -> Decided:
    """Delete what is held: of the connections named, or of the documents with these ids.

    The deleted documents become tombstones and can be restored. Raises `NotHere` for a name
    that is no connection's.
    """
    return await _decide(db, workspace, what, approve_held)


async def reject(db: Connection, workspace: WorkspaceId, what: Sequence[str | int]) -> Decided:
    """Keep what is held, whatever the source says, until it is listed again."""
    return await _decide(db, workspace, what, reject_held)


_Apply = Callable[[Connection, WorkspaceId, ConnectionId, Sequence[EntryKey]], Awaitable[int]]


async def _decide(
    db: Connection, workspace: WorkspaceId, what: Sequence[str | int], apply: _Apply
) -> Decided:
    if not what:
        raise NotHere(
            "Nothing was named.", hint="Give a connection's name, or documents' ids from the list."
        )
    names = [each for each in what if not str(each).isdigit()]
    documents = {int(each) for each in what if str(each).isdigit()}
    connections = {(await find_named(db, workspace, str(name))).id for name in names}
    chosen: dict[ConnectionId, list[EntryKey]] = {}
    missing = set(documents)
    for held in await list_held(db, workspace):
        if held.connection_id in connections or held.document in documents:
            chosen.setdefault(held.connection_id, []).append(held.entry_key)
            missing.discard(held.document)
    decided = 0
    asked = 0
    for connection, keys in sorted(chosen.items()):
        asked += len(keys)
        decided += await apply(db, workspace, connection, sorted(keys))
    return Decided(decided, asked - decided + len(missing))
