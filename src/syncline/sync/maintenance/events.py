"""Old events go, and what alerts no longer need."""

from __future__ import annotations

from syncline.store.database import Connection
from syncline.store.upkeep import forget_alerts, forget_events

__all__ = ["run_once"]

_MOST = 5000


async def run_once(db: Connection, days: float) -> int:
    """Remove events older than this, and alerts that nobody took in that time; how many."""
    removed = 0
    while some := await forget_events(db, days=days, most=_MOST):
        removed += some
    return removed + await forget_alerts(db, days=days)
