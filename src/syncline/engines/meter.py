"""What is in use of this machine, read from the system: memory, and the processors' time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from syncline.engines.throttle import Reading

__all__ = ["SystemMeter", "control_group_memory"]

_MEGABYTE = 1_000_000


class SystemMeter:
    """Reads this process, those that it has started, and the machine.

    `server` gives the process of the bundled database, if that is the one in use: its work is ours
    too, but its memory, most of which is a cache of a fixed size, does not count as ours. What is
    not asked for by `ours` is not measured: it takes a millisecond a process.
    """

    def __init__(
        self, *, server: Callable[[], int | None] = lambda: None, ours: bool = True
    ) -> None:
        import psutil  # type: ignore[import-untyped]

        self._psutil: Any = psutil
        self._server = server
        self._ours_wanted = ours
        self._busy, self._all = self._machine_seconds()
        self._seconds: dict[int, float] = {}
        self._count([*self._processes(), *self._servers()])

    def read(self) -> Reading:
        """The processors' time is since the last reading, or since this was made."""
        processes = self._processes()
        busy, all_ = self._machine_seconds()
        spent = max(0.0, all_ - self._all)
        others = max(0.0, busy - self._busy - self._count([*processes, *self._servers()]))
        self._busy, self._all = busy, all_
        return Reading(
            memory=self._memory(),
            ours_mb=sum(map(self._megabytes, processes)) if self._ours_wanted else 0.0,
            others=min(1.0, others / spent) if spent else 0.0,
        )

    def _processes(self) -> list[Any]:
        us = self._psutil.Process()
        return [us, *us.children(recursive=True)]

    def _servers(self) -> Iterator[Any]:
        pid = self._server()
        if pid is None:
            return
        try:
            server = self._psutil.Process(pid)
            yield server
            yield from server.children(recursive=True)
        except self._psutil.Error:
            return  # it has ended

    def _count(self, processes: list[Any]) -> float:
        """Seconds that these have spent since they were last counted."""
        seconds = {}
        for process in processes:
            try:
                times = process.cpu_times()
            except self._psutil.Error:
                continue  # it has ended
            seconds[int(process.pid)] = float(times.user + times.system)
        before, self._seconds = self._seconds, seconds
        return sum(max(0.0, now - before.get(pid, 0.0)) for pid, now in seconds.items())

    def _machine_seconds(self) -> tuple[float, float]:
        """Of all processors since the machine was started: at work, and in all."""
        times = self._psutil.cpu_times()._asdict()
        # Linux counts a guest's time as the host's user time already.
        all_ = sum(spent for name, spent in times.items() if not name.startswith("guest"))
        idle: float = times["idle"] + times.get("iowait", 0.0)
        return all_ - idle, all_

    def _megabytes(self, process: Any) -> float:
        """What would be free if it ended, and its part of what it shares, where that is known."""
        try:
            try:
                full = process.memory_full_info()
            except self._psutil.AccessDenied:
                full = process.memory_info()
        except self._psutil.Error:
            return 0.0
        used: float = getattr(full, "pss", None) or getattr(full, "uss", None) or full.rss
        return used / _MEGABYTE

    def _memory(self) -> float:
        machine: float = self._psutil.virtual_memory().percent / 100
        return max([machine, *control_group_memory()])


def control_group_memory(
    of: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> list[float]:
    """Of each limit that our control groups (Linux, versions 1 and 2) have: the part in use.

    Files that are cached, and could be dropped, are not in use.
    """
    try:
        lines = of.read_text("utf-8").splitlines()
    except OSError:
        return []
    parts = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            folder, names = root / path.lstrip("/"), ("memory.max", "memory.current", "")
        elif "memory" in controllers.split(","):
            folder = root / "memory" / path.lstrip("/")
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
        else:
            continue
        for each in (folder, *folder.parents):
            if not each.is_relative_to(root):
                break
            parts += _part_in_use(each, *names)
    return parts


def _part_in_use(folder: Path, limit: str, usage: str, prefix: str) -> list[float]:
    try:
        most = int((folder / limit).read_text("ascii"))
        used = int((folder / usage).read_text("ascii"))
        for line in (folder / "memory.stat").read_text("ascii").splitlines():
            name, _, value = line.partition(" ")
            if name == f"{prefix}inactive_file":
                used -= int(value)
    except (OSError, ValueError):  # there is none, or it is `max`
        return []
    return [max(0.0, used / most)] if most > 0 else []
