"""Taking a listing in: each entry is noted, looked up, and sent on its way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from time import monotonic

from msgspec import Struct
from msgspec.structs import replace

from syncline.core.capabilities import Changes
from syncline.core.errors import BreakerOpen, HostHeld, SourceError, Unauthorized
from syncline.core.failpoints import Failpoint, hit
from syncline.core.model import (
    Change,
    Checkpoint,
    Cursor,
    Entry,
    EntryKey,
    Failed,
    Gone,
    Json,
    Outcome,
    Partition,
)
from syncline.store.cursors import store_cursor
from syncline.store.database import Connection
from syncline.store.manifest import Known, look_up, note_seen, outdated
from syncline.store.results import Broken, Item
from syncline.store.results import Gone as GoneVerdict
from syncline.store.runs import RunRef
from syncline.sync.checkpoints import Checkpoints
from syncline.sync.dispatch import Dispatcher
from syncline.sync.originals import read_originals
from syncline.sync.triage import Read, Rules, Settled, Store, triage
from syncline.sync.work import WorkItem

__all__ = ["Intake"]

_PAGE = 500
_IDLE_SECONDS = 0.5
_LONGEST_ID = 8192


class Intake:
    """Reads the partitions of one run."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        database: Connection,
        run: RunRef,
        rules: Rules,
        stop: asyncio.Event,
        stored_filter: Mapping[str, Json],
    ) -> None:
        """`stored_filter` is the connection's, as it was stored when the run began."""
        self._dispatcher = dispatcher
        self._database = database
        self._run = run
        self._rules = rules
        self._stop = stop
        self._filter = stored_filter
        self._checkpoints: dict[str, Checkpoints] = {}
        self._began: dict[str, float] = {}
        """When a partition's listing was begun, by the monotonic clock."""
        self.errors: list[SourceError] = []
        """What ended partitions early."""
        self.complete = True
        """Whether every listing so far was read to its end, with nothing left out."""

    async def read(self, partition: Partition, stream: AsyncIterator[Change]) -> None:
        """Read a partition's stream to its end, and send its entries on their way.

        A failure of the source ends the partition, not the run; unless it is about the whole
        of it: refused credentials, or a host that is not to be asked for a while.
        """
        self._checkpoints[partition.id] = Checkpoints()
        self._began[partition.id] = monotonic()
        try:
            async with aclosing(_pages(stream, self._stop, self._dispatcher.flush)) as pages:
                async for page in pages:
                    await self._take(partition.id, page)
                    await self.store_cursors()
                    if self._dispatcher.ended is not None:
                        break
        except Unauthorized:
            raise  # so would every other partition
        except (HostHeld, BreakerOpen) as error:
            self._dispatcher.ended = error
        except SourceError as error:
            self.errors.append(error)
            where = partition.title or partition.id or "the listing"
            self._incomplete(f"{where}: {error}", error.hint)
        if self._stop.is_set() or self._dispatcher.ended is not None:
            self.complete = False

    def _incomplete(self, reason: str, hint: str | None = None) -> None:
        self.complete = False
        self._dispatcher.flight.report.leave_out(reason, hint)

    async def store_cursors(self) -> None:
        """Move the cursors to where everything before them is settled."""
        for partition, checkpoints in self._checkpoints.items():
            cursor = checkpoints.ready()
            if cursor is not None and not self._dispatcher.plan:
                async with self._dispatcher.exclusive():
                    await store_cursor(self._database, self._run, partition, cursor, self._filter)

    # --- one page ----------------------------------------------------------------------------

    async def _take(self, partition: str, page: Sequence[Change]) -> None:
        """Changes to different entries are looked up together; an entry's own keep their order."""
        group: dict[EntryKey, Entry | Gone | _Failure] = {}
        for change in page:
            if isinstance(change, Checkpoint):
                await self._take_group(partition, group)
                group = {}
                self._checkpoints[partition].mark(change.cursor)
                continue
            if change.id is None:
                assert isinstance(change, Failed)
                self._incomplete(change.message)
                # Never settled: what is missing may lie before any later checkpoint.
                self._checkpoints[partition].begin()
                continue
            usable = _usable(change)
            if usable.key in group:
                await self._take_group(partition, group)
                group = {}
            group[usable.key] = usable
        await self._take_group(partition, group)

    async def _take_group(
        self, partition: str, group: Mapping[EntryKey, Entry | _Failure | Gone]
    ) -> None:
        if not group:
            return
        if self._rules.capabilities.changes is Changes.FEED:
            await self._dispatcher.not_under_way(list(group))
        listed = [key for key, change in group.items() if not isinstance(change, Gone)]
        async with self._dispatcher.exclusive():
            repeated = await note_seen(self._database, self._run, listed)
            known = await look_up(self._database, self._run, list(group))
        hit(Failpoint.LISTING_NOTED)
        self._dispatcher.flight.progress.listed += len(listed)
        self._dispatcher.flight.report.tally["listed"] += len(listed)
        originals: list[tuple[Entry, Known]] = []
        for key, change in group.items():
            segment = self._checkpoints[partition].begin()
            settle = partial(self._checkpoints[partition].settle, segment)
            self._dispatcher.flight.begin(key, settle)
            row = known.get(key)
            if isinstance(change, Gone):
                await self._take_gone(partition, change, row)
            elif isinstance(change, _Failure):
                verdict = Broken(change.code, change.message)
                revision = 0 if row is None else row.revision
                await self._dispatcher.note(change.entry, partition, revision, verdict)
            elif await self._take_entry(partition, change, row, key in repeated):
                assert row is not None
                originals.append((change, row))
        if originals:
            await self._from_originals(partition, originals)

    async def _take_gone(self, partition: str, gone: Gone, known: Known | None) -> None:
        if known is None:
            self._dispatcher.flight.settled(gone.key)
            return
        entry = Entry(gone.id, known.version, known.locator)
        await self._dispatcher.note(entry, partition, known.revision, GoneVerdict(gone.reason))

    async def _take_entry(
        self, partition: str, entry: Entry, known: Known | None, repeated: bool
    ) -> bool:
        """Send one entry on its way; True if its kept original is to be read instead."""
        dispatcher = self._dispatcher
        decision = triage(entry, known, self._rules)
        again = isinstance(decision, Settled) or (
            self._rules.capabilities.changes is Changes.LISTING
        )
        if repeated and again:
            item = Item("repeated", entry.id, "listed more than once")
            dispatcher.flight.count(Outcome.REPEATED, {}, item)
            dispatcher.flight.settled(entry.key)
            return False
        revision = 0 if known is None else known.revision
        match decision:
            case Settled():
                dispatcher.flight.count(decision.outcome, decision.counts, decision.item)
                dispatcher.flight.settled(entry.key)
            case Store():
                await dispatcher.note(entry, partition, revision, decision.verdict)
            case Read(original=True):
                dispatcher.flight.progress.changed += 1
                return True
            case Read():
                dispatcher.flight.progress.changed += 1
                if entry.content is not None and not self._overtaken(partition, known):
                    bare = replace(entry, content=None)
                    cost = len(entry.content.data)
                    await dispatcher.prepare(
                        WorkItem(bare, partition, revision, entry.content, cost=cost)
                    )
                else:
                    await dispatcher.read(entry, partition, revision, decision.validators)
        return False

    def _overtaken(self, partition: str, known: Known | None) -> bool:
        """Whether somebody has read the entry since its listing began, as another lane may: then
        what the listing brought along may be older than what is stored, and it is asked for."""
        began = self._began.get(partition)
        return known is not None and began is not None and known.age < monotonic() - began

    async def _from_originals(self, partition: str, wanted: Sequence[tuple[Entry, Known]]) -> None:
        """The pipeline has changed, the entries have not: what we kept of them serves."""
        for entry, known in wanted:
            async with self._dispatcher.exclusive():
                kept = await read_originals(self._database, self._run, [entry.key])
            content = kept.get(entry.key)
            if content is None:
                await self._dispatcher.read(entry, partition, known.revision, None)
            else:
                self._dispatcher.flight.report.tally["read_from_originals"] += 1
                await self._dispatcher.prepare(
                    WorkItem(entry, partition, known.revision, content, cost=len(content.data))
                )

    # --- where many share a run -----------------------------------------------------------------

    def set_aside(self, partition: str) -> tuple[Cursor | None, list[tuple[WorkItem, str]]]:
        """What can only be decided when all is read: entries that are another's document, and the
        cursor that may be stored with them."""
        aliases = self._dispatcher.set_aside()
        return self._checkpoints[partition].ready(), aliases

    def take_up(
        self, partition: str, cursor: Cursor | None, aliases: Sequence[tuple[WorkItem, str]]
    ) -> None:
        """What another process has set aside."""
        checkpoints = self._checkpoints[partition] = Checkpoints()
        for item, target in aliases:
            settle = partial(checkpoints.settle, checkpoints.begin())
            self._dispatcher.flight.begin(item.entry.key, settle)
            self._dispatcher.aliases[item.entry.id] = (item, target)
        if cursor is not None:
            checkpoints.mark(cursor)

    # --- besides the listing -------------------------------------------------------------------

    async def retry(self, failing: Mapping[EntryKey, Known]) -> None:
        """Try once more what failed in earlier runs, from the stored locators."""
        if not failing:
            return
        async with self._dispatcher.exclusive():
            await note_seen(self._database, self._run, list(failing))
        tally = self._dispatcher.flight.report.tally
        tally["retried"] += len(failing)
        tally["listed"] += len(failing)
        self._dispatcher.flight.progress.listed += len(failing)
        for known in failing.values():
            self._dispatcher.flight.begin(known.entry_key, lambda: None)
            entry = Entry(known.entry_id, None, known.locator)
            await self._dispatcher.read(entry, known.partition, known.revision, None)
        await self._dispatcher.drain()

    async def reread(self) -> None:
        """Let this pipeline read what another one has read, though the source lists no change."""
        fingerprints = (self._rules.fingerprint, self._rules.window_fingerprint)
        after = b""
        while not self._stop.is_set():
            async with self._dispatcher.exclusive():
                page = await outdated(
                    self._database, self._run, fingerprints, after=after, limit=_PAGE
                )
            if not page:
                break
            after = max(page)
            for partition in {known.partition for known in page.values()}:
                self._checkpoints.setdefault(partition, Checkpoints())
                entries = {
                    key: Entry(known.entry_id, known.version, known.locator)
                    for key, known in page.items()
                    if known.partition == partition
                }
                await self._take_group(partition, entries)
        await self._dispatcher.drain()


