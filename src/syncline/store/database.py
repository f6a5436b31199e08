"""Reaching the database: the bundled server, or the one that DATABASE_URL names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from types import TracebackType
from typing import Self

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from syncline.core.errors import ConfigurationError, DatabaseUnavailable, SchemaMismatch
from syncline.settings import Settings
from syncline.store.embedded import EmbeddedServer
from syncline.store.migrations import HEAD, REVISIONS
from syncline.store.schema import APP_ROLE, SCHEMA, bring_up_to_date, unreachable
from syncline.store.sessions import IDLE_NAME, Connection, Sessions
from syncline.store.values import adapt

__all__ = ["Connection", "Database", "at_once", "connect", "moment", "shown_address"]

_BRIEF = 3
"""Sessions for short work at once."""
_SESSION = (
    "-c jit=off -c lock_timeout=10s -c statement_timeout=0 -c hnsw.ef_search=250"
    " -c temp_buffers=2MB"  # all of it is used in the end, and kept
)


async def connect(parameters: dict[str, str], *, application: str) -> Connection:
    """A connection as the application's role, in autocommit: transactions are explicit.

    `parameters` come from `Database.parameters`, perhaps in another process.
    Raises `DatabaseUnavailable`.
    """
    try:
        connection = await psycopg.AsyncConnection.connect(
            make_conninfo(
                **parameters | {"application_name": application, "client_encoding": "utf8"}
            ),
            autocommit=True,
            prepare_threshold=1,
        )
    except psycopg.OperationalError as error:
        raise unreachable(error) from error
    adapt(connection)
    return connection


async def moment(db: Connection) -> datetime:
    """The database's clock, which decides leases, schedules and windows."""
    found = await db.execute("SELECT moment()")
    row = await found.fetchone()
    assert row is not None
    now: datetime = row[0]
    return now


@asynccontextmanager
async def at_once(db: Connection) -> AsyncIterator[asyncio.TaskGroup]:
    """Tasks whose statements go to the database together, and are waited for together.

    It works on them in the order in which they begin. The first error is raised, and ends them all.
    """
    try:
        async with db.pipeline(), asyncio.TaskGroup() as tasks:
            yield tasks
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


def shown_address(settings: Settings) -> str:
    """Which database the settings mean, for people: without a password, and nothing connects."""
    if not settings.database_url:
        return f"bundled, in {settings.data_dir}"
    found = _external_parameters(settings.database_url)
    host = found.get("host") or found.get("hostaddr") or "localhost"
    user = f"{found['user']}@" if "user" in found else ""
    port = f":{found['port']}" if "port" in found else ""
    return f"postgresql://{user}{host}{port}/{found.get('dbname', '')}"


