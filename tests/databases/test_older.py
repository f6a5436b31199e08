"""A backup of an older schema is brought up to date when it is restored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from syncline.databases import backup, restore
from syncline.settings import Settings
from syncline.store import schema
from syncline.store.embedded import EmbeddedServer
from syncline.store.migrations import HEAD, REVISIONS
from tests.support.syncs import open_syncs
from tests.support.thorough import of_all
from tests.support.world import World

pytestmark = pytest.mark.server("postgresql")
_TEXT = " ".join(f"word{n}" for n in range(80))


@pytest.mark.parametrize("revision", of_all([REVISIONS[0], REVISIONS[-2]], REVISIONS[1:-2]))
async def test_an_older_backup_is_migrated_with_what_is_in_it(
    make_settings: Callable[..., Settings],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    revision: str,
) -> None:
    """As its own database would have been. What the older Syncline wrote is made by hand."""
    source, target = make_settings(new=True), make_settings()
    async with EmbeddedServer(source) as address:
        owner = address.parameters("owner")
        async with await psycopg.AsyncConnection.connect(
            psycopg.conninfo.make_conninfo(**owner), autocommit=True
        ) as db:
            await schema.prepare_database(db)
            await asyncio.to_thread(schema.migrate, owner, revision)
            await db.execute("INSERT INTO syncline.workspaces (name) VALUES ('old')")
            await db.execute(
                "INSERT INTO syncline.contents (workspace_id, hash, stemming, chunking, text)"
                " SELECT id, '', 'english', '', %s FROM syncline.workspaces",
                (_TEXT,),
            )
        with monkeypatch.context() as older:
            older.setattr("syncline.store.database.HEAD", revision)
            older.setattr("syncline.databases.backing_up.HEAD", revision)
            made = await backup(source, tmp_path / "old.backup")
    assert made.manifest.revision == revision
    restored = await restore(target, made.path)
    assert restored.as_json()["migrated_to"] == HEAD
    world = World(tmp_path / "world.json")
    world.put("a", f"{_TEXT} and more")
    async with open_syncs(target, "old", world) as syncs:
        assert (await syncs.run()).exit_code == 0
        async with syncs.tools.database.connection() as db:
            found = await db.execute(
                "SELECT count(*), (SELECT version_num FROM alembic_version),"
                " (SELECT count(*) FROM near_pairs) FROM contents"
            )
            # The migration to 0002 has contents compared that were there before it.
            assert await found.fetchone() == (2, HEAD, 1 if revision == "0001" else 0)
