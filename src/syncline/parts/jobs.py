"""`kb.jobs`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from syncline.parts import Part

if TYPE_CHECKING:
    from syncline.store.jobs_read import JobRow

__all__ = ["Jobs"]


class Jobs(Part):
    """What waits, runs or has failed in a workspace: `kb.jobs`."""

    async def list(self, *, states: Sequence[str] = (), limit: int = 50) -> list[JobRow]:
        """The newest first; `states` of waiting, ready, running, dead, cancelled, or all."""
        from syncline.store.jobs_read import list_jobs

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
