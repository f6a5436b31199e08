"""Checks of what a connector says exists."""

from __future__ import annotations

import asyncio
import gc
import json
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import cast

from syncline.core.capabilities import Versions
from syncline.core.errors import NotFound, SourceError
from syncline.core.model import Change, Entry, Failed, Gone, entry_key
from syncline.core.ports import Connector
from syncline.testing.world import (
    TEXTS,
    Check,
    SourceWorld,
    apply,
    entries_of,
    enumerated,
    populate,
    read_changes,
    round_trip,
    secret_values,
)

__all__ = ["LISTING_CHECKS"]

_MAX_ID_BYTES = 8192
_STEPS = 7
"""How many places of a listing are tried out; worlds here are small."""


async def check_says_who_we_are(world: SourceWorld) -> None:
    """`check()` names the account or place, for people, and can be called again."""
    async with world.open() as connector:
        identity = await connector.check()
        assert identity.account.strip(), "check() names no account"
        assert round_trip(dict(identity.detail)) == dict(identity.detail), "detail is not JSON"
        assert identity == await connector.check(), "check() answers otherwise the second time"


async def partitions_are_stable(world: SourceWorld) -> None:
    """There is at least one; ids are unique, and the same in the same order each time."""
    await populate(world)
    async with world.open() as connector:
        first = list(await connector.partitions())
    async with world.open() as connector:
        second = list(await connector.partitions())
    assert first, "there is no partition"
    ids = [partition.id for partition in first]
    assert len(set(ids)) == len(ids), f"partition ids repeat: {ids}"
    assert first == second, f"partitions moved: {first} became {second}"
    for partition in first:
        _assert_storable("a partition's id", partition.id)


async def enumeration_equals_changes(world: SourceWorld) -> None:
    """Both name exactly what is there, with the same versions, and only once."""
    await populate(world)
    expected = await world.expected_ids()
    async with world.open() as connector:
        listed = await enumerated(connector)
        changes = [change for _, change in await read_changes(connector)]
    state: dict[str, Entry] = {}
    apply(state, changes)
    ids = [entry.id for entry in listed]
    assert len(set(ids)) == len(ids), f"enumerated more than once: {_repeated(ids)}"
    assert set(ids) == expected, _difference("enumerate()", set(ids), expected)
    assert set(state) == expected, _difference("changes()", set(state), expected)
    assert all(entry.content is None for entry in listed), "enumerate() brings content along"
    if world.spec.capabilities.versions is Versions.EXACT:
        for entry in listed:
            assert entry.version == state[entry.id].version, (
                f"{entry.id}: version {entry.version} is enumerated, {state[entry.id].version} in "
                "the changes"
            )
    if not world.spec.capabilities.deletions_in_feed:
        gone = [change for change in changes if isinstance(change, Gone)]
        assert not gone, f"the capabilities promise no deletions in the feed, but: {gone}"


async def ids_and_texts_can_be_stored(world: SourceWorld) -> None:
    """UTF-8 without NUL, ids of at most 8,192 bytes, no two with one key."""
    await populate(world)
    async with world.open() as connector:
        listed = await enumerated(connector)
    for entry in listed:
        assert len(entry.id.encode()) <= _MAX_ID_BYTES, f"this id is too long: {entry.id[:80]}…"
        texts = (entry.id, entry.version, entry.parent, entry.metadata.title, entry.metadata.url)
        for text in texts:
            _assert_storable(f"{entry.id!r}: a text", text)
        for moment in (entry.metadata.created_at, entry.metadata.updated_at):
            assert moment is None or moment.tzinfo, f"{entry.id}: {moment} has no time zone"
    assert len({entry_key(entry.id) for entry in listed}) == len(listed)


async def locators_are_plain_and_hold_no_secrets(world: SourceWorld) -> None:
    """They are stored, logged and sent to other machines: JSON, and nothing confidential."""
    await populate(world)
    secrets = secret_values(world.secrets)
    async with world.open() as connector:
        listed = [*await enumerated(connector), *entries_of(await read_changes(connector))]
    for entry in listed:
        assert round_trip(dict(entry.locator)) == dict(entry.locator), (
            f"{entry.id}: the locator changes in JSON: {entry.locator}"
        )
        shown = json.dumps([entry.id, dict(entry.locator), entry.metadata.url, entry.version])
        assert not any(secret in shown for secret in secrets), f"{entry.id} shows a secret"


