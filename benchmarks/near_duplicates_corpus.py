"""Ten thousand documents with 250 near-duplicate pairs, and all of their true similarities.

The documents are cut from the corpus' own pages; the copies are edited by rules that depend on
numbers alone. Truth is computed without any of the code that is measured: sets of runs of five
words, compared exactly. A prefix filter finds every pair that can reach a similarity, because two
sets so alike must share one of their rarest members.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from benchmarks.corpus import make_corpus, names
from syncline.core.model import Content, Metadata
from syncline.pipeline.extract import extract

__all__ = ["DOCUMENTS", "PAIRS", "THRESHOLD", "Documents", "make_documents", "tokens", "true_pairs"]

DOCUMENTS, PAIRS, THRESHOLD = 10_000, 250, 0.8
_SEED = 250
_LEAST_WORDS, _MOST_WORDS = 120, 600
_WORD = re.compile(r"\w+")
_LOWEST, _HIGHEST = 0.70, 0.95
_WORDS = 5

Tokens = frozenset[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Documents:
    """The texts, and every pair of them at or above the threshold with its similarity."""

    texts: Sequence[str]
    true: dict[tuple[int, int], float]
    near_misses: int
    """Copies that were edited so much that they fell below it."""


def tokens(text: str) -> Tokens:
    """All runs of five words."""
    words = _WORD.findall(text.lower())
    return frozenset(tuple(words[n : n + _WORDS]) for n in range(max(len(words) - _WORDS + 1, 1)))


def make_documents() -> Documents:
    """The same ones each time."""
    chance = random.Random(_SEED)
    articles = list(_articles())
    chance.shuffle(articles)
    originals = _without_near_duplicates(articles[: DOCUMENTS + DOCUMENTS // 5])
    texts = list(originals[:DOCUMENTS])
    true = 0
    copies = 0
    while true < PAIRS:
        # The copy of a document from the front takes the place of one at the back.
        original = texts[copies]
        copy = _edited(original, chance, chance.uniform(_LOWEST, _HIGHEST))
        texts[DOCUMENTS - 1 - copies] = copy
        copies += 1
        true += _similarity(tokens(original), tokens(copy)) >= THRESHOLD
    found = true_pairs([tokens(text) for text in texts], THRESHOLD)
    chance.shuffle(order := list(range(DOCUMENTS)))
    place = {old: new for new, old in enumerate(order)}
    moved = {
        (min(place[a], place[b]), max(place[a], place[b])): alike for (a, b), alike in found.items()
    }
    return Documents([texts[old] for old in order], moved, copies - true)


def _articles() -> Iterator[str]:
    """Paragraphs of the corpus' pages, put together to articles of some hundred words."""
    corpus = make_corpus()
    for name in names(corpus):
        page = Content((corpus / name).read_bytes(), "text/html")
        text = extract(page, Metadata()).text
        article: list[str] = []
        size = 0
        for paragraph in text.split("\n\n"):
            count = len(_WORD.findall(paragraph))
            if count > _MOST_WORDS:
                continue
            article.append(paragraph)
            size += count
            if size >= _LEAST_WORDS + (len(article) * 37) % 200:
                yield "\n\n".join(article)
                article, size = [], 0


def _without_near_duplicates(articles: Sequence[str]) -> list[str]:
    """The corpus has some of its own; pairs below the threshold stay, to be told apart."""
    near = true_pairs([tokens(text) for text in articles], THRESHOLD)
    dropped = {second for _, second in near}
    return [text for n, text in enumerate(articles) if n not in dropped]


def _edited(text: str, chance: random.Random, goal: float) -> str:
    """Words exchanged, sentences' worth of them cut and put in, until it is about so alike."""
    pieces = re.split(r"(\W+)", text)
    original = tokens(text)
    vocabulary = [piece for piece in pieces if _WORD.fullmatch(piece)]
    while True:
        place = chance.randrange(len(pieces))
        kind = chance.randrange(6)
        if kind == 0:
            del pieces[place : place + chance.randrange(2, 20)]
        elif kind == 1:
            pieces[place:place] = [f" {' '.join(chance.choices(vocabulary, k=8))}. "]
        elif _WORD.fullmatch(pieces[place]):
            pieces[place] = chance.choice(vocabulary)
        edited = "".join(pieces)
        if _similarity(original, tokens(edited)) <= goal:
            return edited


def _similarity(one: Tokens, other: Tokens) -> float:
    common = len(one & other)
    return common / (len(one) + len(other) - common)


def true_pairs(sets: Sequence[Tokens], least: float) -> dict[tuple[int, int], float]:
    """Every pair that is at least so alike. Exact."""
    often = Counter(token for each in sets for token in each)
    holders: dict[tuple[str, ...], list[int]] = {}
    found: dict[tuple[int, int], float] = {}
    for number, each in enumerate(sets):
        rarest = sorted(each, key=lambda token: (often[token], token))
        candidates: set[int] = set()
        for token in rarest[: len(each) - ceil(least * len(each)) + 1]:
            others = holders.setdefault(token, [])
            candidates.update(others)
            others.append(number)
        for other in candidates:
            alike = _similarity(each, sets[other])
            if alike >= least:
                found[other, number] = alike
    return found
