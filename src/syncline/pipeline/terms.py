"""The words that full-text search knows: the same rules for indexing, asking and highlighting.

A word is a run of letters, digits and underscores, so that identifiers stay whole; a dot
separates. Words are folded (NFKC, no case) and stemmed by language. Scripts that are
written without spaces are cut into overlapping pairs of characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection
from functools import lru_cache

import Stemmer

from syncline.pipeline.stopwords import STOPWORDS

__all__ = [
    "TERMS_VERSION",
    "fold",
    "query_terms",
    "spaced",
    "spans_of",
    "stem",
    "stemming_of",
    "term_list",
    "terms",
    "word_spans",
]

TERMS_VERSION = 1
"""Moves whenever the same text would yield other terms: stored terms are then made again."""

_MAX_WORD = 64
_REMEMBERED = 100_000

# Han, kana and Thai to Khmer: one run of them is a sentence, not a word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_UNSPACED_WIDE = "\U00020000-\U0003fffd"
# Combining marks belong to the letter before them, which `\w` alone does not say.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc"
    "\u0900-\u0903\u093a-\u094f\u0962\u0963\u0981-\u0983\u09bc-\u09cd\u0a01-\u0a4d\u0a81-\u0acd"
    "\u0b01-\u0b57\u0b82-\u0bcd\u0c00-\u0c56\u0c81-\u0cd6\u0d00-\u0d57\u0d82-\u0ddf\u1ab0-\u1aff"
    "\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
)
_ASCII_WORD = re.compile(r"\w+", re.ASCII)
_WORD = f"[{_UNSPACED}{_UNSPACED_WIDE}]+|(?:(?![{_UNSPACED}{_UNSPACED_WIDE}])[\\w{_MARKS}])+"
_BETWEEN = f"[{_UNSPACED}{_UNSPACED_WIDE}]+|[^\\w{_MARKS}]+"
_UNSPACED_RUN = f"[{_UNSPACED}{_UNSPACED_WIDE}]"


@lru_cache(maxsize=3)
def _compiled(pattern: str) -> re.Pattern[str]:
    """One of those above, which take a hundredth of a second that ASCII alone need not wait for."""
    return re.compile(pattern)


class _Memo(dict[bytes, str]):
    """The term of each lower-case ASCII word of one stemming language, remembered."""

    def __init__(self, stemming: str) -> None:
        self._stem = _stemmer(stemming).stemWord

    def __missing__(self, word: bytes) -> str:
        term = str(self._stem(word[:_MAX_WORD].decode()))[:_MAX_WORD]
        if len(word) <= _MAX_WORD:
            self[word] = term
        return term


_memos: dict[str, _Memo] = {}
# ASCII as full-text search sees it: no case, and a space for whatever is no part of a word.
_ASCII_FOLDED = bytes(
    byte if byte >= 128 else ord(chr(byte).lower() if _ASCII_WORD.match(chr(byte)) else " ")
    for byte in range(256)
)


def terms(text: str, stemming: str) -> dict[str, int]:
    """The stemmed words of `text`, with how often each occurs."""
    return Counter(term_list(text, stemming))


def term_list(text: str, stemming: str) -> list[str]:
    """The stemmed words of `text`, each as often as it occurs; their order says nothing."""
    memo = _memos.get(stemming)
    if memo is None:
        memo = _memos[stemming] = _Memo(stemming)
    elif len(memo) > _REMEMBERED:
        memo.clear()
    # An ASCII word is one term: these are cut, folded and stemmed without a step of Python's own.
    words = text.encode("utf-8", "surrogatepass").translate(_ASCII_FOLDED).split()
    if text.isascii():
        return list(map(memo.__getitem__, words))
    found = list(map(memo.__getitem__, filter(bytes.isascii, words)))
    for run in words:
        if not run.isascii():
            found += (
                stem(word, stemming) for word in _folded(run.decode("utf-8", "surrogatepass"))
            )
    return found


def query_terms(text: str, stemmings: Collection[str]) -> list[tuple[str, ...]]:
    """For each word of a question, the terms it may be indexed as, one language or another.

    Each word comes once. Words that say nothing (`the`, `of`) are left out, unless there
    are no others.
    """
    languages = sorted(set(stemmings)) or ["english"]
    words = dict.fromkeys(_folded(text))
    telling = [
        word for word in words if not any(word in STOPWORDS.get(name, ()) for name in languages)
    ]
    return [
        tuple(dict.fromkeys(stem(word, language) for language in languages))
        for word in telling or words
    ]


def word_spans(text: str) -> list[tuple[int, int, str]]:
    """Where each word of `text` begins and ends, and the folded word `stem` takes.

    In scripts without spaces the words are pairs of characters, and overlap.
    """
    spans: list[tuple[int, int, str]] = []
    for match in _pattern(text).finditer(text):
        start, end = match.span()
        written = match[0]
        if _is_unspaced(written) and len(written) > 2:
            spans.extend(
                (start + i, start + i + 2, fold(written[i : i + 2]))
                for i in range(len(written) - 1)
            )
        else:
            spans.append((start, end, fold(written)[:_MAX_WORD]))
    return spans


def spans_of(text: str, wanted: Callable[[str], str | None]) -> list[tuple[int, int, str]]:
    """Where those words of `text` stand that are `wanted`, and what that says of each: in order."""
    if not text.isascii():
        return [
            (start, end, found)
            for start, end, word in word_spans(text)
            if (found := wanted(word)) is not None
        ]
    # Few words are: each of the different ones is asked about once, and those are looked for.
    folded = b" " + text.encode().translate(_ASCII_FOLDED) + b" "
    spans = []
    for word in set(folded.split()):
        found = wanted(word[:_MAX_WORD].decode())
        if found is not None:
            whole, length = b" " + word + b" ", len(word)
            at = folded.find(whole)
            while at >= 0:
                spans.append((at, at + length, found))
                at = folded.find(whole, at + length + 1)
    spans.sort()
    return spans


def stem(word: str, stemming: str) -> str:
    """The term of one folded word."""
    return str(_stemmer(stemming).stemWord(word))[:_MAX_WORD]


def spaced(text: str) -> str:
    """`text` folded, with nothing but spaces between its words."""
    return _compiled(_BETWEEN).sub(_between, fold(text))


def _between(match: re.Match[str]) -> str:
    found = match[0]
    if not _is_unspaced(found):
        return " "
    return f" {' '.join(found[n : n + 2] for n in range(max(len(found) - 1, 1)))} "


def stemming_of(language: str | None) -> str:
    """The Snowball language for a BCP 47 tag; English where there is none."""
    if not language:
        return "english"
    return _SNOWBALL.get(re.split(r"[-_]", language.strip().lower(), maxsplit=1)[0], "english")


def _pattern(text: str) -> re.Pattern[str]:
    return _ASCII_WORD if text.isascii() else _compiled(_WORD)


def _written_words(text: str) -> list[str]:
    return _pattern(text).findall(text)


def _folded(text: str) -> list[str]:
    return [word for written in _written_words(text) for word in _fold_and_split(written)]


def _fold_and_split(written: str) -> list[str]:
    if written.isascii():
        return [written.lower()[:_MAX_WORD]]
    # Folding may bring separators: `½` becomes `1⁄2`.
    words: list[str] = []
    for word in _compiled(_WORD).findall(fold(written)):
        if len(word) > 2 and _is_unspaced(word):
            words.extend(word[i : i + 2] for i in range(len(word) - 1))
        else:
            words.append(word[:_MAX_WORD])
    return words


def fold(word: str) -> str:
    """A word as it is compared: in one form, without case."""
    if word.isascii():
        return word.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", word).casefold())


def _is_unspaced(word: str) -> bool:
    return not word.isascii() and _compiled(_UNSPACED_RUN).match(word) is not None


@lru_cache(maxsize=64)
def _stemmer(stemming: str) -> Stemmer.Stemmer:
    try:
        stemmer = Stemmer.Stemmer(stemming)
    except KeyError as error:
        raise ValueError(f'"{stemming}" is no Snowball language') from error
    stemmer.maxCacheSize = 0  # words are remembered here, with their folding
    return stemmer


_SNOWBALL = {
    "ar": "arabic",
    "ca": "catalan",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "eo": "esperanto",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fa": "persian",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "nb": "norwegian",
    "ne": "nepali",
    "nl": "dutch",
    "nn": "norwegian",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}
