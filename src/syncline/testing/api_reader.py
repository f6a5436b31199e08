"""A reader that follows a fake API as runs do: listing, and reading what is new or has changed."""

from __future__ import annotations

from collections.abc import Mapping

from syncline.core.capabilities import Absence, Changes
from syncline.core.errors import SourceError
from syncline.core.model import Checkpoint, Content, Cursor, Entry, Failed, Gone
from syncline.core.ports import Connector
from syncline.testing.api_world import ApiWorld

__all__ = ["Reader"]


class Reader:
    """What one knows who has followed a source by runs: entries and contents by id, and cursors.

    Contents are read while the list is, by the same connector, where an entry is new or has
    another version. A run that dies keeps what it has read; what could not be read is tried again
    by the next.
    """

    def __init__(self, world: ApiWorld, *, reads: bool = True) -> None:
        """Without `reads`, it only lists."""
        self.state: dict[str, Entry] = {}
        self.contents: dict[str, Content] = {}
        self.cursors: dict[str, Cursor] = {}
        self.reads = reads
        self._stored: dict[str, str | None] = {}
        self._failing: dict[str, Entry] = {}
        self._world = world

    async def run(self, *, requests: int | None = None) -> None:
        """An incremental run. Raises what ended it; what came before it counts."""
        seen: set[str] = set()
        trouble: SourceError | None = None
        failing = dict(self._failing)
        async with self._world.open(requests=requests) as connector:
            await connector.check()
            for partition in await connector.partitions():
                cursor = self.cursors.get(partition.id)
                try:
                    async for change in connector.changes(partition, cursor):
                        if isinstance(change, Checkpoint):
                            self.cursors[partition.id] = change.cursor
                        else:
                            trouble = await self._take(connector, change, seen) or trouble
                except SourceError as error:
                    trouble = error
            for name, entry in failing.items():
                if self._failing.get(name) is entry:
                    await self._read(connector, entry)
        if trouble is not None:
            raise trouble
        if self._world.spec.capabilities.changes is Changes.LISTING:
            await self._forget_all_but(seen)

    async def reconcile(self) -> None:
        """A full enumeration. Raises as `run` does, and then nothing is gone."""
        if self._world.spec.capabilities.absence is Absence.NOTHING:
            return
        seen: set[str] = set()
        trouble: SourceError | None = None
        async with self._world.open() as connector:
            for partition in await connector.partitions():
                async for each in connector.enumerate(partition):
                    trouble = await self._take(connector, each, seen) or trouble
        if trouble is not None:
            raise trouble
        await self._forget_all_but(seen)

    async def catch_up(self) -> None:
        """Time passes, and both kinds of run come."""
        await self._world.settle()
        await self.run()
        await self.reconcile()

    def versions(self) -> Mapping[str, str | None]:
        """The versions by id."""
        return {name: entry.version for name, entry in self.state.items()}

    async def _take(
        self, connector: Connector, change: Entry | Gone | Failed, seen: set[str]
    ) -> SourceError | None:
        if isinstance(change, Failed):
            if change.id is not None:
                seen.add(change.id)
                return None
            return SourceError(change.message)
        if isinstance(change, Gone) or change.filtered is not None:
            self._forget(change.id)
        else:
            seen.add(change.id)
            await self._read(connector, change)
        return None

    async def _read(self, connector: Connector, entry: Entry) -> None:
        name, version = entry.id, entry.version
        if self.reads and (
            version is None or version != self._stored.get(name) or name in self._failing
        ):
            known = self.contents.get(name)
            try:
                found = entry.content or await connector.fetch(
                    entry.locator, known.validators or None if known else None
                )
            except SourceError:
                self._failing[name] = entry
                return
            self._failing.pop(name, None)
            if isinstance(found, Gone):
                self._forget(name)
                return
            if isinstance(found, Content):
                self.contents[name] = found
                version = version if found.version is None else found.version
            self._stored[name] = version
        self.state[name] = entry

    def _forget(self, name: str) -> None:
        for known in (self.state, self.contents, self._stored, self._failing):
            known.pop(name, None)

    async def _forget_all_but(self, seen: set[str]) -> None:
        """What was not listed is gone; where that must be confirmed, if fetching it says so."""
        absent = [entry for name, entry in self.state.items() if name not in seen]
        if absent and self._world.spec.capabilities.absence is Absence.CONFIRM:
            async with self._world.open() as connector:
                answers = [await connector.fetch(entry.locator, None) for entry in absent]
            absent = [
                entry
                for entry, answer in zip(absent, answers, strict=True)
                if isinstance(answer, Gone)
            ]
        for entry in absent:
            self._forget(entry.id)
