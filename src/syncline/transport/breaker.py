"""One session's view of a host's circuit breaker, which all runs of a connection share.

Failures are counted here; the ledger hears of them when there are enough to matter, or when the
session ends. A request that fails is one whose retries are used up, by the network or a 5xx.
"""

from __future__ import annotations

import asyncio

from syncline.core.errors import BreakerOpen
from syncline.core.ports import Clock
from syncline.transport.ledger import Breaker, Ledger, Standing
from syncline.transport.moments import shown_moment

__all__ = ["FAILURES", "OPEN_SECONDS", "PROBE_SECONDS", "HostBreaker"]

FAILURES = 5
"""In a row: then it opens."""
OPEN_SECONDS = 300.0
PROBE_SECONDS = 60.0
"""For which one worker has the host to itself to try it."""
_LOOK_AGAIN_SECONDS = 30.0


class HostBreaker:
    """Lets requests to one host pass, or refuses them."""

    def __init__(self, host: str, ledger: Ledger, clock: Clock) -> None:
        self._host = host
        self._ledger = ledger
        self._clock = clock
        self._lock = asyncio.Lock()
        self._looked_at: float | None = None
        self._known = Breaker()
        self._streak = 0
        self._reason = ""
        self._opens_at = 0.0
        self._prober: object = None

    async def enter(self, request: object) -> Standing | None:
        """Let a request pass. Answers what the ledger knows of the host, if it was asked.

        Raises `BreakerOpen`.
        """
        standing = None
        if request is self._prober:
            return None
        if self._due():
            async with self._lock:
                if self._due():
                    standing = await self._ledger.look(self._host)
                    self._know(standing.breaker)
                    self._looked_at = self._clock.monotonic()
        if self._lock.locked():
            async with self._lock:
                pass  # the ledger is being told of failures: what it answers holds for us as well
        self._refuse_while_open()
        if self._known.half_open:
            await self._probe(request)
        return standing

    async def failed(self, request: object, reason: str) -> None:
        """A request has failed for good: by the network, or with a 5xx."""
        if self._opens_at > self._clock.monotonic():
            return  # one of those that were under way
        self._streak += 1
        self._reason = reason
        if request is self._prober or self._known.failures + self._streak >= FAILURES:
            async with self._lock:
                if self._opens_at <= self._clock.monotonic():
                    await self._tell()

    async def succeeded(self, request: object) -> None:
        """The host has answered, if only to refuse."""
        self._streak = 0
        if self._known.failures or request is self._prober:
            self._prober, self._known = None, Breaker()
            await self._ledger.note_success(self._host)

    async def close(self) -> None:
        """The session ends: the next one goes on counting."""
        if self._streak and self._opens_at <= self._clock.monotonic():
            await self._tell()

    async def _tell(self) -> None:
        streak, self._streak, self._prober = self._streak, 0, None
        self._know(await self._ledger.note_failures(self._host, streak, self._reason))

    def _know(self, breaker: Breaker) -> None:
        self._known = breaker
        self._opens_at = self._clock.monotonic() + breaker.seconds if breaker.seconds else 0.0

    def _due(self) -> bool:
        if self._looked_at is None:
            return True
        return self._clock.monotonic() - self._looked_at >= _LOOK_AGAIN_SECONDS

    def _refuse_while_open(self) -> None:
        seconds = self._opens_at - self._clock.monotonic()
        if seconds > 0:
            until = shown_moment(self._clock.now(), seconds)
            raise BreakerOpen(
                f"{self._host} is not asked until {until}, because it failed "
                f"{max(self._known.failures, FAILURES)} times in a row ({self._known.reason})",
                retry_after=seconds,
                hint="One request then tries whether it is back; `syncline connections resume` "
                "lets the next run ask at once.",
            )
        if self._opens_at:
            # Whether it is ours to try, only the ledger knows.
            self._opens_at = 0.0
            self._known = Breaker(self._known.failures, 0.0, True, self._known.reason)

    async def _probe(self, request: object) -> None:
        async with self._lock:
            if self._prober is None and self._known.half_open:
                others = await self._ledger.claim_probe(self._host)
                if others is None:
                    self._prober = request
                else:
                    self._know(others)
        if not self._known.half_open:
            self._refuse_while_open()
        elif request is not self._prober:
            raise BreakerOpen(
                f"{self._host} is not asked until it has answered one request that tries it",
                retry_after=PROBE_SECONDS,
            )
