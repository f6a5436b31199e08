"""A knowledge base to be kept: two workspaces with a history; and what has to come back of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import syncline
from syncline.core.model import Json
from syncline.settings import Settings
from syncline.store.database import Connection, Database
from tests.support.state import assert_consistent, state_of
from tests.support.storm import first_state, second_state
from tests.support.syncs import open_syncs

__all__ = ["WORKSPACES", "everything", "fill", "found_by_search", "sync_again"]

WORKSPACES = ("default", "other")
_ENTRIES = 60
_TABLES = """
SELECT relname FROM pg_class WHERE relnamespace = 'syncline'::regnamespace
AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1
"""


async def fill(settings: Settings, folder: Path) -> None:
    """Two syncs of each workspace, with deletions, moves and near-duplicates."""
    for workspace in WORKSPACES:
        world = first_state(folder / f"{workspace}.json", _ENTRIES)
        async with open_syncs(settings, workspace, world) as syncs:
            assert (await syncs.run()).exit_code == 0
            second_state(world, _ENTRIES)
            assert (await syncs.run()).counts["deleted"] > 0


async def everything(settings: Settings) -> dict[str, Any]:
    """All that a workspace's users may notice, and every row with its ids."""
    async with Database(settings) as database, database.connection() as db:
        found: dict[str, Any] = {name: await state_of(db, name) for name in WORKSPACES}
        for name in WORKSPACES:
            await assert_consistent(db, name)
        found["rows"] = await _every_row(db)
        found["search"] = await found_by_search(settings)
    return found


async def _every_row(db: Connection) -> dict[str, Any]:
    """How many rows each table has, and a sum over all that is in them."""
    found = await db.execute(_TABLES)
    sums = {}
    for (name,) in await found.fetchall():
        rows = await db.execute(
            f"SELECT count(*), sum(hashtextextended(t::text, 0)) FROM syncline.{name} t".encode()
        )
        sums[name] = await rows.fetchone()
    return sums


async def found_by_search(settings: Settings) -> list[Json]:
    """What searches find in the first workspace."""
    async with syncline.open(settings=settings) as kb:
        pages = [
            await kb.search(text, everything=True, limit=5)
            for text in ("rotate a key", "courier refund", "battery sensr")
        ]
    return [[hit.document for hit in page.hits] for page in pages]


async def sync_again(settings: Settings, world: Path) -> None:
    """A sync of a new source: numbers go on behind those that were given out."""
    source = first_state(world, 5)
    async with open_syncs(settings, "new", source) as syncs:
        assert (await syncs.run()).counts["created"] == 5
