"""Running whole processes, and what they took: time on the wall, CPU time, peak memory.

CPU time is what the kernel accounts to the command and to everything that it has started and waited
for: its workers, and the database, which the command starts and, being its last user, stops.
Memory is the proportional set size (PSS), which counts a page shared by several processes once,
summed over the command, its workers and its database every tenth of a second; the largest sum is
the peak.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Syncline", "Took", "data_folder", "machine", "median", "table", "undisturbed"]

_SAMPLE_SECONDS = 0.1
_GOOD = (0, 3, 4)


@dataclass(frozen=True, slots=True)
class Took:
    """What one process, with everything that it started, took."""

    wall: float
    cpu: float
    peak: float | None
    """Megabytes; None where it was not watched."""
    output: Any
    """What it printed, from JSON."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """The largest memory of each kind of process, in megabytes."""


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
            if not name.startswith("SYNCLINE_") and name != "DATABASE_URL"
        }
        return {**kept, **self.settings, "SYNCLINE_DATA_DIR": str(self.data)}

    def run(self, *arguments: str, watch: bool = False) -> Took:
        """Run one command to its end. Exits when it fails."""
        command = [sys.executable, "-m", "syncline", *arguments]
        spent = _spent_seconds()
        started = time.perf_counter()
        with subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            watcher = _Watcher(process.pid, self.data) if watch else None
            output, errors = process.communicate()
            wall = time.perf_counter() - started
            if watcher is not None:
                watcher.end()
        cpu = _spent_seconds() - spent
        if process.returncode not in _GOOD:
            sys.exit(
                f"{' '.join(arguments)}: exit code {process.returncode}\n{errors.decode()}"
                f"{output.decode()}"
            )
        return Took(
            wall,
            cpu,
            None if watcher is None else watcher.peak / 1e6,
            json.loads(output) if "--json" in arguments else None,
            {} if watcher is None else {k: v / 1e6 for k, v in sorted(watcher.parts.items())},
        )


class _Watcher:
    """Looks at the memory of a process, its descendants and its database's processes."""

    def __init__(self, pid: int, data: Path) -> None:
        self._pid = pid
        self._data = str(data)
        self._ended = threading.Event()
        self.peak = 0
        self.parts: dict[str, int] = {}
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            parts: dict[str, int] = {}
            for kind, pid in self._processes():
                parts[kind] = parts.get(kind, 0) + _pss(pid)
            self.peak = max(self.peak, sum(parts.values()))
            for kind, size in parts.items():
                self.parts[kind] = max(self.parts.get(kind, 0), size)

    def _processes(self) -> Iterator[tuple[str, int]]:
        """Ours: the command, its workers, and its database wherever that hangs."""
        table = dict(_process_table())
        servers = set()
        for pid, (parent, line) in table.items():
            if pid == self._pid:
                yield "command", pid
            elif parent == self._pid and "syncline.worker" in line:
                yield "workers", pid
            elif "postgres" in line and self._data in line:
                servers.add(pid)
                yield "database", pid
        for pid, (parent, _) in table.items():
            if parent in servers and pid not in servers:
                yield "database", pid


def _process_table() -> Iterator[tuple[int, tuple[int, str]]]:
    """Every process with its parent and its command line."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                line = (
                    (folder / "cmdline")
                    .read_bytes()
                    .replace(b"\0", b" ")
                    .decode("utf-8", "replace")
                )
                stat = (folder / "stat").read_text("utf-8", "replace")
            except OSError:
                continue  # it has ended
            yield int(folder.name), (int(stat.rpartition(")")[2].split()[1]), line)


def _pss(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


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
