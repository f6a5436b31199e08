"""Checks of reading single entries, and of change feeds."""

from __future__ import annotations

import re
from collections.abc import Mapping

from syncline.core.errors import SynclineError
from syncline.core.model import Change, Checkpoint, Content, Cursor, Entry, Gone, NotModified
from syncline.core.ports import Connector
from syncline.testing.world import (
    TEXTS,
    Check,
    SourceWorld,
    apply,
    enumerated,
    populate,
    read_changes,
    round_trip,
)

__all__ = ["FEED_CHECKS", "FETCH_CHECKS"]

_NEVER = 1_000_000
"""A version that no format will reach."""


async def fetch_works_from_the_locator_alone(world: SourceWorld) -> None:
    """A stored locator, in a newly opened connector that has listed nothing, gives the text."""
    ids = await populate(world)
    locators = await _locators(world)
    for name, text in TEXTS.items():
        async with world.open() as connector:
            content = await connector.fetch(locators[ids[name]], None)
        assert isinstance(content, Content), f"{name} cannot be fetched: {content}"
        assert text.encode() in content.data, f"{name}: the text is not in what was fetched"


async def contents_are_well_formed(world: SourceWorld) -> None:
    """Media types without parameters; access lists sorted, and only where they are promised."""
    await populate(world)
    async with world.open() as connector:
        for entry in await enumerated(connector):
            content = await connector.fetch(entry.locator, None)
            assert isinstance(content, Content), f"{entry.id} cannot be fetched: {content}"
            assert re.fullmatch(r"[a-z0-9]+/[a-z0-9.+_-]+", content.media_type), (
                f"{content.media_type!r} is no media type in small letters, without parameters"
            )
            assert content.version is None or content.version.encode()
            principals = content.principals
            if not world.spec.capabilities.access_lists:
                assert principals is None, "an access list, though the capabilities promise none"
            assert principals is None or list(principals) == sorted(set(principals)), (
                f"{entry.id}: principals must be sorted and unique: {principals}"
            )
            assert round_trip(dict(content.validators)) == dict(content.validators)


async def edits_are_fetched(world: SourceWorld) -> None:
    """After an edit the old locator gives the new text."""
    ids = await populate(world)
    locators = await _locators(world)
    await world.edit("three", "Something else entirely.")
    async with world.open() as connector:
        content = await connector.fetch(locators[ids["three"]], None)
    assert isinstance(content, Content), f"an edited entry cannot be fetched: {content}"
    assert b"Something else entirely." in content.data, "fetch() gives the text before the edit"


async def removed_entries_are_gone(world: SourceWorld) -> None:
    """Fetching one answers `Gone` with its id; it is enumerated no more, and the feed tells."""
    ids = await populate(world)
    locators = await _locators(world)
    async with world.open() as connector:
        cursors = _last_cursors(await _read(connector))
    await world.remove("four")
    await world.settle()
    gone = ids["four"]
    async with world.open() as connector:
        answer = await connector.fetch(locators[gone], None)
        assert isinstance(answer, Gone), f"a removed entry is fetched as {answer}"
        assert answer.id == gone, f"{gone} was removed, but fetch() says {answer.id} is gone"
        listed = {entry.id for entry in await enumerated(connector)}
        assert gone not in listed, "a removed entry is still enumerated"
        assert listed == await world.expected_ids(), "removing one entry hides others"
        if world.spec.capabilities.deletions_in_feed:
            later = [change for _, change in await _read(connector, cursors)]
            told = [change.id for change in later if isinstance(change, Gone)]
            assert gone in told, "the feed does not tell that an entry was removed"


async def validators_are_honoured(world: SourceWorld) -> None:
    """Given back, they answer `NotModified` until an edit; without any, never."""
    ids = await populate(world)
    locators = await _locators(world)
    async with world.open() as connector:
        first = await connector.fetch(locators[ids["one"]], None)
    assert isinstance(first, Content), f"without validators, fetch() must read, not say {first}"
    stored = round_trip(dict(first.validators))
    async with world.open() as connector:
        second = await connector.fetch(locators[ids["one"]], stored or None)
    if stored:
        assert isinstance(second, NotModified), "validators that hold must answer NotModified"
    else:
        assert isinstance(second, Content)
    await world.edit("one", "The first text has changed.")
    async with world.open() as connector:
        third = await connector.fetch(locators[ids["one"]], stored or None)
    assert isinstance(third, Content), "after an edit, old validators must not hold"
    assert b"The first text has changed." in third.data


