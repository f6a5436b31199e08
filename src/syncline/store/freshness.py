"""Saying of connections that they are too far behind. It looks across workspaces."""

from __future__ import annotations

from syncline.core.events import EventKind
from syncline.store.database import Connection
from syncline.store.health_read import LAG

__all__ = ["note_missed_freshness"]


async def note_missed_freshness(db: Connection, *, with_default: bool, limit: float) -> int:
    """Emit an event for each that has missed its target, or, without one, is `limit` seconds late.

    Once until it is fresh again. Answers how many are behind by so much.
    """
    found = await db.execute(
        "SELECT raise_trouble(workspace_id, connection_id, %(kind)s, jsonb_build_object("
        "'lag_seconds', round(lag), 'target_seconds', target), true)"
        f" FROM ({LAG}) l WHERE lag > CASE WHEN target IS NULL THEN %(limit)s ELSE 0 END",
        {
            "workspace": None,
            "with_default": with_default,
            "limit": limit,
            "kind": EventKind.FRESHNESS_MISSED.value,
        },
    )
    return len(await found.fetchall())