async def versions_are_stable(world: SourceWorld) -> None:
    """Where nothing changed, no version moves, also after opening anew."""
    await populate(world)
    async with world.open() as connector:
        first = {entry.id: entry.version for entry in await enumerated(connector)}
    async with world.open() as connector:
        second = {entry.id: entry.version for entry in await enumerated(connector)}
    assert first == second, f"versions moved by themselves: {first} became {second}"
    if world.spec.capabilities.versions is Versions.EXACT:
        missing = [each for each, version in first.items() if version is None]
        assert not missing, f"exact versions are promised, but these have none: {missing}"


async def versions_move_with_edits(world: SourceWorld) -> None:
    """An edit, even one of equal length, moves an exact version, and its alone; no id moves."""
    ids = await populate(world)
    async with world.open() as connector:
        before = {entry.id: entry.version for entry in await enumerated(connector)}
    await world.edit("two", TEXTS["two"].replace("harbours", "HARBOURS"))
    await world.settle()
    async with world.open() as connector:
        after = {entry.id: entry.version for entry in await enumerated(connector)}
    assert set(after) == set(before), _difference("after an edit, enumerate()", after, before)
    if world.spec.capabilities.versions is Versions.EXACT:
        assert after[ids["two"]] != before[ids["two"]], "an edit did not move the exact version"
        moved = {each for each in after if after[each] != before[each]} - {ids["two"]}
        assert not moved, f"an edit moved versions of others: {moved}"


async def the_order_is_stable(world: SourceWorld) -> None:
    """Two listings of an unchanged source say the same things in the same order."""
    await populate(world)
    async with world.open() as connector:
        first = [entry.id for entry in await enumerated(connector)]
        changes = [change.id for change in entries_of(await read_changes(connector))]
    async with world.open() as connector:
        second = [entry.id for entry in await enumerated(connector)]
        again = [change.id for change in entries_of(await read_changes(connector))]
    assert first == second, f"the enumeration's order moved: {first} became {second}"
    assert changes == again, f"the changes' order moved: {changes} became {again}"


async def listings_do_not_disturb_each_other(world: SourceWorld) -> None:
    """Two enumerations of one open connector, step by step in turns, are both complete."""
    await populate(world)
    expected = await world.expected_ids()
    async with world.open() as connector:
        first: list[Change] = []
        second: list[Change] = []
        for partition in await connector.partitions():
            other = connector.enumerate(partition)
            async for each in connector.enumerate(partition):
                first.append(each)
                second.extend([item async for item in _steps(other, 1)])
            second.extend([item async for item in other])
    for found in (first, second):
        ids = {each.id for each in found if isinstance(each, Entry) and each.filtered is None}
        assert ids == expected, _difference("one of two listings at once", ids, expected)


async def a_listing_can_be_stopped_anywhere(world: SourceWorld) -> None:
    """After any step, closing or cancelling it leaves nothing behind, and a new one works."""
    await populate(world)
    expected = await world.expected_ids()
    gc.collect()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for steps in range(_STEPS):
            async with world.open() as connector:
                await _stop_after(connector, steps)
                ids = {entry.id for entry in await enumerated(connector)}
            assert ids == expected, _difference(f"after {steps} steps, a new one", ids, expected)
        gc.collect()
    assert not caught, f"stopping warns: {[str(each.message) for each in caught]}"


async def changes_in_mid_listing_are_seen(world: SourceWorld) -> None:
    """What is added, edited or removed between two steps is seen by the next listing at last."""
    await populate(world)
    for step in range(_STEPS):
        await _change_at(world, step)


async def a_broken_source_is_an_error(world: SourceWorld) -> None:
    """Out of reach is a `SourceError` (or a `Failed`), never an empty listing nor a `Gone`."""
    await populate(world)
    async with world.open() as connector:
        locator = (await enumerated(connector))[0].locator
    await world.break_source()
    async with world.open() as connector:
        attempts: dict[str, Callable[[], Awaitable[object]]] = {
            "check()": connector.check,
            "fetch()": lambda: connector.fetch(locator, None),
            "enumerate()": lambda: _enumerate_strictly(connector),
            "changes()": lambda: _read_strictly(connector),
        }
        for name, attempt in attempts.items():
            error = await _source_error(name, attempt)
            assert str(error).strip(), f"{name} raises an error without a message"
            assert name != "fetch()" or not isinstance(error, NotFound), (
                "out of reach, but fetch() says that this very entry was not found"
            )


async def _source_error(name: str, attempt: Callable[[], Awaitable[object]]) -> SourceError:
    try:
        answer = await attempt()
    except SourceError as error:
        return error
    raise AssertionError(f"the source is out of reach, but {name} answers {answer}")


