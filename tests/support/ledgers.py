"""A ledger in memory, for tests of what a session does with one; its clock is the test's."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from syncline.testing.clock import FakeClock
from syncline.transport.breaker import FAILURES, OPEN_SECONDS
from syncline.transport.ledger import Breaker, Lot, Order, Sold, Standing

__all__ = ["MemoryLedger"]


class MemoryLedger:
    """Sells what it is told to have; remembers what it was asked."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.orders: list[Order] = []
        self.sells: list[list[tuple[float, int]]] = []
        """For the next purchases: seconds from now, and tokens; then whatever is wanted."""
        self.refuses: tuple[float, str] | None = None
        self.closed: list[tuple[float, str]] = []
        self.breaker = Breaker()
        self.opens_at = 0.0
        self.looks = 0
        self.metered = False
        self.probing = False
        self.trips = 0

    async def look(self, host: str) -> Standing:
        self.trips += 1
        self.looks += 1
        if self.breaker.seconds and self.clock.monotonic() >= self.opens_at:
            self.breaker = replace(self.breaker, seconds=0.0, half_open=True)
        return Standing(self.breaker, self.metered)

    async def buy(self, host: str, order: Order) -> Sold:
        self.trips += 1
        self.orders.append(order)
        await asyncio.sleep(0)
        now = self.clock.monotonic()
        if self.refuses is not None:
            return Sold(now, (), *self.refuses)
        lots = self.sells.pop(0) if self.sells else [(0.0, order.wanted)]
        return Sold(now, [Lot(now + after, count) for after, count in lots])

    async def close_until(self, host: str, seconds: float, reason: str) -> None:
        self.trips += 1
        self.closed.append((seconds, reason))

    async def note_failures(self, host: str, failures: int, reason: str) -> Breaker:
        self.trips += 1
        failures += self.breaker.failures
        opens = failures >= FAILURES or self.breaker.half_open
        self.opens_at = self.clock.monotonic() + OPEN_SECONDS
        self.breaker = Breaker(failures, OPEN_SECONDS if opens else 0.0, False, reason)
        return self.breaker

    async def claim_probe(self, host: str) -> Breaker | None:
        self.trips += 1
        if self.probing:
            return Breaker(self.breaker.failures, 60.0, False, self.breaker.reason)
        self.probing = True
        return None

    async def note_success(self, host: str) -> None:
        self.trips += 1
        self.breaker = Breaker()
        self.probing = False