async def resuming_covers_everything(world: SourceWorld) -> None:
    """From any checkpoint, what was read before it and what comes after it is the whole."""
    await populate(world)
    await world.edit("one", "The first text has changed.")
    await world.remove("two")
    await world.settle()
    expected = await world.expected_ids()
    async with world.open() as connector:
        versions = {entry.id: entry.version for entry in await enumerated(connector)}
        for partition in await connector.partitions():
            stream = [each async for each in connector.changes(partition, None)]
            ends = [n for n, each in enumerate(stream) if isinstance(each, Checkpoint)]
            read = any(isinstance(each, Entry | Gone) for each in stream)
            assert ends or not read, f"the feed of {partition.id!r} has no checkpoints"
    async with world.open() as connector:
        whole = await _read(connector)
    for place in [n for n, (_, each) in enumerate(whole) if isinstance(each, Checkpoint)]:
        before = whole[: place + 1]
        async with world.open() as connector:
            after = await _read(connector, _last_cursors(before))
        state: dict[str, Entry] = {}
        apply(state, [each for _, each in before] + [each for _, each in after])
        where = f"after resuming from checkpoint {place}"
        assert set(state) == expected, f"{where}, {sorted(set(state) ^ expected)} are wrong"
        for identifier, entry in state.items():
            assert entry.version == versions[identifier], f"{where}, {identifier} is an old one"


async def cursors_survive_storage(world: SourceWorld) -> None:
    """A cursor that went through JSON is the same, and goes on from the same place."""
    await populate(world)
    async with world.open() as connector:
        cursors = _last_cursors(await _read(connector))
    assert cursors, "a feed must yield checkpoints"
    for cursor in cursors.values():
        assert round_trip(cursor.value) == cursor.value, f"{cursor} changes in JSON"
    added = await world.add("after-the-cursor", "Came later.")
    await world.settle()
    stored = {each: Cursor(at.version, round_trip(at.value)) for each, at in cursors.items()}
    async with world.open() as connector:
        later = [change for _, change in await _read(connector, stored)]
    seen = {change.id for change in later if isinstance(change, Entry)}
    assert added in seen, "what was added after the cursor is not in the feed"
    assert set(await world.expected_ids()) - seen, "reading on from a cursor reads all anew"


async def newer_cursors_are_refused(world: SourceWorld) -> None:
    """A cursor that newer code has written is an error, and not understood by halves."""
    await populate(world)
    async with world.open() as connector:
        cursors = _last_cursors(await _read(connector))
        newer = {each: Cursor(at.version + _NEVER, at.value) for each, at in cursors.items()}
        assert await _refuses(connector, newer), "a cursor of a newer version is not refused"


async def _refuses(connector: Connector, cursors: Mapping[str, Cursor]) -> bool:
    try:
        await _read(connector, cursors)
    except SynclineError:
        return True
    return False


async def _locators(world: SourceWorld) -> dict[str, dict[str, object]]:
    """The locators by id, as they come back from storage."""
    async with world.open() as connector:
        return {entry.id: round_trip(dict(entry.locator)) for entry in await enumerated(connector)}


async def _read(
    connector: Connector, cursors: Mapping[str, Cursor] | None = None
) -> list[tuple[str, Change]]:
    return [(part.id, change) for part, change in await read_changes(connector, cursors)]


def _last_cursors(changes: list[tuple[str, Change]]) -> dict[str, Cursor]:
    return {
        partition: change.cursor for partition, change in changes if isinstance(change, Checkpoint)
    }


FETCH_CHECKS: tuple[Check, ...] = (
    fetch_works_from_the_locator_alone,
    contents_are_well_formed,
    edits_are_fetched,
    removed_entries_are_gone,
    validators_are_honoured,
)
FEED_CHECKS: tuple[Check, ...] = (
    resuming_covers_everything,
    cursors_survive_storage,
    newer_cursors_are_refused,
)
