"""File locks that die with their holder, so that a crash leaves nothing locked."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from syncline.core.errors import DatabaseUnavailable

__all__ = ["FileLock", "UserRegistry", "exclusively"]

_POLL_SECONDS = 0.003
_serial = itertools.count(1)

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int, *, shared: bool = False) -> bool:
        os.lseek(descriptor, 1 << 30, os.SEEK_SET)  # beyond the text, which stays readable
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try_lock(descriptor: int, *, shared: bool = False) -> bool:
        # flock, not lockf: closing another descriptor of the file must not release it.
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class FileLock:
    """An exclusive lock on a file, held until closed or until the process ends.

    Child processes that are given the `descriptor` hold it too, until the last one ends.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor: int | None = None

    def try_acquire(self) -> bool:
        """Take the lock if it is free."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        if not _try_lock(descriptor):
            os.close(descriptor)
            return False
        self.descriptor = descriptor
        return True

    def is_free(self) -> bool:
        """Whether nobody holds it just now; those who only ask do not stand in each other's way."""
        try:
            descriptor = os.open(self.path, os.O_RDWR)
        except FileNotFoundError:
            return True
        try:
            return _try_lock(descriptor, shared=True)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Let go of it, as far as this process is concerned."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def write_holder(self) -> None:
        """Leave our pid in the file, for the messages of those who wait."""
        assert self.descriptor is not None
        with suppress(OSError):  # a full disk is for others to report
            os.ftruncate(self.descriptor, 0)
            os.lseek(self.descriptor, 0, os.SEEK_SET)
            os.write(self.descriptor, str(os.getpid()).encode())


@asynccontextmanager
async def exclusively(path: Path, *, deadline: float) -> AsyncIterator[None]:
    """Hold the lock at `path`; wait for it until `deadline` on the monotonic clock.

    Raises `DatabaseUnavailable`, naming the holder. May be cancelled while it waits.
    """
    lock = FileLock(path)
    while not _try(lock):
        if time.monotonic() > deadline:
            raise DatabaseUnavailable(
                f"Process {_holder(path)} has been starting or stopping the database for too long",
                hint="Wait for it or end it, then try again.",
            )
        await asyncio.sleep(_POLL_SECONDS)
    try:
        lock.write_holder()
        yield
    finally:
        lock.close()


def _try(lock: FileLock) -> bool:
    try:
        return lock.try_acquire()
    except OSError as error:
        raise DatabaseUnavailable(
            f"The lock {lock.path} cannot be taken: {error.strerror}",
            hint="Check that the folder exists and belongs to the user who runs Syncline.",
        ) from error


def _holder(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") or "(unknown)"
    except (OSError, ValueError):
        return "(unknown)"


class UserRegistry:
    """Which processes use the server: one locked file each, named by its pid.

    Adding, removing and sweeping happen under the start lock.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self) -> FileLock:
        """Register this process, until `remove` or its end. Raises `DatabaseUnavailable`."""
        while True:
            lock = FileLock(self._folder / f"{os.getpid()}-{next(_serial)}")
            # A file left by an earlier process of the same pid is as good as a new one.
            if _try(lock):
                return lock

    def remove(self, lock: FileLock) -> None:
        """End a use that `add` began."""
        if lock.descriptor is None:
            return
        if sys.platform == "win32":  # which removes no open file
            lock.close()
        lock.path.unlink(missing_ok=True)
        lock.close()

    def sweep(self) -> None:
        """Remove what dead processes left."""
        for path in self._paths():
            if FileLock(path).is_free():
                path.unlink(missing_ok=True)

    def pids(self) -> list[int]:
        """The processes that use the server now, each once for each of its uses."""
        found = []
        for path in self._paths():
            pid = path.name.partition("-")[0]
            if pid.isdigit() and not FileLock(path).is_free():
                found.append(int(pid))
        return sorted(found)

    def _paths(self) -> list[Path]:
        try:
            return list(self._folder.iterdir())
        except OSError:  # not there yet, or not ours to look at
            return []
