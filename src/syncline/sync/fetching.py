"""Asking a source for one entry, and what its answer means for the run."""

from __future__ import annotations

import asyncio
from typing import Any, TypeAlias

import psycopg

from syncline.core.errors import (
    BreakerOpen,
    HostHeld,
    RateLimited,
    SourceError,
    SynclineError,
    Unauthorized,
)
from syncline.core.model import Fetched, Locator, Validators
from syncline.core.ports import Connector
from syncline.store.results import Broken
from syncline.sync.work import as_broken

__all__ = ["Answer", "Fetcher"]

Answer: TypeAlias = Fetched | Broken | RateLimited | HostHeld | BreakerOpen | None
"""What was fetched; why this entry cannot be; that it, or its whole host, is not to be asked for a
while; None if the run was stopped before."""


class Fetcher:
    """Asks, until the run is stopped: a slow source does not hold up whoever wants to end."""

    def __init__(self, connector: Connector, stop: asyncio.Event) -> None:
        self._connector = connector
        self._stop = stop
        self._stopped: asyncio.Task[Any] | None = None

    async def ask(self, locator: Locator, validators: Validators | None) -> Answer:
        """Raises `Unauthorized`, and what is our own failure."""
        try:
            return await self._unless_stopped(locator, validators)
        except Unauthorized:
            raise  # every other request would fail the same way
        except (HostHeld, BreakerOpen, RateLimited) as error:
            return error
        except SourceError as error:
            return as_broken(error)
        except (SynclineError, psycopg.Error):
            raise  # ours, not the entry's
        except Exception as error:  # noqa: BLE001 - one entry's trouble must not end the run
            what = f"it failed in an unforeseen way ({type(error).__name__}: {error})"
            return Broken("source_error", what)

    async def _unless_stopped(
        self, locator: Locator, validators: Validators | None
    ) -> Fetched | None:
        fetching: asyncio.Task[Any] = asyncio.create_task(
            self._connector.fetch(locator, validators)
        )
        if self._stopped is None:
            self._stopped = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({fetching, self._stopped}, return_when=asyncio.FIRST_COMPLETED)
            answer: Fetched | None = fetching.result() if fetching.done() else None
            return answer
        finally:
            fetching.cancel()

    def close(self) -> None:
        """Nothing is asked any more."""
        if self._stopped is not None:
            self._stopped.cancel()
