"""Checks of what vendors do to those who read for long: quotas, clocks, old cursors and tokens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from syncline.core.errors import SourceError
from syncline.core.quota import Bucket
from syncline.testing.api_asserts import assert_as_is, assert_feed_told
from syncline.testing.api_reader import Reader
from syncline.testing.api_world import ApiWorld, Killed
from syncline.testing.counting_ledger import CountingLedger
from syncline.testing.secret_checks import expire_before
from syncline.testing.world import populate
from syncline.transport.hosts import Shared

__all__ = ["VENDOR_CHECKS"]

_FEW = Bucket(4, 2)
_APART = (600.0, -600.0)
_HOURS = 7_200.0
_PLACES = (2, 5, 9, 1_000)


async def quotas_are_kept(world: ApiWorld) -> None:
    """A source that lets in few requests at a time is asked for no more, and is read whole."""
    await populate(world)
    world.server.limit(_FEW)
    ledger = CountingLedger(world.server.clock)
    world.shared = Shared(ledger, quota=(_FEW,), routes=world.spec.routes)
    reader = Reader(world)
    asked = world.server.count()
    await reader.run()
    async with world.open() as connector:
        for entry in reader.state.values():
            await connector.fetch(entry.locator, None)
    assert world.server.count() - asked > _FEW.tokens, "too few requests for a quota to matter"
    refused = world.server.windows.refused
    assert refused == 0, f"{refused} requests were more than the quota lets in"
    await assert_as_is(world, reader, "with a small quota")


async def clocks_may_differ(world: ApiWorld) -> None:
    """A source whose clock is minutes ahead of ours, or behind it, is followed without a loss."""
    ids = await populate(world)
    for number, seconds in enumerate(_APART):
        where = f"with a clock that is {seconds:+.0f} s from ours"
        world.server.skew = seconds
        world.server.clock.advance(_HOURS)
        reader = Reader(world)
        await reader.run()
        await world.edit("one", f"The first text after a clock was set, {number}.")
        await world.add(f"later-{number}", f"Added after a clock was set, {number}.")
        await reader.run()
        await world.settle()
        await reader.run()
        await assert_feed_told(world, reader, {ids["one"]}, where)
        await reader.reconcile()
        await assert_as_is(world, reader, where)


async def old_cursors_lose_nothing(world: ApiWorld) -> None:
    """Where the source takes a stored place in its lists no more, the run says so and reads on."""
    await populate(world)
    world.server.cap = 2
    for requests in _PLACES:
        reader, over = Reader(world), True
        try:
            await reader.run(requests=requests)
        except Killed:
            over = False
        world.server.expire_cursors()
        world.warnings.clear()
        refused = world.server.expired
        where = f"where cursors expired after {requests} requests"
        try:
            await reader.run()
        except SourceError as error:
            raise AssertionError(f"{where}, the next run fails: {error}") from error
        if world.server.expired > refused:
            assert world.warnings, f"{where}, nobody is told that it is read anew"
        await assert_as_is(world, reader, where, settle=False)
        if over:
            return


async def access_tokens_may_expire(world: ApiWorld) -> None:
    """An access token that is refused in mid-run is renewed, once, and the run goes on."""
    if world.spec.oauth is None:
        return
    await populate(world)
    tokens = world.use_oauth()
    for place in (0, 1, 3):
        reader, renewed, asked = Reader(world), tokens.asked, world.server.count()
        expire_before(world, asked + place)
        try:
            await reader.run()
        except SourceError as error:
            raise AssertionError(f"a token that expired ends the run: {error}") from error
        if world.server.count() - asked <= place:
            return
        assert tokens.asked == renewed + 1, f"renewed {tokens.asked - renewed} times"
        assert not tokens.stolen, "a refresh token was used twice"
        await assert_as_is(world, reader, f"where a token expired before request {place}")


VENDOR_CHECKS: tuple[Callable[[ApiWorld], Awaitable[None]], ...] = (
    quotas_are_kept,
    clocks_may_differ,
    old_cursors_lose_nothing,
    access_tokens_may_expire,
)
