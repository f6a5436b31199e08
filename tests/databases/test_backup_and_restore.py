"""What was backed up comes back: on either version, whatever ran meanwhile, or not at all."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from syncline.core.errors import BadBackup, DatabaseInUse, SchemaMismatch, StoreError, UsageError
from syncline.databases import backup, read_info, restore
from syncline.settings import Settings
from syncline.store import archive
from syncline.store.database import Database
from syncline.store.embedded import EmbeddedServer
from syncline.store.migrations import HEAD
from syncline.store.vector_index import MANY, unindexed
from syncline.store.workspaces import find_workspace
from syncline.sync.maintenance import indexes
from syncline.testing.clock import FakeClock
from tests.databases.knowledge import everything, sync_again
from tests.support.external import external_server
from tests.support.state import state_of
from tests.support.stopped import stopped_children
from tests.support.storm import first_state
from tests.support.syncs import open_syncs, sync_process, sync_process_result
from tests.support.thorough import of_all
from tests.support.waiting import wait_until

pytestmark = pytest.mark.server("postgresql")
MakeSettings = Callable[..., Settings]


@pytest.mark.parametrize(("old", "new"), of_all([("16", "18")], [("18", "16"), ("18", "18")]))
async def test_a_backup_comes_back_as_it_was(
    make_settings: MakeSettings, tmp_path: Path, old: str, new: str
) -> None:
    """Every row with its numbers, on another version as well, and searches find the same; what is
    synced next gets new numbers."""
    source, target = make_settings(old, filled=True), make_settings(new, new=True)
    before = await everything(source)
    made = await backup(source, tmp_path / "all.backup")
    assert made.bytes == made.path.stat().st_size
    assert (made.manifest.workspaces, made.manifest.revision) == (2, HEAD)
    restored = await restore(target, made.path)
    assert restored.replaced.workspaces == 0
    assert await everything(target) == before
    assert await everything(source) == before
    await sync_again(target, tmp_path / "new.json")


async def test_a_sync_under_way_is_backed_up_as_if_it_had_just_died(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    """A worker stands still in the middle of its batch: the backup waits for nothing, the run is
    an interrupted one where it is restored, and the next one ends as if nothing had happened."""
    source, target = make_settings(), make_settings()
    world = first_state(tmp_path / "world.json", 150)
    process = sync_process(
        source, "default", world, failpoints="batch.before_commit:2=pause", forked=False
    )
    try:
        await asyncio.to_thread(wait_until, lambda: stopped_children(process.pid), seconds=90)
        await asyncio.wait_for(backup(source, tmp_path / "a.backup"), 90)
    finally:
        for pid in stopped_children(process.pid):
            os.kill(pid, signal.SIGCONT)
        ended = await asyncio.to_thread(sync_process_result, process, seconds=90)
    assert ended.status == 0, ended.errors
    await restore(target, tmp_path / "a.backup")
    async with Database(target) as database, database.connection() as db:
        found = await db.execute("SELECT state, ended_at IS NULL FROM runs")
        assert await found.fetchall() == [("interrupted", False)]
        found = await db.execute("SELECT count(*) FROM run_seen")
        assert await found.fetchone() == (0,)
    undisturbed = make_settings()
    states = []
    for settings in (target, undisturbed):
        async with open_syncs(settings, "default", world) as syncs:
            assert (await syncs.run()).exit_code == 0
            async with syncs.tools.database.connection() as db:
                states.append(await state_of(db, "default"))
    assert states[0] == states[1]


async def test_jobs_that_were_running_are_ready_again(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    """Whoever held them knows nothing of this database; what waited or failed is as it was."""
    source, target = make_settings(filled=True), make_settings()
    async with Database(source) as database, database.connection() as db:
        await db.execute(
            "INSERT INTO jobs (workspace_id, kind, state, attempts, owner, lease_until, cancel)"
            " SELECT id, kind, state, 1, CASE state WHEN 'running' THEN 'w' END,"
            " CASE state WHEN 'running' THEN now() END, kind = 'c'"
            " FROM workspaces, (VALUES ('a', 'running'), ('c', 'running'), ('d', 'dead'))"
            " AS j (kind, state) WHERE name = 'default'"
        )
    await backup(source, tmp_path / "a.backup")
    await restore(target, tmp_path / "a.backup")
    async with Database(target) as database, database.connection() as db:
        found = await db.execute("SELECT kind, state, attempts, owner FROM jobs ORDER BY kind")
        assert await found.fetchall() == [
            ("a", "ready", 0, None),
            ("c", "cancelled", 0, None),
            ("d", "dead", 1, None),
        ]


async def test_what_is_there_is_replaced_only_when_it_may_be(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    """And whoever is asked may still refuse: then nothing has changed."""
    source, target = make_settings(filled=True), make_settings()
    await backup(source, tmp_path / "a.backup")
    await sync_again(target, tmp_path / "new.json")
    with pytest.raises(UsageError, match="1 workspaces with 5 documents") as caught:
        await restore(target, tmp_path / "a.backup")
    assert "--replace" in (caught.value.hint or "")
    asked: list[Any] = []

    def refuse(manifest: archive.Manifest, there: Any) -> None:
        asked.append((manifest.documents, there.documents))
        raise InterruptedError

    with pytest.raises(InterruptedError):
        await restore(target, tmp_path / "a.backup", replace=True, confirm=refuse)
    async with Database(target) as database, database.connection() as db:
        assert len((await state_of(db, "new"))["documents"]) == 5
    restored = await restore(target, tmp_path / "a.backup", replace=True)
    assert asked == [(restored.manifest.documents, 5)]
    assert await everything(target) == await everything(source)


async def test_a_damaged_backup_changes_nothing(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    """It is refused before the database is even started."""
    source, target = make_settings(filled=True), make_settings(new=True)
    path = (await backup(source, tmp_path / "a.backup")).path
    data = path.read_bytes()
    middle = len(data) // 2
    for bad in (data[:-100], data[:middle], data[:middle] + b"\0" * 64 + data[middle + 64 :]):
        path.write_bytes(bad)
        with pytest.raises(BadBackup):
            await restore(target, path, replace=True)
    assert not (target.data_dir / "postgres").exists()


async def test_one_of_a_newer_syncline_says_what_to_do(
    make_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncline.databases.backing_up.HEAD", "9999")
    await backup(make_settings(filled=True), tmp_path / "a.backup")
    with pytest.raises(SchemaMismatch, match="newer Syncline") as caught:
        await restore(make_settings(), tmp_path / "a.backup")
    assert "Upgrade Syncline" in (caught.value.hint or "")


async def test_nobody_may_use_a_database_that_is_being_replaced(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    """The message says who does and what stops them."""
    settings = make_settings(filled=True)
    path = (await backup(settings, tmp_path / "a.backup")).path
    before = await everything(settings)
    async with Database(settings):
        with pytest.raises(DatabaseInUse, match=r"syncline \(\d+\)") as caught:
            await restore(settings, path, replace=True)
    assert "syncline down" in (caught.value.hint or "")
    assert await everything(settings) == before


@pytest.mark.parametrize("version", of_all(["18"], ["16"]))
async def test_a_host_applications_tables_are_left_alone(
    make_settings: MakeSettings, tmp_path: Path, version: str
) -> None:
    """They are neither backed up nor touched; one that depends on ours is named, and stops it."""
    source = make_settings(filled=True)
    path = (await backup(source, tmp_path / "a.backup")).path
    with external_server(version) as url:
        target = source.model_copy(update={"database_url": url, "data_dir": tmp_path / "none"})
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as host:
            await host.execute("CREATE TABLE orders AS SELECT generate_series(1, 9) AS id")
            await restore(target, path)
            assert await everything(target) == await everything(source)
            made = await backup(target, tmp_path / "b.backup")
            assert "orders" not in {part.name for part in made.manifest.tables}
            await host.execute("CREATE VIEW titles AS SELECT title FROM syncline.documents")
            with pytest.raises(StoreError, match="view titles"):
                await restore(target, path, replace=True)
            assert await everything(target) == await everything(source)
            await host.execute("DROP VIEW titles")
            await restore(target, path, replace=True)
            found = await host.execute("SELECT sum(id) FROM orders")
            assert await found.fetchone() == (45,)
        assert (await read_info(target)).last_backup is None
        assert not (tmp_path / "none").exists()


async def test_one_that_is_cancelled_is_undone(make_settings: MakeSettings, tmp_path: Path) -> None:
    """Ctrl-C in the middle of loading: what was there is there."""
    source, target = make_settings(filled=True), make_settings()
    path = (await backup(source, tmp_path / "a.backup")).path
    await sync_again(target, tmp_path / "new.json")
    loop = asyncio.get_running_loop()
    task: asyncio.Task[Any]

    def cancel(progress: Any) -> None:
        if progress.doing == "Restoring" and progress.what == "manifest":
            loop.call_soon_threadsafe(task.cancel)

    task = asyncio.create_task(restore(target, path, replace=True, on_progress=cancel))
    with pytest.raises(asyncio.CancelledError):
        await task
    async with Database(target) as database, database.connection() as db:
        assert len((await state_of(db, "new"))["documents"]) == 5
    assert not EmbeddedServer(target).info().running


async def test_a_server_that_dies_meanwhile_is_told(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    """Nothing has been changed, and the next restore starts it again."""
    source, target = make_settings(filled=True), make_settings(filled=True)
    path = (await backup(source, tmp_path / "a.backup")).path
    server = EmbeddedServer(target)

    def kill(progress: Any) -> None:
        if progress.doing == "Restoring" and progress.what == "manifest":
            os.kill(server.info().pid or 0, signal.SIGQUIT)

    before = await everything(target)
    with pytest.raises(StoreError, match="Restoring: the database could not go on") as caught:
        await restore(target, path, replace=True, on_progress=kill)
    assert "as it was" in (caught.value.hint or "")
    assert await everything(target) == before


async def test_a_folder_keeps_the_newest(make_settings: MakeSettings, tmp_path: Path) -> None:
    """Named after their time; other files in it are none of our business."""
    settings = make_settings(filled=True)
    clock = FakeClock()
    mine = tmp_path / "syncline-notes.txt"
    mine.touch()
    made = []
    for _ in range(4):
        made.append(await backup(settings, tmp_path, keep=2, clock=clock))
        clock.advance(3600)
    assert {path.name for path in tmp_path.iterdir()} == {
        mine.name,
        *(each.path.name for each in made[-2:]),
    }
    assert [len(each.removed) for each in made] == [0, 0, 1, 1]
    last = (await read_info(settings)).last_backup
    assert last is not None
    assert (last.path, last.bytes) == (str(made[-1].path), made[-1].bytes)


async def test_keys_are_kept_apart_unless_they_are_asked_for(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    """Without them a backup's secrets are unreadable, which its maker is told; with them they go
    where the database goes, and never over others."""
    source, target = make_settings(filled=True), make_settings()
    keys = source.data_dir / "secret-keys"
    without = await backup(source, tmp_path / "a.backup", with_keys=True)
    assert (without.manifest.keys, without.keys_left) == (False, None)
    keys.write_text("first\n")
    without = await backup(source, tmp_path / "b.backup")
    assert (without.manifest.keys, without.keys_left) == (False, keys)
    packed = await backup(source, tmp_path / "c.backup", with_keys=True)
    assert (packed.manifest.keys, packed.keys_left) == (True, None)
    restored = await restore(target, packed.path)
    assert restored.keys == target.data_dir / "secret-keys"
    assert restored.keys.read_text() == "first\n"
    assert restored.keys.stat().st_mode & 0o777 == 0o600
    restored.keys.write_text("second\n")
    again = await restore(target, packed.path, replace=True)
    assert again.keys == target.data_dir / "secret-keys.restored"
    assert restored.keys.read_text() == "second\n"


async def test_a_large_workspaces_vector_index_comes_back(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    """It is no part of the schema: it is built when there are enough vectors, and so it is here."""
    source, target = make_settings(), make_settings()
    async with Database(source) as database, database.connection() as db:
        await db.execute("INSERT INTO workspaces (name) VALUES ('default')")
        await db.execute("INSERT INTO models (name, dimension) VALUES ('small', 3)")
        await db.execute(
            "INSERT INTO workspace_models (workspace_id, model_id, wanted, complete, since)"
            " VALUES (1, 1, true, true, moment())"
        )
        await db.execute(
            "INSERT INTO embeddings SELECT 1, 1, int4send(n),"
            " ARRAY[sin(n), cos(n), 0.5]::real[]::halfvec FROM generate_series(1, %s) n",
            (MANY,),
        )
        await indexes.run_everywhere(database)
    await restore(target, (await backup(source, tmp_path / "a.backup")).path)
    async with Database(target) as database, database.connection() as db:
        workspace = await find_workspace(db, "default")
        assert await unindexed(db, workspace) == []
        found = await db.execute(
            "SELECT indisvalid FROM pg_index WHERE indexrelid ="
            " 'syncline.embeddings_near_1_1'::regclass"
        )
        assert await found.fetchone() == (True,)


async def test_memory_does_not_grow_with_a_table(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    """A table of 120 MB goes out and comes in through some megabytes."""
    psutil = pytest.importorskip("psutil")
    source, target = make_settings(), make_settings()
    async with Database(source) as database, database.connection() as db:
        await db.execute("INSERT INTO workspaces (name) VALUES ('default')")
        await db.execute(
            "INSERT INTO contents (workspace_id, hash, stemming, chunking, text)"
            " SELECT 1, int4send(n), 'english', '', repeat(md5(n::text), 31250)"
            " FROM generate_series(1, 120) n"
        )
    process = psutil.Process(os.getpid())
    peak = before = process.memory_info().rss

    def look(progress: Any) -> None:
        nonlocal peak
        peak = max(peak, process.memory_info().rss)

    made = await backup(source, tmp_path / "a.backup", on_progress=look)
    assert made.manifest.bytes > 120e6
    await restore(target, made.path, on_progress=look)
    assert peak - before < 60e6
