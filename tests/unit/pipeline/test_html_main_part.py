"""The main part of a page is kept, the site around it is not."""

from __future__ import annotations

import pytest

from tests.unit.pipeline.pages import page, read

TEXT = "<p>" + "This is the article, which has commas, and words. " * 5 + "</p>"
MENU = (
    "<ul>"
    + "".join(f"<li><a href=/{n}>Menu entry number {n}</a></li>" for n in range(30))
    + "</ul>"
)


@pytest.mark.parametrize(
    "body",
    [
        f"<nav>{MENU}</nav><main>{TEXT * 3}</main><footer>About us</footer>",
        f"<div class=sidebar>{MENU}</div><div class=content>{TEXT * 3}</div>",
        f"<div>{MENU}</div><div><div>{TEXT * 2}</div><div>{TEXT}</div></div>",
        f"<header>{MENU}</header><article>{TEXT * 3}<p class='share'>Tweet</p></article>",
        f"<div>{MENU}</div><article itemprop=articleBody>{TEXT * 3}</article>",
        f"<form>{TEXT * 3}</form><div role=navigation>{MENU}</div>",
        f"<table><tr><td>{MENU}</td><td>{TEXT * 3}</td></tr></table>",
    ],
)
def test_menus_are_left_out(body: str) -> None:
    """Wherever they stand, and however the page is built."""
    text = read(page(body)).text
    assert text.count("This is the article") == 15
    assert "Menu entry" not in text


def test_most_of_the_text_is_never_thrown_away_for_its_name() -> None:
    """Some sites call the wrapper of everything a sidebar."""
    text = read(page(f"<div class='page sidebar comments'>{TEXT * 3}</div>")).text
    assert text.count("This is the article") == 15


def test_a_page_without_paragraphs_is_read_whole() -> None:
    """Short pages and lists of links are still worth finding."""
    assert "Call 555-0100" in read(page("<div>Call 555-0100</div>")).text
    assert "Menu entry number 7" in read(page(MENU)).text


def test_an_empty_page_is_an_empty_document() -> None:
    """Not an error: the file is there, and empty."""
    assert read(page("")).text == ""
    assert read("").text == ""


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("", '<div class="related">menu</div><div class="body" role="main"><p>x</p></div>'),
        ('<meta name="generator" content="javadoc/1">', "<nav>menu</nav><main><p>x</p></main>"),
        (
            '<meta name=generator content="AsciiDoc 9">',
            "<div id=header></div><div id=content><p>x</p></div>menu",
        ),
        ('<meta name=generator content="DocBook XSL">', "<div class=navheader>menu</div><p>x</p>"),
        (
            '<meta name="generator" content="javadoc/1">',
            "<main><button>Show</button><p>x</p><div class=subNav>menu</div></main>",
        ),
        (
            '<meta name=generator content="AsciiDoc 9">',
            "<div id=content><div id=toc>menu</div><p>x</p><p hidden>secret</p></div>",
        ),
        (
            '<meta name=generator content="Docusaurus">',
            "<main>menu<article><p>x<nav>menu</nav></article></main>",
        ),
    ],
)
def test_documentation_generators_mark_their_main_part(head: str, body: str) -> None:
    """However short the page is, nothing of the frame is taken."""
    assert read(page(body, head)).text == "x"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("nav", False),
        ("site_nav", False),
        ("Sign-Up", False),
        ("advertisement", False),
        ("promo2", False),
        ("screen-reader-text", False),
        ("navy", True),
        ("sign of up", True),
        ("more text", True),
        ("headline", True),
    ],
)
def test_what_calls_itself_clutter_is_left_out(name: str, kept: bool) -> None:
    """Words of its class or id say so, and parts of words do not."""
    for attribute in ("class", "id"):
        text = read(page(f"<article>{TEXT * 3}<div {attribute}='{name}'>needle</div></article>"))
        assert ("needle" in text.text) is kept


def test_lines_of_the_sites_own_are_dropped_from_articles() -> None:
    """Between the paragraphs of an article stand appeals that are no part of it."""
    text = read(
        page(f"<article>{TEXT}<p>Advertisement</p>{TEXT}<p>Read more: things</p>{TEXT}</article>")
    ).text
    assert "Advertisement" not in text
    code = f"<article>{TEXT * 3}<pre>first\n\nprint\n\nlast</pre></article>"
    assert "first\n\nprint\n\nlast" in read(page(code)).text
    assert "Read more" not in text
