"""An embedder without a model: it counts hashed words.

For benchmarks and fault tests, where a real model's load time and cost would hide what is
measured. Texts that share words come out alike and nothing else does: it knows no
meaning, so it does not replace a model in a knowledge base that people search.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from itertools import chain

import numpy as np
from numpy.typing import NDArray

__all__ = ["HashingEmbedder"]

_DIMENSION = 256
_WORD = re.compile(r"\w+")
_REMEMBERED = 50_000
_ASCII_FOLDED = bytes(
    ord(chr(n).lower()) if n < 128 and _WORD.match(chr(n)) else ord(" ") for n in range(256)
)


class HashingEmbedder:
    """Each word adds or takes one in the column its hash names."""

    name = "hashing-256/1"
    dimension = _DIMENSION

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Embedder.embed`."""
        return self.vectors(texts)

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        """See `Embedder.embed_query`."""
        row: NDArray[np.float32] = self.vectors([text])[0]
        return row

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row a text, of length 1; zero for a text without words."""
        # Every word is a column to be added to, or one of as many to be taken from.
        words = [list(map(_places.__getitem__, _words(text))) for text in texts]
        text_of_word = np.repeat(np.arange(len(texts)), [len(each) for each in words])
        columns = np.fromiter(chain.from_iterable(words), np.int64, len(text_of_word))
        counts = np.bincount(
            text_of_word * (2 * _DIMENSION) + columns, minlength=len(texts) * 2 * _DIMENSION
        ).reshape(len(texts), 2, _DIMENSION)
        rows = (counts[:, 0] - counts[:, 1]).astype(np.float32)
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
        np.divide(rows, lengths, out=rows, where=lengths > 0)
        return rows


def _words(text: str) -> list[bytes]:
    if text.isascii():
        return text.encode().translate(_ASCII_FOLDED).split()
    return [word.encode("utf-8", "surrogatepass") for word in _WORD.findall(text.lower())]


class _Places(dict[bytes, int]):
    """Where each word counts, remembered."""

    def __missing__(self, word: bytes) -> int:
        hashed = blake2b(word, digest_size=2).digest()
        place = hashed[0] if hashed[1] & 1 else _DIMENSION + hashed[0]
        if len(self) < _REMEMBERED:
            self[word] = place
        return place


_places = _Places()
