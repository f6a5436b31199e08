"""When this machine has last backed its database up: a small file in the data folder."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from syncline.settings import Settings
from syncline.store.database import shown_address

__all__ = ["LastBackup", "read_last_backup", "remember_backup"]


class LastBackup(BaseModel):
    """A backup that was completed. `made_at` is ISO 8601, in UTC."""

    model_config = ConfigDict(frozen=True)

    address: str
    path: str
    made_at: str
    bytes: int


def _file(settings: Settings) -> Path:
    return settings.data_dir / "last-backup.json"


def read_last_backup(settings: Settings) -> LastBackup | None:
    """The last one of this database that this machine knows of."""
    with suppress(OSError, ValidationError, ValueError):
        found = LastBackup.model_validate_json(_file(settings).read_bytes())
        if found.address == shown_address(settings):
            return found
    return None


def remember_backup(settings: Settings, backup: LastBackup) -> None:
    """Note it. Where there is no data folder, or it is not ours to write in, nobody will know."""
    file = _file(settings)
    new = file.with_name(f"{file.name}.{os.getpid()}")
    with suppress(OSError):
        new.write_text(backup.model_dump_json(), "utf-8")
        new.replace(file)
