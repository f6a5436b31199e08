"""`python -m benchmarks jobs`: no-op jobs a second and waits, side by side; the planner; a source's
limit, shared by a thousand connections."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.jobs.connections import measure_connections
from benchmarks.jobs.contenders import QUEUES, Queue, Session
from benchmarks.jobs.planner import measure_planner
from benchmarks.peers.environments import NotMeasured

__all__ = ["NAMES", "run"]

NAMES = (*(queue.name for queue in QUEUES), "planner", "connections")
_ASKED = 150
_WARM = 20
"""Jobs before those, which show that the workers are up."""


@dataclass(slots=True)
class _Figures:
    enqueued: list[float] = field(default_factory=list)
    """Jobs a second."""
    done: list[float] = field(default_factory=list)
    """Jobs a second."""
    waits: list[Sequence[float]] = field(default_factory=list)
    """Seconds, of each run."""
    trouble: str | None = None


def run(runs: int, only: Sequence[str] = NAMES, jobs: int | None = None) -> None:
    """Measure in turns, and print a table; `jobs` makes it a trial of so many each."""
    queues = [queue for queue in QUEUES if queue.name in only]
    figures = {queue.name: _Figures() for queue in queues}
    for n in range(runs):
        for queue in queues:
            found = figures[queue.name]
            if found.trouble is None:
                print(f"  run {n + 1}: {queue.name}", file=sys.stderr, flush=True)
                try:
                    _measure(queue, jobs or queue.count, found)
                except NotMeasured as error:
                    found.trouble = str(error)
    if queues:
        print(f"No-op jobs, durable, two worker processes, median of {runs}")
        _print(queues, figures)
    if "planner" in only:
        measure_planner()
    if "connections" in only:
        measure_connections()


def _measure(queue: Queue, count: int, into: _Figures) -> None:
    with Session.of(queue) as session:
        into.enqueued.append(count / float(session.run("enqueue", str(count))))
        with session.workers():
            scores = session.scores(count)
        into.done.append((count - 1) / scores.seconds)
        session.forget_scores()
        with session.workers():
            session.run("enqueue", str(_WARM))
            session.scores(_WARM)
            session.run("ask", str(_ASKED))
            into.waits.append(sorted(session.scores(_WARM + _ASKED).waits))


def _print(queues: Sequence[Queue], figures: dict[str, _Figures]) -> None:
    width = max(len(queue.title()) for queue in queues)
    print(f"  {'':{width}}  enqueued/s   done/s  ratio   wait p50 ms   p95 ms")
    ours = figures["syncline"].done if "syncline" in figures else []
    for queue in queues:
        found = figures[queue.name]
        if found.trouble is not None:
            print(f"  {queue.title():{width}}  {found.trouble}")
            continue
        done = statistics.median(found.done)
        ratio = f"{statistics.median(ours) / done:6.2f}" if ours else "     -"
        p50, p95 = (
            statistics.median(waits[int(len(waits) * part)] for waits in found.waits) * 1000
            for part in (0.5, 0.95)
        )
        print(
            f"  {queue.title():{width}} {statistics.median(found.enqueued):11,.0f} {done:8,.0f}"
            f" {ratio} {p50:13.1f} {p95:8.1f}"
        )
    print("  ratio: how many times as many jobs Syncline does\n", flush=True)
