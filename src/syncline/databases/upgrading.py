"""Bringing the bundled database to the newest PostgreSQL that comes with Syncline.

The tables go into a new cluster beside the old one, as in a move; then the two change places.
`pg_upgrade` would be quicker, but cannot do it: a cluster is made without a server, which gives
pgvector's extension a number from the range of built-in objects, and those it does not take along.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct

from syncline.core.errors import DatabaseInUse, DatabaseUnavailable, UsageError
from syncline.core.model import Json
from syncline.databases.copying import OnProgress
from syncline.databases.moving import copied
from syncline.databases.restoring import put_in_order
from syncline.settings import Settings
from syncline.store.database import Database, shown_address
from syncline.store.embedded import EmbeddedServer
from syncline.store.embedded.binaries import NEWEST
from syncline.store.embedded.exchange import exchange, old_cluster, old_clusters, workshop
from syncline.store.embedded.folder import DataFolder
from syncline.store.embedded.locks import FileLock

__all__ = ["Upgraded", "remove_old", "upgrade"]

_SLACK = 256 << 20
"""Bytes: what a new cluster has besides its tables."""


class Upgraded(Struct, frozen=True):
    """What became of it. With equal versions there was nothing to do."""

    address: str
    before: str
    after: str
    rows: int
    old: list[Path]
    """The clusters of before, which nobody needs any more."""

    def as_json(self) -> dict[str, Json]:
        """The documented fields."""
        return {
            "address": self.address,
            "before": self.before,
            "after": self.after,
            "rows": self.rows,
            "old": [str(path) for path in self.old],
        }


async def upgrade(settings: Settings, *, on_progress: OnProgress | None = None) -> Upgraded:
    """Bring the bundled database to the newest version, where it is not.

    Nobody may use it meanwhile. Whatever dies on the way, and when: the database is there, of the
    old version or of the new one, and calling this again begins anew. The old cluster stays beside
    the new one until `remove_old`. Raises `UsageError`, `DatabaseInUse`, `DatabaseUnavailable`.
    """
    folder = _folder(settings)
    before = folder.cluster_version()
    if before is None and not folder.upgraded.exists():
        raise UsageError(
            f"There is no database in {folder.path} yet.",
            hint=f"A new one is made by PostgreSQL {settings.postgres_version}.",
        )
    rows = 0
    async with Database(settings) as source:  # an exchange that a crash cut short is completed
        before = folder.cluster_version() or NEWEST
        async with _alone(folder):
            place = workshop(folder).path
            inside = settings.model_copy(update={"data_dir": place, "postgres_version": NEWEST})
            await _clear(inside)
            if int(before) < int(NEWEST):
                rows = await _rebuild(inside, source, folder, on_progress)
    after = folder.cluster_version() or NEWEST
    return Upgraded(shown_address(settings), before, after, rows, old_clusters(folder))


def remove_old(settings: Settings) -> list[Path]:
    """Remove the clusters that upgrades have replaced, and answer which those were."""
    found = old_clusters(_folder(settings))
    for path in found:
        shutil.rmtree(path)
    return found


def _folder(settings: Settings) -> DataFolder:
    if settings.database_url:
        raise UsageError(
            "DATABASE_URL names a server that is not Syncline's to upgrade.",
            hint="Its administrator does that. Syncline's tables are brought up to date by"
            " whatever command comes first.",
        )
    return DataFolder.at(settings.data_dir)


@asynccontextmanager
async def _alone(folder: DataFolder) -> AsyncIterator[None]:
    lock = FileLock(folder.start_lock.with_name("upgrade"))
    if not lock.try_acquire():
        raise DatabaseInUse("Another process is upgrading it.", hint="Wait until it has ended.")
    try:
        yield
    finally:
        lock.close()


async def _rebuild(
    inside: Settings, source: Database, folder: DataFolder, on_progress: OnProgress | None
) -> int:
    assert source.server is not None
    if (old := old_cluster(folder)).exists():
        raise UsageError(
            f"{old} is there already, from an earlier upgrade.",
            hint="Remove it with `syncline db upgrade --remove-old`, then upgrade.",
        )
    await asyncio.to_thread(_check_space, source.server, folder)
    into = Database(inside)
    try:
        async with copied(source, await into.open(), on_progress=on_progress, empty=True) as (
            _,
            rows,
        ):
            await put_in_order(into, on_progress)
            await into.close()
            # Others could read meanwhile, and nobody write; from here on nobody can come.
            if not await source.server.stop(then=lambda: exchange(folder)):
                raise DatabaseInUse(
                    "Somebody has begun to use the database meanwhile.",
                    hint="Nothing has been changed. Run it again when nobody uses it.",
                )
    finally:
        await into.close()
        await _clear(inside)
    return rows


async def _clear(inside: Settings) -> None:
    """Remove what an upgrade has left, and end what still runs there."""
    if inside.data_dir.exists():
        await EmbeddedServer(inside).stop(force=True)
        await asyncio.to_thread(shutil.rmtree, inside.data_dir)


def _check_space(server: EmbeddedServer, folder: DataFolder) -> None:
    needed = server.info().size + _SLACK
    free = shutil.disk_usage(folder.path).free
    if free < needed:
        raise DatabaseUnavailable(
            f"The upgrade needs {needed >> 20} MB beside the old database, and"
            f" {folder.path} has {free >> 20} MB left.",
            hint="Free some space; or `syncline db backup` it to another disk, and restore that"
            " into a new data folder.",
        )
