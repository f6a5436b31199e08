"""What results would do, for a plan: decided as a batch decides it, and nothing is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from syncline.core.model import EntryKey
from syncline.store.manifest import Known
from syncline.store.results import Broken, Filtered, Result, Same, decide
from syncline.sync.work import BatchDone

__all__ = ["would"]


def would(notes: Sequence[Result], known: Mapping[EntryKey, Known]) -> BatchDone:
    """What these results would do."""
    counts: dict[str, int] = {}
    removed = []
    items = []
    for result in notes:
        before = known.get(result.key)
        decision = decide(result, before)
        if decision.outcome is not None:
            counts[decision.outcome.value] = counts.get(decision.outcome.value, 0) + 1
        if decision.item is not None:
            items.append(decision.item)
        goes = before is not None and before.live and not isinstance(result.verdict, Broken | Same)
        if goes and not (isinstance(result.verdict, Filtered) and result.verdict.belongs):
            removed.append((result.entry_id, getattr(result.verdict, "reason", "an alias now")))
    return BatchDone(counts, removed=removed, items=items)
