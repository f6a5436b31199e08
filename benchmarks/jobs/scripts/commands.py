"""What every queue's program does with its arguments."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

__all__ = ["main", "repeat_while_idle", "run_processes"]

_GAP_SECONDS = 0.03


def main(
    *,
    prepare: Callable[[], None],
    enqueue: Callable[[int], None],
    work: Callable[[], None],
    ask: Callable[[int], None],
    left: Callable[[], int],
) -> None:
    """Do what the command line says."""
    match sys.argv[1:]:
        case ["prepare"]:
            prepare()
        case ["enqueue", count]:
            started = time.perf_counter()
            enqueue(int(count))
            print(time.perf_counter() - started)
        case ["work"]:
            work()
        case ["ask", count]:
            ask(int(count))
        case ["left"]:
            print(left())
        case other:
            sys.exit(f"not understood: {other}")


def repeat_while_idle(send: Callable[[float], object], count: int) -> None:
    """Send one job at a time, each with the moment it was sent, when the last is long done."""
    for _ in range(count):
        send(time.monotonic())
        time.sleep(_GAP_SECONDS)


def run_processes(command: Sequence[str], count: int) -> None:
    """Run a command so many times side by side, until we are told to end."""
    processes = [subprocess.Popen(command, env=os.environ) for _ in range(count)]

    def end(number: int, frame: object) -> None:
        for each in processes:
            each.terminate()

    signal.signal(signal.SIGTERM, end)
    for each in processes:
        each.wait()
