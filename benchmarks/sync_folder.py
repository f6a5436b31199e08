"""A folder of some 4,000 real pages: first sync, nothing changed, 1 % changed with 1 % deleted."""

from __future__ import annotations

import shutil

from benchmarks.corpus import BUILD, copy_corpus, edit, names
from benchmarks.measure import Syncline, Took, data_folder, median, table
from benchmarks.verify import check_counts, check_documents

__all__ = ["run"]

_STEPS = ("first sync", "nothing changed", "1 % changed, 1 % deleted")


def run(runs: int) -> None:
    """Print the medians of this many runs, and the memory of one more, for each embedder."""
    for embedder in ("wordllama", "hashing"):
        steps = [_once(embedder, watch=False) for _ in range(runs)]
        watched = _once(embedder, watch=True)
        print(f"A folder, embedder {embedder}, median of {runs} (memory: one run more)")
        rows = []
        for n, name in enumerate(_STEPS):
            took = median([step[n] for step in steps])
            rows.append((name, Took(took.wall, took.cpu, watched[n].peak, took.output)))
        table(rows)
        print(f"  {_told(rows[0][1])}")
        print(f"  {_told(rows[2][1])}")
        print(f"  memory of the first sync by kind, MB: {_parts(watched[0])}\n", flush=True)


def _once(embedder: str, *, watch: bool) -> list[Took]:
    folder = copy_corpus(BUILD / "folder")
    pages = names(folder)
    with data_folder() as data:
        syncline = Syncline(data, {"SYNCLINE_EMBEDDER": embedder})
        first = syncline.run("sync", str(folder), "--json", watch=watch)
        check_documents(syncline, set(pages), first.output)
        again = syncline.run("sync", str(folder), "--json", watch=watch)
        check_counts(again.output, listed=len(pages), deleted=0, updated=0, created=0)
        edits = edit(folder)
        third = syncline.run("sync", str(folder), "--json", watch=watch)
        check_counts(
            third.output,
            listed=len(pages) - len(edits.deleted),
            updated=len(edits.edited),
            deleted=len(edits.deleted),
        )
        check_documents(syncline, set(names(folder)), third.output, edits)
    shutil.rmtree(folder)
    return [first, again, third]


def _told(took: Took) -> str:
    counts = took.output
    shown = [f"{name} {counts[name]}" for name in counts if counts[name] and name in _SHOWN]
    return "counts: " + ", ".join(shown)


_SHOWN = (
    "listed", "created", "updated", "moved", "unchanged", "filtered", "failed", "deleted",
    "chunks", "embedded",
)  # fmt: skip


def _parts(took: Took) -> str:
    return ", ".join(f"{name} {size:.0f}" for name, size in took.parts.items())
