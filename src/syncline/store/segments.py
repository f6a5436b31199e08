"""Which segments of the full-text index are to be merged. Every sync asks, so NumPy stays out."""

from __future__ import annotations

from syncline.core.model import WorkspaceId
from syncline.store.database import Connection

__all__ = ["FAN_IN", "choose_segments"]

FAN_IN = 16
"""So many segments of a size become one: a chunk is rewritten once for each factor of 16."""
_LARGEST = 1_000_000
"""Chunks in a segment that is left alone."""


async def choose_segments(
    db: Connection, workspace: WorkspaceId, *, fan_in: int = FAN_IN, most: int | None = None
) -> list[int]:
    """The segments to merge next; none where that would not be worth it.

    All, when more than a third of what they hold was deleted; else those of a size of which
    there are many, unless they hold more than `most` chunks together.
    """
    found = await db.execute(
        "SELECT id, chunks FROM segments WHERE workspace_id = %s ORDER BY id", (workspace,)
    )
    segments: list[tuple[int, int]] = list(await found.fetchall())
    if not segments:
        return []
    found = await db.execute("SELECT count(*) FROM chunks WHERE workspace_id = %s", (workspace,))
    row = await found.fetchone()
    assert row is not None
    if 3 * row[0] < 2 * sum(chunks for _, chunks in segments):
        return [segment for segment, _ in segments]
    levels: dict[int, list[tuple[int, int]]] = {}
    for segment, chunks in segments:
        if chunks < _LARGEST:
            levels.setdefault(chunks.bit_length() // 4, []).append((segment, chunks))
    for _, level in sorted(levels.items()):
        together = sum(chunks for _, chunks in level)
        if len(level) >= fan_in and (most is None or together <= most):
            return [segment for segment, _ in level]
    return []
