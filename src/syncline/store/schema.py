"""Bringing a database's schema to what this version of Syncline needs.

A new database is made from `schema.sql`; an older one is upgraded by the migrations; a newer
one is refused. Both hold an advisory lock, so that any number of processes may start at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from syncline.core.errors import DatabaseUnavailable, SchemaMismatch
from syncline.store.migrations import HEAD, REVISIONS

if TYPE_CHECKING:
    import sqlalchemy

__all__ = [
    "APP_ROLE",
    "SCHEMA",
    "UPGRADE_LOCK",
    "bring_up_to_date",
    "migrate",
    "migrate_on",
    "opened_for_migrations",
    "prepare_database",
    "revision_of",
    "unreachable",
]

SCHEMA = "syncline"
APP_ROLE = "syncline_app"
"""Owns nothing and may only read and write rows; everything at run time is done as this role."""

UPGRADE_LOCK = 0x53594E43_4C494E45
"""Held by whoever changes the schema."""

Connection = psycopg.AsyncConnection[Any]


async def revision_of(connection: Connection) -> str | None:
    """The revision of the schema in this database; None where there is none yet."""
    found = await connection.execute(
        "SELECT to_regclass('syncline.alembic_version') IS NOT NULL", prepare=False
    )
    row = await found.fetchone()
    if row is None or not row[0]:
        return None
    found = await connection.execute("SELECT version_num FROM syncline.alembic_version")
    row = await found.fetchone()
    return None if row is None else str(row[0])


async def bring_up_to_date(owner: dict[str, str]) -> None:
    """Create or upgrade the schema, connecting as its owner with these libpq parameters.

    Raises `SchemaMismatch` for a newer schema and `DatabaseUnavailable` where rights or
    pgvector are missing. On failure the schema is what it was: both ways are transactions.
    """
    try:
        opened = await psycopg.AsyncConnection.connect(
            make_conninfo(**owner, application_name="syncline upgrade"), autocommit=True
        )
    except psycopg.OperationalError as error:
        raise unreachable(error) from error
    async with opened as connection:
        await connection.execute("SELECT pg_advisory_lock(%s)", (UPGRADE_LOCK,))
        found = await revision_of(connection)
        if found is None:
            await _create(connection)
        elif found not in REVISIONS:
            raise SchemaMismatch(
                f"The database's schema ({found}) is newer than this Syncline knows ({HEAD}).",
                hint="Upgrade Syncline on this machine, or point it to another database.",
            )
        elif found != HEAD:
            await asyncio.to_thread(migrate, owner)


def unreachable(error: psycopg.OperationalError) -> DatabaseUnavailable:
    """What to tell a person when the database cannot be reached."""
    return DatabaseUnavailable(
        f"The database cannot be reached: {str(error).strip().splitlines()[0]}",
        hint="`syncline doctor` looks for the cause.",
    )


async def _create(connection: Connection) -> None:
    text = resources.files("syncline.store").joinpath("schema.sql").read_text(encoding="utf-8")
    try:
        async with connection.transaction():
            await prepare_database(connection)
            # As Alembic would make it.
            await connection.execute(
                "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL,"
                " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
            )
            await connection.execute(text.encode())
            await connection.execute("INSERT INTO alembic_version VALUES (%s)", (HEAD,))
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseUnavailable(
            f"The database's user may not create what Syncline needs: {error.diag.message_primary}",
            hint="As an administrator, once, in this database: "
            f"CREATE EXTENSION vector; CREATE ROLE {APP_ROLE} NOLOGIN; "
            f"GRANT {APP_ROLE} TO <user>; CREATE SCHEMA {SCHEMA} AUTHORIZATION <user>.",
        ) from error
    except psycopg.errors.FeatureNotSupported as error:
        raise DatabaseUnavailable(
            f"This PostgreSQL has no pgvector: {error.diag.message_primary}",
            hint="Install pgvector on the server, or unset DATABASE_URL to use the bundled one.",
        ) from error


async def prepare_database(connection: Connection) -> None:
    """What has to be there before the first table: role, extension, schema. Idempotent."""
    found = await connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (APP_ROLE,))
    role = sql.Identifier(APP_ROLE)
    if await found.fetchone() is None:
        await connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(role))
        await connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))
    found = await connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'vector'")
    if await found.fetchone() is None:
        await connection.execute("CREATE EXTENSION vector")
    # `IF NOT EXISTS` would ask for the right to make one even where it is there.
    found = await connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (SCHEMA,))
    if await found.fetchone() is None:
        await connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(SCHEMA)))
    found = await connection.execute(
        "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'vector'"
    )
    row = await found.fetchone()
    assert row is not None
    await connection.execute("SELECT set_config('search_path', %s, true)", (f"{SCHEMA}, {row[0]}",))


def migrate(owner: dict[str, str], revision: str = "head") -> None:
    """Run the migrations, up to this one, with the owner's libpq parameters."""
    path = f"-c search_path={SCHEMA},public"
    with opened_for_migrations({**owner, "options": path}) as connection:
        migrate_on(connection, revision)
        connection.commit()


@contextmanager
def opened_for_migrations(parameters: dict[str, str]) -> Iterator[sqlalchemy.Connection]:
    """A connection as Alembic wants it. Imports SQLAlchemy and Alembic, which takes a second."""
    import sqlalchemy

    # libpq parameters pass through; the URL carries none, so no password can be printed.
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://",
        connect_args=parameters,
        poolclass=sqlalchemy.NullPool,
        hide_parameters=True,
    )
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def migrate_on(connection: sqlalchemy.Connection, revision: str = "head") -> None:
    """Run the migrations, up to this one, as a part of the connection's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "syncline.store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
