"""While a service's database is away: it says why and what to do, and waits until it is back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg

from syncline.core.errors import DatabaseLost, DatabaseUnavailable, StoreError
from syncline.core.redaction import redact
from syncline.store.database import Database
from syncline.store.explain import explain

__all__ = ["Outage"]

_AGAIN_SECONDS = 1.0
_SAID_AGAIN_SECONDS = 60.0


@dataclass(slots=True)
class Outage:
    """One who holds on to a database. What has been said is said again after a minute."""

    database: Database
    lost: str
    """What is said of it first."""
    say: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    _said: dict[str, float] = field(default_factory=dict)

    async def sit_out(
        self, error: psycopg.OperationalError | DatabaseUnavailable, stop: asyncio.Event
    ) -> None:
        """Wait a moment; then start the bundled server, if it has died. It may be away still."""
        cause = explain(error) if isinstance(error, psycopg.Error) else error
        self._say(f"{self.lost}; trying again.", cause)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _AGAIN_SECONDS)
        if not stop.is_set():
            try:
                await self.database.revive()
            except DatabaseUnavailable as failed:
                self._say("The database is still away; trying again.", failed)

    def over(self) -> None:
        """It can be used."""
        if self._said:
            self.say("The database is back.")
            self._said.clear()

    def _say(self, what: str, cause: StoreError) -> None:
        # What to do comes before what the server has said, which may be long and is cut.
        advice = "" if isinstance(cause, DatabaseLost) or not cause.hint else f" {cause.hint}"
        now = self.clock()
        if now - self._said.get(what + advice, -_SAID_AGAIN_SECONDS) >= _SAID_AGAIN_SECONDS:
            self._said[what + advice] = now
            self.say(f"{what}{advice} ({redact(str(cause))})")