class _Failure:
    """An entry that could not be listed properly, with what is known of it."""

    __slots__ = ("code", "entry", "message")

    def __init__(self, entry: Entry, code: str, message: str) -> None:
        self.entry = entry
        self.code = code
        self.message = message

    @property
    def key(self) -> EntryKey:
        return self.entry.key


def _usable(change: Entry | Gone | Failed) -> Entry | Gone | _Failure:
    """The change, or what is wrong with it: no id reaches the store that it cannot hold."""
    assert change.id is not None
    entry_id = change.id
    encoded = entry_id.encode("utf-8", "replace")
    if "\0" in entry_id or len(encoded) > _LONGEST_ID or encoded.decode() != entry_id:
        shown = encoded.decode().replace("\0", "\N{REPLACEMENT CHARACTER}")[:_LONGEST_ID]
        entry = Entry(shown, None, {})
        return _Failure(entry, "bad_content", "the source gave it an id that cannot be stored")
    if isinstance(change, Failed):
        entry = Entry(entry_id, None, change.locator or {})
        return _Failure(entry, change.code, change.message)
    return change


async def _pages(
    stream: AsyncIterator[Change], stop: asyncio.Event, when_idle: Callable[[], Awaitable[None]]
) -> AsyncGenerator[list[Change], None]:
    """A stream in pages: as many as are there, so that a slow source does not hold up its own."""
    queue: asyncio.Queue[Change | _End] = asyncio.Queue(2 * _PAGE)
    task = asyncio.create_task(_pump(stream, queue, stop))
    try:
        while True:
            try:
                page = [await asyncio.wait_for(queue.get(), _IDLE_SECONDS)]
            except TimeoutError:
                if stop.is_set():
                    return
                await when_idle()
                continue
            while len(page) < _PAGE and not queue.empty():
                page.append(queue.get_nowait())
            changes = [change for change in page if not isinstance(change, _End)]
            if changes:
                yield changes
            end = page[-1]
            if isinstance(end, _End):
                if end.error is not None:
                    raise end.error
                return
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class _End(Struct, frozen=True):
    error: BaseException | None = None


async def _pump(
    stream: AsyncIterator[Change], queue: asyncio.Queue[Change | _End], stop: asyncio.Event
) -> None:
    try:
        async for change in stream:
            await queue.put(change)
            if stop.is_set():
                break
        await queue.put(_End())
    except Exception as error:  # noqa: BLE001 - handed to the reader, in its place
        await queue.put(_End(error))
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()
