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
_JOINED = 100
"""Words that are given to the tokeniser as one text."""
_TEXTS_AT_ONCE = 200
_AT_ONCE = 512
"""Words whose tokens are added up together: what they come to fits in the processor's cache."""


class WordLlamaEmbedder:
    """WordLlama with remembered words. Loading takes some 50 ms and 50 MB."""

    name = "wordllama-256/1"
    dimension = _DIMENSION

    def __init__(self, *, remembered: int = 24_576) -> None:
        """`remembered` bounds the words whose sums are kept between calls, at 1 kB each."""
        self._vectors, self._tokeniser = _load()
        self._space = self._tokeniser.token_to_id(_SPACE)
        vocabulary = self._tokeniser.get_vocab(with_added_tokens=False)
        self._begins = np.zeros(len(self._vectors), np.bool_)
        self._begins[[n for token, n in vocabulary.items() if token[:1] == _SPACE]] = True
        self._remembered = remembered
        self._recurring: set[str] = set()
        self._rows: dict[str, int] = {}
        self._sums = np.empty((0, _DIMENSION), np.float32)

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Embedder.embed`."""
        return self.vectors(texts)

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        """See `Embedder.embed_query`."""
        row: NDArray[np.float32] = self.vectors([text])[0]
        return row

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row a text, of length 1; zero for a text without words."""
        out = np.zeros((len(texts), _DIMENSION), np.float32)
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            part = slice(start, start + _TEXTS_AT_ONCE)
            self._add_up(texts[part], out[part])
        lengths = np.sqrt(np.einsum("ij,ij->i", out, out))[:, None]
        np.divide(out, lengths, out=out, where=lengths > 0)
        return out

    def _add_up(self, texts: Sequence[str], out: NDArray[np.float32]) -> None:
        words = [_words(text) for text in texts]
        self._learn(words)
        rows, sums = self._rows, self._sums
        for n, each in enumerate(words):
            if each:
                # Row by row, in the text's order: no other sum comes out the same to the
                # bit whatever is remembered, and whichever batch the text comes in.
                sums[[rows[word] for word in each]].sum(axis=0, out=out[n])
        if len(rows) > self._remembered:
            self._forget()

    def _learn(self, texts: Iterable[Sequence[str]]) -> None:
        """Sum the tokens of every word that is new."""
        rows = self._rows
        words = dict.fromkeys(chain.from_iterable(texts))
        new = [word for word in words if word not in rows]
        self._recurring |= words.keys() & rows.keys()
        if not new:
            return
        first, needed = len(rows), len(rows) + len(new)
        if needed > len(self._sums):
            # Room that nobody has written to takes no memory.
            self._move(first, max(needed, self._remembered + self._remembered // 2))
        self._sums[first:needed] = 0
        self._sum_tokens(new, self._sums[first:needed])
        rows.update(zip(new, range(first, needed), strict=True))

    def _forget(self) -> None:
        """Keep the words that came again; most come once."""
        kept = [word for word in self._rows if word in self._recurring][: self._remembered // 2]
        # A part at a time, in their order: none is overwritten before it has moved.
        places = [self._rows[word] for word in kept]
        for start in range(0, len(kept), _AT_ONCE):
            part = places[start : start + _AT_ONCE]
            self._sums[start : start + len(part)] = self._sums[part]
        if len(self._sums) > 2 * self._remembered:
            self._move(len(kept), self._remembered)
        self._rows = dict(zip(kept, range(len(kept)), strict=True))
        self._recurring.clear()

    def _move(self, used: int, room: int) -> None:
        """Give the sums another place, with room for so many."""
        sums = np.empty((room, _DIMENSION), np.float32)
        sums[:used] = self._sums[:used]
        self._sums = sums

    def _sum_tokens(self, words: list[str], out: NDArray[np.float32]) -> None:
        tokens, first = self._tokens_of(words)
        counts = np.diff(first, append=len(tokens))
        # All first tokens, then all second ones: each word's are added in its own order.
        for start in range(0, len(words), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            for n in range(int(counts[part].max())):
                longer = start + np.flatnonzero(counts[part] > n)
                out[longer] += self._vectors[tokens[first[longer] + n]]

    def _tokens_of(self, words: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The tokens of all words, one after another, and where each word's begin."""
        # Many words in one text cost half of what many texts cost. A token that begins with a
        # space begins a word, but for words that hold one themselves.
        odd = {n for n, word in enumerate(words) if word.isspace() or _SPACE in word}
        plain = [word for n, word in enumerate(words) if n not in odd] if odd else words
        joined = [" ".join(plain[n : n + _JOINED]) for n in range(0, len(plain), _JOINED)]
        # The tokeniser puts one space before each text, which runs of spaces have too many.
        alone = [words[n][words[n][0] == " " :] for n in sorted(odd)]
        encoded = self._tokeniser.encode_batch_fast(joined + alone, add_special_tokens=False)
        ids = list(chain.from_iterable(each.ids for each in encoded[: len(joined)]))
        tokens = np.array(ids, np.int64)
        first = np.flatnonzero(self._begins[tokens])
        if odd:
            pieces = np.split(tokens, first[1:]) if plain else []
            for n, each in zip(sorted(odd), encoded[len(joined) :], strict=True):
                pieces.insert(n, np.array(each.ids, np.int64))
            tokens = np.concatenate(pieces)
            first = np.cumsum([0, *map(len, pieces[:-1])])
        # A line end has no space before it.
        lines = np.array([word[0] == "\n" for word in words], np.bool_)
        counts = np.diff(first, append=len(tokens))
        lines[lines] = (counts[lines] > 0) & (tokens[first[lines]] == self._space)
        kept = np.ones(len(tokens), np.bool_)
        kept[first[lines]] = False
        return tokens[kept], first - np.cumsum(lines) + lines


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


def _load() -> tuple[NDArray[np.float16], Tokenizer]:
    # Importing the package itself would take five times as long, and set up the root
    # logger; its model's files are all that is needed.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    for folder in _package_folders():
        if (folder / _WEIGHTS).is_file() and (folder / _TOKENISER).is_file():
            # In half precision, as they are kept; what is added to a sum is exact in either.
            vectors = load_file(folder / _WEIGHTS)["embedding.weight"]
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
