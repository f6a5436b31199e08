"""Snippets: one line around the best matches, with the question's words marked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syncline.pipeline.terms import query_terms, stem, word_spans
from syncline.sync.search_snippet import MOST_CHARACTERS, Question, snippet

_LANGUAGES = ("english", "german")


def _ask(text: str) -> Question:
    words = query_terms(text, _LANGUAGES)
    return Question(
        _LANGUAGES,
        weights={each: 1.0 + i for i, stems in enumerate(words) for each in stems},
        written={
            stem(word, language): word for _, _, word in word_spans(text) for language in _LANGUAGES
        },
    )


def _marked(text: str, question: str) -> list[str]:
    shown = snippet(text, _ask(question))
    return [shown.text[a:b] for a, b in shown.highlights]


def test_every_form_of_a_word_is_marked() -> None:
    assert _marked("Rotating KEYS: rotate a key, not a keyboard.", "rotate key") == [
        "Rotating",
        "KEYS",
        "rotate",
        "key",
    ]


def test_a_short_passage_is_shown_whole_on_one_line() -> None:
    shown = snippet("First.\n\n- second\tpoint\n", _ask("second"))
    assert shown.text == "First. - second point"
    assert shown.highlights == ((9, 15),)


def test_a_long_passage_is_cut_at_words_around_where_most_words_meet() -> None:
    filler = "nothing to see here " * 30
    text = f"{filler}a lone key {filler} rotate the key now {filler}"
    shown = snippet(text, _ask("rotate key"))
    assert "rotate the key now" in shown.text
    assert shown.text.startswith("… ")
    assert shown.text.endswith(" …")
    assert set(shown.text.split()) <= {*text.split(), "…"}


def test_without_a_match_the_beginning_is_shown() -> None:
    text = "Beginning " + "and so on " * 100
    shown = snippet(text, _ask("absent"))
    assert shown.text.startswith("Beginning and so on")
    assert shown.highlights == ()


def test_pairs_of_characters_are_marked_as_one_span() -> None:
    assert _marked("鍵の更新方法です", "更新方法") == ["更新方法"]


def test_words_are_named_as_the_question_wrote_them() -> None:
    """The one that tells most first, each once."""
    question = _ask("rotate keys")
    stems = question.stems_in("A key. Rotation, rotated keys.")
    assert question.words_of(stems) == ["keys", "rotate"]
    assert snippet("A key. Rotation, rotated keys.", question).stems == stems


@given(
    st.text(alphabet=st.sampled_from("keyrot aßéﬁ½ 鍵の更新\n\t.,İ"), max_size=900),
    st.text(alphabet=st.sampled_from("keyrot aßé更新"), max_size=20),
)
def test_a_snippet_is_one_short_line_whose_marks_lie_in_it(text: str, question: str) -> None:
    shown = snippet(text, _ask(question))
    assert len(shown.text) <= MOST_CHARACTERS
    assert "\n" not in shown.text
    ends = [0, *(end for _, end in shown.highlights)]
    for (start, end), before in zip(shown.highlights, ends, strict=False):
        assert before <= start < end <= len(shown.text)
