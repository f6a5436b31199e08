"""One spelling for a text."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from syncline.pipeline.extract.normalise import normalise, one_line

pieces = st.lists(
    st.one_of(
        st.text(max_size=5),
        st.sampled_from(
            [
                "\r\n",
                "\n\n\n\n",
                "```\n",
                "````",
                "> ```",
                " \t",
                "\u00ad",
                "e\u0301",
                "\u00a0",
                "\u2000",
            ]
        ),
    ),
    max_size=25,
).map("".join)


@given(pieces)
def test_normalising_twice_is_normalising_once(text: str) -> None:
    """Otherwise an unchanged text could change its hash."""
    once = normalise(text)
    assert normalise(once) == once


@given(pieces)
def test_the_promises_of_the_dialect_hold(text: str) -> None:
    """NFC, no control characters, no trailing spaces, UTF-8."""
    result = normalise(text)
    result.encode()
    assert unicodedata.is_normalized("NFC", result)
    assert not any(
        unicodedata.category(char) in ("Cc", "Cs") for char in result if char not in "\n\t"
    )
    assert all(line == line.rstrip(" \t") for line in result.split("\n"))


def test_line_ends_and_invisible_characters_go() -> None:
    """As do soft hyphens, which break words that people see whole."""
    assert normalise("a\r\nb\rc\u2028d\n") == "a\nb\nc\nd"
    assert normalise("con\u00adtent\u200b \ufeffx\u00a0y") == "content x y"
    assert normalise("cafe\u0301") == "café"


def test_blank_lines_are_single_except_in_code() -> None:
    """Code is kept as it was written."""
    text = "a\n\n\n\nb\n\n```\nx\n\n\n\ny\n```\n\n\n\nc"
    assert normalise(text) == "a\n\nb\n\n```\nx\n\n\n\ny\n```\n\nc"


def test_indentation_stays() -> None:
    """At the start of lines, spaces carry meaning."""
    assert normalise("a\n    b\n\tc") == "a\n    b\n\tc"


def test_a_title_is_one_line() -> None:
    """However it was written."""
    assert one_line("  A\n\t title\u00a0 ") == "A title"
