"""What a site lists."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime

import pytest

from syncline.core.errors import BadContent, RateLimited, Rejected, Transient
from syncline.core.model import Entry, Failed
from syncline.testing import fake_server
from syncline.testing.fake_site import FakeSite, urlset

from .conftest import Opener


def _index(*urls: str) -> str:
    return (
        "<sitemapindex>"
        + "".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in urls)
        + "</sitemapindex>"
    )


def _loc(*urls: str) -> str:
    return urlset("".join(f"<url><loc>{url}</loc></url>" for url in urls))


async def test_pages_become_entries(site: FakeSite, opened: Opener) -> None:
    """With their normal address as id, and lastmod as a hint of their version."""
    site.put("/a", lastmod="2024-05-01")
    site.put("/b", lastmod="whenever")
    it = await opened()
    first, second = await it.listing()
    assert first == Entry(
        id=f"{site.url}/a",
        version="lastmod:2024-05-01",
        locator={"url": f"{site.url}/a"},
        metadata=first.metadata,
    )
    assert first.metadata.updated_at == datetime(2024, 5, 1, tzinfo=UTC)
    assert first.metadata.url == f"{site.url}/a"
    assert (second.version, second.metadata.updated_at) == (None, None)
    assert "1 dates that cannot be read, ignored (the first: 'whenever')" in it.warnings[0]
    assert it.progress == ["reading sitemap 1 of 1"]


async def test_changes_yield_what_enumerate_does(site: FakeSite, opened: Opener) -> None:
    """A listing source lists everything each time, without checkpoints."""
    site.put("/a")
    site.put("/b")
    it = await opened()
    (partition,) = await it.connector.partitions()
    assert [c async for c in it.connector.changes(partition, None)] == await it.listing()


async def test_sitemaps_are_found_through_robots_txt(site: FakeSite, opened: Opener) -> None:
    """All that it names are read, and the usual places then not asked."""
    site.put_robots(f"Sitemap: {site.url}/one.xml\nSitemap: /two.txt\nSitemap: ftp://x/")
    site.put_file("/one.xml", _loc(f"{site.url}/a"))
    site.put_file("/two.txt", f"{site.url}/b\n", "text/plain")
    it = await opened()
    assert await it.listed() == [f"{site.url}/a", f"{site.url}/b"]
    assert site.count("/sitemap.xml") == 0
    assert "robots.txt: 1 entries without an http(s) address" in it.warnings[0]


@pytest.mark.parametrize("place", ["/sitemap.xml", "/sitemap_index.xml"])
async def test_sitemaps_are_found_in_the_usual_places(
    site: FakeSite, opened: Opener, place: str
) -> None:
    """A page that answers there with 200 is not taken for a sitemap."""
    site.has_sitemap = False
    site.soft_404 = "<html><title>Oh no</title>We have no {path}"
    site.put_file(place, _loc(f"{site.url}/a"))
    assert await (await opened()).listed() == [f"{site.url}/a"]


async def test_a_folder_may_have_a_sitemap_of_its_own(site: FakeSite, opened: Opener) -> None:
    """Only the pages in the folder that was named are read."""
    site.put_file("/docs/sitemap.xml", _loc(f"{site.url}/docs/a", f"{site.url}/blog/b"))
    it = await opened(f"{site.url}/docs/")
    assert await it.listed() == [f"{site.url}/docs/a"]


async def test_a_sitemaps_own_address_is_enough(site: FakeSite, opened: Opener) -> None:
    """Gzipped as a file, named by the user; rules of robots.txt still hold."""
    site.put_robots("User-agent: *\nDisallow: /private")
    text = _loc(f"{site.url}/a", f"{site.url}/private/b")
    site.put_file("/maps/s.xml.gz", gzip.compress(text.encode()), "application/gzip")
    it = await opened(f"{site.url}/maps/s.xml.gz")
    assert await it.listed() == [f"{site.url}/a"]


async def test_a_site_without_a_sitemap_says_what_to_do(site: FakeSite, opened: Opener) -> None:
    """The error names the places that were tried."""
    site.has_sitemap = False
    it = await opened()
    with pytest.raises(Rejected, match=r"there is none at /sitemap.xml, /sitemap_index.xml") as e:
        await it.connector.check()
    assert "Give the sitemap's own address" in (e.value.hint or "")


async def test_check_says_who_we_are(site: FakeSite, opened: Opener) -> None:
    """The site and its sitemaps; a named one that is none is refused."""
    site.put("/a")
    identity = await (await opened()).connector.check()
    assert identity.account == f"{site.url}/"
    assert identity.detail == {"sitemaps": [f"{site.url}/sitemap.xml"]}
    site.put_file("/other.xml", "<html></html>")
    with pytest.raises(BadContent, match=r"/other\.xml is a web page, not a sitemap"):
        await (await opened(f"{site.url}/other.xml")).connector.check()


async def test_indexes_are_followed_within_bounds(site: FakeSite, opened: Opener) -> None:
    """Loops are read once; nesting without end fails the listing, not what was read."""
    site.put_file("/sitemap.xml", _index(f"{site.url}/1.xml", f"{site.url}/1.xml"))
    site.put_file("/1.xml", _index(f"{site.url}/sitemap.xml", f"{site.url}/2.xml"))
    site.put_file("/2.xml", _loc(f"{site.url}/a"))
    it = await opened()
    assert await it.listed() == [f"{site.url}/a"]
    assert site.count("/1.xml") == 1
    for n in range(2, 20):
        site.put_file(f"/{n}.xml", _index(f"{site.url}/{n + 1}.xml"))
    (failed,) = await it.listing()
    assert isinstance(failed, Failed)
    assert failed.id is None
    assert "leads to more sitemaps than are followed (5 levels" in failed.message


async def test_one_failing_sitemap_leaves_the_others(site: FakeSite, opened: Opener) -> None:
    """Its siblings are read, and the enumeration is known to be incomplete."""
    names = ["gone", "broken", "dtd", "good"]
    site.put_file("/sitemap.xml", _index(*(f"{site.url}/{name}.xml" for name in names)))
    site.misbehave(fake_server.answers(500), "/broken.xml")
    site.put_file("/dtd.xml", '<!DOCTYPE a [<!ENTITY b "c">]><urlset/>')
    site.put_file("/good.xml", _loc(f"{site.url}/a"))
    found = await (await opened()).listing()
    failures = [each for each in found if isinstance(each, Failed)]
    assert [each.code for each in failures] == ["not_found", "transient", "bad_content"]
    assert all(each.id is None for each in failures)
    assert [each.id for each in found if isinstance(each, Entry)] == [f"{site.url}/a"]


@pytest.mark.parametrize("how", ["connection", "file", "gzip"])
async def test_a_cut_off_sitemap_proves_nothing(site: FakeSite, opened: Opener, how: str) -> None:
    """What was read counts, and then the listing fails: nothing is deleted by absence."""
    pages = [f"{site.url}/page-{n * n}" for n in range(2000)]
    whole = _loc(*pages).encode()
    half = whole[: len(whole) // 2]
    if how == "connection":
        site.misbehave(fake_server.cut_off(half), "/s.xml")
    else:
        packed = gzip.compress(whole)
        site.put_file("/s.xml", half if how == "file" else packed[: len(packed) // 2])
    found = await (await opened(f"{site.url}/s.xml")).listing()
    *entries, failed = found
    assert len(entries) > 500
    assert isinstance(failed, Failed)
    assert failed.id is None
    assert "cut" in failed.message


async def test_malformed_entries_are_skipped_with_one_warning(
    site: FakeSite, opened: Opener
) -> None:
    """The rest is read; the report has a line a reason, not a line an entry."""
    bad = ["", "mailto:a@example.com", "not a url", f"{site.url}/{'x' * 8500}"]
    site.put_file("/sitemap.xml", _loc(f"{site.url}/a", *bad, f"{site.url}/b"))
    it = await opened()
    assert await it.listed() == [f"{site.url}/a", f"{site.url}/b"]
    assert len(it.warnings) == 2
    assert "3 entries without an http(s) address, skipped" in it.warnings[0]
    assert "1 entries with too long an address, skipped" in it.warnings[1]


async def test_pages_of_other_sites_are_skipped(site: FakeSite, opened: Opener) -> None:
    """Counted in a warning; a sitemap of nothing else is an error that names the other."""
    other = "https://other.example"
    site.put_file("/sitemap.xml", _loc(f"{site.url}/a", f"{other}/b", f"{other}/c"))
    it = await opened()
    assert await it.listed() == [f"{site.url}/a"]
    assert it.warnings == [
        f"2 pages of other sites than {site.url}/ skipped, such as https://other.example"
    ]
    site.put_file("/sitemap.xml", _loc(f"{other}/b"))
    with pytest.raises(Rejected, match="lists only pages of other sites") as caught:
        await it.listing()
    assert caught.value.hint == "If the site has moved, sync https://other.example/ instead."


async def test_repeated_pages_are_listed_as_they_come(site: FakeSite, opened: Opener) -> None:
    """The run counts them; another spelling is the same page."""
    site.put_file("/sitemap.xml", _loc(f"{site.url}/a", f"{site.url}/./a#x"))
    assert await (await opened()).listed() == [f"{site.url}/a"] * 2


async def test_filters_give_their_reasons(site: FakeSite, opened: Opener) -> None:
    """robots.txt, include and exclude patterns: listed, and said to be left out."""
    site.put_robots("User-agent: syncline\nDisallow: /secret")
    for path in ("/docs/a", "/docs/old/b", "/blog/c", "/secret/d"):
        site.put(path)
    it = await opened(include=["/docs", "/secret"], exclude=["/docs/old/"])
    reasons = {entry.id.removeprefix(site.url): entry.filtered for entry in await it.listing()}
    assert reasons == {
        "/docs/a": None,
        "/docs/old/b": "the exclude pattern /docs/old/ matches it",
        "/blog/c": "no include pattern matches it",
        "/secret/d": "robots.txt forbids it",
    }


async def test_robots_txt_is_read_for_our_own_name(site: FakeSite, opened: Opener) -> None:
    """A user agent that was set is the one that obeys."""
    site.put("/a")
    site.put_robots("User-agent: acme\nDisallow: /")
    assert await (await opened()).listed() == [f"{site.url}/a"]
    assert await (await opened(user_agent="Acme/2 (+https://acme.example)")).listed() == []
    assert site.requests[-1].headers["user-agent"] == "Acme/2 (+https://acme.example)"


@pytest.mark.parametrize("status", [401, 403, 404, 410, 451])
async def test_no_robots_txt_allows_everything(site: FakeSite, opened: Opener, status: int) -> None:
    """As the standard says of all 4xx."""
    site.put("/a")
    site.misbehave(fake_server.answers(status), "/robots.txt")
    assert await (await opened()).listed() == [f"{site.url}/a"]


async def test_a_robots_txt_in_trouble_allows_nothing(site: FakeSite, opened: Opener) -> None:
    """As the standard says of 5xx: the listing fails and tells why; 429 likewise."""
    site.put("/a")
    site.misbehave(fake_server.answers(500), "/robots.txt", times=4)
    it = await opened()
    with pytest.raises(Transient, match=r"robots\.txt cannot be read, so nothing") as caught:
        await it.listing()
    assert "500" in caught.value.message
    assert site.count() == 4
    site.misbehave(fake_server.rate_limits("3600"), "/robots.txt")
    with pytest.raises(RateLimited):
        await it.listing()


async def test_an_endless_robots_txt_is_read_in_part(site: FakeSite, opened: Opener) -> None:
    """Half a megabyte, and no more."""
    site.put("/a")
    site.misbehave(fake_server.never_ends(b"User-agent: *\nDisallow: /b\n" * 1000), "/robots.txt")
    assert await (await opened()).listed() == [f"{site.url}/a"]


async def test_crawl_delay_is_honoured(site: FakeSite, opened: Opener) -> None:
    """It lies between the requests that follow."""
    site.put("/a")
    site.put_robots("User-agent: *\nCrawl-delay: 5")
    it = await opened()
    await it.listing()
    await it.connector.fetch({"url": f"{site.url}/a"}, None)
    assert it.clock.monotonic() >= 5 * (site.count() - 2)


async def test_a_rate_limit_ends_the_listing(site: FakeSite, opened: Opener) -> None:
    """The run learns when to come back, and no sibling is asked."""
    site.put_file("/sitemap.xml", _index(f"{site.url}/1.xml", f"{site.url}/2.xml"))
    site.misbehave(fake_server.rate_limits("600"), "/1.xml")
    with pytest.raises(RateLimited) as caught:
        await (await opened()).listing()
    assert caught.value.retry_after == 600
    assert site.count("/2.xml") == 0
