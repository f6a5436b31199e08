"""What two texts have in common, by their shingles: every five words in a row, hashed.

Case, punctuation and layout make no difference; words are those of full-text search. The hashes
are the same on every machine and in every version of Python: they follow from the bytes of UTF-8
and the constants below. A batch of texts is hashed at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from syncline.pipeline.terms import spaced

__all__ = ["WORDS", "Hashes", "jaccard", "mix", "numbers", "shingles", "shingles_of_each"]

WORDS = 5
"""In a shingle. A text of fewer words is one shingle of them all."""

Hashes: TypeAlias = NDArray[np.uint64]

_PIECE = 1 << 14
_MOST_BYTES = 64
"""Of a word; what comes after makes no difference."""
_MOST_REMEMBERED = 100_000
_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
_NOT_ASCII = re.compile("[^\\x00-\\x7f]+")


def mix(values: Hashes) -> Hashes:
    """Each value spread over all 64 bits: the finaliser of MurmurHash3."""
    values = values ^ (values >> np.uint64(33))
    values *= np.uint64(0xFF51AFD7ED558CCD)
    values ^= values >> np.uint64(33)
    values *= np.uint64(0xC4CEB9FE1A85EC53)
    values ^= values >> np.uint64(33)
    return values


def _powers(base: int, count: int) -> Hashes:
    factors = np.full(count, base, np.uint64)
    factors[0] = 1
    return np.multiply.accumulate(factors)


_LETTERS = bytes(
    ord(chr(n).lower()) if chr(n).isalnum() or chr(n) == "_" else 0 for n in range(128)
) + bytes(range(128, 256))
_BASE = 0xC2B2AE3D27D4EB4F
_POWERS = _powers(_BASE, _PIECE + 1)
_INVERSES = _powers(pow(_BASE, -1, 2**64), _PIECE + 1)
_IN_SHINGLE = mix(np.array([n * 0x9E3779B97F4A7C15 % 2**64 for n in range(1, 6)], np.uint64)) | 1


def shingles(text: str) -> Hashes:
    """The text's different shingles, sorted; none for a text without words."""
    return np.unique(shingles_of_each([text])[0])


def shingles_of_each(texts: Sequence[str]) -> tuple[Hashes, NDArray[np.intp]]:
    """The shingles of several texts, one after another, and the number of the text of each."""
    words, counts = _words_of_each(texts)
    owners = np.repeat(np.arange(len(texts)), counts)
    runs = len(words) - WORDS + 1
    if runs < 1:
        return np.empty(0, np.uint64), np.empty(0, np.intp)
    mixed = words[:runs] * _IN_SHINGLE[0]
    for place in range(1, WORDS):
        mixed += words[place : place + runs] * _IN_SHINGLE[place]
    # What would begin in one text and end in the next one is no shingle.
    inside = owners[:runs] == owners[WORDS - 1 :]
    return mix(mixed[inside]), owners[:runs][inside]


def _words_of_each(texts: Sequence[str]) -> tuple[Hashes, NDArray[np.intp]]:
    """The hashes of all words, and how many each text has: none, or as many as a shingle."""
    written = [_plain(text) for text in texts]
    ends = np.cumsum([len(each) + 1 for each in written])
    hashes: list[Hashes] = []
    begins: list[NDArray[np.intp]] = []
    for start, piece in _pieces(b" ".join(written)):
        found, places = _hash_words(piece)
        hashes.append(found)
        begins.append(places + start)
    words = np.concatenate(hashes)
    counts = np.diff(np.searchsorted(np.concatenate(begins), ends), prepend=0)
    few = np.flatnonzero((counts > 0) & (counts < WORDS))
    if len(few):
        missing = WORDS - counts[few]
        words = np.insert(words, np.repeat(np.cumsum(counts)[few], missing), 0)
        counts[few] = WORDS
    return words, counts


def _plain(text: str) -> bytes:
    """In UTF-8, such that all bytes of other than ASCII characters belong to words."""
    return (text if text.isascii() else _NOT_ASCII.sub(_folded, text)).encode()


_remembered: dict[str, str] = {}


def _folded(match: re.Match[str]) -> str:
    written = match[0]
    folded = _remembered.get(written)
    if folded is None:
        folded = spaced(written)
        if len(written) <= _MOST_BYTES:
            if len(_remembered) >= _MOST_REMEMBERED:
                _remembered.clear()
            _remembered[written] = folded
    return folded


def _pieces(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Cut between words, so that a long text needs no more memory than a short one."""
    start = 0
    while len(data) - start > _PIECE:
        end = data.rfind(b" ", start + 1, start + _PIECE) + 1 or start + _PIECE
        yield start, data[start:end]
        start = end
    yield start, data[start:]


def _hash_words(data: bytes) -> tuple[Hashes, NDArray[np.intp]]:
    """The hash of each word, and where it begins.

    A word is a number whose digits are its bytes; all are read off one running sum.
    """
    letters = np.frombuffer(data.translate(_LETTERS), np.uint8)
    sums = np.zeros(len(letters) + 1, np.uint64)
    np.cumsum(letters * _POWERS[: len(letters)], out=sums[1:])
    edges = np.zeros(len(letters) + 2, np.bool_)
    edges[1:-1] = letters != 0
    turns = np.flatnonzero(edges[1:] != edges[:-1])
    begins, ends = turns[::2], turns[1::2]
    ends = np.minimum(ends, begins + _MOST_BYTES)
    return mix((sums[ends] - sums[begins]) * _INVERSES[begins]), begins


def jaccard(one: Hashes, other: Hashes) -> float:
    """What part of all shingles of two texts is in both, of what `shingles` gives for each.

    Exact, but for two different shingles of one hash, which is one in 10^13 for long texts.
    Texts without words have nothing in common.
    """
    if not len(one) or not len(other):
        return 0.0
    both = np.concatenate((one, other))
    both.sort()
    common = int(np.count_nonzero(both[1:] == both[:-1]))
    return common / (len(both) - common)


def numbers(text: str) -> frozenset[str]:
    """The numbers that a text names: amounts, versions, dates."""
    return frozenset(_NUMBER.findall(text))
