"""Upkeep of the search indexes: nothing it is disturbed by changes what a search finds."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import Any

import psycopg
import pytest

from syncline.core.failpoints import ENVIRONMENT_VARIABLE, Failpoint
from syncline.core.ports import Embedder
from syncline.embedders.hashing import HashingEmbedder
from syncline.settings import Settings
from syncline.store.database import Connection, Database
from syncline.store.postings_merge import merge_segments
from syncline.store.segments import FAN_IN, choose_segments
from syncline.sync.maintenance import indexes, segments, vectors
from syncline.sync.search import SearchRequest, search
from tests.support.search_rows import Filled, fill, put_embeddings, put_rows

_MODEL = HashingEmbedder.name
_UPKEEP = """
import asyncio, sys
from syncline.core.model import WorkspaceId
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.sync.maintenance import segments

async def main():
    async with Database(Settings.from_environment()) as database:
        async with database.connection() as db:
            await segments.run_once(db, WorkspaceId(int(sys.argv[1])), fan_in=2)

asyncio.run(main())
"""


def _embed() -> Embedder:
    return HashingEmbedder()


async def _found(db: Connection, filled: Filled, text: str) -> list[tuple[str, float]]:
    page = await search(db, filled.workspace, SearchRequest(text, limit=30), _embed, _MODEL)
    return [(hit.entry_id, hit.score) for hit in page.hits]


async def _segments(db: Connection, filled: Filled) -> list[int]:
    found = await db.execute(
        "SELECT id FROM segments WHERE workspace_id = %s ORDER BY id", (filled.workspace,)
    )
    return [row[0] for row in await found.fetchall()]


@pytest.fixture
async def filled(db: Connection, workspace_name: str) -> Filled:
    """Five segments of one hundred chunks."""
    filled = await fill(db, workspace_name)
    for n in range(5):
        await put_rows(db, filled, 100, prefix=f"part{n}")
    await put_embeddings(db, filled, _MODEL)
    return filled


async def test_merging_changes_nothing_that_is_found(db: Connection, filled: Filled) -> None:
    questions = ("alpha", "w17", "g3 w53", "alpha w99 g49")
    before = [await _found(db, filled, text) for text in questions]
    assert await segments.run_once(db, filled.workspace, fan_in=5) == 1
    assert len(await _segments(db, filled)) == 1
    assert await segments.run_once(db, filled.workspace, fan_in=5) == 0
    assert [await _found(db, filled, text) for text in questions] == before


async def test_a_merge_leaves_out_what_was_deleted(db: Connection, filled: Filled) -> None:
    """When much is gone all segments are merged, and the counts are those of what is left."""
    await db.execute(
        "DELETE FROM documents WHERE workspace_id = %s AND entry_id >= 'part2'", (filled.workspace,)
    )
    await db.execute(
        "DELETE FROM chunks c WHERE workspace_id = %s AND NOT EXISTS (SELECT FROM documents d"
        " WHERE d.workspace_id = c.workspace_id AND d.content_id = c.content_id)",
        (filled.workspace,),
    )
    assert await segments.run_once(db, filled.workspace) == 1
    found = await db.execute(
        "SELECT chunks, words, (SELECT sum(length(entries)) / 8 FROM postings p"
        " WHERE p.workspace_id = s.workspace_id AND term = 'alpha')"
        " FROM segments s WHERE workspace_id = %s",
        (filled.workspace,),
    )
    assert await found.fetchall() == [(200, 600, 200)]
    assert {entry[:5] for entry, _ in await _found(db, filled, "w17")} == {"part0", "part1"}


async def test_an_empty_workspace_ends_without_segments_that_hold_anything(
    db: Connection, filled: Filled
) -> None:
    await db.execute("DELETE FROM chunks WHERE workspace_id = %s", (filled.workspace,))
    assert await segments.run_once(db, filled.workspace) == 1
    assert await segments.run_once(db, filled.workspace) == 0
    found = await db.execute(
        "SELECT count(*) FROM postings WHERE workspace_id = %s", (filled.workspace,)
    )
    assert await found.fetchone() == (0,)


async def test_two_merges_of_the_same_segments_do_it_once(
    database: Database, db: Connection, filled: Filled
) -> None:
    chosen = await choose_segments(db, filled.workspace, fan_in=2)
    async with database.connection() as other:
        done = await asyncio.gather(
            merge_segments(db, filled.workspace, chosen),
            merge_segments(other, filled.workspace, chosen),
        )
    assert sorted(done) == [False, True]
    assert len(await _found(db, filled, "w17")) == 5


async def test_a_batch_that_commits_during_a_merge_stays(
    database: Database, db: Connection, filled: Filled
) -> None:
    """A merge waits for no batch, and no batch for it: what came meanwhile has its own segment."""
    chosen = await choose_segments(db, filled.workspace, fan_in=2)
    async with database.connection() as other, other.transaction():
        assert await merge_segments(other, filled.workspace, chosen)
        await put_rows(db, filled, 10, text="omega", prefix="late")
    assert len(await _found(db, filled, "omega")) == 10
    assert len(await _segments(db, filled)) == 2


async def test_a_process_killed_in_a_merge_leaves_everything_as_it_was(
    server_settings: Settings, db: Connection, filled: Filled
) -> None:
    before = await _segments(db, filled), await _found(db, filled, "alpha w17")
    killed = await asyncio.to_thread(_upkeep, server_settings, filled, "kill")
    assert killed.returncode == -9
    # The dead process's transaction ends with its session.
    await db.execute(
        "SELECT id FROM segments WHERE workspace_id = %s FOR UPDATE", (filled.workspace,)
    )
    assert (await _segments(db, filled), await _found(db, filled, "alpha w17")) == before
    done = await asyncio.to_thread(_upkeep, server_settings, filled, "")
    assert done.returncode == 0, done.stderr
    assert len(await _segments(db, filled)) == 1
    assert await _found(db, filled, "alpha w17") == before[1]


def _upkeep(settings: Settings, filled: Filled, action: str) -> subprocess.CompletedProcess[bytes]:
    armed = f"{Failpoint.SEGMENTS_MERGED}={action}" if action else ""
    return subprocess.run(
        [sys.executable, "-c", _UPKEEP, str(int(filled.workspace))],
        env={**os.environ, **settings.to_environment(), ENVIRONMENT_VARIABLE: armed},
        capture_output=True,
        check=False,
    )


async def _index_state(db: Connection, filled: Filled) -> bool | None:
    """Whether the workspace's vector index is valid; None where there is none."""
    found = await db.execute(
        "SELECT i.indisvalid FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid"
        " WHERE c.relname LIKE %s",
        (f"embeddings_near_{filled.workspace}_%",),
    )
    row = await found.fetchone()
    return None if row is None else row[0]


