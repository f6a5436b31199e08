"""Some 4,000 real HTML pages, from Debian's documentation packages, and what is done to them.

The pages are copied into build/benchmarks/corpus, with links resolved, so that they can be edited
and so that no measurement reads the packages' own files.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path

__all__ = ["BUILD", "Edits", "copy_corpus", "edit", "make_corpus", "make_large_corpus", "names"]

BUILD = Path(__file__).resolve().parents[1] / "build" / "benchmarks"
MARK = "windhover benchmark sentence"
"""What every edited page says afterwards."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One package's pages."""

    name: str
    package: str
    folder: Path
    every: int = 1


_PARTS = (
    _Part("python", "python3-doc", Path("/usr/share/doc/python3.11/html")),
    _Part("git", "git-doc", Path("/usr/share/doc/git-doc")),
    _Part("postgresql", "postgresql-doc-15", Path("/usr/share/doc/postgresql-doc-15/html")),
    _Part("java", "openjdk-17-doc", Path("/usr/share/doc/openjdk-17-doc/api"), every=5),
)


def make_corpus() -> Path:
    """The folder with the pages, made if it is not there yet."""
    return _make(BUILD / "corpus", {})


def make_large_corpus() -> Path:
    """The same with more pages of Java's, five of nine: some 100,000 passages."""
    return _make(BUILD / "corpus-large", {"java": 9 / 5})


def _make(corpus: Path, every: Mapping[str, float]) -> Path:
    if corpus.is_dir():
        return corpus
    _install([part for part in _PARTS if not part.folder.is_dir()])
    draft = BUILD / f"{corpus.name}.{os.getpid()}"
    for part in _PARTS:
        step, pages = every.get(part.name, part.every), sorted(_pages(part.folder))
        pages = [pages[int(n * step)] for n in range(ceil(len(pages) / step))]
        for page in pages:
            target = draft / part.name / page
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(part.folder / page, target)
        print(f"  {part.name}: {len(pages)} pages", flush=True)
    draft.rename(corpus)
    return corpus


def _pages(folder: Path) -> list[str]:
    """The HTML files beneath a folder, by their names in it."""
    found = []
    for parent, _, files in os.walk(folder, followlinks=True):
        for name in files:
            path = Path(parent, name)
            if name.endswith(".html") and path.is_file():
                found.append(path.relative_to(folder).as_posix())
    return found


def _install(parts: list[_Part]) -> None:
    if not parts:
        return
    packages = [part.package for part in parts]
    wanted = " ".join(packages)
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"Installing {wanted}", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
        for prepare in (None, ["apt-get", "update", "-q"]):
            if prepare:
                subprocess.run(prepare, env=environment, check=False, capture_output=True)
            done = subprocess.run(command, env=environment, check=False, capture_output=True)
            if done.returncode == 0:
                break
    still = [part for part in parts if not part.folder.is_dir()]
    if still:
        sys.exit(
            f"The benchmarks read the pages of the Debian packages {wanted}. "
            f"Install them (apt-get install {wanted}) and run this again.\n"
            f"Not found: {', '.join(str(part.folder) for part in still)}"
        )


def copy_corpus(target: Path) -> Path:
    """A copy that may be edited."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(make_corpus(), target)
    return target


def names(folder: Path) -> list[str]:
    """The pages' names, sorted."""
    return sorted(_pages(folder))


@dataclass(frozen=True, slots=True)
class Edits:
    """Which pages were edited, and which deleted."""

    edited: frozenset[str]
    deleted: frozenset[str]


def edit(folder: Path, percent: float = 1.0) -> Edits:
    """Edit exactly `percent` of the pages in one place each, and delete as many others.

    Which ones follows from their names alone, and they are spread over all of them.
    """
    pages = names(folder)
    count = round(len(pages) * percent / 100)
    step = len(pages) // count
    edited = frozenset(pages[n * step] for n in range(count))
    deleted = frozenset(pages[n * step + step // 2] for n in range(count))
    for n, name in enumerate(sorted(edited)):
        path = folder / name
        data = path.read_bytes()
        place = _inside_the_text(data)
        path.write_bytes(data[:place] + f" <b>{MARK} {n}.</b> ".encode() + data[place:])
    for name in deleted:
        (folder / name).unlink()
    return Edits(edited, deleted)


_PASSAGE = re.compile(
    rb"<(p|dd|div class=\"block\")[ >](?:(?!<p[ >]).)*?(?=</(?:p|dd|div)>)", re.DOTALL
)
_HEADING = re.compile(rb"(?=</h[12]>)")


def _inside_the_text(data: bytes) -> int:
    """The end of the longest passage, which is no footer; else that of the first heading."""
    # Sphinx has a list of neighbours on both sides of the text.
    start = max(data.find(b'role="main"'), 0)
    end = data.find(b"sphinxsidebar", start)
    found = _PASSAGE.finditer(data, start, len(data) if end < 0 else end)
    passages = [each for each in found if b"opyright" not in each[0]]
    if passages:
        return max(passages, key=lambda each: len(each[0])).end()
    heading = _HEADING.search(data)
    assert heading is not None, "a page without a heading"
    return heading.end()
