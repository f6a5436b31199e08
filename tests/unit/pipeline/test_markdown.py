"""Markdown: front matter is metadata, the rest is the fixed dialect."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core.prepared import Extracted
from tests.unit.pipeline.pages import read


def markdown(text: str) -> Extracted:
    return read(text, "text/markdown")


def test_front_matter_becomes_metadata() -> None:
    """And is no part of the text."""
    found = markdown(
        "---\ntitle: The title\ntags: [a, b]\ncategories: News\nauthor: {name: Ann}\n"
        "date: 2025-01-31\nupdated: 2025-02-01T10:00:00+02:00\ndescription: About it\nlang: de\n"
        "---\n\n# Heading\n\nText."
    )
    about = found.metadata
    assert (about.title, about.tags, about.categories) == ("The title", ("a", "b"), ("News",))
    assert about.authors == ("Ann",)
    assert about.created_at == datetime(2025, 1, 31, tzinfo=UTC)
    assert about.updated_at == datetime(2025, 2, 1, 8, tzinfo=UTC)
    assert about.properties == {"description": "About it"}
    assert found.stemming == "german"
    assert found.text == "# Heading\n\nText."


@pytest.mark.parametrize(
    "front",
    [
        "- a\n- b",
        "a: [",
        "a: &x [1]\nb: *x",
        "!!python/object:os.system x",
        "{" * 900,
        "just words",
        "a: 2025-99-99",
    ],
)
def test_what_is_no_front_matter_is_text(front: str) -> None:
    """Lists, broken YAML, aliases (which can explode), objects: kept as text."""
    found = markdown(f"---\n{front}\n---\n\nBody.")
    assert found.text.endswith("Body.")
    assert found.metadata.title is None
    assert front[:4] in found.text


def test_the_first_heading_is_the_title() -> None:
    """Unless code comes first."""
    assert markdown("intro\n\n# A `b`\n\n# C").metadata.title == "A `b`"
    assert markdown("```\n# x\n```\n# C").metadata.title is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Title\n=====\n\nSub\n---\ntext", "# Title\n\n## Sub\ntext"),
        ("## Closed ##\n\n#hashtag", "## Closed\n\n#hashtag"),
        (
            'a [link](http://x.y/z "t") b ![alt](i.png) [ref][1]\n\n[1]: http://x',
            "a link b alt ref",
        ),
        ("[![badge](b.svg)](http://x)", "badge"),
        (
            "see <https://a.b/c> and `[not](link)` and a[0] (x)",
            "see https://a.b/c and `[not](link)` and a[0] (x)",
        ),
        ("~~~py\n# code [x](y) <b>\n~~~", "```py\n# code [x](y) <b>\n```"),
        ("```\nopen\n\n\n\ncode", "```\nopen\n\n\n\ncode\n```"),
        ("a <!-- hidden\nlines --> b\n<div align=center>\n**x**\n</div>", "a  b\n\n**x**"),
        ("<script>\nx\n</script>after", "after"),
        ("| a | b |\n|---|:-:|\n| 1 | 2 |", "| a | b |\n| 1 | 2 |"),
        ("a\n\n---\n\n* * *\n\nb", "a\n\nb"),
        ("- item\n---\nx", "- item\nx"),
        ("AT&amp;T &lt;b&gt; if a < b and c > d", "AT&T <b> if a < b and c > d"),
        ("    indented # code", "    indented # code"),
        ("- a\n  ```\n  # b\n  ```", "- a\n  ```\n  # b\n  ```"),
    ],
)
def test_markup_is_reduced_to_the_dialect(written: str, expected: str) -> None:
    """Links are their words, HTML is dropped, headings are `#`, code is untouched."""
    assert markdown(written).text == expected


@given(
    st.lists(
        st.sampled_from(
            [
                "[",
                "](",
                ")",
                "![",
                "`",
                "```\n",
                "~~~\n",
                "<",
                ">",
                "<!--",
                "\n",
                "---\n",
                "===\n",
                "# ",
                "a",
                " ",
                "|",
                "&lt;",
                "\\",
            ]
        ),
        max_size=60,
    )
)
def test_any_heap_of_markup_is_read(parts: list[str]) -> None:
    """No order of marks fails."""
    markdown("".join(parts))


@pytest.mark.parametrize(
    "unit", ["[", "![](", "`", "<a ", "](", "[a](", "<!--", "&", "| ", "#", "[x]: "]
)
def test_a_long_run_of_marks_takes_no_ages(unit: str) -> None:
    """Patterns are bounded: half a megabyte of openings ends (the test's time-out says so)."""
    markdown(unit * (500_000 // len(unit)))
