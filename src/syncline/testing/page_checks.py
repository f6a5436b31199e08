"""Checks of lists that are read page by page: small pages, and pages that are not in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from syncline.testing.api_asserts import assert_as_is, fails
from syncline.testing.api_reader import Reader
from syncline.testing.api_world import ApiWorld
from syncline.testing.fake_server import Misbehaviour
from syncline.testing.world import populate

__all__ = ["PAGE_CHECKS"]

_MOST_PLACES = 12
_MORE = 5


async def pages_smaller_than_asked_are_not_the_end(world: ApiWorld) -> None:
    """A silent cap on the size of pages hides nothing."""
    await populate(world)
    for cap in (1, 2):
        world.server.cap = cap
        reader = Reader(world)
        await reader.run()
        await assert_as_is(world, reader, f"with pages of {cap}")


async def pages_said_twice_hide_nothing(world: ApiWorld) -> None:
    """Where a page comes once more in place of the next, the run fails or is complete."""
    await _survives(world, world.server.says_again, "a page that is said twice")


async def cursors_that_are_null_are_not_the_end(world: ApiWorld) -> None:
    """Where a page has more after it, but does not say where, the run fails or is complete."""
    await _survives(world, world.server.withholds_cursors, "a page without its cursor")


async def _survives(world: ApiWorld, fault: Callable[[], Misbehaviour], what: str) -> None:
    """The fault in place of each answer to a first run, and to an enumeration."""
    await populate(world)
    for number in range(_MORE):
        await world.add(f"another{number}", f"Another text, {number}.")
    await world.settle()
    world.server.cap = 2
    for place in range(_MOST_PLACES):
        reader = Reader(world, reads=False)
        over = True
        for attempt in (reader.run, reader.reconcile):
            where = f"{what} in place of answer {place} to {attempt.__name__}()"
            asked = world.server.count()
            world.server.misbehave(fault(), times=1, after=place)
            failed = await fails(attempt)
            over = over and world.server.count() - asked <= place
            world.server.behave()
            if failed:
                await attempt()
            await assert_as_is(world, reader, where, settle=False)
        if over:
            return


PAGE_CHECKS: tuple[Callable[[ApiWorld], Awaitable[None]], ...] = (
    pages_smaller_than_asked_are_not_the_end,
    pages_said_twice_hide_nothing,
    cursors_that_are_null_are_not_the_end,
)