async def _enumerate_strictly(connector: Connector) -> list[str]:
    found = [
        each
        for partition in await connector.partitions()
        async for each in connector.enumerate(partition)
    ]
    return _unless_failed([*found])


async def _read_strictly(connector: Connector) -> list[str]:
    return _unless_failed([change for _, change in await read_changes(connector)])


def _unless_failed(found: list[Change]) -> list[str]:
    for each in found:
        if isinstance(each, Failed) and each.id is None:
            raise SourceError(each.message)
    return [each.id for each in found if isinstance(each, Entry)]


async def _change_at(world: SourceWorld, step: int) -> None:
    """Begin a listing, change three things after `step` steps, end it, and list once more."""
    fleeting, lasting = f"fleeting-{step}", f"lasting-{step}"
    removed = await world.add(fleeting, f"Here for a moment, {step}.")
    edited = await world.add(lasting, f"Before the edit, {step}.")
    await world.settle()
    async with world.open() as connector:
        before = {entry.id: entry.version for entry in await enumerated(connector)}
        changes: list[Change] = []
        cursors = {}
        done = 0
        for partition in await connector.partitions():
            async for change in connector.changes(partition, None):
                changes.append(change)
                if not isinstance(change, Entry | Gone | Failed):
                    cursors[partition.id] = change.cursor
                done += 1
                if done == step:
                    await world.edit(lasting, f"After the edit, {step}.")
                    await world.remove(fleeting)
                    added = await world.add(f"new-{step}", f"New, {step}.")
        if done < step or step == 0:
            await world.edit(lasting, f"After the edit, {step}.")
            await world.remove(fleeting)
            added = await world.add(f"new-{step}", f"New, {step}.")
        await world.settle()
        state: dict[str, Entry] = {}
        if world.spec.capabilities.deletions_in_feed:
            apply(state, changes)
            apply(state, [change for _, change in await read_changes(connector, cursors)])
        else:
            state = {entry.id: entry for entry in await enumerated(connector)}
    place = f"what happens at step {step} of a listing is not seen by the next:"
    assert added in state, f"{place} {added} is missing"
    assert removed not in state, f"{place} {removed} is still there"
    if world.spec.capabilities.versions is Versions.EXACT:
        assert state[edited].version != before[edited], f"{place} {edited} has its old version"


async def _stop_after(connector: Connector, steps: int) -> None:
    """Close an enumeration and a change stream after some steps; cancel another in its step."""
    for partition in await connector.partitions():
        for stream in (connector.enumerate(partition), connector.changes(partition, None)):
            generator = cast("AsyncGenerator[Change, None]", stream)
            taken = [each async for each in _steps(generator, steps)]
            assert len(taken) <= steps
            await generator.aclose()
        cancelled = cast("AsyncGenerator[Change, None]", connector.enumerate(partition))
        [each async for each in _steps(cancelled, steps)]
        step = asyncio.ensure_future(anext(cancelled, None))
        await asyncio.sleep(0)
        step.cancel()
        try:
            await step
        except asyncio.CancelledError:
            pass
        await cancelled.aclose()


async def _steps(stream: object, count: int) -> AsyncGenerator[Change, None]:
    """Up to `count` steps of a stream, which stays open."""
    iterator = cast("AsyncGenerator[Change, None]", stream)
    for _ in range(count):
        try:
            yield await anext(iterator)
        except StopAsyncIteration:
            return


def _assert_storable(what: str, text: str | None) -> None:
    if text is None:
        return
    assert "\0" not in text, f"{what} holds a NUL: {text!r}"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise AssertionError(f"{what} cannot be encoded as UTF-8: {text!r}") from error


def _repeated(ids: list[str]) -> list[str]:
    return sorted({each for each in ids if ids.count(each) > 1})


def _difference(who: str, found: object, expected: object) -> str:
    have, want = set(cast("set[str]", found)), set(cast("set[str]", expected))
    return f"{who} lacks {sorted(want - have)} and has {sorted(have - want)} beyond what is there"


LISTING_CHECKS: tuple[Check, ...] = (
    check_says_who_we_are,
    partitions_are_stable,
    enumeration_equals_changes,
    ids_and_texts_can_be_stored,
    locators_are_plain_and_hold_no_secrets,
    versions_are_stable,
    versions_move_with_edits,
    the_order_is_stable,
    listings_do_not_disturb_each_other,
    a_listing_can_be_stopped_anywhere,
    changes_in_mid_listing_are_seen,
    a_broken_source_is_an_error,
)
