"""A connection's lane: taken for one run, and kept while its lease can be renewed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg

from syncline.core.errors import (
    BreakerOpen,
    DatabaseUnavailable,
    RateLimited,
    RunInProgress,
    SourceError,
    SynclineError,
)
from syncline.core.model import Mode
from syncline.store.connections import ConnectionRow
from syncline.store.database import Connection, Database
from syncline.store.explain import explain
from syncline.store.parts import note_part
from syncline.store.runs import SESSION, RunRef, let_go, open_run, renew
from syncline.store.status_read import last_listed
from syncline.sync.report import Progress

__all__ = ["holding", "taken_lane", "told", "until_fenced"]

_NOTE_SECONDS = 2.0
"""How often a run tells others how far it is; its lease is renewed with it."""
_WAIT_SECONDS = 0.5


@asynccontextmanager
async def taken_lane(
    database: Database,
    row: ConnectionRow,
    mode: Mode,
    *,
    force: bool,
    wait: bool,
    stop: asyncio.Event,
) -> AsyncIterator[tuple[Connection, RunRef]]:
    """The lane, and the database session that holds it and does what the run does.

    Raises `RunInProgress` if another run holds it, unless `wait` or `force`.
    """
    async with holding(database) as session:
        while True:
            try:
                run = await open_run(session, row.workspace_id, row.id, mode, force=force)
                break
            except RunInProgress:
                if not wait:
                    raise
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _WAIT_SECONDS)
                if stop.is_set():
                    raise
        yield session, run


@asynccontextmanager
async def holding(database: Database) -> AsyncIterator[Connection]:
    """A session that takes a lane, and lets it go at the end. It ends with whatever goes wrong."""
    async with database.connection(application=SESSION) as session:
        try:
            yield session
            await let_go(session)
        except BaseException:
            await session.close()
            raise


async def until_fenced(
    work: Any, database: Database, run: RunRef, progress: Progress, started: float
) -> None:
    """Do the work while the lease can be renewed; cancel it when the run is taken over.

    The run's own session may be busy, so another one renews it. Where there is none to be had, the
    next time is early enough: the lease is longer, and a database that is away is met by the work.
    """
    task = asyncio.ensure_future(work)
    total: int | None = None
    note = note_part if run.part else renew
    try:
        await asyncio.wait({task}, timeout=_NOTE_SECONDS)
        if not task.done():
            with suppress(DatabaseUnavailable, psycopg.OperationalError):
                async with database.brief_connection() as db:
                    total = await last_listed(db, run.workspace_id, run.connection_id)
        while not task.done():
            noted = progress.as_noted(total, time.monotonic() - started)
            with suppress(DatabaseUnavailable, psycopg.OperationalError):
                async with database.brief_connection() as db:
                    await note(db, run, noted)
            await asyncio.wait({task}, timeout=_NOTE_SECONDS)
        await task
    finally:
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def told(error: Exception) -> dict[str, Any]:
    """An error as it is reported: `code`, `message`, `hint`, and `retry_after` (seconds) where the
    source has said when to come back, or a quota or a breaker has."""
    if isinstance(error, psycopg.Error):
        error = explain(error)
    code = error.code if isinstance(error, SourceError) else type(error).__name__
    hint = error.hint if isinstance(error, SynclineError) else None
    what: dict[str, Any] = {"code": code, "message": str(error), "hint": hint}
    if isinstance(error, RateLimited | BreakerOpen) and error.retry_after is not None:
        what["retry_after"] = round(error.retry_after, 1)
    return what
