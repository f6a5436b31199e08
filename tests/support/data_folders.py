"""Data folders that the bundled server's user can reach, also when the tests run as root.

pytest's own temporary folders are closed to every other user.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from syncline.settings import Settings
from syncline.store.embedded import EmbeddedServer
from syncline.store.embedded.holder import Holder
from tests.support.waiting import wait_until

__all__ = ["make_data_folder", "remove_data_folder", "settings_for", "unprivileged_user"]


def settings_for(data_folder: Path, version: str = "18", **others: object) -> Settings:
    """The settings for a data folder, whatever the environment says. Nothing runs by itself."""
    given = {"data_dir": data_folder, "postgres_version": version, "schedule": "manual"}
    return Settings.model_validate(given | others)


def make_data_folder(*, like: Path | None = None) -> Path:
    """A new data folder, empty or a copy of a stopped one."""
    folder = Path(tempfile.mkdtemp(prefix="syncline-"))
    folder.chmod(0o711)
    if like is not None:
        subprocess.run(["cp", "-a", f"{like}/.", folder], check=True)
    return folder


def remove_data_folder(folder: Path) -> None:
    """Stop whatever runs in it, and remove it."""
    holder = Holder(settings_for(folder))
    holder.ask_to_end()
    wait_until(lambda: holder.pid() is None)
    server = EmbeddedServer(settings_for(folder), wait_seconds=20)
    asyncio.run(server.stop(force=True))
    shutil.rmtree(folder)


def unprivileged_user() -> int:
    """The uid of an ordinary user who is not the one that root's server runs as."""
    return pwd.getpwnam("daemon").pw_uid if os.geteuid() == 0 else os.geteuid()
