"""Checks of connectors that read an API: cost, faults, edits and kills between any two requests."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeAlias

from syncline.core.capabilities import Absence
from syncline.core.errors import SourceError
from syncline.core.model import Content, Gone
from syncline.testing.api_asserts import assert_as_is, assert_feed_told, fails
from syncline.testing.api_reader import Reader
from syncline.testing.api_world import ApiWorld, Killed
from syncline.testing.fake_server import (
    Misbehaviour,
    answers,
    cut_off,
    drips,
    rate_limits,
)
from syncline.testing.page_checks import PAGE_CHECKS
from syncline.testing.secret_checks import SECRET_CHECKS
from syncline.testing.vendor_checks import VENDOR_CHECKS
from syncline.testing.world import TEXTS, populate

__all__ = ["API_CHECKS", "FAULTS", "ApiCheck"]

ApiCheck: TypeAlias = Callable[[ApiWorld], Awaitable[None]]

_JSON = "application/json"
_LOG_IN = b"<html><form>Log in</form></html>"
FAULTS: dict[str, Misbehaviour] = {
    "429": rate_limits(),
    "429, come back at once": rate_limits("0"),
    "429, come back in 292 years": rate_limits("9223372036854775807"),
    "500": answers(500, "Internal Server Error", content_type="text/plain"),
    "502": answers(502, "<html><h1>Bad gateway</h1></html>"),
    "503": answers(503, '{"error": "maintenance"}', content_type=_JSON),
    "cut off": cut_off(b'{"id": 1, '),
    "a log-in page": answers(200, _LOG_IN),
    "no JSON": answers(200, "oops", content_type=_JSON),
    "half a document": answers(200, '{"articles": [{"id": 1', content_type=_JSON),
    "an empty object": answers(200, "{}", content_type=_JSON),
    "an empty list": answers(200, "[]", content_type=_JSON),
    "null": answers(200, "null", content_type=_JSON),
    "nothing": answers(200, "", content_type=_JSON),
    "400": answers(400, '{"error": "no"}', content_type=_JSON),
    "401": answers(401, "no", content_type="text/plain"),
    "403": answers(403, "", content_type="text/plain"),
    "404": answers(404, "", content_type="text/plain"),
}
"""What may come in place of any one answer; a body that only drips is one fault more."""

_MOST_PLACES = 12
_ALL_FAULTS_AT = 3
_SOME_FAULTS = 3
_STRANGE_ROUNDS = 25
_MOST_FETCHED = 5
_APART = 5.0


async def nothing_changed_costs_little(world: ApiWorld) -> None:
    """A run that finds nothing new stays within the source's written budget of requests."""
    await populate(world)
    reader = Reader(world)
    await reader.catch_up()
    await reader.run()
    before, asked = reader.versions(), world.server.count()
    await reader.run()
    asked = world.server.count() - asked
    shown = [f"{each.method} {each.path}" for each in world.server.requests[-asked:]]
    assert asked <= world.budget, f"{asked} requests where nothing changed: {shown}"
    assert reader.versions() == before, "a run without a change moved versions"


async def edits_between_any_two_requests_are_seen(world: ApiWorld) -> None:
    """What is added, edited and removed in mid-run is there after the next runs at the latest.

    In a first run, and in a later one that has much to tell. Pages are small, so that rows move
    from one to another; and time passes with every other edit, so that the run itself may come
    upon it, too.
    """
    ids = await populate(world)
    world.server.cap = 2
    for place in range(_MOST_PLACES):
        if await _edited_during(world, Reader(world), place, ids, "first"):
            break
    for place in range(1, _MOST_PLACES, 2):
        reader = Reader(world)
        await reader.run()
        for name in TEXTS:
            world.server.clock.advance(_APART)
            await world.edit(name, f"About {name}, before edit {place}.")
        if await _edited_during(world, reader, place, ids, "later"):
            break


