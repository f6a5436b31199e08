"""BM25 over the index's entries: every chunk that holds a word of the question gets its score.

The entries of a term are one array, so that the sum over all of them is a few passes of NumPy:
one million entries take some 20 ms, and a question over 100,000 chunks one or two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from math import log

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from syncline.store.entries import Entries, lengths
from syncline.store.postings import BLOCK
from syncline.store.search import Corpus

__all__ = ["Word", "WordScores", "rarity", "score_words", "weigh"]

_K1, _B = 1.2, 0.75
_DENSE = 4_000_000
"""So many numbers are summed up in an array with a place for each."""


class Word(Struct, frozen=True):
    """A word of the question, as the index may hold it."""

    stems: tuple[str, ...]
    """One for each stemming language, where they differ."""
    idf: float = 1.0
    prefix: str = ""
    """What begins with this counts too, where it is a word of a title."""


def rarity(frequency: int, chunks: int) -> float:
    """BM25's weight for a word: the rarer, the more it tells."""
    frequency = min(frequency, chunks)
    return log(1 + (chunks - frequency + 0.5) / (frequency + 0.5))


def weigh(
    words: Sequence[tuple[str, ...]], entries: Mapping[str, Entries], corpus: Corpus
) -> tuple[Word, ...]:
    """These words with what each tells."""
    return tuple(
        Word(
            stems,
            rarity(sum(len(entries.get(stem, ())) for stem in stems), max(corpus.chunks, 1)),
        )
        for stems in words
    )


class WordScores:
    """The BM25 of every chunk that holds a word of the question; 0 for all others."""

    def __init__(self, ids: NDArray[np.int64], scores: NDArray[np.float64]) -> None:
        """`ids` ascend; those with the same `id // BLOCK` belong to one content."""
        self._ids, self._scores = ids, scores
        self._starts = np.flatnonzero(np.diff(ids // BLOCK, prepend=-1))

    @property
    def blocks(self) -> int:
        """How many blocks have a score."""
        return len(self._starts)

    def of(self, ids: Sequence[int]) -> list[float]:
        """These chunks' scores."""
        wanted = np.asarray(ids, np.int64)
        if not len(self._ids):
            return [0.0] * len(wanted)
        place = np.minimum(np.searchsorted(self._ids, wanted), len(self._ids) - 1)
        found: list[float] = np.where(self._ids[place] == wanted, self._scores[place], 0.0).tolist()
        return found

    def among(self, ids: Sequence[int]) -> WordScores:
        """Only these chunks' scores."""
        wanted = np.sort(np.asarray(ids, np.int64))
        if not len(wanted):
            return WordScores(self._ids[:0], self._scores[:0])
        place = np.minimum(np.searchsorted(wanted, self._ids), len(wanted) - 1)
        kept = wanted[place] == self._ids
        return WordScores(self._ids[kept], self._scores[kept])

    def best(self, most: int) -> Iterator[list[int]]:
        """The best chunk of each block, the best ones first: `most` of them, then ever more."""
        if not self.blocks:
            return
        tops = np.maximum.reduceat(self._scores, self._starts)
        begun = 0
        while begun < len(tops):
            end = min(begun + most, len(tops))
            yield self._best_of(_largest(tops, begun, end))
            begun, most = end, most * 4

    def _best_of(self, blocks: NDArray[np.int64]) -> list[int]:
        starts = self._starts[blocks]
        places = np.minimum(starts[:, None] + np.arange(BLOCK), len(self._ids) - 1)
        same = self._ids[places] // BLOCK == (self._ids[starts] // BLOCK)[:, None]
        best = np.argmax(np.where(same, self._scores[places], -1.0), axis=1)
        found: list[int] = self._ids[starts + best].tolist()
        return found


def score_words(
    words: Sequence[Word], entries: Mapping[str, Entries], corpus: Corpus
) -> WordScores:
    """Score every chunk that holds one of these words."""
    gains = _gains(round(corpus.average_length, 1))
    parts = [(entries[stem], word.idf) for word in words for stem in word.stems if stem in entries]
    if not parts:
        return WordScores(np.zeros(0, np.int64), np.zeros(0))
    ids = np.concatenate([each >> 16 for each, _ in parts])
    found = np.concatenate([gains[each & 0xFFFF] * np.float32(idf) for each, idf in parts])
    low, high = int(ids.min()), int(ids.max())
    if high - low <= max(_DENSE, 4 * len(ids)):
        sums = np.bincount(ids - low, found).astype(np.float64, copy=False)
        kept = np.flatnonzero(sums != 0)  # of booleans: six times as fast as of numbers
        return WordScores(kept + low, sums[kept])
    unique, place = np.unique(ids, return_inverse=True)
    return WordScores(unique, np.bincount(place, found).astype(np.float64, copy=False))


@lru_cache(maxsize=64)
def _gains(average: float) -> NDArray[np.float32]:
    """What a word adds, but for its rarity, by frequency << 8 | length's code."""
    k = _K1 * (1 - _B + _B * lengths() / average)
    frequency = np.arange(256.0)[:, None]
    # In single precision the table stays in a processor's cache.
    return (frequency * (_K1 + 1) / (frequency + k)).ravel().astype(np.float32)


def _largest(values: NDArray[np.float64], begun: int, end: int) -> NDArray[np.int64]:
    """The places of the `begun`th to `end`th largest value; the first place wins a tie."""
    if end >= len(values):
        candidates = np.arange(len(values))
    else:
        least = np.partition(values, len(values) - end)[len(values) - end]
        candidates = np.flatnonzero(values >= least)
    order = np.argsort(-values[candidates], kind="stable")
    found: NDArray[np.int64] = candidates[order][begun:end]
    return found
