"""From whatever state the cluster is found in to a running server, and back to none.

Everything here but `observe` happens under the start lock, so that one process at a time
decides. The server itself, and each of its children, holds the server lock for as long as
it lives: what cannot take that lock knows that something of the cluster still runs.
"""

from __future__ import annotations

import asyncio
import enum
import signal
import socket
import sys
import time

from msgspec import Struct

from syncline.core.errors import DatabaseUnavailable
from syncline.store.embedded import process
from syncline.store.embedded.account import Account
from syncline.store.embedded.binaries import Binaries, find_binaries, installed_binaries
from syncline.store.embedded.cluster import create_cluster, discard_unfinished, renew_passwords
from syncline.store.embedded.configuration import Endpoint, new_endpoint, write_configuration
from syncline.store.embedded.exchange import complete_exchange
from syncline.store.embedded.failures import failure, log_size, log_tail
from syncline.store.embedded.folder import DataFolder
from syncline.store.embedded.locks import FileLock

__all__ = ["Lifecycle", "Observed", "State", "observe"]

_POLL_SECONDS = 0.002
_LARGEST_LOG = 1 << 20
# How long children may outlive their killed parent before they are made to end.
_ORPHANS_GRACE = 0.3
_ORPHANS_QUIT = 1.0
_FORCED_AFTER = 10.0
_ENDED_AFTER = 15.0
# A port that was free may be somebody's by the time the server asks for it.
_MOST_PORTS_TRIED = 3
_PORT_TAKEN = "could not create any TCP/IP sockets"


class State(enum.Enum):
    """What the cluster is doing."""

    DOWN = "down"
    CHANGING = "changing"  # starting or stopping
    READY = "ready"
    ORPHANED = "orphaned"  # the server is gone, some of its children are not


class Observed(Struct, frozen=True):
    """What can be told from outside; `pid` and `endpoint` of a live server only."""

    state: State
    pid: int | None = None
    endpoint: Endpoint | None = None


def observe(folder: DataFolder) -> Observed:
    """Look at the server without touching anything; safe at any time."""
    found = process.read_pid_file(folder.cluster)
    if found is None or not process.belongs_to(found.pid, folder.cluster, folder.mark):
        return Observed(State.DOWN)
    endpoint = None
    if found.port is not None:
        socket_folder = folder.path / found.socket_folder if found.socket_folder else None
        endpoint = Endpoint(socket_folder, found.port)
    ready = found.status == "ready" and endpoint is not None
    return Observed(State.READY if ready else State.CHANGING, found.pid, endpoint)


