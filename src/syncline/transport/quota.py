"""One session's tokens of one host's quota: bought in batches, spent one a request."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from syncline.core.errors import HostHeld
from syncline.core.ports import Clock
from syncline.core.quota import Bucket, Quota
from syncline.transport.ledger import Ledger, Lot, Order, Sold, Told
from syncline.transport.moments import shown_moment
from syncline.transport.retry import Sleep
from syncline.transport.told import told_by

__all__ = ["PATIENCE", "Meter", "is_scarce"]

PATIENCE = 90.0
"""Seconds that a request waits for its token: more than any bucket of a minute makes it wait."""
_MOST = 100
_HORIZON = 2.0
# A token is good for a while, or nobody could buy more than one. A bucket is taken to be longer
# by as much, so that a token spent at the end of its time is not one too many. Of a long bucket
# that is a fiftieth; of one of a second a twenty-fifth, since no program is always as punctual.
_LIFE = 0.02
_SHORT_LIFE = 0.04
_LONGEST_LIFE = 10.0
_LIFE_UNMETERED = 5.0
_SCARCE = 100


@dataclass(slots=True)
class _Hand:
    """Tokens in hand, for the same moment."""

    at: float
    begins: float
    ends: float
    count: int


class Meter:
    """Hands out tokens to one session's requests to one host."""

    def __init__(
        self, host: str, quota: Quota, ledger: Ledger, *, clock: Clock, sleep: Sleep
    ) -> None:
        self._host = host
        self._ledger = ledger
        self._clock = clock
        self._sleep = sleep
        self._life = min((_life(bucket.seconds) for bucket in quota), default=_LIFE_UNMETERED)
        self._buckets = tuple(
            Bucket(bucket.tokens, bucket.seconds + self._life) for bucket in quota
        )
        self._hands: deque[_Hand] = deque()
        self._back: list[Lot] = []
        self._buying = asyncio.Lock()
        self._waiting = 0
        self._batch = 1
        self._spent = 0
        self._expired = False
        """Of the last purchase."""
        self._told: Told | None = None
        self._told_at = 0.0

    async def take(self) -> None:
        """Wait for a token, and spend it.

        Raises `HostHeld` where that would take longer than a request waits.
        """
        self._waiting += 1
        try:
            hand = self._next()
            if hand is None:
                async with self._buying:
                    while (hand := self._next()) is None:
                        await self._buy()
                    # In the same breath: nobody else may let its time pass.
                    hand.count -= 1
            else:
                hand.count -= 1
            self._spent += 1
        finally:
            self._waiting -= 1
        if self._told is not None:
            self._told = replace(self._told, left=max(0, self._told.left - 1))
        wait = hand.begins - self._clock.monotonic()
        if wait > 0:
            try:
                await self._sleep(wait)
            except asyncio.CancelledError:
                self._back.append(Lot(hand.at, 1))
                raise

    def hear(self, headers: Mapping[str, str], under_way: int = 0) -> None:
        """Note what an answer says of the quota; the ledger is told with the next purchase.

        So many requests are `under_way`, which the source may not have counted.
        """
        told = told_by(headers, self._clock.now())
        if told is not None:
            self._told = replace(told, left=max(0, told.left - under_way))
            self._told_at = self._clock.monotonic()

    async def close(self) -> None:
        """Give back what is left."""
        self._back += [Lot(hand.at, hand.count) for hand in self._hands if hand.count]
        self._hands.clear()
        if self._back or self._still_told():
            await self._ledger.buy(self._host, self._order(0, 0))

    def _next(self) -> _Hand | None:
        now = self._clock.monotonic()
        while self._hands:
            hand = self._hands[0]
            if hand.count and hand.ends >= now:
                return hand
            if hand.count:
                self._back.append(Lot(hand.at, hand.count))
                self._expired = True
            self._hands.popleft()
        return None

    async def _buy(self) -> None:
        """Have tokens in hand, some of them perhaps for later. Raises `HostHeld`."""
        await asyncio.sleep(0)  # who comes in the same moment is bought for as well
        waited = 0.0
        while True:
            needed = max(1, self._waiting)
            asked = self._clock.monotonic()
            order = self._order(max(needed, self._batch), needed)
            self._back, self._told = [], None
            sold = await self._ledger.buy(self._host, order)
            if sold.lots:
                break
            # The ledger looks ahead only so far; what is beyond has to be asked for again.
            waited += max(sold.wait, 0.1)
            if waited > PATIENCE:
                raise HostHeld(
                    f"{self._host} is not asked until "
                    f"{shown_moment(self._clock.now(), sold.wait)}: "
                    f"{sold.reason or 'its quota is used up'}",
                    retry_after=sold.wait,
                    hint="The service goes on by itself then. Other uses of the same account "
                    "count too.",
                )
            await self._sleep(sold.wait)
        self._decide_batch(sold)
        got = self._clock.monotonic()
        # The ledger's now was some moment in between.
        life = self._life - min(got - asked, self._life / 2)
        for lot in sold.lots:
            begins = got + lot.at - sold.now
            self._hands.append(_Hand(lot.at, begins, begins + life, lot.count))

    def _decide_batch(self, sold: Sold) -> None:
        """How many tokens the next purchase takes for what has not been asked yet.

        What lies in our hands unused keeps others waiting: more and more, as long as all are spent
        in time; as many as were, else; and none where those that we got are for later.
        """
        if sold.lots[-1].at > sold.now + self._life:
            self._batch = 1
        elif self._expired:
            self._batch = max(1, self._spent)
        else:
            self._batch = min(self._batch * 2, _MOST)
        self._spent, self._expired = 0, False

    def _order(self, wanted: int, needed: int) -> Order:
        return Order(
            self._buckets,
            wanted=wanted,
            needed=needed,
            horizon=_HORIZON,
            patience=PATIENCE,
            told=self._still_told(),
            back=tuple(self._back),
        )

    def _still_told(self) -> Told | None:
        if self._told is None:
            return None
        seconds = self._told.seconds - (self._clock.monotonic() - self._told_at)
        return replace(self._told, seconds=seconds) if seconds > 0 else None


def _life(seconds: float) -> float:
    """For how long a token of such a bucket may be used."""
    return max(min(seconds * _LIFE, _LONGEST_LIFE), min(seconds, 1.0) * _SHORT_LIFE)


def is_scarce(headers: Mapping[str, str], clock: Clock) -> bool:
    """Whether an answer says that few requests are left: then it is worth counting them."""
    told = told_by(headers, clock.now())
    return told is not None and told.left <= max(_SCARCE, (told.limit or 0) // 5)
