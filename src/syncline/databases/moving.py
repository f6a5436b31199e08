"""Moving to another database: from the bundled one to a server of one's own, or back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from syncline.core.errors import UsageError
from syncline.core.model import Json
from syncline.databases.copying import OnProgress, in_thread, watched
from syncline.databases.keys import key_file, read_keys, write_keys
from syncline.databases.restoring import put_in_order
from syncline.settings import Settings
from syncline.store.across import Side, copy_across
from syncline.store.database import Database, shown_address
from syncline.store.sizes import Holdings, count_holdings

__all__ = ["Moved", "copy_database", "move"]


@dataclass(frozen=True, slots=True)
class Moved:
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
        holdings, rows = await copy_database(
            (settings, source), (target, into), on_progress=on_progress
        )
        keys = read_keys(settings)
        kept = None
        if keys is not None:
            # A server of one's own has no place for them: they stay in the data folder.
            kept = key_file(settings) if target.database_url else write_keys(target, keys)
        await put_in_order(into)
    variable = "DATABASE_URL" if target.database_url else "SYNCLINE_DATA_DIR"
    return Moved(shown_address(settings), shown_address(target), holdings, rows, variable, kept)


async def copy_database(
    source: tuple[Settings, Database],
    target: tuple[Settings, Database],
    *,
    on_progress: OnProgress | None,
) -> tuple[Holdings, int]:
    """What `move` does between two open databases: what was there, and how many rows."""
    sides = []
    counted = []
    for _, database in (source, target):
        async with database.connection() as db:
            counted.append(await count_holdings(db))
            sides.append(Side(database.owner_parameters, [db.info.backend_pid]))
    ours, there = counted
    if not ours.workspaces:
        raise UsageError(f"There is nothing to move: {shown_address(source[0])} is empty.")
    if there.workspaces:
        raise UsageError(
            f"{shown_address(target[0])} has {there.workspaces} workspaces with"
            f" {there.documents} documents.",
            hint="Move to an empty database. `syncline db restore FILE --replace` replaces one.",
        )
    watch = watched("Moving", on_progress)
    return ours, await in_thread(watch, lambda: copy_across(sides[0], sides[1], watch))
