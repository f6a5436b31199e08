"""The full-text index is kept in few segments, so that a word is found by few look-ups."""

from __future__ import annotations

from syncline.core.model import WorkspaceId
from syncline.store.database import Connection
from syncline.store.segments import FAN_IN, choose_segments

__all__ = ["run_once"]


async def run_once(
    db: Connection, workspace: WorkspaceId, *, fan_in: int = FAN_IN, most: int | None = None
) -> int:
    """Merge segments while that is worth it, of up to `most` chunks at a time.

    Answers how many merges there were.
    """
    merges = 0
    while segments := await choose_segments(db, workspace, fan_in=fan_in, most=most):
        from syncline.store.postings_merge import merge_segments

        if not await merge_segments(db, workspace, segments):
            break
        merges += 1
    return merges
