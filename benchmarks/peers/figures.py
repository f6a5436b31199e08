"""What was measured, as tables that people read and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.measure import Took

__all__ = ["Figures", "print_figures", "to_json"]


@dataclass(slots=True)
class Figures:
    """One contender's figures; of each step, one for every run."""

    name: str
    title: str
    steps: dict[str, list[Took]] = field(default_factory=dict)
    peak: float | None = None
    """Megabytes, in a first sync of its own."""
    chunks: int | None = None
    pages: int | None = None
    """Where the rate is of interest: how many pages a step reads."""
    failed: str | None = None
    """Why there are no more figures than these."""

    def wall(self, step: str) -> float | None:
        """The median, in seconds."""
        return _median(took.wall for took in self.steps.get(step, ()))

    def cpu(self, step: str) -> float | None:
        """The median, in seconds."""
        return _median(took.cpu for took in self.steps.get(step, ()))


def _median(values: Iterable[float]) -> float | None:
    found = list(values)
    return statistics.median(found) if found else None


def print_figures(heading: str, all_figures: Sequence[Figures]) -> None:
    """A table a step. The ratio is to the first contender's time on the clock."""
    print(heading)
    steps = list(dict.fromkeys(step for figures in all_figures for step in figures.steps))
    width = max(map(len, (*steps, *(figures.title for figures in all_figures))))
    for step in steps:
        first = step == steps[0]
        print(f"\n  {step:{width}}   wall s   ratio    CPU s{_more_names(first, all_figures)}")
        base = all_figures[0].wall(step)
        for figures in all_figures:
            wall, cpu = figures.wall(step), figures.cpu(step)
            if wall is not None and cpu is not None:
                ratio = f"{wall / base:.2f}" if base else "-"
                more = _more(figures, wall, first)
                print(f"  {figures.title:{width}} {wall:8.2f} {ratio:>7} {cpu:8.2f}{more}")
    for figures in all_figures:
        if figures.failed:
            print(f"\n  {figures.title}: not measured further: {figures.failed}")
    print(flush=True)


def _more_names(first: bool, all_figures: Sequence[Figures]) -> str:
    rated = any(figures.pages for figures in all_figures)
    return (f"{'pages/s':>9}" if rated else "") + (f"{'peak MB':>9}{'chunks':>9}" if first else "")


def _more(figures: Figures, wall: float, first: bool) -> str:
    rate = f"{figures.pages / wall:9.0f}" if figures.pages else ""
    if not first:
        return rate
    peak = "-" if figures.peak is None else f"{figures.peak:.0f}"
    chunks = "-" if figures.chunks is None else f"{figures.chunks:,}"
    return f"{rate}{peak:>9}{chunks:>9}"


def to_json(all_figures: Sequence[Figures]) -> list[dict[str, Any]]:
    """Every run's figures, and the medians."""
    return [
        {
            "name": figures.name,
            "title": figures.title,
            "steps": {
                step: {
                    "wall_seconds": figures.wall(step),
                    "cpu_seconds": figures.cpu(step),
                    "runs": [{"wall_seconds": t.wall, "cpu_seconds": t.cpu} for t in tooks],
                }
                for step, tooks in figures.steps.items()
            },
            "pages": figures.pages,
            "chunks": figures.chunks,
            "peak_megabytes": figures.peak,
            "failed": figures.failed,
        }
        for figures in all_figures
    ]
