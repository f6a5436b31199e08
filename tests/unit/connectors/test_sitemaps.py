"""Sitemaps in all their forms."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from syncline.connectors.sitemaps import Child, Listed, SitemapItem, SitemapReader, parse_lastmod
from syncline.core.errors import BadContent, SourceError, Transient
from syncline.testing.fake_site import urlset
from tests.support.thorough import THOROUGH

_A = "https://example.com/a"
_B = "https://example.com/b"


def _read(data: str | bytes, step: int = 7) -> list[SitemapItem]:
    raw = data.encode() if isinstance(data, str) else data
    reader = SitemapReader("the sitemap")
    items = [
        item
        for start in range(0, len(raw), step)
        for item in reader.feed(raw[start : start + step])
    ]
    return [*items, *reader.close()]


def _read_until_error(data: str | bytes, step: int = 7) -> tuple[list[SitemapItem], SourceError]:
    raw = data.encode() if isinstance(data, str) else data
    reader = SitemapReader("the sitemap")
    items: list[SitemapItem] = []
    try:
        for start in range(0, len(raw), step):
            for item in reader.feed(raw[start : start + step]):
                items.append(item)  # noqa: PERF402 - what came before the error counts
        items.extend(reader.close())
    except SourceError as error:
        return items, error
    raise AssertionError("no error")


_URLSET = urlset(
    f"<url><loc> {_A} </loc><lastmod>2024-05-01</lastmod><priority>1</priority></url>"
    f"<url><lastmod/><loc><![CDATA[{_B}?x=1&y=2]]></loc></url>"
)
_EXPECTED: list[SitemapItem] = [Listed(_A, "2024-05-01"), Listed(f"{_B}?x=1&y=2")]


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_sitemaps_are_read_however_they_are_cut(step: int) -> None:
    """Plain, gzipped, with white space or a byte order mark before the declaration."""
    assert _read(_URLSET, step) == _EXPECTED
    assert _read(gzip.compress(_URLSET.encode()), step) == _EXPECTED
    assert _read("\ufeff\n  \n" + _URLSET, step) == _EXPECTED
    assert _read(_URLSET.replace("UTF-8", "UTF-16").encode("utf-16"), step) == _EXPECTED


def test_a_sitemap_index_names_its_children() -> None:
    """Their own lastmod is not used: child sitemaps are read whenever we look."""
    text = (
        "<sitemapindex><sitemap><loc>https://example.com/1.xml.gz</loc>"
        "<lastmod>2024-01-01</lastmod></sitemap></sitemapindex>"
    )
    assert _read(text) == [Child("https://example.com/1.xml.gz")]


def test_images_and_translations_are_not_pages() -> None:
    """Only a `loc` directly in a `url` counts, whatever else stands there."""
    text = urlset(
        f"<url><image:image><image:loc>https://example.com/i.png</image:loc></image:image>"
        f'<loc>{_A}</loc><xhtml:link rel="alternate" href="{_B}"/></url>'
    )
    assert _read(text) == [Listed(_A)]


def test_rss_and_atom_serve_as_sitemaps() -> None:
    """With their own names for the address and the date."""
    rss = (
        '<?xml version="1.0"?><rss version="2.0"><channel><link>https://example.com/</link>'
        f"<item><title>x</title><link>{_A}</link><atom:link href='https://example.com/no'/>"
        "<pubDate>Wed, 01 May 2024 10:00:00 GMT</pubDate></item></channel></rss>"
    )
    assert _read(rss) == [Listed(_A, "Wed, 01 May 2024 10:00:00 GMT")]
    atom = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><link href="https://example.com/"/>'
        f'<entry><link rel="self" href="{_B}"/><link href="{_A}"/>'
        "<updated>2024-05-01T10:00:00Z</updated></entry></feed>"
    )
    assert _read(atom) == [Listed(_A, "2024-05-01T10:00:00Z")]


def test_text_sitemaps_have_one_address_a_line() -> None:
    """Empty lines and either kind of line end do not matter; a last line needs none."""
    assert _read(f"\ufeff{_A}\r\n\n  {_B}") == [Listed(_A), Listed(_B)]
    items = _read(f"{_A}\n{'x' * 50_000}\n{_B}\n", 1000)
    assert items[0] == Listed(_A)
    assert items[-1] == Listed(_B)
    assert max(len(item.url) for item in items) <= 10_000


def test_bare_ampersands_are_forgiven() -> None:
    """A common mistake in addresses does not end the whole sitemap."""
    text = urlset(f"<url><loc>{_A}?x=1&y=2&amp;z=3&eacute;</loc></url>")
    for step in (1, 3, 5000):
        assert _read(text, step) == [Listed(f"{_A}?x=1&y=2&z=3&eacute;")]


def test_entries_without_an_address_are_handed_on_empty() -> None:
    """So that whoever reads the sitemap can count them."""
    assert _read(urlset(f"<url></url><url><loc/></url><url><loc>{_A}</loc></url>")) == [
        Listed(""),
        Listed(""),
        Listed(_A),
    ]


def test_a_cut_off_sitemap_gives_what_was_read() -> None:
    """And then says that it was cut off."""
    whole = urlset(f"<url><loc>{_A}</loc></url><url><loc>{_B}</loc></url>")
    items, error = _read_until_error(whole[: whole.index(_B)])
    assert items == [Listed(_A)]
    assert isinstance(error, BadContent)
    assert "the sitemap is cut off at line" in error.message
    many = urlset("".join(f"<url><loc>{_A}{n * n}</loc></url>\n" for n in range(5000)))
    items, error = _read_until_error(gzip.compress(many.encode())[:-400], 1000)
    assert len(items) > 1000
    assert isinstance(error, BadContent | Transient)
    assert "cut off" in error.message


def test_damage_gives_what_stood_before_it() -> None:
    """The message says where the damage is."""
    items, error = _read_until_error(urlset(f"<url><loc>{_A}</loc></url><url></loc>"), 10_000)
    assert items == [Listed(_A)]
    assert "not well-formed XML: mismatched tag: line" in error.message


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE urlset [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>',
        '<!DOCTYPE urlset [<!ENTITY % x SYSTEM "http://example.com/x.dtd"> %x;]>',
        '<!DOCTYPE urlset [<!ENTITY file SYSTEM "file:///etc/passwd">]>',
        "<!DOCTYPE urlset []>",
    ],
)
def test_document_types_with_declarations_are_refused(declaration: str) -> None:
    """Entities could expand without end, or read other files."""
    items, error = _read_until_error(f"{declaration}<urlset><url><loc>&b;</loc></url></urlset>")
    assert items == []
    assert "declares a document type of its own" in error.message
    assert error.hint


def test_a_plain_document_type_is_harmless() -> None:
    """Old RSS has one; it is not fetched."""
    text = (
        '<!DOCTYPE rss PUBLIC "-//x//DTD RSS 0.91//EN" "http://127.0.0.1:1/x.dtd">'
        f"<rss><channel><item><link>{_A}</link></item></channel></rss>"
    )
    assert _read(text) == [Listed(_A)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("<!DOCTYPE html><html><body>Hello", "is a web page, not a sitemap"),
        ("<html><body><br></body></html>", "is a web page, not a sitemap"),
        ("<opml version='2.0'></opml>", "its root element is <opml>"),
        ('{"error": "no"}', "it begins with '{\"error"),
        ("404 page not found", "it begins with '404"),
        ("", "is empty"),
        (" \n", "is empty"),
        ("<urlset>" + "<a>" * 100, "nested too deeply"),
    ],
)
def test_what_is_no_sitemap_is_named(data: str, message: str) -> None:
    """The error says what it is instead."""
    items, error = _read_until_error(data)
    assert items == []
    assert isinstance(error, BadContent)
    assert message in error.message
    assert error.hint


def test_a_tag_without_an_end_is_refused() -> None:
    """It would have to be kept in memory until it ends."""
    _, error = _read_until_error(b"<urlset><url a='" + b"x" * 8_000_000, 65_536)
    assert "tag without an end" in error.message


def test_a_gzip_bomb_is_refused() -> None:
    """A small file that swells is stopped."""
    bomb = gzip.compress(b"<urlset>" + b" " * 50_000_000)
    _, error = _read_until_error(bomb, 10_000)
    assert "times its size" in error.message


def test_very_many_pages_take_little_memory() -> None:
    """Entries are handed out as they are read, and forgotten."""
    many = 1_000_000 if THOROUGH else 100_000

    def pieces() -> Iterator[bytes]:
        yield b"<urlset>"
        for n in range(0, many, 1000):
            yield b"".join(
                b"<url><loc>%s/%d</loc></url>" % (_A.encode(), n + i) for i in range(1000)
            )
        yield b"</urlset>"

    reader = SitemapReader("the sitemap")
    count = 0
    tracemalloc.start()
    for number, piece in enumerate(pieces()):
        count += sum(1 for _ in reader.feed(piece))
        if number == 10:
            # Tracing slows everything down; the rest cannot behave otherwise.
            assert tracemalloc.get_traced_memory()[1] < 5_000_000
            tracemalloc.stop()
    assert not list(reader.close())
    assert count == many


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024", datetime(2024, 1, 1, tzinfo=UTC)),
        ("2024-05", datetime(2024, 5, 1, tzinfo=UTC)),
        ("2024-05-01", datetime(2024, 5, 1, tzinfo=UTC)),
        (" 2024-05-01T10:00:00.5+02:00", datetime(2024, 5, 1, 8, 0, 0, 500_000, tzinfo=UTC)),
        ("2024-05-01T10:00Z", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("2024-05-01 10:00:00", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("Wed, 01 May 2024 10:00:00 GMT", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("2024-13-01", None),
        ("yesterday", None),
        ("{{ lastmod }}", None),
        ("0001-01-01T00:00:00+23:00", None),
        ("", None),
    ],
)
def test_dates_are_read_leniently(text: str, expected: datetime | None) -> None:
    """Years, days, moments and the feeds' format; nonsense is no date."""
    assert parse_lastmod(text) == expected
