"""A site that is synced again and again: what is asked for, and what the user gets."""

from __future__ import annotations

from msgspec.structs import replace

from syncline.core.model import Mode
from syncline.testing.fake_site import FakeSite
from tests.acceptance.website.synced_site import SyncedSite, page


def _fill(site: FakeSite, *, lastmod: str | None = "2026-01-01", pages: int = 4) -> None:
    for number in range(pages):
        site.put(f"/p{number}", f"Of lantern number {number}.", lastmod=lastmod)


async def test_the_first_sync_reads_every_listed_page_once(
    site: FakeSite, synced: SyncedSite
) -> None:
    """Each becomes a document with its title and address; nothing else is there."""
    _fill(site)
    report = await synced.run()
    assert report.exit_code == 0, report.as_json()
    assert report.counts["listed"] == report.counts["created"] == 4
    assert await synced.documents() == {"/p0", "/p1", "/p2", "/p3"}
    assert synced.asked() == {f"/p{number}": 1 for number in range(4)}
    assert "lantern number 2" in await synced.text("/p2")
    standing = await synced.why("/p2")
    assert standing.standing == "stored"
    assert standing.url == f"{site.url}/p2"


async def test_within_recheck_an_unmoved_lastmod_is_believed(
    site: FakeSite, synced: SyncedSite
) -> None:
    """Nothing changed: only robots.txt and the sitemap are asked for."""
    _fill(site)
    await synced.run()
    report = await synced.run()
    assert report.counts["unchanged"] == report.counts["unchanged_by_version"] == 4
    assert not synced.asked()


async def test_after_recheck_pages_are_asked_conditionally(
    site: FakeSite, synced: SyncedSite
) -> None:
    """One request a page, answered 304, and nothing of it is read."""
    _fill(site)
    await synced.run()
    synced.always_recheck()
    report = await synced.run()
    assert report.counts["unchanged"] == report.counts["unchanged_by_validators"] == 4
    assert synced.asked() == {f"/p{number}": 1 for number in range(4)}
    conditional = [seen for seen in site.requests if "if-none-match" in seen.headers]
    assert len(conditional) == 4


async def test_pages_without_lastmod_are_asked_conditionally_each_time(
    site: FakeSite, synced: SyncedSite
) -> None:
    """There is no hint to believe; the validators say that nothing changed."""
    _fill(site, lastmod=None)
    await synced.run()
    report = await synced.run()
    assert report.counts["unchanged_by_validators"] == 4
    assert synced.asked() == {f"/p{number}": 1 for number in range(4)}


async def test_a_server_without_validators_is_read_and_compared(
    site: FakeSite, synced: SyncedSite
) -> None:
    """The content says that nothing changed."""
    site.pages["/a"] = page("Of harbours.", has_etag=False)
    await synced.run()
    report = await synced.run()
    assert report.counts["unchanged"] == report.counts["unchanged_by_content"] == 1


async def test_a_moved_lastmod_brings_the_new_text(site: FakeSite, synced: SyncedSite) -> None:
    """Only the page whose date moved is asked for."""
    _fill(site)
    await synced.run()
    site.put("/p1", "Of orchards now.", lastmod="2026-02-01")
    report = await synced.run()
    assert report.counts["updated"] == 1
    assert report.counts["unchanged"] == 3
    assert synced.asked() == {"/p1": 1}
    assert "orchards" in await synced.text("/p1")
    assert await synced.lines(report, "updated") == {"/p1": "its text changed"}


async def test_a_moved_lastmod_alone_changes_nothing(site: FakeSite, synced: SyncedSite) -> None:
    """The page is asked for once, by its validators, and then believed again."""
    _fill(site)
    await synced.run()
    site.pages["/p1"] = replace(site.pages["/p1"], lastmod="2026-02-01")
    report = await synced.run()
    assert report.counts["unchanged"] == 4
    assert synced.asked() == {"/p1": 1}
    await synced.run()
    assert not synced.asked()


async def test_a_change_without_a_moved_lastmod_is_seen_after_recheck(
    site: FakeSite, synced: SyncedSite
) -> None:
    """The hint is believed for a while, and no longer."""
    _fill(site)
    await synced.run()
    site.put("/p1", "Of orchards now.", lastmod="2026-01-01")
    assert (await synced.run()).counts["unchanged"] == 4
    assert "lantern" in await synced.text("/p1")
    synced.always_recheck()
    assert (await synced.run()).counts["updated"] == 1
    assert "orchards" in await synced.text("/p1")


async def test_a_full_run_believes_nothing(site: FakeSite, synced: SyncedSite) -> None:
    """Every page is read, whatever its date and validators say."""
    _fill(site)
    await synced.run()
    report = await synced.run(Mode.FULL)
    assert report.counts["unchanged_by_content"] == 4
    assert not [seen for seen in site.requests if "if-none-match" in seen.headers]


async def test_a_page_without_changed_text_is_unchanged(site: FakeSite, synced: SyncedSite) -> None:
    """A new etag for the same words, as CDNs make them, updates nothing."""
    site.pages["/a"] = page("Of harbours.")
    await synced.run()
    site.pages["/a"] = replace(site.pages["/a"], body=site.pages["/a"].body + b"<!-- v2 -->")
    report = await synced.run()
    assert report.counts["unchanged_by_content"] == 1


async def test_a_page_listed_twice_is_read_once(site: FakeSite, synced: SyncedSite) -> None:
    """The second mention is repeated, in whatever spelling."""
    site.put("/a", "Of harbours.")
    host = site.url.replace("http", "HTTP")
    site.put_file(
        "/sitemap.xml",
        f"<urlset><url><loc>{site.url}/a</loc></url><url><loc>{host}/./a#top</loc></url></urlset>",
    )
    report = await synced.run()
    assert (report.counts["created"], report.counts["repeated"]) == (1, 1)
    assert synced.asked() == {"/a": 1}
    assert await synced.lines(report, "repeated") == {"/a": "listed more than once"}
