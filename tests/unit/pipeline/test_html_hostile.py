"""Pages that are broken, or made to break a reader."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core.errors import BadContent
from syncline.pipeline.chunk import Chunking, chunk
from tests.unit.pipeline.pages import page, read


@pytest.mark.parametrize(
    "opening",
    [
        "<div>",
        "<ul><li>",
        "<blockquote>",
        "<table><tr><td>",
        "<b><p>",
        "<font><div>",
        "<dl><dd>",
        "<span>",
        "<x-y>",
        "<pre>",
        "<a href=x><div>",
        "<code>",
        "<section class=menu>",
    ],
)
def test_ten_thousand_levels_are_read(opening: str) -> None:
    """Nothing recurses, and what stands at the bottom is found."""
    text = read(f"<body>{opening * 10_000}needle in the deep").text
    assert "needle in the deep" in text
    assert len(text) < 1_000_000


def test_thirty_thousand_levels_are_cut_to_what_browsers_show() -> None:
    """The parser alone would take its square."""
    for opening in ("<div>", "<x>", "<div></p>"):
        text = read(f"<body>{opening * 30_000}needle{'<p>' * 5_000}").text
        assert "needle" in text


def test_sloppy_tags_of_a_large_page_do_not_flatten_it() -> None:
    """Tens of thousands of unclosed paragraphs and list items nest nowhere."""
    text = read(
        page(
            "<main><ul>"
            + "<li>item<p>text<br>" * 12_000
            + "</ul><table><tr><td>a<td>b</table></main>"
        )
    ).text
    assert text.endswith("| a | b |")


def test_huge_attributes_and_unclosed_tags_are_read() -> None:
    """A megabyte in one attribute, a tag and a comment that never end."""
    assert "needle" in read(page(f"<p class='{'nav ' * 300_000}'>needle</p>")).text
    assert "needle" in read("<p>needle<div class='never closed").text
    assert "needle" in read("<p>needle<!-- never closed").text


def test_what_is_taken_away_may_nest() -> None:
    """Clutter within clutter, matched by name, by attribute and by tag at once."""
    inner = "<nav class='nav share' hidden><ul class=menu><li class=ad><a href=x>no</a></li></ul>"
    text = "<p>" + "needle, and a sentence around it. " * 20 + "</p>"
    for wrap in ("<article>{}</article>", "<div class=body role=main>{}</div>", "<div>{}</div>"):
        for _ in range(20):
            found = read(page(wrap.format(inner * 50 + "</nav>" * 50 + text))).text
            assert found.count("needle") == 20
            assert "no" not in found.split()


def test_nuls_and_control_characters_do_not_reach_the_text() -> None:
    """They come from broken exports and from those who try."""
    text = read(b"<p>a\x00b\x01c\x0bd\x7fe &#0; &#1; &#x80;</p>").text
    assert not any(ord(char) < 32 for char in text if char != "\n")
    text.encode()


def test_a_wrong_charset_does_not_lose_the_page() -> None:
    """Declared UTF-16, sent as UTF-8."""
    assert read("<meta charset=utf-16><p>Grüße</p>").text == "Grüße"
    assert read("<p>Grüße</p>".encode(), charset="no-such-thing").text == "Grüße"


def test_binary_data_is_refused() -> None:
    """An image that calls itself HTML is not indexed."""
    with pytest.raises(BadContent):
        read(b"\x89PNG\r\n\x1a\n" + bytes(100))


def test_other_media_types_are_refused_by_name() -> None:
    """The message names the type."""
    with pytest.raises(BadContent, match="image/png"):
        read(b"x", "image/png")


@given(
    st.lists(
        st.sampled_from(
            [
                "<p>",
                "</p>",
                "<div class=nav>",
                "</div>",
                "<table>",
                "<tr>",
                "<td>",
                "</table>",
                "<li>",
                "<ul>",
                "</ul>",
                "<pre>",
                "</pre>",
                "<code>",
                "</code>",
                "<h1>",
                "</h2>",
                "<!--",
                "-->",
                "text ",
                "<svg>",
                "<title>",
                "<br>",
                "<dd>",
                "<dt>",
                "\0",
                "&lt;",
                "<a href='",
                "'",
                ">",
                "```",
                "<math>",
                "<frameset>",
                "<select>",
                "</body>",
                "<template>",
                "<plaintext>",
                "<xmp>",
                "# ",
                "<blockquote>",
            ]
        ),
        max_size=40,
    )
)
def test_any_heap_of_tags_is_read_and_cut(parts: list[str]) -> None:
    """No order of tags fails, and the result can be chunked."""
    for wrap in ("{}", "<div class=body role=main>{}"):
        found = read(wrap.format("".join(parts)))
        chunk(found.text, found.stemming, Chunking())


@given(st.binary(max_size=2000))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Whatever they claim to be."""
    for media_type in ("text/html", "text/markdown", "text/plain"):
        try:
            read(data, media_type)
        except BadContent:
            continue