async def _edited_during(
    world: ApiWorld, reader: Reader, place: int, ids: Mapping[str, str], which: str
) -> bool:
    """Edit before one request of a run. True where the run was over by then."""
    names = (f"added-{which}-{place}", f"removed-{which}-{place}")
    removed = await world.add(names[1], f"Here for a moment, {place}.")
    await world.settle()
    done = await _during(world, world.server.count() + place, place, names)
    await reader.run()
    world.server.before = lambda seen: None
    if not done:
        await _edit(world, place, names)
    where = f"edited before request {place} of a {which} run"
    await world.settle()
    await reader.run()
    await assert_feed_told(world, reader, {ids[_edited(place)]}, where)
    await reader.reconcile()
    await assert_as_is(world, reader, where)
    assert removed not in reader.state, f"{where}: what was removed is still there"
    await world.remove(names[0])
    return not done


async def _during(world: ApiWorld, place: int, step: int, names: tuple[str, str]) -> list[int]:
    """Edit just before the server answers its request number `place`."""
    done: list[int] = []
    edits: list[Callable[[], None]] = []

    def before(seen: object) -> None:
        if not done and world.server.count() > place:
            done.append(step)
            for edit in edits:
                edit()

    def now() -> None:
        # The worlds of fakes are plain values: their edits never wait.
        coroutine = _edit(world, step, names)
        try:
            coroutine.send(None)
        except StopIteration:
            if step % 2:
                world.server.clock.advance(world.settles_after)
            return
        raise AssertionError("a world's edit must not wait for anything")

    edits.append(now)
    world.server.before = before
    return done


async def _edit(world: ApiWorld, step: int, names: tuple[str, str]) -> None:
    await world.edit(_edited(step), f"Another text after edit {step}.")
    await world.add(names[0], f"Added at {step}.")
    await world.remove(names[1])


def _edited(step: int) -> str:
    return list(TEXTS)[step % len(TEXTS)]


async def killed_after_any_request_ends_the_same(world: ApiWorld) -> None:
    """A run that dies anywhere, and the next that goes on from its last checkpoint, is a whole."""
    await populate(world)
    await world.edit("two", "The second text has changed.")
    await world.settle()
    for requests in range(_MOST_PLACES):
        if not await _killed(world, Reader(world), requests, "a first run"):
            break
    for requests in range(1, _MOST_PLACES, 2):
        reader = Reader(world)
        await reader.run()
        for name in TEXTS:
            world.server.clock.advance(_APART)
            await world.edit(name, f"About {name}, before kill {requests}.")
        await world.settle()
        if not await _killed(world, reader, requests, "a later run"):
            break


async def _killed(world: ApiWorld, reader: Reader, requests: int, which: str) -> bool:
    """Kill a run, and start again. False where it was over before."""
    try:
        await reader.run(requests=requests)
    except Killed:
        await reader.run()
        where = f"{which} was killed after {requests} requests"
        await assert_as_is(world, reader, where, settle=False)
        return True
    return False


async def no_fault_loses_anything(world: ApiWorld) -> None:
    """Whatever comes in place of one answer: the run fails, or is complete; the next heals."""
    await populate(world)
    reader = Reader(world)
    await reader.catch_up()
    await assert_as_is(world, reader, "before any fault")
    versions = dict(reader.versions())
    faults = {**FAULTS, "one byte a second": drips(partial(_a_second, world))}
    for place in range(_MOST_PLACES):
        over = True
        for number, (name, fault) in enumerate(faults.items()):
            if place >= _ALL_FAULTS_AT and (number + place) % _SOME_FAULTS:
                continue  # each fault at each third place
            where = f"{name} in place of answer {place}"
            asked = world.server.count()
            world.server.misbehave(fault, times=1, after=place)
            reader.cursors.clear()
            failed = await fails(reader.run) or await fails(reader.reconcile)
            over = over and world.server.count() - asked <= place
            world.server.behave()
            _assert_versions(reader, versions, where)
            if failed:
                await reader.catch_up()
                _assert_versions(reader, versions, f"after {where}")
        if over:
            return


