"""The schema: the sum of its migrations, made once, refused when newer, used as a guest."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from syncline.core.errors import ConfigurationError, DatabaseUnavailable, SchemaMismatch
from syncline.settings import Settings
from syncline.store import schema
from syncline.store.database import Database
from syncline.store.embedded import EmbeddedServer, ServerAddress
from syncline.store.embedded.binaries import installed_binaries
from syncline.store.migrations import HEAD, REVISIONS
from tests.support.data_folders import make_data_folder, remove_data_folder, settings_for
from tests.support.external import external_server
from tests.support.storm import first_state
from tests.support.syncs import open_syncs
from tests.support.world import World

_PACKAGE = Path(schema.__file__).parent


@pytest.fixture
async def address(server_settings: Settings) -> AsyncIterator[ServerAddress]:
    async with EmbeddedServer(server_settings) as address:
        yield address


def _versions() -> list[str]:
    return sorted(p.name.partition("_")[0] for p in (_PACKAGE / "migrations/versions").glob("*.py"))


def test_the_known_revisions_are_those_on_disk() -> None:
    """`HEAD` is read at every start, so it is written down rather than computed."""
    assert list(REVISIONS) == _versions()
    assert REVISIONS[-1] == HEAD


async def _drop(db: psycopg.AsyncConnection[object]) -> None:
    await db.execute("DROP SCHEMA IF EXISTS syncline CASCADE")


def _dump(address: ServerAddress, settings: Settings) -> str:
    """The schema as pg_dump writes it, without what changes from dump to dump."""
    parameters = address.parameters("owner")
    pg_dump = installed_binaries(settings.postgres_version).program("pg_dump")
    output = subprocess.run(
        [
            pg_dump,
            "--schema-only",
            "--schema=syncline",
            "--dbname",
            psycopg.conninfo.make_conninfo(**parameters),
        ],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
    ).stdout
    return "\n".join(
        line for line in output.splitlines() if line and not line.startswith(("--", "\\"))
    )


async def test_the_schema_is_the_sum_of_its_migrations(tmp_path: Path) -> None:
    """A database made from schema.sql and one that ran every migration are the same."""
    folder = make_data_folder()
    settings = settings_for(folder)
    try:
        async with EmbeddedServer(settings) as address:
            owner = address.parameters("owner")
            await schema.bring_up_to_date(owner)
            made = _dump(address, settings)
            async with await psycopg.AsyncConnection.connect(
                psycopg.conninfo.make_conninfo(**owner), autocommit=True
            ) as db:
                await _drop(db)
                await schema.prepare_database(db)
            await asyncio.to_thread(schema.migrate, owner)
            migrated = _dump(address, settings)
        assert migrated == made
    finally:
        await asyncio.to_thread(remove_data_folder, folder)


async def test_two_processes_may_upgrade_at_once() -> None:
    """The upgrade holds a lock: who comes second finds it done."""
    folder = make_data_folder()
    try:
        settings = settings_for(folder)

        async def open_and_close() -> None:
            async with Database(settings):
                pass

        await asyncio.gather(*(open_and_close() for _ in range(4)))
    finally:
        await asyncio.to_thread(remove_data_folder, folder)


async def test_a_newer_schema_is_refused_and_left_alone(
    server_settings: Settings, address: ServerAddress, database: Database
) -> None:
    """The message names what to do; the revision stays what it was."""
    async with await psycopg.AsyncConnection.connect(
        psycopg.conninfo.make_conninfo(**address.parameters("owner")), autocommit=True
    ) as owner:
        await owner.execute("UPDATE syncline.alembic_version SET version_num = '9999'")
        try:
            with pytest.raises(SchemaMismatch, match="9999") as caught:
                async with Database(server_settings):
                    pass
            assert "Upgrade Syncline" in (caught.value.hint or "")
        finally:
            await owner.execute("UPDATE syncline.alembic_version SET version_num = %s", (HEAD,))


async def test_the_application_is_neither_superuser_nor_owner(database: Database) -> None:
    """At run time rows can be read and written, and nothing else: no DDL, no other schema."""
    async with database.connection() as db:
        found = await db.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb,"
            " (SELECT count(*) FROM pg_class WHERE relowner = r.oid),"
            " (SELECT count(*) FROM pg_namespace WHERE nspowner = r.oid)"
            " FROM pg_roles r WHERE rolname = current_user"
        )
        assert await found.fetchone() == (False, False, False, 0, 0)
        for statement in (
            "CREATE TABLE syncline.mine (id int)",
            "DROP TABLE syncline.documents",
            "ALTER TABLE syncline.documents ADD COLUMN x int",
            "TRUNCATE syncline.documents",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await db.execute(statement.encode())


@pytest.fixture(params=["16", "18"])
def administrator(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an external server's administrator."""
    with external_server(request.param) as url:
        yield url


