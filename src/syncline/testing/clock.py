"""A clock that only moves when it is told to, or slept on."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

__all__ = ["FakeClock"]


class FakeClock:
    """Implements `core.ports.Clock`; `sleep` moves it on and notes for how long."""

    def __init__(self, start: datetime = datetime(2030, 1, 1, tzinfo=UTC)) -> None:
        self.slept: list[float] = []
        self.tick = 0.0
        """By how much each look at `monotonic` moves it, in seconds."""
        self._start = start
        self._elapsed = 0.0

    def now(self) -> datetime:
        """The wall clock, in UTC."""
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Seconds since it was made."""
        self._elapsed += self.tick
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Move it on."""
        self._elapsed += seconds

    async def sleep(self, seconds: float) -> None:
        """In place of `asyncio.sleep`: takes no time, but lets others run."""
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)