async def test_a_vector_index_is_used_once_it_is_there(
    database: Database, db: Connection, filled: Filled
) -> None:
    before = await _found(db, filled, "alpha w17")
    build = vectors.run_once
    assert await build(db, database.connect_as_owner, filled.workspace, many=10_000) == 0
    assert await build(db, database.connect_as_owner, filled.workspace, many=100) == 1
    assert await build(db, database.connect_as_owner, filled.workspace, many=100) == 0
    assert await _index_state(db, filled) is True
    assert (await _found(db, filled, "alpha w17"))[:5] == before[:5]


async def test_an_interrupted_build_disturbs_nobody_and_is_done_again(
    database: Database, db: Connection, filled: Filled
) -> None:
    """A writer that began before makes the build wait; other writers and searches go on. Killed
    there it leaves an index that is not valid, which no search uses and the next build replaces."""
    before = await _found(db, filled, "alpha w17")
    async with database.connection() as writer:
        async with writer.transaction(force_rollback=True):
            await _touch(writer, filled)
            build = asyncio.create_task(
                vectors.run_once(db, database.connect_as_owner, filled.workspace, many=100)
            )
            async with database.connection() as watcher:
                while await _index_state(watcher, filled) is None:
                    await asyncio.wait([build], timeout=0.01)
                    assert not build.done()
                async with watcher.transaction(force_rollback=True):
                    await _touch(watcher, filled)
                assert await _found(watcher, filled, "alpha w17") == before
                await _kill_builders(database)
            with pytest.raises(psycopg.OperationalError):
                await build
        assert await _index_state(writer, filled) is False
        assert await _found(writer, filled, "alpha w17") == before
        connect = database.connect_as_owner
        assert await vectors.run_once(writer, connect, filled.workspace, many=100) == 1
        assert await _index_state(writer, filled) is True


async def _touch(db: Connection, filled: Filled) -> None:
    await db.execute(
        "INSERT INTO embeddings (workspace_id, model_id, chunk_hash, vector)"
        " SELECT workspace_id, model_id, sha256(random()::text::bytea), vector FROM embeddings"
        " WHERE workspace_id = %s LIMIT 1",
        (filled.workspace,),
    )


async def _kill_builders(database: Database) -> None:
    owner: psycopg.AsyncConnection[Any]
    async with await database.connect_as_owner() as owner:
        await owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query LIKE 'CREATE INDEX CONCURRENTLY embeddings_near_%'"
            " AND pid <> pg_backend_pid()"
        )


async def test_upkeep_goes_through_all_workspaces(
    database: Database, db: Connection, filled: Filled, workspace_name: str
) -> None:
    """What `syncline up` does from time to time: each workspace's small segments are merged."""
    other = await fill(db, f"{workspace_name}-other")
    for n in range(FAN_IN):
        await put_rows(db, other, 1, prefix=f"small{n}")
    await put_embeddings(db, other, _MODEL)
    assert await indexes.run_everywhere(database) >= 1
    assert len(await _segments(db, other)) == 1
    assert len(await _found(db, other, "alpha")) == FAN_IN
    assert len(await _found(db, filled, "w17")) == 5
