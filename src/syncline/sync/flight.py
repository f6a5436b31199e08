"""What of a run is under way, entry by entry: each is begun once, and settled once, left, or set
aside; and counted as that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from syncline.core.model import EntryKey, Outcome
from syncline.store.results import Item
from syncline.sync.report import Progress, Report
from syncline.sync.work import BatchDone

__all__ = ["Flight"]


class Flight:
    """One process's share of a run."""

    def __init__(
        self, report: Report, progress: Progress, on_progress: Callable[[Progress], None]
    ) -> None:
        self.report = report
        self.progress = progress
        self.planned: list[BatchDone] = []
        """Of a plan: what batches would do."""
        self._on_progress = on_progress
        self._entries: dict[EntryKey, tuple[asyncio.Future[None], Callable[[], None]]] = {}
        self._lines: list[Item] = []

    def begin(self, key: EntryKey, settle: Callable[[], None]) -> None:
        """Note that an entry is under way; `settle` is called once when it is stored."""
        self._entries[key] = (asyncio.get_running_loop().create_future(), settle)

    def landing(self, key: EntryKey) -> asyncio.Future[None] | None:
        """What is done when this entry is not under way any more; None if it is not."""
        entry = self._entries.get(key)
        return None if entry is None or entry[0].done() else entry[0]

    def settled(self, key: EntryKey) -> None:
        """An entry is stored, or recorded as failed."""
        entry = self._entries.pop(key, None)
        self.progress.settled += 1
        self._on_progress(self.progress)
        if entry is not None:
            _done(entry[0])
            entry[1]()

    def undecided(self, key: EntryKey) -> None:
        """What becomes of an entry is decided at the end: its later changes need not wait."""
        _done(self._entries[key][0])

    def leave(self, key: EntryKey) -> None:
        """The run is being ended: the entry is left to the next one, as if it was not listed."""
        _done(self._entries.pop(key)[0])
        self.report.tally["listed"] -= 1
        self.progress.listed -= 1

    def set_aside(self, key: EntryKey) -> None:
        """Another process of the same run settles it: nothing waits for it here."""
        future, settle = self._entries.pop(key)
        _done(future)
        settle()

    def count(self, outcome: Outcome, counts: Mapping[str, int], item: Item | None) -> None:
        """Count an entry that was settled without any work."""
        self.report.count(outcome)
        self.report.add(counts)
        if item is not None:
            self._lines.append(item)

    @property
    def has_lines(self) -> bool:
        """Whether there is something to be told of single entries."""
        return bool(self._lines)

    def take_lines(self) -> list[Item]:
        """What there is, once."""
        lines, self._lines = self._lines, []
        return lines

    def note_plan(self, done: BatchDone) -> None:
        """What a batch would do."""
        self.planned.append(done)
        for entry_id, _ in done.created:
            self.report.sample("created", entry_id)
        for item in done.items:
            self.report.sample(item.kind, item.entry_id)


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
