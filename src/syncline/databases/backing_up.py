"""A backup: the schema's tables as they were at one moment, in one file, while syncs go on."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import psycopg
from msgspec import Struct

from syncline.core.clock import SystemClock
from syncline.core.errors import UsageError
from syncline.core.failpoints import Failpoint, hit
from syncline.core.model import Json
from syncline.core.ports import Clock
from syncline.databases.copying import OnProgress, in_thread, watched
from syncline.databases.keys import key_file, read_keys
from syncline.databases.last_backup import LastBackup, remember_backup
from syncline.settings import Settings
from syncline.store.archive import (
    FORMAT,
    ArchiveWriter,
    Manifest,
    TablePart,
    discard_unfinished,
)
from syncline.store.database import Database, shown_address
from syncline.store.migrations import HEAD
from syncline.store.transfer import (
    Reading,
    Session,
    Watch,
    open_session,
    read_sequences,
    read_tables,
)

__all__ = ["Backup", "backup"]

_NAME = "syncline-{:%Y%m%d-%H%M%S}.backup"
_NAMES = re.compile(r"syncline-\d{8}-\d{6}\.backup")


class Backup(Struct, frozen=True):
    """A backup that was made."""

    path: Path
    bytes: int
    manifest: Manifest
    keys_left: Path | None
    """The keys that its secrets need and that are not in it; None where there are no secrets."""
    removed: list[Path]
    """Older backups of the folder that were more than were to be kept."""

    def as_json(self) -> dict[str, Json]:
        """The documented fields."""
        return {
            "path": str(self.path),
            "bytes": self.bytes,
            "made_at": self.manifest.made_at,
            "revision": self.manifest.revision,
            "workspaces": self.manifest.workspaces,
            "documents": self.manifest.documents,
            "rows": self.manifest.rows,
            "keys": self.manifest.keys,
            "keys_left": None if self.keys_left is None else str(self.keys_left),
            "removed": [str(path) for path in self.removed],
        }


async def backup(
    settings: Settings,
    target: Path,
    *,
    overwrite: bool = False,
    keep: int | None = None,
    with_keys: bool = False,
    on_progress: OnProgress | None = None,
    clock: Clock | None = None,
) -> Backup:
    """Write a backup of the settings' database to a file, or to a new file in a folder.

    Of a folder's backups, the newest `keep` are kept, this one among them. What is at `target`
    is replaced only with `overwrite`, and only by a complete backup. `with_keys` puts the keys
    of stored secrets in, where there are any. Raises `UsageError`, `DatabaseUnavailable`,
    `SchemaMismatch`, and `OSError` where the file cannot be written.
    """
    now = (clock or SystemClock()).now()
    folder = target if target.is_dir() else None
    path = target if folder is None else folder / _NAME.format(now)
    _check(path, folder, overwrite=overwrite, keep=keep)
    keys = read_keys(settings)
    packed = keys if with_keys else None
    watch = watched("Backing up", on_progress)

    def work() -> tuple[int, Manifest]:
        discard_unfinished(path.parent)
        with (
            ArchiveWriter(path) as writer,
            open_session(database.owner_parameters, "syncline backup") as db,
        ):
            watch.interrupt(db)
            manifest = _write(writer, db, watch, now, packed)
            watch.check()
            hit(Failpoint.BACKUP_BEFORE_FINISH)
            return writer.finish(manifest, overwrite=overwrite), manifest

    async with Database(settings) as database:
        size, manifest = await in_thread(watch, work)
    remember_backup(
        settings,
        LastBackup(
            address=shown_address(settings),
            path=str(path.absolute()),
            made_at=manifest.made_at,
            bytes=size,
        ),
    )
    removed = [] if folder is None or keep is None else _rotate(folder, keep)
    left = key_file(settings) if keys is not None and packed is None else None
    return Backup(path, size, manifest, left, removed)


def _check(path: Path, folder: Path | None, *, overwrite: bool, keep: int | None) -> None:
    if keep is not None and folder is None:
        raise UsageError(
            f"{path} is not a folder, and only of a folder's backups some can be kept.",
            hint="Give a folder that exists, without a file's name.",
        )
    if keep is not None and keep < 1:
        raise UsageError("At least one backup must be kept.")
    if not path.parent.is_dir():
        raise UsageError(
            f"There is no folder {path.parent}.", hint="Make it first, or choose another."
        )
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists.", hint="--force replaces it; or choose another name.")


def _write(
    writer: ArchiveWriter, db: Session, watch: Watch, now: datetime, keys: bytes | None
) -> Manifest:
    db.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    db.read_only = True
    parts: list[TablePart] = []
    for table in read_tables(db):
        reading = Reading(db, table, watch)
        parts.append(writer.write_table(table, reading.blocks(), _rows_of(reading)))
    found = db.execute(
        "SELECT current_setting('server_version'),"
        " (SELECT count(*) FROM syncline.documents WHERE state = 'live')"
    ).fetchone()
    assert found is not None
    if keys is not None:
        writer.write_keys(keys)
    return Manifest(
        format=FORMAT,
        revision=HEAD,
        syncline=version("syncline"),
        postgres=found[0],
        made_at=now.isoformat(timespec="seconds"),
        workspaces=next(part.rows for part in parts if part.name == "workspaces"),
        documents=found[1],
        tables=tuple(parts),
        sequences=read_sequences(db),
        keys=keys is not None,
    )


def _rows_of(reading: Reading) -> Callable[[], int]:
    return lambda: reading.rows


def _rotate(folder: Path, keep: int) -> list[Path]:
    """Remove all but the newest. Only files that a backup has named: the name has the time."""
    found = sorted(path for path in folder.iterdir() if _NAMES.fullmatch(path.name))
    old = found[:-keep]
    for path in old:
        path.unlink(missing_ok=True)
    return old
