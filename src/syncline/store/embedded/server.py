"""The bundled server as the rest of Syncline sees it: in use, or not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from syncline.settings import Settings
from syncline.store.embedded.account import server_account
from syncline.store.embedded.address import DATABASE, ServerAddress, ServerInfo
from syncline.store.embedded.folder import DataFolder
from syncline.store.embedded.lifecycle import Lifecycle, observe
from syncline.store.embedded.locks import FileLock, UserRegistry, exclusively

__all__ = ["EmbeddedServer"]


class EmbeddedServer:
    """One use of the server in the settings' data folder.

    Any number of processes may each have any number of these. The first use starts the
    server, the end of the last one stops it; a process that dies just stops counting.
    """

    def __init__(self, settings: Settings, *, wait_seconds: float = 30) -> None:
        self._settings = settings
        self._folder = DataFolder.at(settings.data_dir)
        self._registry = UserRegistry(self._folder.users)
        self._wait_seconds = wait_seconds
        self._use: FileLock | None = None
        self._address: ServerAddress | None = None

    async def acquire(self) -> ServerAddress:
        """Start the server unless it runs, and count this as a use until `release`.

        Acquiring what is already acquired gives the same use. Cancelling it leaves no use
        and no lock behind. Raises `DatabaseUnavailable`, with a hint.
        """
        if self._address is not None:
            return self._address
        deadline = time.monotonic() + self._wait_seconds
        account = server_account(self._settings.database_user)
        self._folder.prepare(account)
        async with exclusively(self._folder.start_lock, deadline=deadline):
            self._registry.sweep()
            lifecycle = Lifecycle(
                self._folder, account, self._settings.postgres_version, deadline=deadline
            )
            endpoint = await lifecycle.ensure_running(shared=bool(self._registry.pids()))
            self._use = self._registry.add()
        self._address = ServerAddress(
            endpoint.host, endpoint.port, DATABASE, self._folder.credentials
        )
        return self._address

    async def revive(self) -> None:
        """Start the server again if it has died beneath our use of it, where it was.

        Nothing happens without a use. Raises `DatabaseUnavailable`.
        """
        if self._use is None:
            return
        deadline = time.monotonic() + self._wait_seconds
        async with exclusively(self._folder.start_lock, deadline=deadline):
            endpoint = await self._lifecycle(deadline).ensure_running(shared=True)
        self._address = ServerAddress(
            endpoint.host, endpoint.port, DATABASE, self._folder.credentials
        )

    async def release(self) -> None:
        """End this use; the last one stops the server. Nothing happens without a use.

        The use has ended even when this is cancelled or raises `DatabaseUnavailable`.
        """
        use, self._use, self._address = self._use, None, None
        if use is None:
            return
        deadline = time.monotonic() + self._wait_seconds
        try:
            async with exclusively(self._folder.start_lock, deadline=deadline):
                self._registry.remove(use)
                self._registry.sweep()
                if not self._registry.pids():
                    await self._lifecycle(deadline).stop()
        finally:
            self._registry.remove(use)

    async def __aenter__(self) -> ServerAddress:
        return await self.acquire()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.release()

    async def stop(self, force: bool = False, *, then: Callable[[], object] | None = None) -> bool:
        """Stop the server for everyone, and end our own use of it.

        `then` is done while nobody can start it again.

        Gives False, and leaves it running, when others use it (`users` tells who), unless
        `force` cuts them off. True says that no server runs in this data folder any more.
        """
        use, self._use, self._address = self._use, None, None
        if not self._folder.start_lock.parent.is_dir():
            return True
        deadline = time.monotonic() + self._wait_seconds
        try:
            async with exclusively(self._folder.start_lock, deadline=deadline):
                if use is not None:
                    self._registry.remove(use)
                self._registry.sweep()
                if self._registry.pids() and not force:
                    return False
                await self._lifecycle(deadline).stop(by_force=force)
                if then is not None:
                    then()
        finally:
            if use is not None:
                self._registry.remove(use)
        return True

    def users(self) -> list[int]:
        """The pids of the processes that use the server now, ours among them."""
        return sorted(set(self._registry.pids()))

    def pid(self) -> int | None:
        """The server's process; None where there is none. May be asked often."""
        return observe(self._folder).pid

    def info(self) -> ServerInfo:
        """What runs, or lies, in the data folder. Reads the sizes of a thousand files."""
        observed = observe(self._folder)
        return ServerInfo(
            version=self._folder.cluster_version() or self._settings.postgres_version,
            data_folder=self._folder.path,
            size=_size(self._folder.cluster),
            running=observed.pid is not None,
            pid=observed.pid,
            host=observed.endpoint.host if observed.endpoint else None,
            port=observed.endpoint.port if observed.endpoint else None,
        )

    def _lifecycle(self, deadline: float) -> Lifecycle:
        account = server_account(self._settings.database_user)
        return Lifecycle(self._folder, account, self._settings.postgres_version, deadline=deadline)


def _size(folder: Path) -> int:
    total = 0
    for place, _, files in os.walk(folder):
        for file in files:
            try:
                total += Path(place, file).lstat().st_size
            except FileNotFoundError:  # the server removes files while we look
                continue
    return total
