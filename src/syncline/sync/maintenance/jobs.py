"""Jobs that have ended badly are kept for a while, for somebody to look at, and then forgotten."""

from __future__ import annotations

from syncline.store.database import Connection
from syncline.store.upkeep import forget_jobs

__all__ = ["run_once"]

_MOST = 5000


async def run_once(db: Connection, days: float) -> int:
    """Remove the dead and cancelled ones that ended longer ago; answers how many."""
    removed = 0
    while some := await forget_jobs(db, days=days, most=_MOST):
        removed += some
    return removed