class Lifecycle:
    """Starts and stops the server of one data folder; made anew for each transition."""

    def __init__(
        self, folder: DataFolder, account: Account, new_version: str, *, deadline: float
    ) -> None:
        self._folder = folder
        self._account = account
        self._new_version = new_version
        self._deadline = deadline
        self._server_lock = FileLock(folder.server_lock)
        self._spawned: int | None = None
        self._spawned_at = 0.0
        self._logged_before = 0
        self._ports_tried = 0
        self._orphaned_since: float | None = None

    async def ensure_running(self, *, shared: bool) -> Endpoint:
        """Start the server unless it runs, recovering first from whatever a crash left.

        `shared` says that others use it now. When this is cancelled, a server that it has
        started is told to stop. Raises `DatabaseUnavailable`.
        """
        try:
            return await self._reach_ready(shared=shared)
        except BaseException:
            if self._spawned is not None and self._is_ours(self._spawned):
                process.send(self._spawned, signal.SIGINT)
            raise

    async def _reach_ready(self, *, shared: bool) -> Endpoint:
        while True:
            observed = self._observe()
            match observed.state:
                case State.READY:
                    assert observed.endpoint is not None
                    if self._serves(observed.endpoint, shared=shared):
                        self._spawned = None
                        return observed.endpoint
                    await self.stop()
                case State.DOWN:
                    await self._start()
                case State.ORPHANED:
                    self._end_orphans()
            await self._pause("start")

    async def stop(self, *, by_force: bool = False) -> None:
        """Stop the server, cutting off who is connected, and wait until all of it has ended.

        A server that does not end by itself (on a full disk it cannot) is ended without a
        checkpoint, which its next start makes up for; `by_force` does so sooner.
        Raises `DatabaseUnavailable` when it has not ended at the deadline.
        """
        began = time.monotonic()
        told: signal.Signals | None = None
        while (observed := self._observe()).state is not State.DOWN:
            if observed.pid is None:
                self._end_orphans()
            else:
                patience = _FORCED_AFTER if by_force else _ENDED_AFTER
                patient = time.monotonic() - began < patience
                wanted = signal.SIGINT if patient or sys.platform == "win32" else signal.SIGQUIT
                if wanted is not told:
                    await self._tell(observed.pid, wanted)
                    told = wanted
            await self._pause("stop")

    def _observe(self) -> Observed:
        """As `observe`, but knows more, because nobody else is changing anything."""
        if self._spawned is not None:
            process.reap(self._spawned)
        observed = observe(self._folder)
        if observed.state is not State.DOWN:
            self._orphaned_since = None
            return observed
        if sys.platform == "win32":
            young = self._spawned is not None and time.monotonic() - self._spawned_at < 5
            return Observed(State.CHANGING) if young else observed
        if self._server_lock.is_free():
            return observed
        if self._spawned is not None and self._is_ours(self._spawned):
            return Observed(State.CHANGING, self._spawned)
        return Observed(State.ORPHANED)

    def _is_ours(self, pid: int) -> bool:
        return process.belongs_to(pid, self._folder.cluster, self._folder.mark)

    def _serves(self, endpoint: Endpoint, *, shared: bool) -> bool:
        """Whether it can be connected to; if not, it has to be started again."""
        if not self._folder.credentials.is_file():
            if shared:
                raise DatabaseUnavailable(
                    f"The database's passwords in {self._folder.credentials} are lost, "
                    "and it is in use",
                    hint="Run `syncline down`, then try again: new ones will be made.",
                )
            return False
        if endpoint.socket_folder is None:
            return True
        with socket.socket(socket.AF_UNIX) as probe:
            probe.setblocking(False)
            try:
                probe.connect(str(endpoint.socket_folder / f".s.PGSQL.{endpoint.port}"))
            except BlockingIOError:  # busy, so alive
                return True
            except OSError:  # a cleaner of temporary files took it away
                return False
        return True

    async def _start(self) -> None:
        if self._spawned is not None:
            self._spawned = None
            said = log_tail(self._folder.log, self._logged_before)
            self._ports_tried += 1
            if _PORT_TAKEN not in said or self._ports_tried == _MOST_PORTS_TRIED:
                raise failure(
                    "The database did not start",
                    said,
                    log=self._folder.log,
                    data=self._folder.path,
                )
        if not self._server_lock.try_acquire():
            return
        try:
            binaries = await self._prepare()
            self._clear_stale_files()
            self._rotate_log()
            self._spawn(binaries)
        except OSError as error:
            raise failure(
                "The database could not be started",
                f"{error.filename or self._folder.path}: {error.strerror or error}",
                log=self._folder.log,
                data=self._folder.path,
            ) from error
        finally:
            self._server_lock.close()

    async def _prepare(self) -> Binaries:
        """A complete cluster, its passwords, and the programs to run it with."""
        folder, account = self._folder, self._account
        complete_exchange(folder)
        version = folder.cluster_version()
        await self._check_reachable(version or self._new_version)
        binaries = await asyncio.to_thread(
            find_binaries, version or self._new_version, account, folder.binaries
        )
        assert self._server_lock.descriptor is not None
        held = () if sys.platform == "win32" else (self._server_lock.descriptor,)
        discard_unfinished(folder)
        if version is None:
            began = time.monotonic()
            await create_cluster(folder, binaries, account, pass_fds=held)
            # A slow disk may need long for this, once; the rest keeps its own time.
            self._deadline += time.monotonic() - began
        elif not folder.credentials.is_file():
            await renew_passwords(folder, binaries, account, pass_fds=held)
        return binaries

    async def _check_reachable(self, version: str) -> None:
        """Raise unless the server's user can get to the data folder."""
        folder, account = self._folder, self._account
        barrier = account.blocked_at(folder.path) if account.switched else None
        if barrier is None:
            return
        # Access lists may grant what the mode does not show: let that user try.
        program = installed_binaries(version).program("postgres")
        try:
            tried = await process.run(
                [program, "-D", str(folder.path), "-C", "port"], account, folder=folder.path
            )
        except PermissionError as error:
            raise folder.unreachable(account, barrier) from error
        if "Permission denied" in tried.output:
            raise folder.unreachable(account, barrier)

    def _clear_stale_files(self) -> None:
        """Remove what names a server that is gone, lest a new one takes its pid for alive."""
        (self._folder.cluster / "postmaster.pid").unlink(missing_ok=True)
        if sys.platform != "win32":
            place = self._folder.socket_folder(self._account)
            for name in (".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
                (place / name).unlink(missing_ok=True)

    def _rotate_log(self) -> None:
        log = self._folder.log
        if log_size(log) > _LARGEST_LOG:
            log.replace(log.with_name(f"{log.name}.1"))
        self._logged_before = log_size(log)

    def _spawn(self, binaries: Binaries) -> None:
        folder, account = self._folder, self._account
        write_configuration(folder, new_endpoint(folder, account))
        where = ["-D", str(folder.cluster)]
        config = f"config_file={folder.configuration}"
        if sys.platform == "win32":
            # Only pg_ctl can shed an administrator's rights, which the server refuses.
            command = [binaries.program("pg_ctl"), "start", "-W", *where, "-o", f'-c "{config}"']
        else:
            command = [binaries.program("postgres"), *where, "-c", config]
        held = self._server_lock.descriptor
        self._spawned = process.spawn(
            command,
            account,
            folder=folder.cluster,
            log=folder.log,
            pass_fds=() if held is None or sys.platform == "win32" else (held,),
        )
        self._spawned_at = time.monotonic()

    async def _tell(self, pid: int, number: signal.Signals) -> None:
        if sys.platform == "win32":
            version = self._folder.cluster_version() or self._new_version
            await process.run(
                [
                    installed_binaries(version).program("pg_ctl"),
                    *("stop", "-W", "-m", "fast", "-D", str(self._folder.cluster)),
                ],
                self._account,
                folder=self._folder.cluster,
            )
        else:
            process.send(pid, number)

    def _end_orphans(self) -> None:
        """Give the children of a killed server a moment to notice, then end them."""
        if sys.platform == "win32":
            return
        for path in self._folder.unfinished():  # nothing there is worth waiting for
            for pid in process.cluster_processes(path, self._folder.mark):
                process.end_session(pid)
        now = time.monotonic()
        if self._orphaned_since is None:
            self._orphaned_since = now
        age = now - self._orphaned_since
        if age < _ORPHANS_GRACE:
            return
        number = signal.SIGQUIT if age < _ORPHANS_QUIT else signal.SIGKILL
        for pid in process.cluster_processes(self._folder.cluster, self._folder.mark):
            process.send(pid, number)

    async def _pause(self, doing: str) -> None:
        if time.monotonic() > self._deadline:
            said = log_tail(self._folder.log, 0)
            what = f"The database did not {doing} in time"
            if "No space left on device" in said:
                raise failure(what, said, log=self._folder.log, data=self._folder.path)
            raise DatabaseUnavailable(
                f"{what} ({self._folder.log})",
                hint=f"See {self._folder.log}, and whether the machine is overloaded or another "
                "container runs a database in the same folder.",
            )
        await asyncio.sleep(_POLL_SECONDS)
