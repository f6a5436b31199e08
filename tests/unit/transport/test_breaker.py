"""One session's view of a host's breaker."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from syncline.core.errors import BreakerOpen
from syncline.testing.clock import FakeClock
from syncline.transport.breaker import HostBreaker
from syncline.transport.ledger import Breaker
from tests.support.ledgers import MemoryLedger


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ledger(clock: FakeClock) -> MemoryLedger:
    return MemoryLedger(clock)


@pytest.fixture
def breaker(ledger: MemoryLedger, clock: FakeClock) -> HostBreaker:
    return HostBreaker("host", ledger, clock)


async def _request(breaker: HostBreaker, *, fails: bool = False) -> None:
    request = object()
    await breaker.enter(request)
    await (breaker.failed(request, "502") if fails else breaker.succeeded(request))


async def test_five_failures_in_a_row_open_it(breaker: HostBreaker, ledger: MemoryLedger) -> None:
    """Four and an answer do not; and the ledger hears of nothing before."""
    for _ in range(4):
        await _request(breaker, fails=True)
    await _request(breaker)
    for _ in range(4):
        await _request(breaker, fails=True)
    assert ledger.trips == 1  # the first look
    await _request(breaker, fails=True)
    with pytest.raises(BreakerOpen, match=r"not asked until 00:05 UTC, .* 5 times .*\(502\)") as e:
        await _request(breaker)
    assert e.value.retry_after == 300


async def test_nothing_passes_while_the_ledger_is_being_told(
    breaker: HostBreaker, ledger: MemoryLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long that takes."""
    telling, told = asyncio.Event(), asyncio.Event()
    note = ledger.note_failures

    async def slowly(*given: Any) -> Breaker:
        telling.set()
        await told.wait()
        return await note(*given)

    monkeypatch.setattr(ledger, "note_failures", slowly)
    for _ in range(4):
        await _request(breaker, fails=True)
    fifth = asyncio.create_task(_request(breaker, fails=True))
    await telling.wait()
    sixth = asyncio.create_task(_request(breaker))
    assert await asyncio.wait({sixth}, timeout=0) == (set(), {sixth})
    told.set()
    await fifth
    with pytest.raises(BreakerOpen):
        await sixth


async def test_failures_are_counted_on_by_the_next_session(
    breaker: HostBreaker, ledger: MemoryLedger, clock: FakeClock
) -> None:
    """A host that lets every run fail at its first request opens it too."""
    for _ in range(5):
        breaker = HostBreaker("host", ledger, clock)
        await _request(breaker, fails=True)
        await breaker.close()
    with pytest.raises(BreakerOpen):
        await _request(HostBreaker("host", ledger, clock))


async def test_an_answer_makes_them_forgotten(breaker: HostBreaker, ledger: MemoryLedger) -> None:
    """In the ledger too, if it knows of any."""
    ledger.breaker = Breaker(4, reason="502")
    await _request(breaker)
    assert ledger.breaker.failures == 0
    await _request(breaker, fails=True)
    await _request(breaker)


async def test_one_request_tries_whether_the_host_is_back(
    breaker: HostBreaker, ledger: MemoryLedger, clock: FakeClock
) -> None:
    """With all its retries; others are refused until it has an answer. It closes the breaker."""
    for _ in range(5):
        await _request(breaker, fails=True)
    clock.advance(301)
    probe = object()
    await breaker.enter(probe)
    await breaker.enter(probe)
    with pytest.raises(BreakerOpen):
        await breaker.enter(object())
    await breaker.succeeded(probe)
    await _request(breaker)
    assert ledger.breaker == Breaker()


async def test_a_try_that_fails_opens_it_again(
    breaker: HostBreaker, ledger: MemoryLedger, clock: FakeClock
) -> None:
    """At its first failure, for as long as before."""
    ledger.breaker = Breaker(5, 0.0, True, "502")
    await _request(breaker, fails=True)
    with pytest.raises(BreakerOpen) as caught:
        await _request(breaker)
    assert caught.value.retry_after == 300


async def test_where_another_tries_we_wait(
    breaker: HostBreaker, ledger: MemoryLedger, clock: FakeClock
) -> None:
    """And then ask again whether we may."""
    ledger.breaker = Breaker(5, 0.0, True, "502")
    ledger.probing = True
    with pytest.raises(BreakerOpen) as caught:
        await _request(breaker)
    assert caught.value.retry_after == 60
    clock.advance(61)
    ledger.opens_at = 0.0
    ledger.breaker, ledger.probing = Breaker(), False
    await _request(breaker)
    await _request(breaker)


async def test_what_others_have_noted_is_looked_up_now_and_then(
    breaker: HostBreaker, ledger: MemoryLedger, clock: FakeClock
) -> None:
    """Every half a minute, if there are requests at all."""
    await _request(breaker)
    ledger.breaker, ledger.opens_at = Breaker(5, 200.0, False, "502"), 200.0
    for _ in range(100):
        await _request(breaker)
    assert ledger.looks == 1
    clock.advance(31)
    with pytest.raises(BreakerOpen):
        await _request(breaker)
