"""The Python API: one workspace of one database, and everything that can be asked of it.

::

    async with syncline.open() as kb:
        report = await kb.sync("./docs")
        page = await kb.search("how do I rotate a key")
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from msgspec.structs import replace

from syncline.core.errors import ConfigurationError, NotHere, SourceError, UsageError
from syncline.core.model import Mode, WorkspaceId
from syncline.parts.config import Config
from syncline.parts.connections import Connections
from syncline.parts.dead_letters import DeadLetters
from syncline.parts.documents import Deletions, Documents, Duplicates
from syncline.parts.embeddings import Embeddings
from syncline.parts.events import Events
from syncline.parts.jobs import Jobs
from syncline.parts.keys import Keys
from syncline.parts.wished import Wished, asked
from syncline.parts.workspaces import Workspaces
from syncline.settings import Settings
from syncline.store.connections import ConnectionRow
from syncline.store.database import Connection, Database
from syncline.store.workspaces import DEFAULT_WORKSPACE, find_workspace

if TYPE_CHECKING:
    from syncline.core.ports import Embedder, EmbedderInfo
    from syncline.sync.follow import Joined
    from syncline.sync.health import Health
    from syncline.sync.history import RunReport, RunSummary
    from syncline.sync.hours import Hour
    from syncline.sync.report import Progress, Report
    from syncline.sync.run import Tools
    from syncline.sync.search import SearchPage
    from syncline.sync.status import Status

__all__ = ["Syncline", "open"]

_MERGED_CHUNKS = 5_000
"""What a sync merges of the full-text index: a share of a second. `maintain` does the rest."""
_EMBEDDED_PASSAGES = 1_000
"""What a sync embeds of what another model has embedded; `embeddings.update` does the rest."""


def open(  # noqa: A001 - the package's own word for it: `syncline.open()`
    *,
    data_dir: str | os.PathLike[str] | None = None,
    database_url: str | None = None,
    settings: Settings | None = None,
    workspace: str = DEFAULT_WORKSPACE,
) -> Syncline:
    """A workspace, to be opened: `async with syncline.open() as kb`, or `await` it and `close`.

    Without arguments the environment decides, as for the command line. `data_dir` means the
    bundled database in that folder, `database_url` another one. Raises `ConfigurationError`.
    """
    if settings is not None:
        if data_dir is not None or database_url is not None:
            raise ConfigurationError("Give either settings, or data_dir or database_url.")
        return Syncline(settings, workspace=workspace)
    environ = dict(os.environ)
    if data_dir is not None:
        environ["SYNCLINE_DATA_DIR"] = str(Path(data_dir).absolute())
        environ.pop("DATABASE_URL", None)
    if database_url is not None:
        environ["DATABASE_URL"] = database_url
    return Syncline(Settings.from_environment(environ), workspace=workspace)


class Syncline:
    """One workspace. Its methods may be used side by side by the tasks of one event loop.

    All of them raise `SynclineError`s, which say what happened and, in `hint`, what to do.
    """

    def __init__(self, settings: Settings, *, workspace: str = DEFAULT_WORKSPACE) -> None:
        if not workspace.strip():
            raise UsageError("A workspace's name must not be empty.")
        self.settings = settings
        self.workspace = workspace
        self._database = Database(settings)
        self._tools: Tools | None = None
        self._embedder: Embedder | None = None
        self._former: dict[str, Embedder] = {}
        """Embedders that have been set before, by name."""
        self._workspace_id: WorkspaceId | None = None
        """Once it is there: workspaces are not renamed."""
        self.connections = Connections(self)
        self.documents = Documents(self)
        self.deletions = Deletions(self)
        self.duplicates = Duplicates(self)
        self.jobs = Jobs(self)
        self.workspaces = Workspaces(self)
        self.dead_letters = DeadLetters(self)
        self.config = Config(self)
        self.keys = Keys(self)
        self.events = Events(self)
        self.embeddings = Embeddings(self)

    # --- opening and closing ---------------------------------------------------------------------

    async def open(self) -> Self:
        """Start the bundled database if need be. Raises `DatabaseUnavailable`, `SchemaMismatch`."""
        await self._database.open()
        return self

    async def close(self) -> None:
        """End the worker processes, and leave the database."""
        tools, self._tools = self._tools, None
        try:
            if tools is not None:
                await tools.pool.close()
        finally:
            await self._database.close()

    def __await__(self) -> Generator[Any, None, Self]:
        return self.open().__await__()

    async def __aenter__(self) -> Self:
        return self if self._database.parameters else await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    # --- syncing ---------------------------------------------------------------------------------

    async def sync(
        self,
        source: str | os.PathLike[str] | ConnectionRow,
        *,
        full: bool = False,
        reconcile: bool = False,
        since: datetime | None = None,
        partitions: Sequence[str] = (),
        wait: bool = False,
        force: bool = False,
        on_progress: Callable[[Progress], None] | None = None,
        stop: asyncio.Event | None = None,
        **wishes: Unpack[Wished],
    ) -> Report:
        """Bring the knowledge base in step with a source: a path, a URL, a connection's name.

        Makes the connection the first time. The report tells how the run ended; only refusals
        are raised, such as `RunInProgress` (unless `wait` or `force`) and `UsageError`.
        `since` and `partitions` read a part again, whatever is known of it: a backfill, which moves
        no cursor and deletes nothing. Setting `stop` ends it early: what is written stays.
        """
        from syncline.sync.run import RunRequest, run_connection

        backfill = since is not None or bool(partitions)
        if full + reconcile + backfill > 1:
            raise UsageError(
                "A run is either full, a reconciliation or a backfill.", hint="Choose one."
            )
        if isinstance(source, ConnectionRow):
            row = source
        else:
            row = await self.connections.add(source, **wishes)
        mode = Mode.FULL if full else Mode.RECONCILE if reconcile else Mode.INCREMENTAL
        if backfill:
            mode = Mode.BACKFILL
        request = RunRequest(row, mode, partitions=partitions, since=since, wait=wait, force=force)
        if on_progress is not None:
            request = replace(request, on_progress=on_progress)
        if stop is not None:
            request = replace(request, stop=stop)
        report = await run_connection(self.load_tools(), request)
        await self._upkeep(row)
        return report

    async def joined(
        self,
        row: ConnectionRow,
        *,
        on_joined: Callable[[Joined], None] = lambda joined: None,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        stop: asyncio.Event | None = None,
    ) -> Report | None:
        """Follow the incremental run of this connection that others do, to its end: one that is
        under way, or, where a service is up, one that it is asked for here.

        None where nobody does it, or whoever did has died: `sync` it then. `on_joined` is told
        which. Setting `stop` ends the following, not the run: the report says that it is `running`.
        Raises `SynclineError` where the service has given it up.
        """
        from syncline.sync.follow import join

        spec = self.load_tools().opener.spec(row.kind)
        async with self._database.connection() as db:
            return await join(
                db,
                row,
                # What lies on this machine is not there for workers elsewhere.
                ask=self._database.server is not None or not spec.capabilities.local,
                on_joined=on_joined,
                on_progress=on_progress,
                stop=stop or asyncio.Event(),
            )

    async def _upkeep(self, row: ConnectionRow) -> None:
        """A bounded share of what has to be cleaned up; the run does not depend on it."""
        import psycopg

        from syncline.sync.maintenance import runs, segments, tombstones

        try:
            async with self._database.connection() as db:
                await runs.run_once(db, row.workspace_id, row.id, keep=self.settings.keep_reports)
                await tombstones.run_once(
                    db, row.workspace_id, timedelta(days=self.settings.keep_deleted_days)
                )
                if not self.load_tools().opener.spec(row.kind).capabilities.local:
                    from syncline.sync.maintenance import hosts

                    await hosts.run_once(db, row.workspace_id)
                await segments.run_once(db, row.workspace_id, most=_MERGED_CHUNKS)
            await self.embeddings.update(most=_EMBEDDED_PASSAGES)
        except (SourceError, ConfigurationError):
            pass  # the model does not answer, as the status says; what it lacks can wait
        except psycopg.OperationalError:
            pass  # the database went away, as the report says; the next run does it

    async def maintain(self) -> None:
        """Bring the workspace's indexes in order; its syncs and searches go on meanwhile.

        `syncline up` does this from time to time. A program that keeps a large workspace open
        without it may: above 20,000 chunks a vector index makes searches faster. After a change
        of the model, it embeds what the new one lacks.
        """
        from syncline.sync.maintenance import indexes

        await self.embeddings.update()
        async with self.session() as (db, workspace):
            await indexes.run_once(db, self._database.connect_as_owner, workspace)

    async def plan(
        self,
        source: str | os.PathLike[str],
        *,
        on_progress: Callable[[Progress], None] | None = None,
        stop: asyncio.Event | None = None,
        **wishes: Unpack[Wished],
    ) -> Report:
        """What `sync` would do. Writes nothing, not even the connection."""
        from syncline.sync.plan import plan_connection
        from syncline.sync.run import RunRequest
        from syncline.sync.secrets import Credentials, merged_secrets, secrets_for
        from syncline.sync.sources import plan_source

        tools = self.load_tools()
        wanted = asked(wishes)
        async with self._database.connection() as db:
            workspace = await self._known(db, strict=False)
            row = await plan_source(db, workspace, tools.opener.registry, str(source), wanted)
            spec = tools.opener.spec(row.kind)
            known = await secrets_for(db, tools.vault, spec, workspace, row.id)
        values = merged_secrets(spec, known.values, wanted.secrets)
        request = RunRequest(row, Mode.PLAN, secrets=Credentials(values, known.credential))
        if on_progress is not None:
            request = replace(request, on_progress=on_progress)
        if stop is not None:
            request = replace(request, stop=stop)
        return await plan_connection(tools, request)

    # --- asking ----------------------------------------------------------------------------------

    async def search(self, text: str, **wanted: Any) -> SearchPage:
        """The passages that answer `text` best; `wanted` are the fields of `SearchRequest`.

        Without `principals` or `everything`, only what everyone may see is found.
        """
        from syncline.embedders.catalogue import describe
        from syncline.sync.search import SearchRequest, search

        request = SearchRequest(text, **wanted)
        model = describe(self.settings).name
        async with self.session() as (db, workspace):
            return await search(
                db, workspace, request, self.load_embedder, model, self.load_former_embedder
            )

    async def status(self) -> Status:
        """Every connection with its freshness, its last run and its counts."""
        from syncline.sync.status import read_status

        async with self.session() as (db, workspace):
            return await read_status(db, workspace, self.workspace)

    async def hours(self) -> list[Hour]:
        """How the active workspaces spread over the hours of the day, in UTC."""
        from syncline.scheduling.default import default_schedule
        from syncline.sync.hours import read_hours

        async with self._database.connection() as db:
            return await read_hours(db, default_schedule(self.settings))

    async def health(self, *, everywhere: bool = False) -> Health:
        """Whether the workspace, or with `everywhere` the whole database, is in step."""
        from syncline.scheduling.default import default_schedule
        from syncline.scheduling.schedule import Manual
        from syncline.sync.health import read_health

        with_default = not isinstance(default_schedule(self.settings), Manual)
        if everywhere:
            async with self._database.connection() as db:
                return await read_health(db, self.settings, None, with_default=with_default)
        async with self.session() as (db, workspace):
            return await read_health(db, self.settings, workspace, with_default=with_default)

    async def runs(self, *, connection: str | None = None, limit: int = 20) -> list[RunSummary]:
        """The newest runs first, of all connections or of one."""
        from syncline.sync.history import read_runs
        from syncline.sync.sources import find_named

        async with self.session() as (db, workspace):
            only = None
            if connection is not None:
                only = (await find_named(db, workspace, connection)).id
            return await read_runs(db, workspace, connection=only, limit=limit)

    async def run(
        self, run: int, *, kind: str | None = None, limit: int = 20, offset: int = 0
    ) -> RunReport:
        """One run, with a page of its report's lines of each kind, or of one `kind`."""
        from syncline.sync.history import read_run

        async with self.session() as (db, workspace):
            return await read_run(db, workspace, run, kind=kind, limit=limit, offset=offset)

    # --- what the parts share --------------------------------------------------------------------

    @property
    def database(self) -> Database:
        """The open database."""
        return self._database

    @asynccontextmanager
    async def session(self) -> AsyncIterator[tuple[Connection, WorkspaceId]]:
        """A borrowed database connection, and the workspace's id."""
        async with self._database.connection() as db:
            yield db, await self._known(db)

    async def _known(self, db: Connection, *, strict: bool = True) -> WorkspaceId:
        """The workspace's id. The default one need not be there yet: then it is empty, number 0."""
        if self._workspace_id is not None:
            return self._workspace_id
        try:
            self._workspace_id = await find_workspace(db, self.workspace)
        except NotHere:
            if strict and self.workspace != DEFAULT_WORKSPACE:
                raise
            return WorkspaceId(0)
        return self._workspace_id

    def load_tools(self) -> Tools:
        """What runs work with. May be called early, in a thread: it takes some importing."""
        if self._tools is None:
            from syncline.bootstrap import build_tools

            tools = build_tools(self.settings, environ=os.environ)
            self._tools = replace(tools, database=self._database)
        return self._tools

    def load_embedder(self) -> Embedder:
        """The model that searches use. May be called early, in a thread: it takes a second."""
        if self._embedder is None:
            from syncline.embedders.catalogue import create

            self._embedder = create(self.settings)
        return self._embedder

    def load_former_embedder(self, info: EmbedderInfo) -> Embedder:
        """A model that was set before, of which there are embeddings still."""
        if info.name not in self._former:
            from syncline.embedders.catalogue import recreate

            self._former[info.name] = recreate(self.settings, info)
        return self._former[info.name]
