"""Terms: the same words for indexing, asking and highlighting."""

from __future__ import annotations

import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.pipeline import terms as terms_module
from syncline.pipeline.terms import query_terms, spans_of, stem, stemming_of, terms, word_spans


def test_words_are_folded_and_stemmed_and_counted() -> None:
    """Case and endings do not matter."""
    assert terms("Running runs RUN, the dogs' dog", "english") == {
        "run": 3,
        "the": 1,
        "dog": 2,
    }


def test_identifiers_with_underscores_stay_whole_and_dots_separate() -> None:
    """`get_user_id` is one word; `os.path` two."""
    assert set(terms("get_user_id os.path", "english")) == {"get_user_id", "os", "path"}


def test_compositions_and_widths_do_not_matter() -> None:
    """Decomposed, composed and full-width spellings are one term."""
    composed = terms("café", "french")
    assert terms(unicodedata.normalize("NFD", "café"), "french") == composed
    assert terms("ＡＢＣ", "english") == terms("abc", "english")


def test_scripts_without_spaces_are_cut_into_pairs() -> None:
    """A part of a Chinese sentence is found in it."""
    indexed = terms("退款政策如下", "english")
    assert {term for (term,) in query_terms("政策", ["english"])} <= set(indexed)


def test_combining_marks_belong_to_their_letter() -> None:
    """A Hindi word with vowel signs is one word."""
    assert len(word_spans("हिन्दी भाषा")) == 2


def test_long_words_are_cut() -> None:
    """Base64 does not become a term of a thousand characters."""
    assert max(map(len, terms("x" * 1000 + " é" + "y" * 900, "english"))) <= 64


def test_questions_drop_words_that_say_nothing_unless_there_are_no_others() -> None:
    """`the` is dropped beside `refund`, and kept alone. Repeated words count once."""
    assert query_terms("How do I get the refunds? Refunds!", ["english"]) == [("get",), ("refund",)]
    assert query_terms("to be or not to be", ["english"]) != []
    assert query_terms("", ["english"]) == []


def test_a_question_asks_in_every_language_of_the_workspace() -> None:
    """Each word brings one alternative a language, equal ones once."""
    [alternatives] = query_terms("Versicherungen", ["german", "english"])
    assert set(alternatives) == {
        stem("versicherungen", "german"),
        stem("versicherungen", "english"),
    }
    assert query_terms("xyz", ["german", "english"]) == [("xyz",)]


def test_an_unknown_stemming_language_is_a_mistake_of_ours() -> None:
    """It fails loudly, instead of indexing under no language."""
    with pytest.raises(ValueError, match="klingon"):
        terms("word", "klingon")


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("en-US", "english"),
        ("de", "german"),
        ("pt_BR", "portuguese"),
        (None, "english"),
        ("zh", "english"),
    ],
)
def test_language_tags_name_a_stemming_language(tag: str | None, language: str) -> None:
    """The primary part decides; English where nothing fits."""
    assert stemming_of(tag) == language


@given(st.text())
def test_what_is_highlighted_is_what_is_indexed(text: str) -> None:
    """The spans' words, stemmed, are terms of the text, and lie where they say."""
    indexed = terms(text, "english")
    for start, end, word in word_spans(text):
        assert 0 <= start < end <= len(text)
        for part in terms(word, "english"):
            assert part in indexed


@given(st.text())
def test_a_text_finds_itself(text: str) -> None:
    """Every word asked for is a term of the text it came from."""
    indexed = terms(text, "english")
    for (term,) in query_terms(text, ["english"]):
        assert term in indexed


@given(st.lists(st.sampled_from(["alpha", "Beta", "退款", "x_1", "Ünder"]), max_size=30))
def test_terms_do_not_depend_on_what_was_indexed_before(words: list[str]) -> None:
    """Counts add up word by word."""
    together = terms(" ".join(words), "english")
    assert sum(together.values()) == sum(sum(terms(w, "english").values()) for w in words)


@given(st.text(st.sampled_from("aBcİßé_9 .-—“Σ½ﬁ退款กा\u0301\x00\n\t\x1c\u2028"), max_size=40))
def test_what_is_indexed_is_what_is_asked_for(text: str) -> None:
    """Every word of a text is found by that word, however it is written and joined."""
    asked = {term for (term,) in query_terms(text, ["english"])}
    indexed = terms(text, "english")
    assert asked <= set(indexed)
    assert indexed == Counter(stem(word, "english") for word in terms_module._folded(text))


@given(
    st.text(alphabet=st.sampled_from("abAB_1 .,-\n\x00é更"), max_size=60),
    st.sets(st.text(alphabet=st.sampled_from("ab_1é更"), min_size=1, max_size=3)),
)
def test_wanted_words_are_found_wherever_they_stand(text: str, wanted: set[str]) -> None:
    """As by looking at every word of the text."""
    assert spans_of(text, {word: f"<{word}>" for word in wanted}.get) == [
        (start, end, f"<{word}>") for start, end, word in word_spans(text) if word in wanted
    ]


def test_the_beginning_of_a_very_long_word_stands_for_it() -> None:
    text = "short " + "long" * 30
    assert spans_of(text, lambda word: word if word == ("long" * 16) else None) == [
        (6, 126, "long" * 16)
    ]
