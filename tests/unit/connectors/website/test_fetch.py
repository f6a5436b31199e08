"""What a page gives."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from syncline.core.errors import BadContent, Forbidden, Transient
from syncline.core.model import Content, Gone, NotModified
from syncline.testing import fake_server
from syncline.testing.fake_site import FakePage, FakeSite

from .conftest import Opener

_LONG = " ".join(f"word{n}" for n in range(300))


async def _fetch(site: FakeSite, opened: Opener, path: str, **options: object) -> Content:
    it = await opened(**options)
    content = await it.connector.fetch({"url": f"{site.url}{path}"}, None)
    assert isinstance(content, Content)
    return content


async def test_a_page_is_read(site: FakeSite, opened: Opener) -> None:
    """Bytes, type, charset, address, date and validators."""
    modified = "Wed, 01 May 2024 10:00:00 GMT"
    site.pages["/a"] = FakePage(
        b"<p>text", "text/html; charset=latin-1", headers={"Last-Modified": modified}
    )
    content = await _fetch(site, opened, "/a")
    assert (content.data, content.media_type, content.charset) == (
        b"<p>text",
        "text/html",
        "latin-1",
    )
    assert content.metadata.url == f"{site.url}/a"
    assert content.metadata.updated_at == datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert content.validators == {"etag": site.pages["/a"].etag, "last_modified": modified}
    assert content.alias_of is None


async def test_a_page_that_is_made_anew_each_time_has_no_date(
    site: FakeSite, opened: Opener
) -> None:
    """Last-Modified at the moment of the answer says nothing."""
    now = "Wed, 01 May 2024 10:00:00 GMT"
    site.pages["/a"] = FakePage(b"<p>text", headers={"Last-Modified": now, "Date": now})
    assert (await _fetch(site, opened, "/a")).metadata.updated_at is None


async def test_an_unchanged_page_is_not_read_again(site: FakeSite, opened: Opener) -> None:
    """The stored validators decide, and are kept."""
    site.put("/a", "text")
    it = await opened()
    locator = {"url": f"{site.url}/a"}
    content = await it.connector.fetch(locator, None)
    again = await it.connector.fetch(locator, content.validators)
    assert again == NotModified(content.validators)


@pytest.mark.parametrize("status", [404, 410])
async def test_a_missing_page_is_gone(site: FakeSite, opened: Opener, status: int) -> None:
    """Only these two say so, and the reason is told."""
    site.misbehave(fake_server.answers(status), "/a")
    gone = await (await opened()).connector.fetch({"url": f"{site.url}/a"}, None)
    assert isinstance(gone, Gone)
    assert gone.id == f"{site.url}/a"
    assert str(status) in gone.reason


async def test_other_failures_are_no_proof(site: FakeSite, opened: Opener) -> None:
    """A refusal or trouble at the server deletes nothing."""
    it = await opened()
    site.misbehave(fake_server.answers(403), "/a")
    with pytest.raises(Forbidden):
        await it.connector.fetch({"url": f"{site.url}/a"}, None)
    site.misbehave(fake_server.answers(503), "/b")
    with pytest.raises(Transient):
        await it.connector.fetch({"url": f"{site.url}/b"}, None)


async def test_a_redirect_within_the_site_is_an_alias(site: FakeSite, opened: Opener) -> None:
    """Two addresses, one document."""
    site.put("/new", "text")
    site.misbehave(fake_server.redirects("/new#part", 301), "/old")
    content = await _fetch(site, opened, "/old")
    assert content.alias_of == f"{site.url}/new"
    assert content.metadata.url == f"{site.url}/new"
    assert content.validators["url"] == f"{site.url}/new"


async def test_a_redirect_to_another_site_is_refused(site: FakeSite, opened: Opener) -> None:
    """What is there is not this site's."""
    async with FakeSite() as other:
        other.put("/x", "text")
        site.misbehave(fake_server.redirects(f"{other.url}/x"), "/a")
        with pytest.raises(BadContent, match="redirects to another site") as caught:
            await _fetch(site, opened, "/a")
        assert other.url in caught.value.message


async def test_a_redirect_past_robots_txt_is_refused(site: FakeSite, opened: Opener) -> None:
    """A page that may not be read may not be read by another address either."""
    site.put_robots("User-agent: *\nDisallow: /secret")
    site.put("/secret", "text")
    site.misbehave(fake_server.redirects("/secret"), "/a")
    with pytest.raises(BadContent, match=r"which robots\.txt forbids"):
        await _fetch(site, opened, "/a")


async def test_a_deep_page_that_leads_to_the_front_page_is_a_soft_404(
    site: FakeSite, opened: Opener
) -> None:
    """The front page never replaces it; an index page may lead there."""
    site.put("/", _LONG)
    site.misbehave(fake_server.redirects("/"), "/docs/a")
    with pytest.raises(BadContent, match="soft 404: it redirects to the site's front page") as e:
        await _fetch(site, opened, "/docs/a")
    assert "kept" in (e.value.hint or "")
    site.misbehave(fake_server.redirects("/"), "/index.html")
    assert (await _fetch(site, opened, "/index.html")).alias_of == f"{site.url}/"


