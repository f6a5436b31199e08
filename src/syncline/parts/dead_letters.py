"""`kb.dead_letters`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from syncline.core.errors import UsageError
from syncline.parts import Part

if TYPE_CHECKING:
    from syncline.core.model import WorkspaceId
    from syncline.store.database import Connection
    from syncline.store.dead_letters import Cause, Chosen, DeadLetter

__all__ = ["DeadLetters", "SentAgain"]


class SentAgain(Struct, frozen=True):
    """What is tried again."""

    entries: int
    jobs: int
    queued: int
    """Syncs that were queued for the entries' connections."""
    workers: int
    """How many workers there are to do them."""


class DeadLetters(Part):
    """Entries and jobs that failed for good: `what` are entries' ids, or jobs as `job:12`."""

    async def list(
        self,
        *what: str,
        connection: str | None = None,
        cause: str | None = None,
        limit: int = 50,
        offset: int = 0,
        everywhere: bool = False,
    ) -> Sequence[DeadLetter]:
        """A page of them, the latest first. Raises `NotHere` for a connection.

        `everywhere`: of all workspaces. Raises `UsageError` for a connection then.
        """
        from syncline.store.dead_letters import Chosen, list_dead_letters

        if everywhere:
            if what or connection is not None:
                raise UsageError("Entries and connections are one workspace's: name one, or none.")
            async with self._client.database.connection() as db:
                chosen = Chosen(cause=cause)
                return await list_dead_letters(db, None, chosen, limit=limit, offset=offset)
        async with self._client.session() as (db, workspace):
            chosen = await _chosen(db, workspace, what, connection, cause)
            return await list_dead_letters(db, workspace, chosen, limit=limit, offset=offset)

    async def causes(
        self,
        *,
        connection: str | None = None,
        cause: str | None = None,
        everywhere: bool = False,
    ) -> Sequence[Cause]:
        """How many there are of each cause."""
        from syncline.store.dead_letters import Chosen, causes

        if everywhere:
            if connection is not None:
                raise UsageError("A connection is one workspace's: name one of them, or none.")
            async with self._client.database.connection() as db:
                return await causes(db, None, Chosen(cause=cause))
        async with self._client.session() as (db, workspace):
            return await causes(db, workspace, await _chosen(db, workspace, (), connection, cause))

    async def retry(
        self, *what: str, connection: str | None = None, cause: str | None = None
    ) -> SentAgain:
        """Try them again, with all their attempts before them: these, or all that fit.

        Jobs are ready at once; for entries, a sync of their connections is queued.
        """
        from syncline.store.dead_letters import send_again
        from syncline.store.sync_queue import candidates, make_sync_jobs, workers_alive

        async with self._client.session() as (db, workspace), db.transaction():
            chosen = await _chosen(db, workspace, what, connection, cause)
            entries, jobs, connections = await send_again(db, workspace, chosen)
            of_them = [
                each
                for each in await candidates(db, workspace)
                if each.id in connections and each.resting is None
            ]
            queued = await make_sync_jobs(db, of_them, {}) if of_them else {}
            return SentAgain(entries, jobs, len(queued), await workers_alive(db))

    async def discard(
        self, *what: str, connection: str | None = None, cause: str | None = None
    ) -> tuple[int, int]:
        """Have done with these, or with all that fit; how many entries and jobs those were.

        An entry is left out until it changes; what is stored of it stays. A job is forgotten.
        """
        from syncline.store.dead_letters import discard

        async with self._client.session() as (db, workspace), db.transaction():
            chosen = await _chosen(db, workspace, what, connection, cause)
            return await discard(db, workspace, chosen)


async def _chosen(
    db: Connection,
    workspace: WorkspaceId,
    what: Sequence[str],
    connection: str | None,
    cause: str | None,
) -> Chosen:
    from syncline.store.dead_letters import Chosen
    from syncline.sync.sources import find_named

    id_ = None if connection is None else (await find_named(db, workspace, connection)).id
    if not what:
        return Chosen(id_, cause)
    jobs = [int(text[4:]) for text in what if text.startswith("job:") and text[4:].isdecimal()]
    entries = [text for text in what if not (text.startswith("job:") and text[4:].isdecimal())]
    return Chosen(id_, cause, entries, jobs)
