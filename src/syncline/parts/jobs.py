"""`kb.jobs`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from syncline.parts import Part

if TYPE_CHECKING:
    from syncline.store.jobs_read import JobRow
    from syncline.sync.sync_all import Queued, Synced

__all__ = ["Jobs"]


class Jobs(Part):
    """What waits, runs or has failed in a workspace: `kb.jobs`."""

    async def list(
        self, *, states: Sequence[str] = (), limit: int = 50, everywhere: bool = False
    ) -> list[JobRow]:
        """The newest first; `states` of waiting, ready, running, dead, cancelled, or all.

        `everywhere`: of all workspaces.
        """
        from syncline.store.jobs_read import list_jobs

        if everywhere:
            async with self._client.database.connection() as db:
                return await list_jobs(db, None, states=states, limit=limit)
        async with self._client.session() as (db, workspace):
            return await list_jobs(db, workspace, states=states, limit=limit)

    async def show(self, job: int) -> JobRow:
        """One job. Raises `NotHere`."""
        from syncline.store.jobs_read import find_job

        async with self._client.session() as (db, workspace):
            return await find_job(db, workspace, job)

    async def cancel(self, job: int) -> str:
        """Cancel it; `running` if a worker has been asked to stop it. Raises `UsageError`."""
        from syncline.store.jobs_read import cancel_job

        async with self._client.session() as (db, workspace):
            return await cancel_job(db, workspace, job)

    async def retry(self, job: int) -> None:
        """Try a dead, cancelled or waiting job again, now. Raises `UsageError`."""
        from syncline.store.jobs_read import retry_job

        async with self._client.session() as (db, workspace):
            await retry_job(db, workspace, job)

    async def queue(
        self, *, everywhere: bool = False, full: bool = False, force: bool = False
    ) -> Queued:
        """Ask for a sync of every connection that does not rest; `everywhere`: of all workspaces.

        They go before what is merely due. `full` reads everything again; `force` ends runs that
        are under way, and starts anew.
        """
        from syncline.core.model import Mode
        from syncline.sync.sync_all import queue_all

        mode = Mode.FULL if full else Mode.INCREMENTAL
        if everywhere:
            async with self._client.database.connection() as db:
                return await queue_all(db, None, mode=mode, force=force)
        async with self._client.session() as (db, workspace):
            return await queue_all(db, workspace, mode=mode, force=force)

    async def wait(
        self,
        queued: Queued,
        *,
        on_ended: Callable[[Synced], None] = lambda synced: None,
        stop: asyncio.Event | None = None,
    ) -> Sequence[Synced]:
        """Wait until all that was queued has ended. Where no worker lives, this process is one.

        Setting `stop` ends the waiting; what was queued stays queued, and what this process has
        begun is stopped cleanly, and given back.
        """
        from syncline.service import Service
        from syncline.sync.sync_all import wait_for

        client = self._client
        stopping = stop or asyncio.Event()
        async with client.database.connection() as db:
            if queued.workers:
                return await wait_for(db, queued, stopping, on_ended)
            done = asyncio.Event()
            # Whoever watches a service does not watch a command: its port stays free.
            settings = client.settings.model_copy(update={"metrics_port": None})
            working = asyncio.create_task(
                Service(settings, client.database, scheduler=False).run(done)
            )
            waiting = asyncio.create_task(wait_for(db, queued, stopping, on_ended, tend=True))
            try:
                await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
                if working.done():
                    await working  # raises what ended it
                return await waiting
            finally:
                done.set()
                waiting.cancel()
                await asyncio.gather(working, waiting, return_exceptions=True)