async def test_an_external_database_is_used_as_the_same_guest(
    administrator: str, tmp_path: Path
) -> None:
    """With DATABASE_URL the address's own role makes the schema, and everything else is done as
    `syncline_app`, in worker processes too."""
    settings = Settings(
        database_url=administrator, data_dir=tmp_path, workers=2, embedder="hashing"
    )
    world = first_state(tmp_path / "world.json", 30)
    async with open_syncs(settings, "default", world) as syncs:
        assert (await syncs.run()).counts["created"] == 30
        async with syncs.tools.database.connection() as db:
            found = await db.execute("SELECT current_user, count(*) FROM documents GROUP BY 1")
            assert await found.fetchone() == ("syncline_app", 30)
    assert not (tmp_path / "cluster").exists()


async def test_a_role_without_rights_is_told_what_an_administrator_must_do(
    administrator: str,
) -> None:
    """The hint holds the statements; after them it works."""
    async with await psycopg.AsyncConnection.connect(administrator, autocommit=True) as admin:
        await admin.execute("CREATE ROLE plain LOGIN")
        url = administrator.replace("admin@", "plain@")
        with pytest.raises(DatabaseUnavailable, match="may not create") as caught:
            await Database(Settings(database_url=url)).open()
        hint = caught.value.hint or ""
        for statement in hint.partition(": ")[2].replace("<user>", "plain").rstrip(".").split(";"):
            await admin.execute(statement.encode())
        async with Database(Settings(database_url=url)) as database, database.connection() as db:
            found = await db.execute("SELECT current_user")
            assert await found.fetchone() == ("syncline_app",)


async def test_addresses_that_lead_nowhere_are_said_clearly() -> None:
    """Neither the password nor a stack of library errors: what to do."""
    with pytest.raises(ConfigurationError, match="DATABASE_URL"):
        await Database(Settings(database_url="postgresql://[::1")).open()
    with pytest.raises(DatabaseUnavailable) as caught:
        await Database(
            Settings(database_url="postgresql://u:secret@127.0.0.1:1/x?connect_timeout=3")
        ).open()
    assert "secret" not in str(caught.value)
    assert caught.value.hint


async def test_contents_of_an_older_database_wait_to_be_compared(tmp_path: Path) -> None:
    """A database of the first schema is upgraded with what is in it; the next run signs that."""
    folder = make_data_folder()
    settings = settings_for(folder, workers=1, embedder="hashing")
    world = World(tmp_path / "world.json")
    text = " ".join(f"word{n}" for n in range(80))
    try:
        async with EmbeddedServer(settings) as address:
            owner = address.parameters("owner")
            async with await psycopg.AsyncConnection.connect(
                psycopg.conninfo.make_conninfo(**owner), autocommit=True
            ) as db:
                await schema.prepare_database(db)
                await asyncio.to_thread(schema.migrate, owner, "0001")
                await db.execute("INSERT INTO syncline.workspaces (name) VALUES ('old')")
                for n in range(2):
                    await db.execute(
                        "INSERT INTO syncline.contents (workspace_id, hash, stemming, chunking,"
                        " text) SELECT id, %s, 'english', '', %s FROM syncline.workspaces",
                        (bytes([n]), f"{text} and {n}"),
                    )
            world.put("a", text)
            async with open_syncs(settings, "old", world) as syncs:
                assert (await syncs.run()).exit_code == 0
                async with syncs.tools.database.connection() as connection:
                    found = await connection.execute(
                        "SELECT count(*), bool_and(compared), min(cardinality(bands)),"
                        " (SELECT count(*) FROM near_pairs) FROM content_signatures"
                    )
                    assert await found.fetchone() == (3, True, 32, 3)
    finally:
        await asyncio.to_thread(remove_data_folder, folder)
