"""Who holds the bundled server up: the one `syncline up` of a data folder."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from syncline.settings import Settings
from syncline.store.embedded.folder import DataFolder
from syncline.store.embedded.locks import FileLock

__all__ = ["Holder"]

_LOG_BYTES = 10_000_000


class Holder:
    """A lock beside the server's own, which dies with the process that holds the server up."""

    def __init__(self, settings: Settings) -> None:
        self._folder = DataFolder.at(settings.data_dir)
        self._lock = FileLock(self._folder.start_lock.with_name("up"))

    @property
    def log(self) -> str:
        """The file that a detached holder writes to."""
        return str(self._folder.log.with_name("up.log"))

    def open_log(self) -> int:
        """Open that file to write behind what is in it; one that has grown large is put aside.

        One former file is kept. Answers the file's descriptor.
        """
        log = Path(self.log)
        with suppress(FileNotFoundError):
            if log.stat().st_size > _LOG_BYTES:
                log.replace(f"{log}.1")
        return os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def take(self) -> bool:
        """Become the holder, unless there is one. The data folder must have been prepared."""
        if not self._lock.try_acquire():
            return False
        self._lock.write_holder()
        return True

    def release(self) -> None:
        """Be the holder no longer."""
        self._lock.close()

    @property
    def lost(self) -> bool:
        """Whether the data folder was removed beneath us: there is nothing left to hold."""
        return not self._lock.path.exists()

    def pid(self) -> int | None:
        """The holder's process; None where there is none."""
        if self._lock.is_free():
            return None
        with suppress(OSError, ValueError):
            return int(self._lock.path.read_text(encoding="utf-8"))
        return None

    def ask_to_end(self) -> int | None:
        """Ask the holder to end, and answer its process; None where there is none."""
        pid = self.pid()
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        return pid
