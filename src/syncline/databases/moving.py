"""Moving to another database: from the bundled one to a server of one's own, or back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from msgspec import Struct

from syncline.core.errors import UsageError
from syncline.core.model import Json
from syncline.databases.copying import OnProgress, in_thread, watched
from syncline.databases.keys import key_file, read_keys, write_keys
from syncline.databases.restoring import put_in_order
from syncline.settings import Settings
from syncline.store.across import Side, copy_across
from syncline.store.database import Database, shown_address
from syncline.store.sizes import Holdings, count_holdings
from syncline.store.transfer import open_session

__all__ = ["Moved", "copied", "move"]


class Moved(Struct, frozen=True):
    """What was moved, and where to. The source is as it was."""

    source: str
    address: str
    holdings: Holdings
    rows: int
    variable: str
    """The setting that makes the new place the one in use."""
    keys: Path | None
    """Where the keys of stored secrets are, if there are any."""

    def as_json(self) -> dict[str, Json]:
        """The documented fields."""
        return {
            "source": self.source,
            "address": self.address,
            "workspaces": self.holdings.workspaces,
            "documents": self.holdings.documents,
            "rows": self.rows,
            "variable": self.variable,
            "keys": None if self.keys is None else str(self.keys),
        }


async def move(
    settings: Settings, target: Settings, *, on_progress: OnProgress | None = None
) -> Moved:
    """Copy everything from the settings' database to the target's, which has no workspaces.

    Nobody may work with either meanwhile. Each table is read again where it has arrived, and
    compared, before the target keeps it. The source stays as it is: which of them is in use is
    up to the settings. Raises `UsageError`, `DatabaseInUse`, `DatabaseUnavailable`,
    `SchemaMismatch`.
    """
    async with Database(settings) as source, Database(target) as into:
        async with copied(source, into, on_progress=on_progress) as (holdings, rows):
            pass
        keys = read_keys(settings)
        kept = None
        if keys is not None:
            # A server of one's own has no place for them: they stay in the data folder.
            kept = key_file(settings) if target.database_url else write_keys(target, keys)
        await put_in_order(into, on_progress)
    variable = "DATABASE_URL" if target.database_url else "SYNCLINE_DATA_DIR"
    return Moved(shown_address(settings), shown_address(target), holdings, rows, variable, kept)


@asynccontextmanager
async def copied(
    source: Database, target: Database, *, on_progress: OnProgress | None, empty: bool = False
) -> AsyncIterator[tuple[Holdings, int]]:
    """Copy from one open database to another: what there was, and how many rows.

    Until the context ends nobody can write to the source. It may be `empty` only if that is said.
    """
    sides, counted = [], []
    for database in (source, target):
        async with database.connection() as db:
            counted.append(await count_holdings(db))
            sides.append(Side(database.owner_parameters, [db.info.backend_pid]))
    ours, there = counted
    if not ours.workspaces and not empty:
        raise UsageError(f"There is nothing to move: {source.address} is empty.")
    if there.workspaces:
        raise UsageError(
            f"{target.address} has {there.workspaces} workspaces with {there.documents} documents.",
            hint="Move to an empty database. `syncline db restore FILE --replace` replaces one.",
        )
    watch = watched("Moving", on_progress)
    with ExitStack() as stack:
        opening = open_session(sides[0].owner, "syncline move")
        session = await asyncio.to_thread(stack.enter_context, opening)
        rows = await in_thread(watch, lambda: copy_across(session, sides[0].ours, sides[1], watch))
        yield ours, rows
