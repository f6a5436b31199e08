"""A feed does not tell of everything: now and then its source's complete list is read."""

from __future__ import annotations

from collections.abc import Sequence

from syncline.core.capabilities import Absence, Capabilities, Changes
from syncline.core.jobs import NewJob
from syncline.core.model import Mode
from syncline.store.database import Connection
from syncline.store.jobs import enqueue
from syncline.store.reconciles import due_reconciles
from syncline.store.sync_queue import limit_keys
from syncline.sync.sync_job import RECONCILE

__all__ = ["needs_reconciling", "run_once"]

_MOST = 500
_REST_SECONDS = 900.0
"""Between two tries, also of a connection whose feed is believed for no time at all."""


def needs_reconciling(can: Capabilities) -> bool:
    """Whether an incremental run leaves something unsaid that an enumeration says."""
    return can.changes is Changes.FEED and can.absence is not Absence.NOTHING


async def run_once(db: Connection, kinds: Sequence[str], *, with_default: bool) -> int:
    """Ask for an enumeration of each connection whose last one is too old; of how many.

    `kinds` are those that need it.
    """
    found = await due_reconciles(
        db, kinds, with_default=with_default, rest=_REST_SECONDS, most=_MOST
    )
    made = await enqueue(
        db,
        [
            NewJob(
                each.workspace_id,
                RECONCILE,
                {"mode": Mode.RECONCILE.value},
                each.id,
                dedupe_key=f"reconcile {each.workspace_id}/{each.id}",
                limit_keys=limit_keys(each.source, each.credential),
            )
            for each in found
        ],
    )
    return len(made)
