"""What travels between the coordinator and its worker processes. Picklable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from syncline.core.errors import SourceError
from syncline.core.model import Content, ContentHash, Entry, Json
from syncline.store.results import Broken, Item
from syncline.store.runs import RunRef

__all__ = ["BatchDone", "RunContext", "WorkItem", "as_broken"]


class RunContext(Struct, frozen=True):
    """What a worker must know of a run, once."""

    run: RunRef
    database: Mapping[str, str]
    """Connection parameters; they hold a password, so this never goes into a log."""
    kind: str
    options: Mapping[str, Json]
    options_version: int
    filter: Mapping[str, Json]
    now: datetime | None = None
    """Where a window that moves with the clock ends; None where the filter has none."""
    plan: bool = False
    """Decide everything, write nothing."""


class WorkItem(Struct, frozen=True):
    """One entry to be read, prepared and stored."""

    entry: Entry
    partition: str
    revision: int
    """Of its manifest row, taken before it was fetched; 0 if it has none."""
    content: Content | None = None
    """None where the worker fetches for itself."""
    follow_canonical: bool = True
    """False once its canonical link is known to lead nowhere."""
    cost: int = 0
    """Bytes, for the size of batches."""


class BatchDone(Struct, frozen=True):
    """What became of a batch."""

    counts: Mapping[str, int]
    conflicts: Sequence[str] = ()
    """Entries that changed in the store meanwhile: to be read again."""
    aliases: Sequence[tuple[str, str]] = ()
    """Entries that say they are another's document, with that other's id: decided at the end."""
    created: Sequence[tuple[str, ContentHash]] = ()
    """For a plan: new documents, by which moves are recognised."""
    removed: Sequence[tuple[str, str]] = ()
    """For a plan: documents that would go, with the reason."""
    items: Sequence[Item] = ()
    """For a plan: what the report would say of single entries."""


def as_broken(error: Exception) -> Broken:
    """A failure as it is recorded: the source's own words, or our fault by its type."""
    if isinstance(error, SourceError):
        return Broken(error.code, str(error))
    return Broken("bad_content", f"it could not be read: {type(error).__name__}: {error}")
