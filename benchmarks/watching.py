"""What a process and all that belongs to it use: memory and processor time, looked at every tenth
of a second.

Memory is the proportional set size (PSS), which counts a page shared by several processes once.
The largest sum is the peak. The same instrument for every program that is measured.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["Watcher"]

_SAMPLE_SECONDS = 0.1
_TICKS = os.sysconf("SC_CLK_TCK")


class Watcher:
    """Looks at a process, its descendants, and the database servers of a data folder.

    Syncline's database is no descendant: it runs in a session of its own, so that Ctrl-C
    does not reach it.
    """

    def __init__(self, pid: int, data: Path | None = None) -> None:
        self._pid = pid
        self._data = None if data is None else str(data)
        self._ended = threading.Event()
        self.peak = 0
        """In bytes."""
        self.parts: dict[str, int] = {}
        """The largest of each kind of process, in bytes."""
        self.seconds: dict[str, float] = {}
        """Of the processors, for each kind, with what of it has ended."""
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            parts: dict[str, int] = {}
            seconds: dict[str, float] = {}
            for kind, pid in self._processes():
                parts[kind] = parts.get(kind, 0) + _pss(pid)
                seconds[kind] = seconds.get(kind, 0.0) + _spent_seconds(pid)
            self.peak = max(self.peak, sum(parts.values()))
            for kind, size in parts.items():
                self.parts[kind] = max(self.parts.get(kind, 0), size)
            for kind, spent in seconds.items():
                self.seconds[kind] = max(self.seconds.get(kind, 0.0), spent)

    def _processes(self) -> Iterator[tuple[str, int]]:
        """Ours: the command, its workers, and its database wherever that hangs."""
        table = dict(_process_table())
        servers = {pid for pid, (_, line) in table.items() if self._is_server(line)}
        databases = servers | _descendants(servers, table)
        for pid in databases:
            yield "database", pid
        if self._pid in table:
            yield "command", self._pid
        for pid in _descendants({self._pid}, table) - databases:
            yield "workers", pid

    def _is_server(self, line: str) -> bool:
        return self._data is not None and "postgres" in line and self._data in line


def _descendants(ancestors: set[int], table: Mapping[int, tuple[int, str]]) -> set[int]:
    found: set[int] = set()
    latest = ancestors
    while latest:
        latest = {pid for pid, (parent, _) in table.items() if parent in latest} - found
        found |= latest
    return found - ancestors


def _process_table() -> Iterator[tuple[int, tuple[int, str]]]:
    """Every process with its parent and its command line."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                stat = (folder / "stat").read_text("utf-8", "replace")
            except OSError:
                continue  # it has ended
            parent = int(stat.rpartition(")")[2].split()[1])
            yield int(folder.name), (parent, line.decode("utf-8", "replace"))


def _pss(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _spent_seconds(pid: int) -> float:
    """By the process itself, and by those of its children that have ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return 0.0
    return sum(map(int, stat.rpartition(")")[2].split()[11:15])) / _TICKS
