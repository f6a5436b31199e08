"""Which sections of a document changed, told from its chunks before and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

__all__ = ["TOP", "ChunkKey", "SectionChanges", "compare"]

TOP = "(top)"
"""The name of what stands before the first heading."""


class ChunkKey(Struct, frozen=True):
    """What identifies a chunk between two states of its document."""

    hash: bytes
    headings: tuple[str, ...]


class SectionChanges(Struct, frozen=True):
    """Sections as heading paths (`Install > Linux`), in document order, and chunk counts."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    kept: int = 0
    """Chunks that are in both states; they keep their embedding."""
    new: int = 0
    dropped: int = 0


def compare(old: Sequence[ChunkKey], new: Sequence[ChunkKey]) -> SectionChanges:
    """What became of the sections. Chunks count as often as they occur; order does not matter.

    A section whose heading changed is one removed and one added.
    """
    before, after = _by_section(old), _by_section(new)
    kept = (Counter(key.hash for key in old) & Counter(key.hash for key in new)).total()
    return SectionChanges(
        added=tuple(path for path in after if path not in before),
        removed=tuple(path for path in before if path not in after),
        changed=tuple(
            path for path, chunks in after.items() if path in before and before[path] != chunks
        ),
        kept=kept,
        new=len(new) - kept,
        dropped=len(old) - kept,
    )


def _by_section(keys: Iterable[ChunkKey]) -> dict[str, Counter[bytes]]:
    sections: dict[str, Counter[bytes]] = {}
    for key in keys:
        path = " > ".join(key.headings) or TOP
        sections.setdefault(path, Counter())[key.hash] += 1
    return sections
