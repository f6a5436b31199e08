"""Plain text is kept; its first line is a title if it looks like one."""

from __future__ import annotations

import pytest

from tests.unit.pipeline.pages import read


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Release notes\n\nFixed things.", "Release notes"),
        ("Title\n=====\ntext", "Title"),
        ("=====\nTitle\n=====\ntext", "Title"),
        ("This is a sentence.\n\nMore.", None),
        ("a line of prose that\ngoes on", None),
        ("x" * 200 + "\n\ntext", None),
        ("-----", None),
        ("", None),
    ],
)
def test_the_first_line_may_be_a_title(text: str, title: str | None) -> None:
    """Underlined, or short and alone and no sentence."""
    assert read(text, "text/plain").metadata.title == title


def test_the_text_is_kept_as_written() -> None:
    """Nothing is taken for markup."""
    text = "a <b> [c](d)\n\n    indented\n# no heading?"
    assert read(text, "text/plain").text == text