@pytest.mark.parametrize(
    "title",
    ["404", "Error 404 | Acme", "Page not found", "Sorry, this page does not exist", "Not Found"],
)
async def test_a_page_that_says_it_is_missing_is_a_soft_404(
    site: FakeSite, opened: Opener, title: str
) -> None:
    """In its title or first heading, in few words."""
    site.put("/a", "Try our search.", title=title)
    with pytest.raises(BadContent, match="soft 404: it was answered with 200, but it says itself"):
        await _fetch(site, opened, "/a")
    site.pages["/b"] = FakePage(f"<title>Acme</title><h1 class=x><b>{title}</b></h1>".encode())
    with pytest.raises(BadContent, match="soft 404"):
        await _fetch(site, opened, "/b")


@pytest.mark.parametrize("title", ["How to handle 404 Not Found", "Page not found errors"])
async def test_an_article_about_missing_pages_is_a_page(
    site: FakeSite, opened: Opener, title: str
) -> None:
    """It says more than an error page does."""
    site.put("/a", _LONG, title=title)
    assert (await _fetch(site, opened, "/a")).media_type == "text/html"


async def test_what_the_site_answers_for_anything_is_a_soft_404(
    site: FakeSite, opened: Opener
) -> None:
    """The site is asked once for an address that cannot exist, and the answers compared."""
    site.soft_404 = f"<title>Acme: {{path}}</title><p>Nothing at {{path}}. {_LONG}"
    site.put("/good", f"{_LONG} and what only this page says", title="Acme")
    it = await opened()
    locators = [{"url": f"{site.url}/{n}/gone"} for n in range(5)]
    answers = await asyncio.gather(
        *(it.connector.fetch(locator, None) for locator in locators), return_exceptions=True
    )
    assert all("what the site answers for addresses that do not exist" in str(a) for a in answers)
    assert isinstance(await it.connector.fetch({"url": f"{site.url}/good"}, None), Content)
    assert sum("no-such-page" in seen.path for seen in site.requests) == 1


async def test_pages_that_share_a_frame_are_told_apart(site: FakeSite, opened: Opener) -> None:
    """A title of its own makes a page, however much the frame around it says."""
    site.soft_404 = f"<title>Oh dear</title><p>{_LONG}"
    site.put("/a", _LONG, title="Pricing")
    assert (await _fetch(site, opened, "/a")).media_type == "text/html"


async def test_a_redirect_to_the_error_page_is_a_soft_404(site: FakeSite, opened: Opener) -> None:
    """Where missing addresses are redirected to, no page is."""
    site.put("/oops", _LONG)

    def redirect_unknown(seen: fake_server.Seen) -> None:
        if seen.path.startswith(("/no-such-page", "/a")):
            site.misbehave(fake_server.redirects("/oops"), seen.path, times=1)

    site.before = redirect_unknown
    with pytest.raises(BadContent, match="where addresses that do not exist redirect to"):
        await _fetch(site, opened, "/a")
    assert (await _fetch(site, opened, "/oops")).alias_of is None


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("noindex", ("noindex",)),
        ("NoIndex, nofollow", ("nofollow", "noindex")),
        ("googlebot: noindex, nofollow", ()),
        ("otherbot: nofollow, syncline: noindex", ("noindex",)),
        (
            "unavailable_after: 25 Jun 2030 15:00:00 PST",
            ("unavailable_after: 25 jun 2030 15:00:00 pst",),
        ),
        ("", ()),
    ],
)
async def test_x_robots_tag_is_handed_on(
    site: FakeSite, opened: Opener, header: str, expected: tuple[str, ...]
) -> None:
    """What is asked of all robots, or of us by name."""
    site.pages["/a"] = FakePage(b"<p>text", headers={"X-Robots-Tag": header} if header else {})
    assert (await _fetch(site, opened, "/a")).directives == expected


@pytest.mark.parametrize(
    ("path", "said", "expected"),
    [
        ("/a", "application/xhtml+xml", "application/xhtml+xml"),
        ("/a", "text/plain; charset=utf-8", "text/plain"),
        ("/a.md", "text/plain", "text/markdown"),
        ("/a.md", "application/octet-stream", "text/markdown"),
        ("/a", "text/x-markdown", "text/markdown"),
    ],
)
async def test_types_are_taken_as_meant(
    site: FakeSite, opened: Opener, path: str, said: str, expected: str
) -> None:
    """Servers know Markdown by many names, or by none."""
    site.pages[path] = FakePage(b"text", said)
    assert (await _fetch(site, opened, path)).media_type == expected


async def test_types_that_cannot_be_read_are_named(site: FakeSite, opened: Opener) -> None:
    """So that a person can exclude such addresses."""
    site.pages["/a.pdf"] = FakePage(b"%PDF", "application/pdf")
    with pytest.raises(BadContent, match=r"of the type application/pdf, which cannot") as caught:
        await _fetch(site, opened, "/a.pdf")
    assert "Exclude" in (caught.value.hint or "")


async def test_large_pages_are_refused(site: FakeSite, opened: Opener) -> None:
    """The connection's own limit holds, for bombs and endless pages too."""
    site.put("/a", "x" * 300_000)
    with pytest.raises(BadContent, match="larger than"):
        await _fetch(site, opened, "/a", max_page_mb=0.1)
    site.misbehave(fake_server.gzip_bomb(), "/b")
    with pytest.raises(BadContent, match=r"larger than|times its size"):
        await _fetch(site, opened, "/b")