async def no_fault_spoils_a_text(world: ApiWorld) -> None:
    """Whatever comes in place of one answer to `fetch`: an error, or all of it as it is; never an
    entry that is gone, other than by a 404, nor one that others may see.

    But where the answer is the text, as a file's is, nobody can tell that a page is not it."""
    await populate(world)
    reader = Reader(world)
    await reader.catch_up()
    kinds = {name.partition(":")[0]: entry for name, entry in sorted(reader.state.items())}
    for entry in kinds.values():
        known = reader.contents[entry.id]
        for place in range(_MOST_FETCHED):
            asked = world.server.count()
            for name, fault in FAULTS.items():
                world.server.misbehave(fault, times=1, after=place)
                try:
                    async with world.open() as connector:
                        found = await connector.fetch(entry.locator, None)
                except SourceError:
                    continue
                finally:
                    world.server.behave()
                where = f"{name} in place of answer {place} to fetch() of {entry.id}"
                if isinstance(found, Gone):
                    assert name == "404", f"{where}: taken for gone"
                    continue
                assert isinstance(found, Content), f"{where}: {found}"
                assert found.principals == known.principals, f"{where}: for {found.principals}"
                assert found.data in (known.data, _LOG_IN), f"{where}: another text: {found.data!r}"
            if world.server.count() - asked <= place * len(FAULTS):
                break


async def _a_second(world: ApiWorld) -> None:
    world.server.clock.advance(1)
    await asyncio.sleep(0)


def _assert_versions(reader: Reader, versions: Mapping[str, str | None], where: str) -> None:
    lost = set(versions) - set(reader.state)
    assert not lost, f"{where}: taken for gone: {sorted(lost)}"
    assert reader.versions() == versions, f"{where}: other entries or versions than before"


async def strange_payloads_do_no_harm(world: ApiWorld) -> None:
    """Nulls, missing and unknown fields and other types end a run as a source's error at most."""
    await populate(world)
    for seed in range(_STRANGE_ROUNDS):
        reader = Reader(world, reads=False)
        world.server.mangle = random.Random(seed)  # noqa: S311
        try:
            await reader.run()
            async with world.open() as connector:
                for entry in list(reader.state.values())[:5]:
                    await connector.fetch(entry.locator, None)
        except SourceError:
            pass
        except Exception as error:
            raise AssertionError(
                f"strange payloads (seed {seed}) raise {type(error).__name__}: {error}"
            ) from error
        world.server.mangle = None
        if world.spec.capabilities.absence is Absence.NOTHING:
            reader = Reader(
                world, reads=False
            )  # what was told wrongly is only mended by reading all anew
        await reader.catch_up()
        await assert_as_is(world, reader, f"after strange payloads (seed {seed})")


async def access_changes_alone_are_noticed(world: ApiWorld) -> None:
    """Entries have the access lists that they must have, also where nothing but that changes."""
    if not world.spec.capabilities.access_lists:
        return
    ids = await populate(world)
    reader = Reader(world)
    await reader.catch_up()
    for name, number in ids.items():
        may, told = await world.readers(name), reader.contents[number].principals
        assert told == may, f"{number} is for {told}, and not for {may}"
    if not world.access_changes:
        return
    before = await world.readers("three")
    await world.restrict("three")
    may = await world.readers("three")
    assert may is not None, "who a restricted entry is for has to be said by the world"
    assert may != before, "restricting an entry changes nothing in this world"
    await reader.catch_up()
    told = reader.contents[ids["three"]].principals
    assert told == may, f"where access alone has changed, an entry is for {told}, not for {may}"


async def renames_are_noticed(world: ApiWorld) -> None:
    """Where an entry gets another title and no other text, it has that, and is the same entry."""
    ids = await populate(world)
    reader = Reader(world)
    await reader.catch_up()
    world.server.clock.advance(world.settles_after)
    for name, number in ids.items():
        title = await world.rename(name)
        await reader.catch_up()
        assert number in reader.state, f"{number} was renamed, and is another entry now"
        entry, content = reader.state[number], reader.contents[number]
        told = content.metadata.title or entry.metadata.title
        assert told == title or (told is None and title.encode() in content.data), (
            f"{number} is called {title!r} now, but read as {told!r}"
        )
    await assert_as_is(world, reader, "after renaming")


API_CHECKS: tuple[ApiCheck, ...] = (
    nothing_changed_costs_little,
    edits_between_any_two_requests_are_seen,
    killed_after_any_request_ends_the_same,
    no_fault_loses_anything,
    no_fault_spoils_a_text,
    strange_payloads_do_no_harm,
    access_changes_alone_are_noticed,
    renames_are_noticed,
    *PAGE_CHECKS,
    *SECRET_CHECKS,
    *VENDOR_CHECKS,
)
