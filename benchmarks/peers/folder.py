"""A folder of pages, followed by Syncline and by its peers in turn."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.corpus import BUILD, Edits, copy_corpus, edit, names
from benchmarks.peers.contenders import FOLDER_PEERS, Contender, contender
from benchmarks.peers.environments import NotMeasured
from benchmarks.peers.figures import Figures

__all__ = ["STEPS", "measure_folder", "sample", "tell"]

STEPS = ("first sync", "nothing changed", "1 % changed, 1 % deleted")


def measure_folder(peers: Sequence[str], runs: int, pages: int | None) -> list[Figures]:
    """Syncline and these peers, one after the other in each run; memory in one round more."""
    entered = [
        _entered(name) for name in ("syncline", *FOLDER_PEERS) if name in ("syncline", *peers)
    ]
    for n in range(runs + 1):
        for one, figures in entered:
            if one is not None and figures.failed is None:
                what = f"run {n + 1} of {runs}" if n < runs else "memory"
                try:
                    _once(one, figures, pages, what, watch=n == runs)
                except NotMeasured as error:
                    figures.failed = str(error)
                    tell(f"{figures.title}: {error}")
    return [figures for _, figures in entered]


def _entered(name: str) -> tuple[Contender | None, Figures]:
    try:
        one = contender(name)
    except NotMeasured as error:
        tell(str(error))
        return None, Figures(name, name, failed=str(error))
    return one, Figures(name, one.title)


def _once(one: Contender, figures: Figures, pages: int | None, what: str, *, watch: bool) -> None:
    folder = sample(copy_corpus(BUILD / "folder"), pages)
    with one.open(folder) as session:
        edits: Edits | None = None
        for step in STEPS[:1] if watch else STEPS:
            if step == STEPS[2]:
                edits = edit(folder)
            took = session.sync(watch=watch)
            tell(f"{what}: {figures.title}, {step}: {took.wall:.2f} s")
            # A run without changes is not looked at before the next one: it must have kept all.
            if step != STEPS[1]:
                chunks = session.check(edits)
            if watch:
                figures.peak = took.peak
            else:
                figures.steps.setdefault(step, []).append(took)
                if edits is None:
                    figures.chunks = chunks
    shutil.rmtree(folder)


def sample(folder: Path, pages: int | None) -> Path:
    """Leave this many pages, spread over all of them; None leaves all."""
    everything = names(folder)
    if pages is not None and pages < len(everything):
        kept = {everything[n * len(everything) // pages] for n in range(pages)}
        for name in everything:
            if name not in kept:
                (folder / name).unlink()
    return folder


def tell(line: str) -> None:
    """Say how far it is."""
    print(f"  {line}", file=sys.stderr, flush=True)
