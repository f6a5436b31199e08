"""How many requests a host gets at a time, and how fast one after another."""

from __future__ import annotations

import asyncio
from types import TracebackType

from syncline.core.ports import Clock
from syncline.transport.retry import Sleep

__all__ = ["Politeness"]

_LONGEST_DELAY = 60.0


class Politeness:
    """One gate a host. `async with politeness.turn(host):` around each request."""

    def __init__(self, *, concurrency: int, delay: float, clock: Clock, sleep: Sleep) -> None:
        self._concurrency = concurrency
        self._delay = delay
        self._clock = clock
        self._sleep = sleep
        self._gates: dict[str, _Gate] = {}

    def turn(self, host: str) -> _Gate:
        """The host's gate: entering waits for a free place and for the delay."""
        gate = self._gates.get(host)
        if gate is None:
            gate = _Gate(self._concurrency, self._delay, self._clock, self._sleep)
            self._gates[host] = gate
        return gate

    def pace(self, host: str, seconds: float) -> None:
        """Leave `seconds`, at most a minute, between requests to a host; never less than set."""
        self.turn(host).delay = max(self._delay, min(seconds, _LONGEST_DELAY))

    def hold(self, host: str, seconds: float) -> None:
        """Let no request to this host begin for `seconds`: it has asked for a rest."""
        self.turn(host).hold(seconds)


class _Gate:
    """A context manager that any number of requests share; it keeps no state of any one."""

    def __init__(self, concurrency: int, delay: float, clock: Clock, sleep: Sleep) -> None:
        self.delay = delay
        self._places = asyncio.Semaphore(concurrency)
        self._clock = clock
        self._sleep = sleep
        self._next_start = 0.0

    def hold(self, seconds: float) -> None:
        self._next_start = max(self._next_start, self._clock.monotonic() + seconds)

    async def __aenter__(self) -> None:
        await self._places.acquire()
        if not self.delay and not self._next_start:
            return
        try:
            await self._wait_for_start()
        except BaseException:
            self._places.release()
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._places.release()

    async def _wait_for_start(self) -> None:
        # The start is reserved before the wait, so that two waiters never share one.
        now = self._clock.monotonic()
        start = max(now, self._next_start)
        if self.delay or start > now:
            self._next_start = start + self.delay
        if start > now:
            await self._sleep(start - now)
