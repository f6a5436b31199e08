"""How many requests a host gets, and how fast."""

from __future__ import annotations

import asyncio

from syncline.testing.clock import FakeClock
from syncline.transport.politeness import Politeness


def _politeness(clock: FakeClock, *, concurrency: int = 8, delay: float = 0.0) -> Politeness:
    return Politeness(concurrency=concurrency, delay=delay, clock=clock, sleep=clock.sleep)


async def test_a_host_gets_no_more_requests_at_once_than_set() -> None:
    """The cap holds for each host by itself."""
    politeness = _politeness(FakeClock(), concurrency=2)
    running = most = 0

    async def request(host: str) -> None:
        nonlocal running, most
        async with politeness.turn(host):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    await asyncio.gather(*(request("a") for _ in range(10)))
    assert most == 2
    most = 0
    await asyncio.gather(*(request(host) for host in "aabbcc"))
    assert most == 6


async def test_requests_keep_their_distance() -> None:
    """With a delay, starts lie that far apart; the first does not wait."""
    clock = FakeClock()
    politeness = _politeness(clock, delay=2.0)
    starts = []
    for _ in range(3):
        async with politeness.turn("a"):
            starts.append(clock.monotonic())
    assert starts == [0, 2, 4]


async def test_crawl_delay_slows_but_never_hastens() -> None:
    """robots.txt may ask for more distance than is set, up to a minute, not for less."""
    clock = FakeClock()
    politeness = _politeness(clock, delay=1.0)
    politeness.pace("a", 0.1)
    assert politeness.turn("a").delay == 1.0
    politeness.pace("a", 5)
    assert politeness.turn("a").delay == 5
    politeness.pace("a", 86_400)
    assert politeness.turn("a").delay == 60
    assert politeness.turn("b").delay == 1.0


async def test_a_held_host_rests() -> None:
    """Nobody asks a host that has just said when to come back."""
    clock = FakeClock()
    politeness = _politeness(clock)
    politeness.hold("a", 30)
    async with politeness.turn("a"):
        assert clock.monotonic() == 30
    async with politeness.turn("b"):
        assert clock.slept == [30]


async def test_a_cancelled_wait_gives_its_place_back() -> None:
    """A run that is stopped while waiting does not block the host for others."""
    clock = FakeClock()

    async def never(seconds: float) -> None:
        await asyncio.Event().wait()

    politeness = Politeness(concurrency=1, delay=1.0, clock=clock, sleep=never)
    async with politeness.turn("a"):
        pass

    async def wait() -> None:
        async with politeness.turn("a"):
            raise AssertionError("the wait has no end")

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    clock.advance(10)
    async with politeness.turn("a"):
        pass
