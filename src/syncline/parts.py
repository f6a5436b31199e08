"""The parts of the Python API: `kb.connections`, `kb.documents` and so on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict, Unpack

from syncline.core.model import ConnectionId, Json
from syncline.store.connections import ConnectionRow, list_connections, remove_connection

if TYPE_CHECKING:
    from syncline.client import Syncline
    from syncline.core.events import Event
    from syncline.store.events import Trouble
    from syncline.store.jobs_read import JobRow
    from syncline.store.timetable import Times
    from syncline.sync.deletions import Decided, HeldGroup
    from syncline.sync.documents import DocumentPage, DocumentView
    from syncline.sync.duplicates import ClusterPage, DuplicatePage, DuplicatePair, PairView
    from syncline.sync.sources import Wishes
    from syncline.sync.standing import Standing

__all__ = [
    "Connections",
    "Deletions",
    "Documents",
    "Duplicates",
    "Events",
    "Jobs",
    "Wished",
    "asked",
]


class Wished(TypedDict, total=False):
    """What may be wanted of a connection; what is not given stays as it is."""

    name: str | None
    """Its name; of the connections to one source it says which, or makes another."""
    filter: Mapping[str, Json] | None
    """Fields of `syncline.pipeline.filter.Filter`; each replaces the connection's own."""
    clear_filter: bool | None
    """Forget the connection's filter first."""
    options: Mapping[str, Json] | None
    """The connector's options, in text or as they are."""
    keep_deleted: bool | None
    guard_fraction: float | None
    guard_minimum: int | None
    recheck_seconds: int | None


class Connections:
    """A workspace's connections: `kb.connections`."""

    def __init__(self, client: Syncline) -> None:
        self._client = client

    async def list(self) -> list[ConnectionRow]:
        """All of them, by name."""
        async with self._client.session() as (db, workspace):
            return await list_connections(db, workspace)

    async def find(self, name: str) -> ConnectionRow:
        """The one of this name, source or id. Raises `NotHere`."""
        from syncline.sync.sources import find_named

        async with self._client.session() as (db, workspace):
            return await find_named(db, workspace, name)

    async def add(
        self,
        source: str | os.PathLike[str],
        **wishes: Unpack[Wished],
    ) -> ConnectionRow:
        """The connection to a source, made if it is not there, changed in what is given."""
        from syncline.sync.sources import connect_source

        registry = self._client.load_tools().opener.registry
        async with self._client.database.connection() as db:
            row, _ = await connect_source(
                db, self._client.workspace, registry, str(source), asked(wishes)
            )
        return row

    async def last_listed(self, row: ConnectionRow) -> int | None:
        """How many entries its last complete run listed; None before the first."""
        from syncline.store.status_read import last_listed

        async with self._client.database.connection() as db:
            return await last_listed(db, row.workspace_id, row.id)

    async def times(self) -> Mapping[ConnectionId, Times]:
        """How each connection runs by itself, by id: schedule, pause, next slot."""
        from syncline.store.timetable import times_of

        async with self._client.session() as (db, workspace):
            return await times_of(db, workspace)

    async def schedule(self, name: str, schedule: str | None) -> str | None:
        """Say when `syncline up` syncs it: `every 15m`, `daily 02:00 Europe/Berlin`, `manual`.

        None: as the settings say. Answers the schedule as it is stored. Raises `UsageError`.
        """
        from syncline.scheduling.text import describe, parse
        from syncline.store.timetable import set_schedule
        from syncline.sync.sources import find_named

        stored = None if schedule is None else describe(parse(schedule))
        async with self._client.session() as (db, workspace):
            row = await find_named(db, workspace, name)
            await set_schedule(db, workspace, row.id, stored)
        return stored

    async def freshness(self, name: str, seconds: float | None) -> ConnectionRow:
        """Say how old it may become before its freshness is missed; None: as it is scheduled."""
        from syncline.store.timetable import set_freshness
        from syncline.sync.sources import find_named

        async with self._client.session() as (db, workspace):
            row = await find_named(db, workspace, name)
            await set_freshness(
                db, workspace, row.id, None if seconds is None else max(1, round(seconds))
            )
        return row

    async def pause(self, name: str) -> ConnectionRow:
        """No runs by itself, until it is resumed. A run that is under way goes on."""
        from syncline.store.timetable import pause
        from syncline.sync.sources import find_named

        async with self._client.session() as (db, workspace):
            row = await find_named(db, workspace, name)
            await pause(db, workspace, row.id)
        return row

    async def resume(self, name: str) -> ConnectionRow:
        """Runs by itself again, after a pause or what needed attention."""
        from syncline.store.timetable import resume
        from syncline.sync.sources import find_named

        async with self._client.session() as (db, workspace):
            row = await find_named(db, workspace, name)
            await resume(db, workspace, row.id)
        return row

    async def remove(self, name: str) -> int:
        """Remove a connection with its documents, for good; answer how many those were."""
        from syncline.store.contents import collect_orphans
        from syncline.sync.sources import find_named

        async with self._client.session() as (db, workspace):
            row = await find_named(db, workspace, name)
            removed = await remove_connection(db, workspace, row.id)
            while await collect_orphans(db, workspace):
                pass
            return removed


class Jobs:
    """What waits, runs or has failed in a workspace: `kb.jobs`."""

    def __init__(self, client: Syncline) -> None:
        self._client = client

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


