"""The default embedder: WordLlama's 256 dimensions, from the files in its own wheel.

The model is a table of token vectors, and a text's vector is their mean. Words recur, so
each word's sum is remembered and a text is the sum of its words, which skips the
tokeniser for all but new words. A text's vector depends on that text alone: its words are
added in their order, whatever was embedded before or beside it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from syncline.core.errors import ConfigurationError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["WordLlamaEmbedder"]

_DIMENSION = 256
_WEIGHTS = "weights/l2_supercat_256.safetensors"
_TOKENISER = "tokenizers/l2_supercat_tokenizer_config.json"
_SPACE = "▁"
"""What the tokeniser writes for a space; it also puts one before every text."""
_LONGEST_WORD = 64
"""Longer ones are cut: they are data, of which nothing recurs."""
_FIRST_ROWS = 4096


class WordLlamaEmbedder:
    """WordLlama with remembered words. Loading takes some 50 ms and 50 MB."""

    name = "wordllama-256/1"
    dimension = _DIMENSION

    def __init__(self, *, remembered: int = 65_536) -> None:
        """`remembered` bounds the words whose sums are kept between calls, at 1 kB each."""
        self._vectors, self._tokeniser = _load()
        self._space = self._tokeniser.token_to_id(_SPACE)
        self._remembered = remembered
        self._rows: dict[str, int] = {}
        self._sums = np.zeros((0, _DIMENSION), np.float32)

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Embedder.embed`."""
        return self.vectors(texts)

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row a text, of length 1; zero for a text without words."""
        words = [_words(text) for text in texts]
        self._learn(words)
        rows, sums = self._rows, self._sums
        out = np.zeros((len(texts), _DIMENSION), np.float32)
        for n, each in enumerate(words):
            if each:
                # Row by row, in the text's order: no other sum comes out the same to the
                # bit whatever is remembered, and whichever batch the text comes in.
                sums[[rows[word] for word in each]].sum(axis=0, out=out[n])
        if len(rows) > self._remembered:
            self._rows, self._sums = {}, np.zeros((0, _DIMENSION), np.float32)
        lengths = np.sqrt(np.einsum("ij,ij->i", out, out))[:, None]
        np.divide(out, lengths, out=out, where=lengths > 0)
        return out

    def _learn(self, texts: Iterable[Sequence[str]]) -> None:
        """Sum the tokens of every word that is new."""
        rows = self._rows
        new = [word for word in dict.fromkeys(chain.from_iterable(texts)) if word not in rows]
        if not new:
            return
        first, needed = len(rows), len(rows) + len(new)
        if needed > len(self._sums):
            grown = np.zeros((max(needed, _FIRST_ROWS, 2 * first), _DIMENSION), np.float32)
            grown[:first] = self._sums[:first]
            self._sums = grown
        self._sum_tokens(new, self._sums[first:needed])
        rows.update(zip(new, range(first, needed), strict=True))

    def _sum_tokens(self, words: list[str], out: NDArray[np.float32]) -> None:
        ids: list[int] = []
        starts: list[int] = []
        # The tokeniser puts one space before each, which the runs then have too many.
        spelt = [word[1:] if word.isspace() and word[0] == " " else word for word in words]
        encoded = self._tokeniser.encode_batch_fast(spelt, add_special_tokens=False)
        for word, encoding in zip(words, encoded, strict=True):
            found: list[int] = encoding.ids
            starts.append(len(ids))
            ids += found[1:] if word[0] == "\n" and found[:1] == [self._space] else found
        tokens, first = np.array(ids, np.int64), np.array(starts, np.int64)
        counts = np.diff(first, append=len(ids))
        # All first tokens, then all second ones: each word's are added in its own order.
        for n in range(int(counts.max(initial=0))):
            longer = np.flatnonzero(counts > n)
            out[longer] += self._vectors[tokens[first[longer] + n]]


_SPACED = re.compile(r"\n[^ \n]*| +(?= )|[^ \n]+")


def _words(text: str) -> list[str]:
    """The text cut before each space and each line end, as the tokeniser never joins across.

    A line end stays with the word right after it, and further spaces are a word.
    """
    if "  " in text or "\n " in text:
        words = _SPACED.findall(text)
    else:
        words = text.replace("\n", " \n").split(" ")
    if max(map(len, words), default=0) > _LONGEST_WORD:
        words = [
            word[i : i + _LONGEST_WORD]
            for word in words
            for i in range(0, len(word), _LONGEST_WORD)
        ]
    return [word for word in words if word]


def _load() -> tuple[NDArray[np.float32], Tokenizer]:
    # Importing the package itself would take five times as long, and set up the root
    # logger; its model's files are all that is needed.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    for folder in _package_folders():
        if (folder / _WEIGHTS).is_file() and (folder / _TOKENISER).is_file():
            vectors = load_file(folder / _WEIGHTS)["embedding.weight"].astype(np.float32)
            tokeniser = Tokenizer.from_file(str(folder / _TOKENISER))
            tokeniser.no_padding()
            tokeniser.no_truncation()
            if vectors.shape != (tokeniser.get_vocab_size(), _DIMENSION):
                break
            return np.ascontiguousarray(vectors), tokeniser
    raise ConfigurationError(
        "the WordLlama model is not where its package keeps it",
        hint="Reinstall it: pip install --force-reinstall 'wordllama>=0.4'.",
    )


def _package_folders() -> Iterable[Path]:
    spec = find_spec("wordllama")
    return [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else ()
