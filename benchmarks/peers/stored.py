"""Whether what a peer has stored is what the folder has: a peer that skips work is seen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.corpus import MARK, Edits, names
from benchmarks.peers.environments import NotMeasured
from benchmarks.peers.scripts.pages import passages, text_of

__all__ = ["Stored", "check", "expected_of", "find_differences", "read_stored"]


@dataclass(frozen=True, slots=True)
class Stored:
    """The passages of each page, sorted, and how many of them have no vector."""

    pages: Mapping[str, Sequence[str]]
    bare: int = 0

    @property
    def chunks(self) -> int:
        """How many passages there are."""
        return sum(map(len, self.pages.values()))


def expected_of(folder: Path) -> Stored:
    """What should be stored of a folder. A page without text has no passages, so no row."""
    found = {
        name: sorted(passages(text_of((folder / name).read_bytes()))) for name in names(folder)
    }
    return Stored({name: texts for name, texts in found.items() if texts})


def read_stored(output: bytes) -> Stored:
    """What a peer's program has told of its store."""
    told = json.loads(output)
    return Stored(told["pages"], told["bare"])


def find_differences(stored: Stored, expected: Stored, edits: Edits | None = None) -> list[str]:
    """What is not as it should be, in words; nothing if all is well."""
    found = []
    for what, pages in (
        ("missing", expected.pages.keys() - stored.pages.keys()),
        ("too many", stored.pages.keys() - expected.pages.keys()),
        ("with other text", _unequal(stored, expected)),
        ("deleted but still there", (edits.deleted if edits else set()) & stored.pages.keys()),
        ("edited without saying so", _unmarked(stored, edits)),
    ):
        if pages:
            found.append(f"{len(pages)} pages {what} ({', '.join(sorted(pages)[:2])})")
    if stored.bare:
        found.append(f"{stored.bare} passages without a vector")
    return found


def check(stored: Stored, expected: Stored, edits: Edits | None = None) -> None:
    """Raise `NotMeasured` unless the peer has done the work."""
    if differences := find_differences(stored, expected, edits):
        raise NotMeasured("its store is not what the folder has: " + "; ".join(differences))


def _unequal(stored: Stored, expected: Stored) -> set[str]:
    return {
        page
        for page, texts in expected.pages.items()
        if page in stored.pages and list(stored.pages[page]) != list(texts)
    }


def _unmarked(stored: Stored, edits: Edits | None) -> set[str]:
    """Edited pages whose passages do not have the new sentence."""
    edited = edits.edited if edits else frozenset()
    return {
        page
        for page in edited
        if not any(MARK in " ".join(text.split()) for text in stored.pages.get(page, ()))
    }
