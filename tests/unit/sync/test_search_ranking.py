"""Ranking: one score a content, from words, meaning and titles."""

from __future__ import annotations

import pytest

from syncline.sync.search_ranking import LEAST_MEANING, Scored, rank
from syncline.sync.search_words import rarity


def test_a_rare_word_tells_more_than_a_frequent_one() -> None:
    assert rarity(1, 1_000) > rarity(100, 1_000) > rarity(1_000, 1_000) > 0


def test_rarity_bears_an_estimate_below_what_was_counted() -> None:
    assert rarity(50, 10) > 0


def test_one_hit_a_content_by_its_best_passage() -> None:
    scored = [Scored(1, 0, 2.0, 0.3), Scored(1, 4, 6.0, 0.5), Scored(2, 0, 5.0, 0.5)]
    ranked = rank(scored, {1: 0.0, 2: 0.0}, ceiling=5.0, with_meaning=True)
    assert {each.content: each.n for each in ranked} == {1: 4, 2: 0}


def test_what_is_not_visible_does_not_count_nor_set_the_scale() -> None:
    """A hidden passage with ten times the score neither appears nor makes others look worse."""
    visible = [Scored(1, 0, 6.0, 0.6)]
    alone = rank(visible, {1: 0.0}, ceiling=5.0, with_meaning=True)
    beside = rank([*visible, Scored(2, 0, 60.0, 0.9)], {1: 0.0}, ceiling=5.0, with_meaning=True)
    assert alone == beside


def test_a_title_lifts_and_the_first_passage_a_little() -> None:
    scored = [Scored(n, 0, 3.0, None) for n in (1, 2)] + [Scored(3, 1, 3.0, None)]
    ranked = rank(scored, {1: 0.0, 2: 1.0, 3: 0.0}, ceiling=5.0, with_meaning=False)
    assert [each.content for each in ranked] == [2, 1, 3]


def test_an_empty_content_is_found_by_its_title() -> None:
    (hit,) = rank([], {7: 0.5}, ceiling=5.0, with_meaning=True)
    assert (hit.content, hit.n) == (7, None)


@pytest.mark.parametrize("cosine", [None, -0.5, 0.0, LEAST_MEANING - 0.01])
def test_what_has_nothing_to_do_with_the_question_is_left_out(cosine: float | None) -> None:
    assert rank([Scored(1, 0, 0.0, cosine)], {1: 0.0}, ceiling=5.0, with_meaning=True) == []


def test_scores_are_between_nothing_and_one_and_ties_keep_an_order() -> None:
    scored = [Scored(n, 0, 9.0, 0.99) for n in (3, 1, 2)]
    ranked = rank(scored, {3: 1.0, 1: 1.0, 2: 1.0}, ceiling=5.0, with_meaning=True)
    assert [each.content for each in ranked] == [1, 2, 3]
    assert all(0 < each.score <= 1 for each in ranked)


def test_a_poor_best_is_not_shown_as_full() -> None:
    (hit,) = rank([Scored(1, 0, 1.0, 0.25)], {1: 0.0}, ceiling=10.0, with_meaning=True)
    assert hit.words == pytest.approx(0.1)
    assert hit.meaning == pytest.approx(0.5)


def test_cosines_of_two_models_are_not_compared() -> None:
    """The nearest by one counts as much as the nearest by the other, however their scales differ;
    within one, nearer is better."""
    scored = [Scored(1, 0, 0.0, 0.95), Scored(2, 0, 0.0, 0.6, 1), Scored(3, 0, 0.0, 0.3, 1)]
    found = rank(scored, dict.fromkeys((1, 2, 3), 0.0), ceiling=5.0, with_meaning=True)
    assert [(each.content, each.model, each.meaning) for each in found] == [
        (1, 0, 1.0),
        (2, 1, 1.0),
        (3, 1, pytest.approx(0.5)),
    ]
