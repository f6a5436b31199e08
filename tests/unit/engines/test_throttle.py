"""When a worker holds back, and what is said of it."""

from __future__ import annotations

import asyncio

import pytest

from syncline.engines.throttle import Limits, Reading, Throttle

_FINE = Reading(memory=0.5, ours_mb=100, others=0.1)


def _throttle(**limits: float) -> tuple[Throttle, list[str]]:
    said: list[str] = []
    return Throttle(Limits(**limits), said.append), said


def test_short_memory_is_said_when_it_begins_and_when_it_ends() -> None:
    """Once each; near the limit it does not flicker."""
    throttle, said = _throttle()
    found = []
    for memory in (0.5, 0.91, 0.95, 0.89, 0.91, 0.87, 0.84, 0.89):
        throttle.take(Reading(memory, 100, 0.0))
        found.append(throttle.short)
    assert found == [False, True, True, True, True, True, False, False]
    assert len(said) == 2
    assert "Memory is short (91% is in use, SYNCLINE_MEMORY_PERCENT is 90)" in said[0]
    assert "begun as usual" in said[1]


def test_our_own_processes_have_a_limit_of_their_own() -> None:
    """None unless one is set."""
    unlimited, _ = _throttle()
    limited, said = _throttle(ours_mb=1000)
    for throttle in (unlimited, limited):
        throttle.take(Reading(0.5, 1200, 0.0))
    assert (unlimited.short, limited.short) == (False, True)
    assert "1,200 MB (SYNCLINE_MAX_MEMORY_MB is 1000)" in said[0]


def test_the_processors_count_over_ten_seconds() -> None:
    """A moment of others' work is nothing; as long as that is not known, neither."""
    throttle, said = _throttle()
    found = []
    for others in (1.0, 1.0, 1.0, 1.0, 1.0, 0.1, 0.1, 1.0):
        throttle.take(Reading(0.5, 100, others))
        found.append(throttle.short)
    assert found == [False, False, False, False, True, True, False, False]
    assert "other work (100%, SYNCLINE_CPU_PERCENT is 80)" in said[0]


@pytest.mark.parametrize("reading", [Reading(1.0, 0, 0.0), Reading(0.0, 0, 1.0)])
def test_a_hundred_percent_is_never_too_much(reading: Reading) -> None:
    """That turns a limit off."""
    throttle, said = _throttle(memory=1.0, others=1.0)
    for _ in range(9):
        throttle.take(reading)
    assert (throttle.short, said) == (False, [])


def test_one_shortage_after_another_is_one() -> None:
    """It is said what was short first, and when nothing is any more."""
    throttle, said = _throttle(ours_mb=1000)
    for reading in (Reading(0.95, 0, 0), Reading(0.5, 1200, 0), _FINE):
        throttle.take(reading)
    assert len(said) == 2


async def test_the_watch_ends_when_it_is_told_to() -> None:
    """And takes a reading at once."""
    stop = asyncio.Event()
    throttle = Throttle(Limits(), lambda message: stop.set())

    class Meter:
        def read(self) -> Reading:
            return Reading(0.99, 0, 0)

    async with asyncio.timeout(30):
        await throttle.watch(Meter(), stop)
    assert throttle.short
