"""Processes of the cluster: running programs, reading postmaster.pid, telling ours from others.

A pid alone proves nothing (it may have been given to another process since), so nothing
is ever signalled before its command line or its working folder names this cluster.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from syncline.store.embedded.account import Account

__all__ = [
    "Finished",
    "PidFile",
    "belongs_to",
    "cluster_processes",
    "end_session",
    "read_pid_file",
    "reap",
    "run",
    "send",
    "spawn",
]

_POLL_SECONDS = 0.003
_PROC = Path("/proc")


class Finished(Struct, frozen=True):
    """How a program ended, and what it wrote to its outputs."""

    returncode: int
    output: str


class PidFile(Struct, frozen=True):
    """What postmaster.pid says; status is one of starting, ready, stopping, standby or empty."""

    pid: int
    port: int | None
    socket_folder: str
    listen_address: str
    status: str


def _environment() -> dict[str, str]:
    """A small environment of our own: PG… and locale variables of the caller must not leak in."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in {"PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR"}
    }
    return kept | {"TZ": "UTC", "LC_ALL": "C"}


async def run(
    command: Sequence[str],
    account: Account,
    *,
    folder: Path,
    stdin: str = "",
    pass_fds: Sequence[int] = (),
) -> Finished:
    """Run a program to its end in `folder`; kill it when cancelled.

    Polls rather than waits on a pipe or an event: any event loop will do, and children
    of the program cannot keep us waiting.
    """
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as output:
        source.write(stdin.encode())
        source.seek(0)
        process = subprocess.Popen(  # noqa: S603, ASYNC220  # bundled programs; takes ms
            command,
            cwd=folder,
            env=_environment(),
            stdin=source,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=pass_fds,
            **account.popen_arguments(),
        )
        try:
            while process.poll() is None:  # noqa: ASYNC110  # no event tells of it in every loop
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            if process.poll() is None:
                end_session(process.pid)
                process.wait()
        output.seek(0)
        return Finished(process.returncode, output.read().decode(errors="replace"))


def spawn(
    command: Sequence[str], account: Account, *, folder: Path, log: Path, pass_fds: Sequence[int]
) -> int:
    """Start a program that outlives us, in a session of its own, and give its pid."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(  # noqa: S603  # the bundled programs, our own arguments
            command,
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            pass_fds=pass_fds,
            **account.popen_arguments(),
        )
    finally:
        os.close(descriptor)
    # It is not ours to wait for; `reap` collects it when it ends before us.
    process.returncode = 0
    return process.pid


def reap(pid: int) -> None:
    """Collect an ended child of this process; nothing happens for any other pid."""
    if sys.platform != "win32":
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def read_pid_file(cluster: Path) -> PidFile | None:
    """The cluster's postmaster.pid, or None while there is none or it is still being written."""
    try:
        # The folder belongs to another user: follow no link, and do not hang on a pipe.
        descriptor = os.open(
            cluster / "postmaster.pid",
            os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0),
        )
    except OSError:
        return None
    try:
        lines = os.read(descriptor, 4096).decode(errors="replace").splitlines()
    finally:
        os.close(descriptor)
    fields = [line.strip() for line in lines] + [""] * 8
    if not fields[0].lstrip("-").isdigit():
        return None
    return PidFile(
        pid=abs(int(fields[0])),
        port=int(fields[3]) if fields[3].isdigit() else None,
        socket_folder=fields[4],
        listen_address=fields[5],
        status=fields[7],
    )


def belongs_to(pid: int, cluster: Path, mark: str) -> bool:
    """Whether the living process `pid` is provably one of this cluster's.

    The server is started with the cluster's folder among its arguments, its children
    carry `mark` (the cluster's name) in their titles, and all of them work in the folder.
    """
    if pid <= 1:
        return False
    arguments, folder = _describe(pid)
    text = " ".join(arguments)
    return str(cluster) in arguments or f" {mark}:" in text or folder == str(cluster)


def _describe(pid: int) -> tuple[list[str], str]:
    if _has_proc():
        process = _PROC / str(pid)
        try:
            arguments = os.fsdecode((process / "cmdline").read_bytes()).split("\0")
        except OSError:
            return [], ""
        try:
            folder = str((process / "cwd").readlink())
        except OSError:  # root in a container may not look at other users' processes
            folder = ""
        return arguments, folder
    # Slow to import, and needed only where there is no /proc; it comes without types.
    import psutil  # type: ignore[import-untyped]

    try:
        found = psutil.Process(pid)
        return found.cmdline(), found.cwd()
    except psutil.Error:
        return [], ""


def _has_proc() -> bool:
    return (_PROC / "self" / "cmdline").exists()


def cluster_processes(cluster: Path, mark: str) -> list[int]:
    """Every process that provably belongs to this cluster."""
    if _has_proc():
        pids = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
    else:
        import psutil

        pids = psutil.pids()
    return [pid for pid in pids if pid != os.getpid() and belongs_to(pid, cluster, mark)]


def send(pid: int, number: signal.Signals) -> None:
    """Signal a process that may have ended meanwhile."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def end_session(leader: int) -> None:
    """Kill a process and everything that it started in its session."""
    if sys.platform == "win32":
        send(leader, signal.SIGTERM)
        return
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
