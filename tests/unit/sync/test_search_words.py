"""BM25 over the index's entries: the same as by the book, however chunks are numbered."""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose, log

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from syncline.store.entries import Entries, entries_of, lengths
from syncline.store.postings import BLOCK, pack
from syncline.store.search import Corpus
from syncline.sync.search_words import WordScores, rarity, score_words, weigh

_CORPUS = Corpus(("english",), 50, 20.0, ())
_texts = st.dictionaries(
    st.one_of(st.integers(16, 400), st.integers(10**9, 10**9 + 400), st.just(2**46)),
    st.tuples(
        st.dictionaries(st.sampled_from("abcd"), st.integers(1, 300), max_size=4),
        st.integers(1, 2_000),
    ),
    max_size=40,
)


def _entries(texts: Mapping[int, tuple[Mapping[str, int], int]]) -> dict[str, Entries]:
    found: dict[str, list[int]] = {}
    for chunk, (terms, length) in texts.items():
        for term, count in terms.items():
            found.setdefault(term, []).append(pack(chunk, length) + (min(count, 255) << 8))
    return {term: np.array(each, np.int64) for term, each in found.items()}


@given(_texts)
def test_scores_are_those_of_bm25(texts: Mapping[int, tuple[Mapping[str, int], int]]) -> None:
    """To the precision of a stored length, and for frequencies up to 255."""
    entries = _entries(texts)
    words = weigh([("a",), ("b", "c"), ("nowhere",)], entries, _CORPUS)
    scores = score_words(words, entries, _CORPUS)
    for chunk, found in zip(texts, scores.of(list(texts)), strict=True):
        terms, length = texts[chunk]
        k = 1.2 * (0.25 + 0.75 * length / 20.0)
        expected = sum(
            word.idf * 2.2 * min(terms[s], 255) / (min(terms[s], 255) + k)
            for word in words
            for s in word.stems
            if s in terms
        )
        assert isclose(found, expected, rel_tol=0.03)


@given(_texts, st.integers(1, 7))
def test_the_best_of_each_block_come_in_order_and_completely(
    texts: Mapping[int, tuple[Mapping[str, int], int]], most: int
) -> None:
    entries = _entries(texts)
    scores = score_words(weigh([("a",), ("b",)], entries, _CORPUS), entries, _CORPUS)
    pages = list(scores.best(most))
    ids = [chunk for page in pages for chunk in page]
    found = scores.of(ids)
    assert found == sorted(found, reverse=True)
    assert all(score > 0 for score in found)
    assert len({chunk // BLOCK for chunk in ids}) == len(ids) == scores.blocks
    every = dict(zip(texts, scores.of(list(texts)), strict=True))
    for chunk, score in zip(ids, found, strict=True):
        beside = [value for other, value in every.items() if other // BLOCK == chunk // BLOCK]
        assert score == max(beside)


@given(_texts, st.sets(st.integers(16, 400)))
def test_only_the_wanted_chunks_keep_their_scores(
    texts: Mapping[int, tuple[Mapping[str, int], int]], wanted: set[int]
) -> None:
    entries = _entries(texts)
    scores = score_words(weigh([("a",), ("b",)], entries, _CORPUS), entries, _CORPUS)
    some = scores.among(sorted(wanted))
    for chunk, before, after in zip(
        texts, scores.of(list(texts)), some.of(list(texts)), strict=True
    ):
        assert after == (before if chunk in wanted else 0.0)


def test_nothing_to_look_for_scores_nothing() -> None:
    empty = WordScores(np.zeros(0, np.int64), np.zeros(0))
    assert (empty.of([5]), list(empty.best(3)), empty.blocks) == ([0.0], [], 0)


@given(st.lists(st.integers(0, 2**63 - 1)))
def test_entries_survive_their_bytes(numbers: list[int]) -> None:
    assert entries_of(np.array(numbers, ">i8").tobytes()).tolist() == numbers


@given(st.integers(1, 60_000))
def test_a_length_is_kept_to_a_few_percent(length: int) -> None:
    assert isclose(lengths()[pack(0, length) & 0xFF], length, rel_tol=0.03, abs_tol=0.5)


def test_a_rarer_word_tells_more() -> None:
    assert rarity(1, 100) > rarity(50, 100) > rarity(100, 100) > 0
    assert isclose(rarity(1, 1), log(1 + 0.5 / 1.5))
