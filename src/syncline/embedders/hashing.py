"""An embedder without a model: it counts hashed words.

For benchmarks and fault tests, where a real model's load time and cost would hide what is
measured. Texts that share words come out alike and nothing else does: it knows no
meaning, so it does not replace a model in a knowledge base that people search.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

__all__ = ["HashingEmbedder"]

_DIMENSION = 256
_WORD = re.compile(r"\w+")


class HashingEmbedder:
    """Each word adds or takes one in the column its hash names."""

    name = "hashing-256/1"
    dimension = _DIMENSION

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row a text, of length 1; zero for a text without words."""
        rows = np.zeros((len(texts), _DIMENSION), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word, count in Counter(_WORD.findall(text.lower())).items():
                column, sign = _place(word)
                row[column] += sign * count
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
        np.divide(rows, lengths, out=rows, where=lengths > 0)
        return rows


@lru_cache(maxsize=50_000)
def _place(word: str) -> tuple[int, float]:
    hashed = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=2).digest()
    return hashed[0], 1.0 if hashed[1] & 1 else -1.0
