"""After a run: the contents that are new are compared with what is like them.

Which pairs there are follows from the contents alone, whoever brought them, in which order, and
however often this is begun anew: a content waits until its pairs are stored, and of two contents
that nobody has compared yet, the later one sees the earlier.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from syncline.core.model import WorkspaceId
from syncline.store.database import Connection
from syncline.store.signatures import (
    Pair,
    look_alikes,
    sign,
    store_pairs,
    texts_of,
    waiting,
)

if TYPE_CHECKING:
    from syncline.pipeline.shingles import Hashes

__all__ = ["LEAST_ALIKE", "compare_new"]

LEAST_ALIKE = 0.75
"""The Jaccard similarity from which on a pair is remembered."""

_AT_ONCE = 200
_COMPARED = 2_000
"""Pairs whose texts are held in memory together."""
_PAGE = 50
"""Texts that are held in memory together."""
_MOST_SHINGLES = 4_000_000


class _Read(NamedTuple):
    """What is compared of a text."""

    shingles: Hashes
    numbers: frozenset[str]


async def compare_new(
    db: Connection, workspace: WorkspaceId, stop: asyncio.Event | None = None
) -> None:
    """Compare whatever waits in this workspace, until nothing does or `stop` is set."""
    shelf = _Shelf(db, workspace)
    while found := await waiting(db, workspace, most=_AT_ONCE):
        if stop is not None and stop.is_set():
            return
        unsigned = [each.content for each in found if not each.signed]
        if unsigned:
            await _sign(db, workspace, unsigned)
        contents = [each.content for each in found]
        candidates, full = await look_alikes(db, workspace, contents)
        ordered = sorted(candidates)
        pairs: list[Pair] = []
        for start in range(0, len(ordered), _COMPARED):
            pairs += await _compare(shelf, ordered[start : start + _COMPARED])
        await store_pairs(db, workspace, contents, pairs, full)


async def _sign(db: Connection, workspace: WorkspaceId, contents: Sequence[int]) -> None:
    from syncline.pipeline.minhash import bands_of_each

    for page in _pages(contents):
        texts = await texts_of(db, workspace, page)
        await sign(db, workspace, dict(zip(texts, bands_of_each([*texts.values()]), strict=True)))


async def _compare(shelf: _Shelf, candidates: Sequence[tuple[int, int]]) -> list[Pair]:
    from syncline.pipeline.shingles import jaccard

    pairs: list[Pair] = []
    await shelf.fetch(sorted({content for pair in candidates for content in pair}))
    for a, b in candidates:
        one, other = shelf.get(a), shelf.get(b)
        if one is None or other is None:
            continue
        few, many = sorted((len(one.shingles), len(other.shingles)))
        if few < LEAST_ALIKE * many:
            continue
        alike = jaccard(one.shingles, other.shingles)
        if alike >= LEAST_ALIKE:
            pairs.append(Pair(a, b, alike, one.numbers != other.numbers))
    return pairs


class _Shelf:
    """Texts as they are compared: what one comparison reads, the next ones often need again."""

    def __init__(self, db: Connection, workspace: WorkspaceId) -> None:
        self._db = db
        self._workspace = workspace
        self._read: OrderedDict[int, _Read] = OrderedDict()
        self._shingles = 0

    async def fetch(self, contents: Sequence[int]) -> None:
        """Have these at hand; what was not needed for longest makes room."""
        from syncline.pipeline.shingles import numbers, shingles

        for content in contents:
            if content in self._read:
                self._read.move_to_end(content)
        missing = [content for content in contents if content not in self._read]
        for page in _pages(missing):
            for content, text in (await texts_of(self._db, self._workspace, page)).items():
                self._read[content] = _Read(shingles(text), numbers(text))
                self._shingles += len(self._read[content].shingles)
        while self._shingles > _MOST_SHINGLES and len(self._read) > len(contents):
            _, oldest = self._read.popitem(last=False)
            self._shingles -= len(oldest.shingles)

    def get(self, content: int) -> _Read | None:
        """None for a content that has gone."""
        return self._read.get(content)


def _pages(contents: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(contents), _PAGE):
        yield contents[start : start + _PAGE]
