"""Running whole processes, and what they took: time on the wall, CPU time, peak memory.

CPU time is what the kernel accounts to the command and to everything that it has started: its
workers, and the database, which the command starts and, being its last user, stops. It rarely
waits for the last of that; it is waited for here.
Memory is the largest sum over all of them (`watching.py`).
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.watching import Watcher

__all__ = [
    "Ended",
    "Syncline",
    "Took",
    "data_folder",
    "machine",
    "median",
    "run_process",
    "table",
    "undisturbed",
]

_LONGEST = 1800.0
"""Seconds. What takes longer is ended."""
_GOOD = (0, 3, 4)
_UNUSUAL = ("DATABASE_URL", "PYTHONDONTWRITEBYTECODE")
"""Not what a user has: without bytecode, each start would compile all of it anew."""
_PR_SET_CHILD_SUBREAPER = 36
_ENDING = 0.5


@dataclass(frozen=True, slots=True)
class Took:
    """What one process, with everything that it started, took."""

    wall: float
    cpu: float
    peak: float | None
    """Megabytes; None where it was not watched."""
    output: Any = None
    """What it printed, from JSON."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """The largest memory of each kind of process, in megabytes."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that has run to its end, or was ended for taking too long."""

    code: int
    output: bytes
    errors: bytes
    took: Took


def run_process(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    watch: bool = False,
    data: Path | None = None,
) -> Ended:
    """Run a command to its end. One that takes too long, or is interrupted, is killed.

    `data` is the data folder of a database that belongs to it.
    """
    _adopt_orphans()
    spent = _spent_seconds()
    started = time.perf_counter()
    with subprocess.Popen(
        command,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        watcher = Watcher(process.pid, data) if watch else None
        try:
            output, errors = process.communicate(timeout=_LONGEST)
        except subprocess.TimeoutExpired:
            _kill(process)
            output, errors = process.communicate()
            errors += f"\nended after {_LONGEST:.0f} s".encode()
        except BaseException:
            _kill(process)
            raise
        finally:
            if watcher is not None:
                watcher.end()
        wall = time.perf_counter() - started
    _collect_orphans()
    cpu = _spent_seconds() - spent
    took = Took(
        wall,
        cpu,
        None if watcher is None else watcher.peak / 1e6,
        parts={}
        if watcher is None
        else {kind: size / 1e6 for kind, size in sorted(watcher.parts.items())},
    )
    return Ended(process.returncode, output, errors, took)


def _adopt_orphans() -> None:
    """Be the parent of whatever loses its own."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _collect_orphans() -> None:
    """Wait for what has ended or is just ending; a server that goes on is left alone."""
    deadline = time.monotonic() + _ENDING
    with suppress(ChildProcessError):
        while time.monotonic() < deadline:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(_ENDING / 50)


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has ended by itself


@dataclass(frozen=True, slots=True)
class Syncline:
    """The command line with a data folder and settings of its own."""

    data: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What its processes are started with."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("SYNCLINE_") and name not in _UNUSUAL
        }
        return {**kept, **self.settings, "SYNCLINE_DATA_DIR": str(self.data)}

    def run(self, *arguments: str, watch: bool = False) -> Took:
        """Run one command to its end. Exits when it fails."""
        command = [sys.executable, "-m", "syncline", *arguments]
        ended = run_process(command, self.environment, watch=watch, data=self.data)
        if ended.code not in _GOOD:
            sys.exit(
                f"{' '.join(arguments)}: exit code {ended.code}\n{ended.errors.decode()}"
                f"{ended.output.decode()}"
            )
        output = json.loads(ended.output) if "--json" in arguments else None
        took = ended.took
        return Took(took.wall, took.cpu, took.peak, output, took.parts)


def _spent_seconds() -> float:
    """The CPU time of all children that have ended, and of theirs."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


@contextmanager
def undisturbed(*pids: int) -> Iterator[None]:
    """Let these processes' threads go before all others, so that what else runs on the machine
    is not measured. Without the right to do so, nothing happens."""
    threads = [int(each.name) for pid in pids for each in Path(f"/proc/{pid}/task").iterdir()]
    _schedule(threads, os.SCHED_RR, 1)
    try:
        yield
    finally:
        _schedule(threads, os.SCHED_OTHER, 0)


def _schedule(threads: Sequence[int], policy: int, priority: int) -> None:
    for thread in threads:
        with suppress(OSError):
            os.sched_setscheduler(thread, policy, os.sched_param(priority))


@contextmanager
def data_folder() -> Iterator[Path]:
    """An empty data folder that root's database user can reach too; removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="syncline-benchmark-", dir="/var/tmp"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        Syncline(folder).run("down")
        shutil.rmtree(folder)


def median(tooks: Sequence[Took]) -> Took:
    """The median of each figure, on its own."""
    peaks = [took.peak for took in tooks if took.peak is not None]
    watched = [took for took in tooks if took.parts]
    return Took(
        statistics.median(took.wall for took in tooks),
        statistics.median(took.cpu for took in tooks),
        statistics.median(peaks) if peaks else None,
        tooks[-1].output,
        watched[-1].parts if watched else {},
    )


def table(rows: Sequence[tuple[str, Took]]) -> None:
    """Print what each took."""
    width = max(len(name) for name, _ in rows)
    print(f"  {'':{width}}   wall s    CPU s   peak MB")
    for name, took in rows:
        peak = "-" if took.peak is None else f"{took.peak:.0f}"
        print(f"  {name:{width}} {took.wall:8.2f} {took.cpu:8.2f} {peak:>9}")
    print(flush=True)


def machine() -> str:
    """What this is measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    version = ".".join(map(str, sys.version_info[:3]))
    return (
        f"{os.cpu_count()} processors, {memory:.0f} GB, Python {version}; "
        f"load when this began: {load:.2f}"
    )
