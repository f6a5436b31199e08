"""The statements of a run use the indexes made for them, also before the first statistics."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Self

import psycopg

from syncline.core.model import ConnectionId, EntryKey, RunId
from syncline.settings import Settings
from syncline.store import contents as contents_store
from syncline.store import gone, manifest, signatures
from syncline.store.database import Connection
from syncline.store.runs import RunRef
from syncline.store.workspaces import make_workspace
from tests.support.search_rows import analyse, fill
from tests.support.storm import first_state
from tests.support.syncs import Syncs
from tests.support.world import World

POSTGRES = ("16", "18")


class _ExplainingCursor(psycopg.AsyncCursor[Any]):
    """Explains each statement before it runs it."""

    plans: ClassVar[list[str]] = []

    async def execute(self, query: Any, params: Any = None, **more: Any) -> Self:
        plain = psycopg.AsyncCursor(self.connection)
        text = query if isinstance(query, bytes) else query.encode()
        await plain.execute(b"EXPLAIN (COSTS OFF) " + text, params)
        self.plans.append("\n".join(str(row[0]) for row in await plain.fetchall()))
        return await super().execute(query, params, **more)


async def test_no_statement_of_a_run_reads_whole_tables(
    listing: Syncs, world: World, db: Connection
) -> None:
    """Looking up, noting, finding the unlisted, pending and moved: each through an index by its
    whole key, never a scan of all documents for each entry. Most rows are another workspace's."""
    beside = await fill(db, f"{listing.row.workspace_id}-beside")
    await db.execute(
        "INSERT INTO manifest (workspace_id, connection_id, entry_key, entry_id, partition,"
        " locator, state) SELECT %s, %s, decode(md5(n::text), 'hex'), n, 'main', '{}', 'stored'"
        " FROM generate_series(1, 20000) n",
        (beside.workspace, beside.connection),
    )
    first_state(world.path, 1500)
    report = await listing.run()
    assert report.exit_code == 0
    row = listing.row
    run = RunRef(row.workspace_id, row.id, RunId(report.run or 0), 1)
    found = await db.execute(
        "SELECT entry_key FROM manifest WHERE workspace_id = %s ORDER BY entry_key LIMIT 20",
        (row.workspace_id,),
    )
    keys = [EntryKey(r[0]) for r in await found.fetchall()]
    found = await db.execute(
        "SELECT id FROM contents WHERE workspace_id = %s ORDER BY id LIMIT 20", (row.workspace_id,)
    )
    contents = [r[0] for r in await found.fetchall()]
    _ExplainingCursor.plans.clear()
    db.cursor_factory = _ExplainingCursor
    await manifest.look_up(db, run, keys)
    await manifest.unlisted(db, run)
    await manifest.failing(db, run, most=3)
    await gone.pending(db, run)
    await gone.created_since(db, run, RunId(0), [1, 2, 3])
    await signatures.waiting(db, run.workspace_id, most=10)
    await signatures.look_alikes(db, run.workspace_id, contents)
    async with db.transaction(force_rollback=True):
        await signatures.forget_signatures(db, run.workspace_id, contents)
    for plan in _ExplainingCursor.plans:
        assert "Seq Scan on content_" not in plan, plan[:1500]
        assert "Seq Scan on documents" not in plan, plan[:1500]
        assert "Seq Scan on manifest" not in plan, plan[:1500]
        # A key column in a filter is a row that was read for nothing.
        assert not re.search(r"Filter: .*entry_key = ", plan), plan[:1500]
    assert len(_ExplainingCursor.plans) == 13
    await db.execute("DELETE FROM workspaces WHERE id = %s", (beside.workspace,))


async def test_a_workspace_that_the_statistics_do_not_know_is_read_by_key(
    listing: Syncs, world: World, db: Connection, server_settings: Settings
) -> None:
    """Beside a large one, a new workspace looks empty to the planner until it is analysed. No
    statement of its collector pairs all of its rows with all of its rows for that."""
    first_state(world.path, 1500)
    assert (await listing.run()).exit_code == 0
    await analyse(server_settings)
    newcomer = await make_workspace(db, f"{listing.row.workspace_id}-newcomer")
    _ExplainingCursor.plans.clear()
    db.cursor_factory = _ExplainingCursor
    async with db.transaction(force_rollback=True):
        found = await db.execute(
            "INSERT INTO embeddings SELECT %s, model_id, chunk_hash, vector FROM embeddings"
            " WHERE workspace_id = %s LIMIT 50 RETURNING chunk_hash",
            (newcomer, listing.row.workspace_id),
        )
        hashes = [row[0] for row in await found.fetchall()]
        await contents_store._collect_embeddings(db, newcomer, hashes)
        await signatures.forget_signatures(db, newcomer, list(range(1, 51)))
        await signatures.look_alikes(db, newcomer, [1, 2, 3])
        run = RunRef(newcomer, ConnectionId(77), RunId(77), 1)
        await manifest.look_up(db, run, [EntryKey(b"x"), EntryKey(b"y")])
        await manifest.failing(db, run, most=3)
        await gone.pending(db, run)
        await gone.created_since(db, run, RunId(0), [1, 2, 3])
    plans = _ExplainingCursor.plans
    assert len(plans) >= 10
    for plan in plans:
        assert "Join Filter" not in plan, plan[:1500]
