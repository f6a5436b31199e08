"""What two texts have in common: exactly, and whatever their layout."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.pipeline.shingles import WORDS, jaccard, numbers, shingles, shingles_of_each

_WORD_LISTS = st.lists(st.sampled_from("red green blue one two 3 x_y".split()), max_size=40)  # noqa: SIM905


def _by_hand(text: str) -> set[tuple[str, ...]]:
    """The shingles of an ASCII text, as one would write them down."""
    words = re.findall(r"\w+", text.lower(), re.ASCII)
    if 0 < len(words) < WORDS:
        return {tuple(words)}
    return {tuple(words[n : n + WORDS]) for n in range(len(words) - WORDS + 1)}


@given(_WORD_LISTS, _WORD_LISTS)
def test_the_similarity_is_exact(one: list[str], other: list[str]) -> None:
    """That of the sets of all runs of five words."""
    a, b = " ".join(one), " ".join(other)
    mine, others = _by_hand(a), _by_hand(b)
    expected = len(mine & others) / len(mine | others) if mine and others else 0.0
    assert jaccard(shingles(a), shingles(b)) == expected


@given(st.lists(st.text("aB ,.\né漢字ß", max_size=60), max_size=6))
def test_texts_hashed_together_are_what_they_are_alone(texts: list[str]) -> None:
    """No shingle reaches from one text into the next, and none is lost."""
    hashes, owners = shingles_of_each(texts)
    for number, text in enumerate(texts):
        alone, _ = shingles_of_each([text])
        assert hashes[owners == number].tolist() == alone.tolist()


def test_a_long_text_has_all_its_shingles() -> None:
    """It is hashed in pieces, which are cut between words."""
    text = " ".join(f"word{n}" for n in range(20_000))
    assert len(shingles(text)) == len(_by_hand(text)) == 20_000 - WORDS + 1
    assert len(shingles("x" * 100_000 + " and then four words")) >= 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How to rotate, an API-key?", "how to rotate\n\n* an api KEY"),
        ("Größe und Straße in ÄRGER", "grösse und STRASSE in ärger"),
        ("café naïve résumé x y", "CAFÉ — NAÏVE, “résumé” x y"),
        ("鍵の更新方法について説明", "鍵の更新方法について説明。"),
        ("½ cup of fine sugar", "1⁄2 cup of fine sugar"),
    ],
)
def test_case_punctuation_and_layout_make_no_difference(one: str, other: str) -> None:
    """In any script."""
    assert jaccard(shingles(one), shingles(other)) == 1.0


def test_scripts_without_spaces_have_many_shingles() -> None:
    """A sentence of them is not one word."""
    one = "鍵の更新方法について説明します。古い鍵は一週間有効です。"
    assert 0.4 < jaccard(shingles(one), shingles(one.replace("一", "二"))) < 1


def test_texts_without_words_have_nothing_in_common() -> None:
    assert jaccard(shingles("…!"), shingles("…!")) == 0.0
    assert jaccard(shingles(""), shingles("a few words more or less")) == 0.0


def test_the_hashes_are_pinned() -> None:
    """They are stored, so they must be these on every machine and in every version of Python."""
    assert shingles("the quick brown fox jumps over").tolist() == [
        1578725295632001962,
        17572687771127651540,
    ]
    assert shingles("schöne Grüße").tolist() == [2966002885572569151]


def test_numbers_are_amounts_versions_and_dates() -> None:
    assert numbers("Release 2.4 of 2025-01-31 costs 1,200.50 for v3.") == {
        "2.4",
        "2025-01-31",
        "1,200.50",
        "3",
    }


def test_a_word_more_costs_five_shingles_at_most() -> None:
    """So the similarity falls slowly with each edit."""
    words = [f"w{n}" for n in range(100)]
    before = 1.0
    for cut, _ in pairwise(range(0, 100, 20)):
        edited = [*words[: cut + 10], "edited", *words[cut + 10 :]]
        alike = jaccard(shingles(" ".join(words)), shingles(" ".join(edited)))
        assert before - 0.1 < alike < before or alike == before