class Events:
    """What has happened in a workspace: `kb.events`."""

    def __init__(self, client: Syncline) -> None:
        self._client = client

    async def list(
        self, *, kinds: Sequence[str] = (), connection: str | None = None, limit: int = 50
    ) -> list[Event]:
        """The newest `limit`, oldest first; of some `kinds` of `EventKind`, of one connection."""
        from syncline.store.events import list_events
        from syncline.sync.sources import find_named

        async with self._client.session() as (db, workspace):
            only = None
            if connection is not None:
                only = (await find_named(db, workspace, connection)).id
            return await list_events(db, workspace, kinds=kinds, connection=only, limit=limit)

    async def follow(self, *, every: float = 1.0) -> AsyncIterator[Event]:
        """What happens from now on, as it does; looks every so many seconds. Ends never."""
        from syncline.store.events import end_of_events, events_after

        async with self._client.session() as (db, workspace):
            position = await end_of_events(db)
            while True:
                found, position = await events_after(db, workspace, position)
                for event in found:
                    yield event
                if not found:
                    await asyncio.sleep(every)

    async def troubles(self) -> Sequence[Trouble]:
        """What is wrong now, by connection."""
        from syncline.store.events import open_troubles

        async with self._client.session() as (db, workspace):
            return await open_troubles(db, workspace)


class Documents:
    """A workspace's documents: `kb.documents`."""

    def __init__(self, client: Syncline) -> None:
        self._client = client

    async def list(
        self,
        *,
        connection: str | None = None,
        state: str = "live",
        tag: str | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> DocumentPage:
        """A page of documents, by connection and entry; `state`: live, held, deleted or all."""
        from syncline.sync.documents import document_page

        async with self._client.session() as (db, workspace):
            return await document_page(
                db,
                workspace,
                connection=connection,
                state=state,
                tag=tag,
                limit=limit,
                offset=offset,
            )

    async def show(self, document: int) -> DocumentView:
        """One document with its text, live or deleted. Raises `NotHere`."""
        from syncline.sync.documents import document_view

        async with self._client.session() as (db, workspace):
            return await document_view(db, workspace, document)

    async def why(self, what: str | int) -> Sequence[Standing]:
        """Where a document's id, an entry's id, a URL or a path stands."""
        from syncline.sync.standing import explain

        async with self._client.session() as (db, workspace):
            return await explain(db, workspace, str(what))

    async def restore(self, document: int) -> DocumentView:
        """Bring a deleted document back; later runs do not delete it again."""
        from syncline.sync.documents import document_view, restore

        async with self._client.session() as (db, workspace):
            await restore(db, workspace, document)
            return await document_view(db, workspace, document)


class Deletions:
    """What the guard holds: `kb.deletions`."""

    def __init__(self, client: Syncline) -> None:
        self._client = client

    async def list(self, connection: str | None = None) -> Sequence[HeldGroup]:
        """Everything that waits for a person's word, by connection."""
        from syncline.sync.deletions import held_groups

        async with self._client.session() as (db, workspace):
            return await held_groups(db, workspace, connection)

    async def approve(self, *what: str | int) -> Decided:
        """Delete what is held: of these connections, or these documents."""
        from syncline.sync.deletions import approve

        async with self._client.session() as (db, workspace):
            return await approve(db, workspace, what)

    async def reject(self, *what: str | int) -> Decided:
        """Keep what is held: of these connections, or these documents."""
        from syncline.sync.deletions import reject

        async with self._client.session() as (db, workspace):
            return await reject(db, workspace, what)


class Duplicates:
    """Documents that are much alike, and a person's word on them: `kb.duplicates`."""

    def __init__(self, client: Syncline) -> None:
        self._client = client

    async def list(
        self,
        *,
        state: str = "open",
        connection: str | None = None,
        limit: int = 20,
        offset: int = 0,
    ) -> DuplicatePage:
        """A page of the pairs that wait for a word (`open`), or are called same or different."""
        from syncline.sync.duplicates import duplicate_page

        async with self._client.session() as (db, workspace):
            return await duplicate_page(
                db, workspace, state=state, connection=connection, limit=limit, offset=offset
            )

    async def show(self, document: int, other: int) -> PairView:
        """Two documents side by side. Raises `NotHere`, `UsageError`."""
        from syncline.sync.duplicates import pair_view

        async with self._client.session() as (db, workspace):
            return await pair_view(db, workspace, document, other)

    async def same(self, document: int, other: int) -> DuplicatePair:
        """Say that two documents are the same: search shows them as one hit."""
        from syncline.sync.duplicates import decide

        async with self._client.session() as (db, workspace):
            return await decide(db, workspace, document, other, same=True)

    async def different(self, document: int, other: int) -> DuplicatePair:
        """Say that two documents are not the same, however alike: search shows both."""
        from syncline.sync.duplicates import decide

        async with self._client.session() as (db, workspace):
            return await decide(db, workspace, document, other, same=False)

    async def clusters(self, *, limit: int = 20, offset: int = 0) -> ClusterPage:
        """A page of the clusters of near-duplicates, by their canonical documents."""
        from syncline.sync.duplicates import cluster_page

        async with self._client.session() as (db, workspace):
            return await cluster_page(db, workspace, limit=limit, offset=offset)


def asked(wishes: Wished) -> Wishes:
    """What was given of it."""
    from syncline.sync.sources import Wishes

    return Wishes(**{name: value for name, value in wishes.items() if value is not None})  # type: ignore[arg-type]  # the dictionary's own types
