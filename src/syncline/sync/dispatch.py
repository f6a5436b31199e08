"""Fetching, and handing batches to the workers: with bounds, and with every entry answered for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Sequence
from itertools import count
from types import TracebackType
from typing import Self

from msgspec.structs import replace

from syncline.core.errors import BreakerOpen, HostHeld, RateLimited
from syncline.core.model import Content, Entry, EntryKey, Gone, NotModified, Validators
from syncline.core.ports import Connector
from syncline.store.batches import Batch, Committed, commit_batch, write_items
from syncline.store.database import Connection
from syncline.store.manifest import look_up
from syncline.store.results import Absent, Broken, Filtered, Result, Same, Verdict
from syncline.store.runs import hold
from syncline.sync.fetching import Fetcher
from syncline.sync.flight import Flight
from syncline.sync.pool import WorkerDied, WorkerPool
from syncline.sync.report import Progress, Report
from syncline.sync.work import BatchDone, RunContext, WorkItem, as_broken
from syncline.sync.would import would

__all__ = ["Dispatcher"]

_BATCH_ENTRIES = 50
_BATCH_BYTES = 8_000_000
_NOTES = 200
"""Results without content that are stored together."""
_FETCHES = 16
_MOST_CONFLICTS = 3
_PATIENCE_SECONDS = 1.0
"""How long a batch that is not full may wait for more: a source that lets us ask slowly would make
each entry a batch of its own."""
_LOOK_SECONDS = 0.2


class Dispatcher:
    """One run's work in flight. An asynchronous context manager; leaving it waits for all."""

    def __init__(
        self,
        pool: WorkerPool,
        context_id: int,
        context: RunContext,
        connector: Connector,
        local: bool,
        report: Report,
        progress: Progress,
        on_progress: Callable[[Progress], None],
        database: Connection,
        stop: asyncio.Event,
    ) -> None:
        self._pool = pool
        self._stop = stop
        self._context_id = context_id
        self._context = context
        self._fetcher = Fetcher(connector, stop)
        self._local = local
        self.flight = Flight(report, progress, on_progress)
        self._database = database
        self._database_lock = asyncio.Lock()
        self._seq = count(1)
        self._group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[None]] = set()
        self._batch: list[WorkItem] = []
        self._cost = 0
        self._notes: list[Result] = []
        self._batches = asyncio.Semaphore(pool.size * 2)
        self._fetches = asyncio.Semaphore(_FETCHES)
        self._conflicts: dict[EntryKey, int] = {}
        self.aliases: dict[str, tuple[WorkItem, str]] = {}
        """Entries that are another's document, undecided until the listing has ended."""
        self.ended: HostHeld | BreakerOpen | None = None
        """Why the source is not asked any more: what is left is for the next run."""
        self._limited: dict[EntryKey, tuple[WorkItem, RateLimited]] = {}
        """Entries that were refused until later; whether they alone, the next answers tell."""

    @property
    def plan(self) -> bool:
        """Whether nothing is to be written."""
        return self._context.plan

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._group.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            raise _first(group) from group
        finally:
            self._fetcher.close()
            await self._pool.forget(self._context_id)

    def exclusive(self) -> asyncio.Lock:
        """The lock for the run's database connection: its users' transactions must not mix."""
        return self._database_lock

    # --- taking work -------------------------------------------------------------------------

    async def not_under_way(self, keys: Sequence[EntryKey]) -> None:
        """Wait until none of these entries is under way, so that its changes keep their order."""
        for key in keys:
            if key in self._limited:
                await self._fail_limited()
            while (landing := self.flight.landing(key)) is not None:
                await self.flush()
                await asyncio.wait({landing}, timeout=_LOOK_SECONDS)

    async def read(
        self, entry: Entry, partition: str, revision: int, validators: Validators | None
    ) -> None:
        """Have an entry fetched, prepared and stored."""
        item = WorkItem(entry, partition, revision, cost=entry.size or 0)
        if self._stop.is_set() or self.ended is not None:
            self.flight.leave(entry.key)
        elif self._local:
            await self.prepare(item)
        else:
            await self._fetches.acquire()
            self._spawn(self._fetch(item, validators))

    async def read_alone(self, item: WorkItem) -> None:
        """Have an entry read whose canonical link leads nowhere: it has a document of its own."""
        item = replace(item, follow_canonical=False)
        if self._local:
            await self.prepare(item)
            return
        await self._fetches.acquire()
        self._spawn(self._fetch(item, None))

    async def prepare(self, item: WorkItem) -> None:
        """Have an item whose content is at hand (or at the worker's) prepared and stored."""
        self._batch.append(item)
        self._cost += item.cost
        if len(self._batch) >= _BATCH_ENTRIES or self._cost >= _BATCH_BYTES:
            await self._send_batch()

    async def note(
        self,
        entry: Entry,
        partition: str,
        revision: int,
        verdict: Verdict,
        validators: Validators | None = None,
    ) -> None:
        """Have a verdict stored that needs no worker."""
        self._notes.append(
            Result(
                entry.id,
                entry.key,
                partition,
                entry.parent,
                entry.locator,
                entry.version,
                validators or {},
                revision,
                verdict,
            )
        )
        if len(self._notes) >= _NOTES:
            await self._store_notes()

    async def flush(self) -> None:
        """Send what has been gathered, although it is less than a full batch."""
        await self._write_lines()
        await self._store_notes()
        await self._send_batch()

    async def drain(self) -> None:
        """Wait until everything is settled."""
        while True:
            await self.flush()
            if self._tasks:
                # Not until all are done: a slow fetch must not keep the others' batch waiting.
                await asyncio.wait(self._tasks, timeout=_PATIENCE_SECONDS)
            elif self._limited:
                await self._fail_limited()
            elif not (self._notes or self._batch or self.flight.has_lines):
                # What came in while the flush was writing has been sent as well.
                return

    # --- fetching ----------------------------------------------------------------------------

    async def _fetch(self, item: WorkItem, validators: Validators | None) -> None:
        entry = item.entry
        try:
            answer = await self._fetcher.ask(entry.locator, validators)
            if self._limited and isinstance(answer, Content | NotModified | Gone):
                await self._fail_limited()
            match answer:
                case None:
                    self.flight.leave(entry.key)
                case HostHeld() | BreakerOpen():
                    self._end(answer, item)
                case RateLimited():
                    self._limited[entry.key] = (item, answer)
                case Broken():
                    await self._give_up(item, answer)
                case Content():
                    cost = len(answer.data)
                    await self.prepare(replace(item, content=answer, cost=cost))
                case NotModified():
                    kept = answer.validators or validators
                    await self.note(entry, item.partition, item.revision, Same(), kept)
                case Gone():
                    verdict = Absent(answer.reason)
                    await self.note(entry, item.partition, item.revision, verdict)
        finally:
            self._fetches.release()

    def _end(self, error: HostHeld | BreakerOpen, item: WorkItem) -> None:
        """The whole host is not to be asked: no entry fails for that."""
        if self.ended is None:
            self.ended = error
        self.flight.leave(item.entry.key)
        limited, self._limited = self._limited, {}
        for refused, _ in limited.values():
            self.flight.leave(refused.entry.key)

    async def _fail_limited(self) -> None:
        """The host answers others: these were refused for themselves."""
        limited, self._limited = self._limited, {}
        for item, error in limited.values():
            await self._give_up(item, as_broken(error))

    def leave_aliases(self, but: Collection[str] = ()) -> None:
        """The run is being ended: what would be decided at the end is left to the next one."""
        aliases, self.aliases = self.aliases, {}
        for entry_id, (item, _) in aliases.items():
            if entry_id not in but:
                self.flight.leave(item.entry.key)

    def set_aside(self) -> list[tuple[WorkItem, str]]:
        """Leave to another process what is undecided until the listing has ended."""
        aliases, self.aliases = self.aliases, {}
        for item, _ in aliases.values():
            self.flight.set_aside(item.entry.key)
        return list(aliases.values())

    # --- batches -----------------------------------------------------------------------------

    async def _send_batch(self) -> None:
        batch, self._batch, self._cost = self._batch, [], 0
        if batch:
            await self._batches.acquire()
            self._spawn(self._run_batch(batch))

    async def _run_batch(self, items: list[WorkItem]) -> None:
        try:
            await self._answer_for(items)
        finally:
            self._batches.release()

    async def _answer_for(self, items: list[WorkItem]) -> None:
        seq = next(self._seq)
        for last in (False, True):
            try:
                done = await self._pool.run(self._context_id, self._context, seq, items)
                break
            except WorkerDied as error:
                # Sent again under its number, in case it was committed before the worker died.
                if not last:
                    continue
                if len(items) == 1:
                    message = f"the process that read it {error}"
                    await self._give_up(items[0], Broken("bad_content", message))
                    return
                for item in items:
                    await self._answer_for([item])
                return
        await self._absorb(items, done)

    async def _give_up(self, item: WorkItem, verdict: Broken) -> None:
        await self.note(item.entry, item.partition, item.revision, verdict)

    async def _absorb(self, items: Sequence[WorkItem], done: BatchDone) -> None:
        self.flight.report.add(done.counts)
        if self.plan:
            self.flight.note_plan(done)
        self.flight.progress.written += done.counts.get("created", 0) + done.counts.get(
            "updated", 0
        )
        aliases = dict(done.aliases)
        conflicts = set(done.conflicts)
        for item in items:
            if item.entry.id in aliases:
                self.aliases[item.entry.id] = (replace(item, content=None), aliases[item.entry.id])
                self.flight.undecided(item.entry.key)
            elif item.entry.id in conflicts:
                await self._again(item)
            else:
                self.flight.settled(item.entry.key)

    async def _again(self, item: WorkItem) -> None:
        """Another lane has written this entry since we asked for it: ask once more."""
        key = item.entry.key
        self._conflicts[key] = self._conflicts.get(key, 0) + 1
        async with self._database_lock:
            known = await look_up(self._database, self._context.run, [key])
        revision = known[key].revision if key in known else 0
        if self._conflicts[key] > _MOST_CONFLICTS:
            verdict = Broken("transient", "it kept changing while it was being stored")
            await self.note(item.entry, item.partition, revision, verdict)
            return
        entry = replace(item.entry, content=None)
        again = replace(item, entry=entry, revision=revision, content=None)
        if self._local:
            await self._answer_for([again])
            return
        self._spawn(self._fetch_when_possible(again))

    async def _fetch_when_possible(self, item: WorkItem) -> None:
        # Waiting here, not in the batch that asks: a fetch may itself be waiting for a batch.
        await self._fetches.acquire()
        await self._fetch(item, None)

    # --- results without content --------------------------------------------------------------

    async def _store_notes(self) -> None:
        notes, self._notes = self._notes, []
        if not notes:
            return
        if self.plan:
            async with self._database_lock:
                known = await look_up(self._database, self._context.run, [r.key for r in notes])
            done = would(notes, known)
            self.flight.note_plan(done)
            self.flight.report.add(done.counts)
        else:
            batch = Batch(self._context.run, next(self._seq), notes)
            async with self._database_lock:
                committed: Committed = await commit_batch(self._database, batch)
            self.flight.report.add(committed.counts)
            conflicts = set(committed.conflicts)
            for result in [r for r in notes if r.entry_id in conflicts]:
                await self._note_again(result)
            notes = [r for r in notes if r.entry_id not in conflicts]
        for result in notes:
            self.flight.settled(result.key)

    async def _note_again(self, result: Result) -> None:
        entry = Entry(result.entry_id, result.version, result.locator, parent=result.parent)
        async with self._database_lock:
            known = await look_up(self._database, self._context.run, [result.key])
        row = known.get(result.key)
        revision = 0 if row is None else row.revision
        if isinstance(result.verdict, Filtered | Absent | Same):
            # What was decided from an older state is decided again from the source.
            item = WorkItem(entry, result.partition, revision)
            await self._again(item)
            return
        await self.note(entry, result.partition, revision, result.verdict, result.validators)

    async def _write_lines(self) -> None:
        lines = self.flight.take_lines()
        if self.plan:
            for line in lines:
                self.flight.report.sample(line.kind, line.entry_id)
        elif lines:
            async with self._database_lock, self._database.transaction():
                await hold(self._database, self._context.run)
                await write_items(self._database, self._context.run, lines)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        try:
            task = self._group.create_task(work)
        except RuntimeError:  # the group is ending because something else failed
            work.close()
            raise
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first failure of a group: the others followed from it."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
