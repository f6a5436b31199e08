"""How good a content is for a question: one score from words, meaning and titles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

__all__ = ["LEAST_MEANING", "Ranked", "Scored", "rank"]

_WORDS, _MEANING = 0.65, 0.35
_TITLE = 0.2
_FIRST = 0.2
"""For a first passage with all the words: it says what a document is about."""
_ALL = 1 + _TITLE + _FIRST
LEAST_MEANING = 0.2
"""Below this cosine two texts have nothing to do with each other."""
_CLOSE = 0.5
"""A cosine that is as good as any: the best one counts as full only from here."""


class Scored(NamedTuple):
    """A candidate chunk."""

    content: int
    n: int
    words: float
    """BM25."""
    meaning: float | None
    """The cosine; None without a vector."""
    model: int = 0
    """Which model's: cosines of two models are not compared with one another."""


class Ranked(Struct, frozen=True):
    """A content, with its best passage. All parts are between 0 and 1."""

    content: int
    n: int | None
    """The best passage's number; None where only the title speaks for an empty content."""
    score: float
    words: float
    """Of its best passage by words."""
    meaning: float
    """Of its best passage by meaning."""
    title: float
    cosine: float
    """Of the best passage by both."""
    first: float
    """How good the content's first passage is by its words."""
    model: int = 0
    """Whose the cosine is."""


def rank(
    scored: Sequence[Scored],
    titles: Mapping[int, float],
    *,
    ceiling: float,
    with_meaning: bool,
) -> list[Ranked]:
    """The contents in `titles` (the visible ones), the best first; useless ones left out.

    A content is as good as its best passage by words and its best one by meaning, which need
    not be the same: the one that is shown is the best by both.
    `ceiling` is the score of a passage of average length with each word once: where the
    best passage has less, it does not count as full. What is nearest by one model counts as much as
    what is nearest by another.
    """
    visible = [each for each in scored if each.content in titles]
    most_words = max([each.words for each in visible] + [ceiling])
    closest = dict.fromkeys((each.model for each in visible), _CLOSE)
    for each in visible:
        closest[each.model] = max(closest[each.model], each.meaning or 0.0)
    words_weight, meaning_weight = (_WORDS, _MEANING) if with_meaning else (1.0, 0.0)
    best: dict[int, tuple[float, float, float, Scored]] = {}
    first: dict[int, float] = {}
    for each in visible:
        words = each.words / most_words if most_words else 0.0
        cosine = each.meaning or 0.0
        meaning = cosine / closest[each.model] if cosine >= LEAST_MEANING else 0.0
        base = words_weight * words + meaning_weight * meaning
        if each.n == 0:
            first[each.content] = words
        before = best.get(each.content, (-1.0, 0.0, 0.0, each))
        better = (base, -each.n) > (before[0], -before[3].n)
        best[each.content] = (
            base if better else before[0],
            max(words, before[1]),
            max(meaning, before[2]),
            each if better else before[3],
        )
    ranked = []
    for content, title in titles.items():
        _, words, meaning, passage = best.get(content, (0.0, 0.0, 0.0, None))
        opening = first.get(content, 0.0)
        score = words_weight * words + meaning_weight * meaning + _TITLE * title + _FIRST * opening
        score = round(score / _ALL, 6)
        if score > 0:
            ranked.append(
                Ranked(
                    content,
                    None if passage is None else passage.n,
                    score,
                    words,
                    meaning,
                    title,
                    0.0 if passage is None else passage.meaning or 0.0,
                    opening,
                    0 if passage is None else passage.model,
                )
            )
    ranked.sort(key=lambda each: (-each.score, each.content))
    return ranked
