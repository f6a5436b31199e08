"""What one session does with the tokens of a quota."""

from __future__ import annotations

import asyncio

import pytest

from syncline.core.errors import HostHeld
from syncline.core.ports import MeteredOptions
from syncline.core.quota import Bucket, with_own
from syncline.testing.clock import FakeClock
from syncline.transport.ledger import Told
from syncline.transport.quota import Meter
from tests.support.ledgers import MemoryLedger

_MINUTE = (Bucket(700, 60),)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ledger(clock: FakeClock) -> MemoryLedger:
    return MemoryLedger(clock)


@pytest.fixture
def meter(ledger: MemoryLedger, clock: FakeClock) -> Meter:
    return Meter("host", _MINUTE, ledger, clock=clock, sleep=clock.sleep)


async def test_tokens_are_bought_in_batches(meter: Meter, ledger: MemoryLedger) -> None:
    """Larger ones while they are used up: a thousand requests take some fifteen round trips."""
    for _ in range(1000):
        await meter.take()
    assert len(ledger.orders) < 20
    await meter.close()
    sold = sum(order.wanted for order in ledger.orders)
    given_back = sum(lot.count for order in ledger.orders for lot in order.back)
    assert sold - given_back == 1000


async def test_a_token_is_not_spent_before_its_moment(
    meter: Meter, ledger: MemoryLedger, clock: FakeClock
) -> None:
    """Nor long after it: then another is bought, and the old one given back."""
    ledger.sells = [[(0.0, 1), (7.0, 2)]]
    await meter.take()
    assert clock.slept == []
    await meter.take()
    assert clock.slept == [7.0]
    clock.advance(30)
    await meter.take()
    assert [lot.count for lot in ledger.orders[-1].back] == [1]
    # The buckets are taken to be longer by what a token may be late.
    assert ledger.orders[-1].buckets == (Bucket(700, 61.2),)


async def test_who_needs_tokens_at_once_buys_them_together(
    meter: Meter, ledger: MemoryLedger
) -> None:
    """Each waiting request is bought for, however late the moment."""
    await asyncio.gather(*(meter.take() for _ in range(30)))
    assert len(ledger.orders) <= 3


async def test_a_short_session_keeps_no_token_from_others(
    meter: Meter, ledger: MemoryLedger
) -> None:
    """A list, and the five pages that it names: none is bought that is not spent."""
    await meter.take()
    await asyncio.gather(*(meter.take() for _ in range(5)))
    assert [order.wanted for order in ledger.orders] == [1, 5]


async def test_no_more_is_bought_than_is_spent_in_time(
    meter: Meter, ledger: MemoryLedger, clock: FakeClock
) -> None:
    """Who asks now and then, or waits for tokens with others, takes few ahead of its needs."""
    for _ in range(20):
        await meter.take()
    assert ledger.orders[-1].wanted > 10
    for _ in range(2):
        clock.advance(30)
        await meter.take()
    assert ledger.orders[-1].wanted < 10
    ledger.sells = [[(8.0, 20)]]
    clock.advance(30)
    for _ in range(21):
        await meter.take()
    assert ledger.orders[-1].wanted == 1


async def test_too_long_a_wait_is_the_callers(meter: Meter, ledger: MemoryLedger) -> None:
    """It is told for how long, and why."""
    ledger.refuses = (5000.0, "the source said so")
    with pytest.raises(HostHeld, match=r"until 01:23 UTC: the source said so") as caught:
        await meter.take()
    assert caught.value.retry_after == 5000.0


async def test_what_the_source_tells_goes_with_the_next_purchase(
    meter: Meter, ledger: MemoryLedger, clock: FakeClock
) -> None:
    """As it is by then: less what was spent since, and so much later. Once."""
    ledger.sells = [[(0.0, 4)]]
    await meter.take()
    meter.hear({"x-ratelimit-remaining": "50", "x-ratelimit-reset": "30"})
    for _ in range(3):
        await meter.take()
    clock.advance(10)
    await meter.take()
    assert ledger.orders[-1].told == Told(47, 20.0)
    await meter.close()
    assert ledger.orders[-1].told is None


async def test_a_wait_that_is_cancelled_wastes_no_token(
    meter: Meter, ledger: MemoryLedger, clock: FakeClock
) -> None:
    """It goes back for somebody else."""

    async def cancelled(seconds: float) -> None:
        raise asyncio.CancelledError

    meter = Meter("host", _MINUTE, ledger, clock=clock, sleep=cancelled)
    ledger.sells = [[(50.0, 1)]]
    with pytest.raises(asyncio.CancelledError):
        await meter.take()
    await meter.close()
    assert [lot.count for lot in ledger.orders[-1].back] == [1]


def test_a_connections_own_limits_stand_in_for_the_connectors() -> None:
    """Those of the same length of time; the others stay."""
    default = (Bucket(3, 1), Bucket(10_000, 86_400))
    own = MeteredOptions.model_validate({"requests_per_second": 1, "requests_per_minute": 30})
    assert own.quota(default) == (Bucket(1, 1), Bucket(30, 60), Bucket(10_000, 86_400))
    assert MeteredOptions.model_validate({}).quota(default) == default
    assert with_own((), ()) == ()
