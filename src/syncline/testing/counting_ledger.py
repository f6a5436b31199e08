"""A ledger in memory: it keeps to quotas to the letter, for the sessions of one process."""

from __future__ import annotations

from syncline.core.ports import Clock
from syncline.transport.ledger import Breaker, Lot, Order, Sold, Standing

__all__ = ["CountingLedger"]


class CountingLedger:
    """Implements `transport.ledger.Ledger`; tokens that are given back are lost."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sold: dict[str, list[float]] = {}
        self._told: dict[str, tuple[int, float]] = {}
        """What sources said that they still answer, and until when that holds."""

    async def look(self, host: str) -> Standing:
        return Standing(Breaker(), metered=False)

    async def buy(self, host: str, order: Order) -> Sold:
        now = self._clock.monotonic()
        sold = self._sold.setdefault(host, [])
        lots: list[Lot] = []
        at = now
        if order.told is not None:
            self._told[host] = (order.told.left, now + order.told.seconds)
        while len(lots) < order.wanted:
            left, until = self._told.get(host, (1, 0.0))
            free = [
                sold[-bucket.tokens] + bucket.seconds
                for bucket in order.buckets
                if len(sold) >= bucket.tokens
            ]
            at = max(at, *free, until if left == 0 else 0.0)
            near = order.patience if len(lots) < order.needed else order.horizon
            if at > now + near:
                break
            self._told[host] = (max(0, left - 1) if at < until else 1, until)
            sold.append(at)
            lots.append(Lot(at, 1))
        return Sold(now, lots, wait=0.0 if lots else at - now)

    async def close_until(self, host: str, seconds: float, reason: str) -> None:
        return None

    async def note_failures(self, host: str, failures: int, reason: str) -> Breaker:
        return Breaker(failures)

    async def claim_probe(self, host: str) -> Breaker | None:
        return None

    async def note_success(self, host: str) -> None:
        return None
