"""Connectors that are wrong in one way each, for proving that the suite notices."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from msgspec.structs import replace
from pydantic import Field, SecretStr

from syncline.core.errors import SourceError
from syncline.core.model import (
    Change,
    Checkpoint,
    Content,
    Cursor,
    Entry,
    Failed,
    Fetched,
    Gone,
    Identity,
    Locator,
    NotModified,
    Partition,
    Validators,
)
from syncline.core.ports import Context, Secrets
from syncline.testing.connector_suite import SourceWorld
from tests.conformance.spec_mutants import MUTANTS, spec_mutant
from tests.conformance.worlds import ScriptedWorld
from tests.support.scripted import SPEC, ScriptedConnector, ScriptedOptions

__all__ = ["MUTANTS"]


def _wrong(check: str, *more: str) -> Callable[[type[ScriptedConnector]], type[ScriptedConnector]]:
    """Register a connector class under the checks that must notice what its docstring says."""

    def register(mutant: type[ScriptedConnector]) -> type[ScriptedConnector]:
        @asynccontextmanager
        async def opened(
            options: ScriptedOptions, secrets: Secrets, context: Context
        ) -> AsyncIterator[ScriptedConnector]:
            yield mutant(options, SPEC.capabilities)

        for each in (check, *more):
            spec_mutant(each, mutant.__name__, open=opened)
        return mutant

    return register


class _Tokens(Secrets):
    token: SecretStr = Field(SecretStr("hunter2"), description="A token")


def _indiscreet(path: Path) -> SourceWorld:
    class Indiscreet(ScriptedConnector):
        async def enumerate(self, partition: Partition) -> AsyncIterator[Entry | Failed]:
            async for each in super().enumerate(partition):
                assert isinstance(each, Entry)
                yield replace(each, locator={**each.locator, "url": "https://x:hunter2@host/"})

    @asynccontextmanager
    async def opened(
        options: ScriptedOptions, secrets: Secrets, context: Context
    ) -> AsyncIterator[ScriptedConnector]:
        yield Indiscreet(options, SPEC.capabilities)

    return ScriptedWorld(path / "w.json", replace(SPEC, open=opened, secrets=_Tokens))


MUTANTS.append(("locators_are_plain_and_hold_no_secrets", "a secret in a URL", _indiscreet))


class _Changing(ScriptedConnector):
    """Passes each listed entry through `change`, in both kinds of listing."""

    def change(self, entry: Entry) -> Entry | None:
        raise NotImplementedError

    async def changes(self, partition: Partition, cursor: Cursor | None) -> AsyncIterator[Change]:
        async for each in super().changes(partition, cursor):
            changed = self.change(each) if isinstance(each, Entry) else each
            if changed is not None:
                yield changed

    async def enumerate(self, partition: Partition) -> AsyncIterator[Entry | Failed]:
        async for each in super().enumerate(partition):
            changed = self.change(each) if isinstance(each, Entry) else each
            if changed is not None:
                yield changed


@_wrong("check_says_who_we_are")
class Nameless(ScriptedConnector):
    async def check(self) -> Identity:
        return Identity("")


@_wrong("partitions_are_stable")
class Shuffled(ScriptedConnector):
    turn = count()

    async def partitions(self) -> Sequence[Partition]:
        parts = list(await super().partitions())
        return parts if next(self.turn) % 2 else parts[::-1]


@_wrong("partitions_are_stable")
class Partless(ScriptedConnector):
    async def partitions(self) -> Sequence[Partition]:
        return []


@_wrong("enumeration_equals_changes")
class Omitting(_Changing):
    def change(self, entry: Entry) -> Entry | None:
        return None if entry.id == "three" else entry


@_wrong("enumeration_equals_changes")
class Doubling(ScriptedConnector):
    async def enumerate(self, partition: Partition) -> AsyncIterator[Entry | Failed]:
        async for each in super().enumerate(partition):
            yield each
            yield each


@_wrong("enumeration_equals_changes")
class Disagreeing(ScriptedConnector):
    async def enumerate(self, partition: Partition) -> AsyncIterator[Entry | Failed]:
        async for each in super().enumerate(partition):
            yield replace(each, version="other") if isinstance(each, Entry) else each


@_wrong("ids_and_texts_can_be_stored")
class Unstorable(_Changing):
    def change(self, entry: Entry) -> Entry | None:
        return replace(entry, metadata=replace(entry.metadata, title="a\0b"))


@_wrong("ids_and_texts_can_be_stored")
class Endless(_Changing):
    def change(self, entry: Entry) -> Entry | None:
        return replace(entry, id=entry.id + "é" * 5000)


@_wrong("locators_are_plain_and_hold_no_secrets")
class Tupled(_Changing):
    def change(self, entry: Entry) -> Entry | None:
        return replace(entry, locator={**entry.locator, "pair": (1, 2)})


@_wrong("versions_are_stable")
class Restless(_Changing):
    turn = count()

    def change(self, entry: Entry) -> Entry | None:
        return replace(entry, version=f"{entry.version}-{next(self.turn)}")


@_wrong("versions_are_stable")
class Versionless(_Changing):
    def change(self, entry: Entry) -> Entry | None:
        return replace(entry, version=None)


@_wrong("versions_move_with_edits", "changes_in_mid_listing_are_seen")
class BySize(_Changing):
    def change(self, entry: Entry) -> Entry | None:
        return replace(entry, version=str((entry.size or 0) // 100))


@_wrong("the_order_is_stable")
class Turning(ScriptedConnector):
    turn = count()

    async def enumerate(self, partition: Partition) -> AsyncIterator[Entry | Failed]:
        found = [each async for each in super().enumerate(partition)]
        for each in found if next(self.turn) // 2 % 2 else found[::-1]:
            yield each


@_wrong("listings_do_not_disturb_each_other")
class Sharing(ScriptedConnector):
    left: ClassVar[list[Entry | Failed]] = []

    async def enumerate(self, partition: Partition) -> AsyncIterator[Entry | Failed]:
        self.left[:] = [each async for each in super().enumerate(partition)]
        while self.left:
            yield self.left.pop(0)


@_wrong("a_listing_can_be_stopped_anywhere")
class Leaking(ScriptedConnector):
    async def enumerate(self, partition: Partition) -> AsyncIterator[Entry | Failed]:
        try:
            async for each in super().enumerate(partition):
                yield each
        except GeneratorExit:
            warnings.warn("left open", ResourceWarning, stacklevel=2)
            raise


@_wrong("a_listing_can_be_stopped_anywhere")
class Jamming(ScriptedConnector):
    busy = False

    async def enumerate(self, partition: Partition) -> AsyncIterator[Entry | Failed]:
        if self.busy:
            return
        self.busy = True
        async for each in super().enumerate(partition):
            yield each
        self.busy = False


@_wrong("changes_in_mid_listing_are_seen")
class Skipping(ScriptedConnector):
    """Takes the newest number of all as its cursor, however far it has read."""

    async def changes(self, partition: Partition, cursor: Cursor | None) -> AsyncIterator[Change]:
        found = [each async for each in super().changes(partition, cursor)]
        for each in found:
            if not isinstance(each, Checkpoint):
                yield each
        yield Checkpoint(Cursor(1, {"after": self._state()["next"] - 1}))


@_wrong("a_broken_source_is_an_error")
class Reassuring(ScriptedConnector):
    async def enumerate(self, partition: Partition) -> AsyncIterator[Entry | Failed]:
        try:
            async for each in super().enumerate(partition):
                yield each
        except SourceError:
            return

    async def partitions(self) -> Sequence[Partition]:
        return [Partition("main"), Partition("second")]


@_wrong("a_broken_source_is_an_error")
class Burying(ScriptedConnector):
    async def fetch(self, locator: Locator, validators: Validators | None) -> Fetched:
        try:
            return await super().fetch(locator, validators)
        except SourceError:
            return Gone(locator["name"])


@_wrong("fetch_works_from_the_locator_alone")
class Remembering(ScriptedConnector):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.listed: set[str] = set()

    async def enumerate(self, partition: Partition) -> AsyncIterator[Entry | Failed]:
        async for each in super().enumerate(partition):
            assert isinstance(each, Entry)
            self.listed.add(each.id)
            yield each

    async def fetch(self, locator: Locator, validators: Validators | None) -> Fetched:
        if locator["name"] not in self.listed:
            return Gone(locator["name"])
        return await super().fetch(locator, validators)


class _Answering(ScriptedConnector):
    """Passes each content through `answer`."""

    def answer(self, content: Content) -> Fetched:
        raise NotImplementedError

    async def fetch(self, locator: Locator, validators: Validators | None) -> Fetched:
        fetched = await super().fetch(locator, validators)
        return self.answer(fetched) if isinstance(fetched, Content) else fetched


@_wrong("contents_are_well_formed")
class Parametrised(_Answering):
    def answer(self, content: Content) -> Fetched:
        return replace(content, media_type="text/html; charset=utf-8")


@_wrong("contents_are_well_formed")
class Unsorted(_Answering):
    def answer(self, content: Content) -> Fetched:
        return replace(content, principals=("b", "a", "b"))


@_wrong("edits_are_fetched")
class Caching(ScriptedConnector):
    kept: ClassVar[dict[tuple[Path, str], Fetched]] = {}

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        for name, stored in self._state()["entries"].items():
            content = Content(stored["text"].encode(), "text/plain")
            self.kept.setdefault((self._options.path, name), content)

    async def fetch(self, locator: Locator, validators: Validators | None) -> Fetched:
        return self.kept[self._options.path, locator["name"]]


@_wrong("removed_entries_are_gone")
class Softening(ScriptedConnector):
    async def fetch(self, locator: Locator, validators: Validators | None) -> Fetched:
        fetched = await super().fetch(locator, validators)
        return Content(b"Not found", "text/html") if isinstance(fetched, Gone) else fetched


@_wrong("removed_entries_are_gone")
class Silent(ScriptedConnector):
    async def changes(self, partition: Partition, cursor: Cursor | None) -> AsyncIterator[Change]:
        async for each in super().changes(partition, cursor):
            if not isinstance(each, Gone):
                yield each


@_wrong("validators_are_honoured")
class Careless(ScriptedConnector):
    async def fetch(self, locator: Locator, validators: Validators | None) -> Fetched:
        return await super().fetch(locator, None)


@_wrong("validators_are_honoured")
class Lazy(ScriptedConnector):
    async def fetch(self, locator: Locator, validators: Validators | None) -> Fetched:
        return NotModified(validators) if validators else await super().fetch(locator, None)


@_wrong("resuming_covers_everything")
class Hasty(ScriptedConnector):
    """Yields the checkpoint before what it covers."""

    async def changes(self, partition: Partition, cursor: Cursor | None) -> AsyncIterator[Change]:
        waiting: list[Change] = []
        async for each in super().changes(partition, cursor):
            if isinstance(each, Checkpoint):
                yield each
                for change in waiting:
                    yield change
                waiting = []
            else:
                waiting.append(each)


@_wrong("resuming_covers_everything", "cursors_survive_storage")
class Unmarked(ScriptedConnector):
    async def changes(self, partition: Partition, cursor: Cursor | None) -> AsyncIterator[Change]:
        async for each in super().changes(partition, cursor):
            if not isinstance(each, Checkpoint):
                yield each


@_wrong("cursors_survive_storage", "newer_cursors_are_refused")
class Rereading(ScriptedConnector):
    async def changes(self, partition: Partition, cursor: Cursor | None) -> AsyncIterator[Change]:
        async for each in super().changes(partition, None):
            yield each


@_wrong("cursors_survive_storage")
class Unstored(ScriptedConnector):
    async def changes(self, partition: Partition, cursor: Cursor | None) -> AsyncIterator[Change]:
        async for each in super().changes(partition, cursor):
            if isinstance(each, Checkpoint):
                yield Checkpoint(Cursor(1, {**each.cursor.value, "seen": (1,)}))
            else:
                yield each