class Database:
    """An open database whose schema is up to date. An asynchronous context manager."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server = None if settings.database_url else EmbeddedServer(settings)
        self._parameters: dict[str, str] = {}
        self._owner: dict[str, str] = {}
        self._sessions = Sessions(self.connect)
        self._brief = asyncio.Semaphore(_BRIEF)

    @property
    def address(self) -> str:
        """Which database it is, for people: without a password."""
        return shown_address(self._settings)

    @property
    def parameters(self) -> dict[str, str]:
        """What another process needs to `connect` to the same database. Holds the password."""
        return self._parameters

    @property
    def server(self) -> EmbeddedServer | None:
        """The bundled server, where it is the one in use."""
        return self._server

    @property
    def owner_parameters(self) -> dict[str, str]:
        """The same for the tables' owner, who may copy, load and rebuild them all."""
        return self._owner

    async def open(self) -> Self:
        """Start the bundled server if need be, and bring the schema up to date.

        Raises `DatabaseUnavailable` or `SchemaMismatch`.
        """
        try:
            if self._server is not None:
                address = await self._server.acquire()
                owner, app = address.parameters("owner"), address.parameters("app")
            else:
                owner = app = _external_parameters(self._settings.database_url or "")
                app = app | {"options": f"{app.get('options', '')} -c role={APP_ROLE}".strip()}
            session = f"{_SESSION} -c search_path={SCHEMA},public"
            self._parameters = app | {"options": f"{app.get('options', '')} {session}".strip()}
            self._owner = owner | {"options": f"{owner.get('options', '')} {session}".strip()}
            await self._check_schema(owner)
        except BaseException:
            await self.close()
            raise
        return self

    async def _check_schema(self, owner: dict[str, str]) -> None:
        """One SELECT in the ordinary case."""
        try:
            first = await connect(self._parameters, application=IDLE_NAME)
        except DatabaseUnavailable:
            if self._server is not None:
                raise
            # The role that we would be may not exist before the first upgrade.
            await bring_up_to_date(owner)
            first = await connect(self._parameters, application=IDLE_NAME)
        self._sessions.give(first)
        found = await self._revision(first)
        if found is None or (found != HEAD and found in REVISIONS):
            await bring_up_to_date(owner)
            found = await self._revision(first)
        if found != HEAD:
            raise SchemaMismatch(
                f"The database's schema ({found}) is newer than this Syncline knows ({HEAD}).",
                hint="Upgrade Syncline on this machine, or point it to another database.",
            )

    async def _revision(self, connection: Connection) -> str | None:
        try:
            found = await connection.execute(
                "SELECT version_num, (SELECT extnamespace::regnamespace::text FROM pg_extension"
                " WHERE extname = 'vector') FROM syncline.alembic_version"
            )
        except (
            psycopg.errors.UndefinedTable,
            psycopg.errors.InvalidSchemaName,
            psycopg.errors.InsufficientPrivilege,
        ):
            return None
        row = await found.fetchone()
        if row is None:
            return None
        if row[1] not in (None, "public", SCHEMA):
            # An administrator has put pgvector elsewhere: its types must be found there.
            path = f"-c search_path={SCHEMA},public"
            for each in (self._parameters, self._owner):
                each["options"] = each["options"].replace(path, f"{path},{row[1]}")
            await connection.execute(
                "SELECT set_config('search_path', %s, false)", (f"{SCHEMA},public,{row[1]}",)
            )
        return str(row[0])

    async def revive(self) -> None:
        """For who holds on to a database that went away: start the bundled server again if it
        has died. Another server's return is waited for by trying. Raises `DatabaseUnavailable`."""
        await self._sessions.close()
        if self._server is not None:
            await self._server.revive()

    async def connect(self, *, application: str = IDLE_NAME) -> Connection:
        """A connection of the caller's own; the caller closes it."""
        return await connect(self._parameters, application=application)

    async def connect_as_owner(self) -> Connection:
        """A connection that may make indexes; the caller closes it. For upkeep alone."""
        return await connect(self._owner, application="syncline upkeep")

    def connection(
        self, *, application: str = IDLE_NAME
    ) -> AbstractAsyncContextManager[Connection]:
        """Borrow a connection, under a name; see `Sessions.lend`."""
        return self._sessions.lend(application)

    @asynccontextmanager
    async def brief_connection(self) -> AsyncIterator[Connection]:
        """Borrow one for a statement or two; while it is lent, nothing else is borrowed.

        Where many want one at once, they take turns: each session costs the server some megabytes.
        """
        async with self._brief, self._sessions.lend() as connection:
            yield connection

    async def close(self) -> None:
        """Close what was borrowed and returned, and leave the bundled server."""
        await self._sessions.close()
        if self._server is not None:
            await asyncio.shield(self._server.release())

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


def _external_parameters(url: str) -> dict[str, str]:
    try:
        parameters = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise ConfigurationError(
            "DATABASE_URL is not a PostgreSQL address.",
            hint="It looks like postgresql://user:password@host:5432/database.",
        ) from error
    return {name: str(value) for name, value in parameters.items() if value is not None}
