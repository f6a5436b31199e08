"""Bringing a backup back: checked first, then all of it in one transaction, or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from syncline.core.errors import BadBackup, SchemaMismatch, UsageError
from syncline.core.model import Json
from syncline.databases.copying import OnProgress, Progress, in_thread, watched
from syncline.databases.keys import write_keys
from syncline.settings import Settings
from syncline.store.archive import Archive, Manifest, TablePart
from syncline.store.database import Database, shown_address
from syncline.store.loading import loading, refresh
from syncline.store.migrations import HEAD, REVISIONS
from syncline.store.sizes import Holdings, count_holdings
from syncline.store.transfer import Watch, write_table
from syncline.sync.maintenance import indexes

__all__ = ["Restored", "put_in_order", "restore"]

Confirm = Callable[[Manifest, Holdings], object]


class Restored(Struct, frozen=True):
    """A backup that was brought back."""

    address: str
    manifest: Manifest
    replaced: Holdings
    """What was there before."""
    keys: Path | None
    """Where the keys of its secrets are now, if they were in it."""

    def as_json(self) -> dict[str, Json]:
        """The documented fields."""
        return {
            "address": self.address,
            "made_at": self.manifest.made_at,
            "revision": self.manifest.revision,
            "migrated_to": HEAD,
            "workspaces": self.manifest.workspaces,
            "documents": self.manifest.documents,
            "rows": self.manifest.rows,
            "replaced_workspaces": self.replaced.workspaces,
            "replaced_documents": self.replaced.documents,
            "keys": None if self.keys is None else str(self.keys),
        }


async def restore(
    settings: Settings,
    path: Path,
    *,
    replace: bool = False,
    confirm: Confirm | None = None,
    on_progress: OnProgress | None = None,
) -> Restored:
    """Load a backup into the settings' database, which must have no workspaces.

    With `replace` what it has is replaced; `confirm` is then told what by what, and may raise.
    The whole file is checked before anything is changed. An older schema's tables are brought up
    to date. Runs that were under way are interrupted ones now, and their jobs ready again.
    Raises `BadBackup`, `SchemaMismatch`, `UsageError`, `DatabaseInUse`, `DatabaseUnavailable`.
    """
    archive = Archive(path)
    manifest = archive.manifest()
    if manifest.revision not in REVISIONS:
        raise SchemaMismatch(
            f"{path} was made by a newer Syncline: {manifest.syncline}, with the schema"
            f" {manifest.revision}; this one knows up to {HEAD}.",
            hint="Upgrade Syncline on this machine, then restore it.",
        )
    checking = watched("Checking", on_progress, manifest.bytes)
    await in_thread(
        checking,
        lambda: archive.verify(manifest, read=lambda length: checking.note("", length)),
    )
    async with Database(settings) as database:
        async with database.connection() as db:
            there = await count_holdings(db)
            ours = db.info.backend_pid
        if there.workspaces:
            _may_replace(settings, there, replace=replace)
            if confirm is not None:
                confirm(manifest, there)
        watch = watched("Restoring", on_progress, manifest.bytes)
        await in_thread(
            watch,
            lambda: _load(database.owner_parameters, [ours], archive, manifest, watch),
        )
        kept = write_keys(settings, archive.keys()) if manifest.keys else None
        await put_in_order(database, on_progress)
    return Restored(shown_address(settings), manifest, there, kept)


def _may_replace(settings: Settings, there: Holdings, *, replace: bool) -> None:
    if not replace:
        raise UsageError(
            f"The database ({shown_address(settings)}) has {there.workspaces} workspaces with"
            f" {there.documents} documents.",
            hint="Restore into an empty one (--data-dir FOLDER), or replace what is there with"
            " --replace.",
        )


def _load(
    owner: dict[str, str], ours: list[int], archive: Archive, manifest: Manifest, watch: Watch
) -> None:
    with loading(owner, ours=ours) as opened:
        watch.interrupt(opened.session)
        with opened.tables(manifest.revision):
            for part in manifest.tables:
                rows = write_table(opened.session, part.table, _noted(archive, part, watch))
                if rows != part.rows:
                    raise BadBackup(
                        f"{part.name} has {rows} rows instead of {part.rows}.",
                        hint="Nothing has been changed. Use another backup.",
                    )
        watch.check()
        opened.finish(manifest.revision, manifest.sequences)


def _noted(archive: Archive, part: TablePart, watch: Watch) -> Iterator[bytes]:
    for block in archive.blocks(part):
        watch.note(part.name, len(block))
        yield block


async def put_in_order(database: Database, on_progress: OnProgress | None) -> None:
    """After loading: what makes searches fast. `syncline up` would do it in time, too."""
    if on_progress is not None:
        on_progress(Progress("Putting indexes in order", "", 0))
    await asyncio.to_thread(refresh, database.owner_parameters)
    await indexes.run_everywhere(database)
