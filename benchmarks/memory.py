"""Whether memory depends on how much there is: a folder, and one with ten times as many pages."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from benchmarks.corpus import BUILD
from benchmarks.measure import Syncline, Took, data_folder, table
from benchmarks.verify import check_counts

__all__ = ["run"]

_SIZES = (1_000, 10_000)


def run() -> None:
    """Print the peaks of first syncs and of syncs without changes."""
    rows: list[tuple[str, Took]] = []
    parts: list[tuple[str, Took]] = []
    for size in _SIZES:
        folder = _make(BUILD / f"pages-{size}", size)
        with data_folder() as data:
            syncline = Syncline(data)
            first = syncline.run("sync", str(folder), "--json", watch=True)
            check_counts(first.output, created=size)
            again = syncline.run("sync", str(folder), "--json", watch=True)
            check_counts(again.output, unchanged=size)
        rows += [(f"first sync of {size:,}", first), (f"nothing changed in {size:,}", again)]
        parts.append((f"{size:,}", first))
        shutil.rmtree(folder)
    print("Peak memory, generated pages of some 4 kB, embedder wordllama, one run each")
    table(rows)
    for name, took in parts:
        told = ", ".join(f"{kind} {size:.0f}" for kind, size in took.parts.items())
        print(f"  first sync of {name} by kind, MB: {told}")
    print(flush=True)


def _make(folder: Path, size: int) -> Path:
    """Pages of Markdown whose every text is different, and the same each time."""
    shutil.rmtree(folder, ignore_errors=True)
    choose = random.Random(4000)
    words = ["".join(choose.choices("abcdefghijklmnoprstuvw", k=n % 8 + 3)) for n in range(5_000)]
    for n in range(size):
        path = folder / f"{n // 100:03}" / f"{n:05}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        sections = []
        for section in range(4):
            text = " ".join(choose.choices(words, k=130))
            sections.append(f"## Section {section}\n\n{text}.\n")
        path.write_text(f"# Page {n}\n\n" + "\n".join(sections), "utf-8")
    return folder
