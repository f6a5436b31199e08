"""What a page says about itself."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from syncline.core.model import Metadata
from tests.unit.pipeline.pages import docs, page, read

BODY = "<main><p>" + "Some text, that goes on for a while. " * 12 + "</p></main>"


def test_a_page_tells_its_metadata() -> None:
    """Title, language, people, dates, tags, description, address, wishes."""
    head = """
        <title>Install | Acme Docs</title><meta property="og:site_name" content="Acme Docs">
        <meta name="author" content="Ann Other">
        <meta property="article:author" content="https://x.y/ann">
        <meta property="article:published_time" content="2025-01-02T03:04:05+01:00">
        <meta property="article:modified_time" content="2025-02-03">
        <meta name="keywords" content="setup, linux , setup">
        <meta name="description" content="How to">
        <meta name="robots" content="NOARCHIVE, nofollow">
        <link rel="canonical" href="../install">
    """
    read_page = read(page(BODY, head, 'lang="de-AT"'), listed=Metadata(url="https://a.example/b/c"))
    about = read_page.metadata
    assert about.title == "Install"
    assert about.language == "de-AT"
    assert about.authors == ("Ann Other",)
    assert about.created_at == datetime(2025, 1, 2, 2, 4, 5, tzinfo=UTC)
    assert about.updated_at == datetime(2025, 2, 3, tzinfo=UTC)
    assert about.tags == ("setup", "linux")
    assert about.properties == {"description": "How to"}
    assert read_page.canonical == "https://a.example/install"
    assert read_page.directives == ("noarchive", "nofollow")
    assert read_page.stemming == "german"


def test_the_listings_word_wins() -> None:
    """What the source said is kept; the page fills what it did not say."""
    listed = Metadata(title="Listed", tags=("l",), properties={"a": 1, "description": "ours"})
    head = '<title>Page</title><meta name=keywords content="k"><meta name=description content="p">'
    about = read(page(BODY, head, "lang=en"), listed=listed).metadata
    assert (about.title, about.tags, about.language) == ("Listed", ("l",), "en")
    assert about.properties == {"a": 1, "description": "ours"}


@pytest.mark.parametrize(
    ("head", "body", "title"),
    [
        ("<title>Install - Acme</title>", "<h1>Install</h1>", "Install"),
        ("<title>Install - Acme</title>", "", "Install - Acme"),
        ("<title>A - B</title>", "<h1>One</h1><h1>Two</h1>", "A - B"),
        ("<title>Acme</title>", "<h1>Welcome</h1>", "Acme"),
        ("", "<h1>Only this</h1>", "Only this"),
        ('<meta property="og:title" content="Shared"><title>Shared | Site</title>', "", "Shared"),
        (
            '<meta property="og:site_name" content="Site"><title>Site: Page</title>',
            "",
            "Site: Page",
        ),
        ('<meta property="og:site_name" content="Site"><title>Site – Page</title>', "", "Page"),
        ("", "", None),
    ],
)
def test_the_title_is_the_pages_own(head: str, body: str, title: str | None) -> None:
    """The site's part is cut off where heading or site name show which it is, and only there."""
    assert read(page(body + BODY, head)).metadata.title == title


def test_documentation_is_titled_by_its_heading() -> None:
    """Generators repeat the product's name in every title."""
    head = '<title>T — Product 3</title><meta name="generator" content="javadoc/ClassWriter">'
    assert (
        read(page("<main><h1>Interface T</h1><p>x</p></main>", head)).metadata.title
        == "Interface T"
    )
    assert read(docs("<h1>x</h1>")).metadata.title == "x"


@pytest.mark.parametrize(
    "head",
    [
        '<link rel=canonical href="/a"><link rel=canonical href="/b">',
        '<link rel=canonical href="javascript:alert(1)">',
        '<link rel=canonical href="http://[broken">',
        "<link rel=canonical>",
    ],
)
def test_a_canonical_address_that_says_nothing_is_ignored(head: str) -> None:
    """Two of them, no web address, or none at all."""
    assert read(page(BODY, head), listed=Metadata(url="https://a.example/")).canonical is None


def test_nonsense_dates_are_ignored() -> None:
    """A page may claim anything."""
    head = '<meta name=date content="soon"><meta name="last-modified" content="99999999999">'
    about = read(page(BODY + "<time datetime='now'>x</time>", head)).metadata
    assert (about.created_at, about.updated_at) == (None, None)


def test_dates_marked_in_the_page_are_used() -> None:
    """Where the head has none."""
    body = '<time datetime="2025-05-01">May</time><time class=updated datetime="2025-06-01T10:00Z">'
    about = read(page(body + BODY)).metadata
    assert about.created_at == datetime(2025, 5, 1, tzinfo=UTC)
    assert about.updated_at == datetime(2025, 6, 1, 10, tzinfo=UTC)
