"""Upkeep as a service: each of its parts at its own interval, on one of all machines at a time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import cache

import psycopg
from msgspec import Struct

from syncline.connectors.registry import Registry
from syncline.core.errors import ConfigurationError, DatabaseUnavailable
from syncline.core.ports import EmbedderInfo
from syncline.core.redaction import redact
from syncline.embedders.catalogue import create
from syncline.settings import Settings
from syncline.store.database import Connection, Database
from syncline.store.freshness import note_missed_freshness
from syncline.store.upkeep import end_service, take_service
from syncline.sync.maintenance import (
    embeddings,
    events,
    hosts,
    indexes,
    jobs,
    reconciles,
    runs,
    tombstones,
)

__all__ = ["Upkeep"]

_log = logging.getLogger(__name__)
_PAUSE = 1.0
"""Re-embedding leaves half of the time to what syncs and searches want of the model."""
_AT_ONCE = 2
"""Of the parts that clean up, which may take long: each has a session, which costs megabytes."""
_SELDOM = 3600.0
"""Parts that come as seldom as this take turns; the others are waited for by nobody."""
_LOOK_SECONDS = 30.0
"""How often to look whether another machine's turn has been missed."""


class _Part(Struct, frozen=True):
    every: float
    run: Callable[[Connection], Awaitable[int]]
    """One bounded share of the work, until there is none; how much that was."""


@dataclass(slots=True)
class Upkeep:
    """Runs until it is told to stop. What is under way then is broken off: none of it is lost."""

    database: Database
    settings: Settings
    embedder: EmbedderInfo
    with_default: bool
    """Connections without a schedule of their own run by themselves."""
    registry: Registry
    on_trouble: Callable[[str], None] = field(default=lambda message: None)
    _started: float = field(default_factory=time.monotonic)
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def run(self, stop: asyncio.Event) -> None:
        """Parts side by side: building an index takes its time."""
        tasks = [
            asyncio.create_task(self._repeat(name, part)) for name, part in self._parts().items()
        ]
        try:
            await stop.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def run_once(self) -> dict[str, int]:
        """Each part whose time has come; how much each did."""
        done = {}
        for name, part in self._parts().items():
            did = await self._take(name, part)
            if did is not None:
                done[name] = did
        return done

    def _parts(self) -> dict[str, _Part]:
        settings = self.settings

        async def freshness(db: Connection) -> int:
            return await note_missed_freshness(
                db, with_default=self.with_default, limit=settings.health_unhealthy_lag
            )

        async def search_indexes(db: Connection) -> int:
            return await indexes.run_everywhere(self.database)

        async def complete_lists(db: Connection) -> int:
            kinds = await asyncio.to_thread(self._kinds_with_feeds)
            return await reconciles.run_once(db, kinds, with_default=self.with_default)

        load = cache(lambda: create(settings))
        reembedding = embeddings.Reembedding(
            self.embedder,
            load,
            self.database.connect_as_owner,
            started=self._started,
            pause=_PAUSE,
        )
        return {
            "freshness": _Part(30, freshness),
            "complete lists": _Part(60, complete_lists),
            "indexes": _Part(60, search_indexes),
            "embeddings": _Part(60, lambda db: embeddings.run_everywhere(db, reembedding)),
            "deleted documents": _Part(
                3600, lambda db: tombstones.run_everywhere(db, settings.keep_deleted_days)
            ),
            "runs": _Part(
                3600,
                lambda db: runs.run_everywhere(
                    db, days=settings.keep_runs_days, reports=settings.keep_reports
                ),
            ),
            "kept answers": _Part(3600, hosts.run_everywhere),
            "jobs": _Part(3600, lambda db: jobs.run_once(db, settings.keep_jobs_days)),
            "events": _Part(3600, lambda db: events.run_once(db, settings.keep_events_days)),
        }

    def _kinds_with_feeds(self) -> list[str]:
        """The kinds whose feeds leave something unsaid; without those that cannot be loaded."""
        found = []
        for kind in self.registry.kinds():
            with suppress(ConfigurationError):
                if reconciles.needs_reconciling(self.registry.get(kind).capabilities):
                    found.append(kind)
        return found

    async def _repeat(self, name: str, part: _Part) -> None:
        while True:
            try:
                await self._take(name, part)
            except (psycopg.OperationalError, DatabaseUnavailable):
                pass  # whoever plans or works says that the database went away
            except Exception as error:  # noqa: BLE001 - one part's trouble is not the others'
                self.on_trouble(f"Upkeep of {name} will be tried again: {redact(str(error))}")
            await asyncio.sleep(min(part.every, _LOOK_SECONDS))

    async def _take(self, name: str, part: _Part) -> int | None:
        """Do it, if it is due and nobody else is at it."""
        turn = self._turns if part.every >= _SELDOM else nullcontext()
        async with turn, self.database.connection() as db:
            if not await take_service(db, name, every=part.every):
                return None
            done: int | None = None
            try:
                done = await part.run(db)
            finally:
                # Where that fails, its lock goes with the session, which is then closed.
                await end_service(db, name, done)
        if done:
            _log.debug("Upkeep of %s: %s.", name, done, extra={"upkeep": name, "done": done})
        return done
