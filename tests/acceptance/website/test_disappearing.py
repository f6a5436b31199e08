"""Pages that stop being listed, or being there: a deletion needs proof, and passes the guard."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from syncline.sync.deletions import approve, reject
from syncline.testing.fake_server import Misbehaviour, answers, cut_off, redirects
from syncline.testing.fake_site import FakeSite, urlset
from tests.acceptance.website.synced_site import OpenSite, SyncedSite, page

DOCTYPE = '<!DOCTYPE urlset [<!ENTITY a "aaaa">]>'


def _fill(site: FakeSite, pages: int = 10) -> None:
    for number in range(pages):
        site.put(f"/p{number}", f"Of lantern number {number}.", lastmod="2026-01-01")


def _unlist(site: FakeSite, path: str) -> None:
    site.pages[path] = replace(site.pages[path], listed=False)


async def test_an_unlisted_page_that_answers_404_is_deleted(
    site: FakeSite, synced: SyncedSite
) -> None:
    """It leaves the sitemap, and the page itself says that it is gone."""
    _fill(site)
    await synced.run()
    del site.pages["/p3"]
    report = await synced.run()
    assert report.exit_code == 0
    assert report.counts["deleted"] == 1
    assert report.counts["unchanged"] == 9
    assert synced.asked() == {"/p3": 1}
    assert "/p3" not in await synced.documents()
    assert await synced.documents("deleted") == {"/p3"}
    assert await synced.lines(report, "deleted") == {
        "/p3": "no longer listed, and the source answers that it is gone"
    }
    assert (await synced.run()).counts["gone"] == 0


async def test_a_deleted_page_that_comes_back_is_a_document_again(
    site: FakeSite, synced: SyncedSite
) -> None:
    """Also with the very text that it had."""
    _fill(site)
    await synced.run()
    kept = site.pages.pop("/p3")
    await synced.run()
    site.pages["/p3"] = kept
    report = await synced.run()
    assert report.counts["created"] == 1
    assert await synced.documents() == {f"/p{number}" for number in range(10)}


async def test_an_unlisted_page_that_still_answers_is_kept(
    site: FakeSite, synced: SyncedSite
) -> None:
    """It is asked for once, and then not again in every run while that is fresh."""
    _fill(site)
    await synced.run()
    _unlist(site, "/p3")
    first = await synced.run()
    assert (first.exit_code, first.counts["gone"], first.counts["unchanged"]) == (0, 0, 10)
    assert synced.asked() == {"/p3": 1}
    second = await synced.run()
    assert second.counts["unchanged"] == 9
    assert not synced.asked()
    assert "/p3" in await synced.documents()
    assert "not listed" in (await synced.why("/p3")).explanation


async def test_an_unlisted_page_is_asked_for_again_after_recheck(
    site: FakeSite, synced: SyncedSite
) -> None:
    """By then it may have changed, or gone."""
    _fill(site)
    await synced.run()
    synced.always_recheck()
    _unlist(site, "/p3")
    await synced.run()
    site.pages["/p3"] = page("Of orchards now.", listed=False)
    assert (await synced.run()).counts["updated"] == 1
    assert "orchards" in await synced.text("/p3")
    del site.pages["/p3"]
    assert (await synced.run()).counts["deleted"] == 1


async def test_an_unlisted_page_that_is_listed_again_is_like_any_other(
    site: FakeSite, synced: SyncedSite
) -> None:
    """Nothing remains of the time it was not."""
    _fill(site)
    await synced.run()
    listed = site.pages["/p3"]
    _unlist(site, "/p3")
    await synced.run()
    site.pages["/p3"] = listed
    assert (await synced.run()).counts["unchanged"] == 10
    assert "not listed" not in (await synced.why("/p3")).explanation
    await synced.run()
    assert not synced.asked()
    del site.pages["/p3"]
    synced.always_recheck()
    assert (await synced.run()).counts["deleted"] == 1


async def test_an_unlisted_page_that_cannot_be_asked_for_is_kept(
    site: FakeSite, synced: SyncedSite
) -> None:
    """An error is no proof; the report tells."""
    _fill(site)
    await synced.run()
    del site.pages["/p3"]
    site.misbehave(answers(500), "/p3")
    report = await synced.run()
    assert report.counts["gone"] == 0
    assert any("/p3" in each and "500" in each for each in report.warnings)
    assert "/p3" in await synced.documents()
    site.behave()
    assert (await synced.run()).counts["deleted"] == 1


async def test_an_unlisted_page_that_redirects_to_another_document_goes(
    site: FakeSite, synced: SyncedSite
) -> None:
    """It has moved: its document goes on under the new address, as the same document."""
    _fill(site)
    await synced.run()
    before = await synced.id("/p3")
    site.pages["/new3"] = site.pages.pop("/p3")
    site.misbehave(redirects("/new3", 301), "/p3")
    report = await synced.run()
    assert report.exit_code == 0, report.as_json()
    assert (report.counts["moved"], report.counts["created"], report.counts["gone"]) == (1, 0, 1)
    assert await synced.documents() == {f"/p{n}" for n in range(10) if n != 3} | {"/new3"}
    assert await synced.id("/new3") == before
    assert (await synced.run()).counts["gone"] == 0


async def test_an_unlisted_page_that_redirects_to_one_with_another_text_is_deleted(
    site: FakeSite, synced: SyncedSite
) -> None:
    """Its address leads to a document that is there already."""
    _fill(site)
    await synced.run()
    del site.pages["/p3"]
    site.misbehave(redirects("/p4", 301), "/p3")
    report = await synced.run()
    assert report.counts["deleted"] == 1
    assert await synced.lines(report, "deleted") == {
        "/p3": "no longer listed, and redirects to another document"
    }
    assert "/p3" not in await synced.documents()


async def test_a_moved_page_keeps_its_document(site: FakeSite, synced: SyncedSite) -> None:
    """The old address answers 404, the new one has the same text."""
    _fill(site)
    await synced.run()
    before = await synced.id("/p3")
    site.pages["/new3"] = site.pages.pop("/p3")
    report = await synced.run()
    assert (report.counts["moved"], report.counts["deleted"]) == (1, 0)
    assert await synced.id("/new3") == before


async def test_a_listed_page_that_answers_404_is_absent_and_its_document_goes(
    site: FakeSite, synced: SyncedSite
) -> None:
    """The sitemap is stale; the page says so itself."""
    _fill(site)
    await synced.run()
    site.misbehave(answers(410), "/p3")
    synced.always_recheck()
    report = await synced.run()
    assert (report.exit_code, report.counts["absent"], report.counts["deleted"]) == (0, 1, 1)
    assert "410" in (await synced.lines(report, "absent"))["/p3"]
    assert "/p3" not in await synced.documents()
    again = await synced.run()
    assert (again.counts["absent"], again.counts["gone"]) == (1, 0)
    site.behave()
    assert (await synced.run()).counts["created"] == 1


async def test_a_page_that_never_was_there_is_absent(site: FakeSite, synced: SyncedSite) -> None:
    """It is no failure of ours."""
    _fill(site, 1)
    site.put_file(
        "/sitemap.xml",
        urlset(f"<url><loc>{site.url}/p0</loc></url><url><loc>{site.url}/dead</loc></url>"),
    )
    report = await synced.run()
    assert (report.exit_code, report.counts["absent"], report.counts["created"]) == (0, 1, 1)


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (answers(500), "answered 500"),
        (answers(404), "answered 404"),
        (cut_off(b"<urlset>"), "cut"),
        (answers(200, f"{DOCTYPE}<urlset></urlset>"), "document type"),
        (answers(200, "<urlset><url></urlset>"), "not well-formed"),
        (answers(200, "<urlset><url><loc>"), "cut off"),
        (answers(200, "<html><body>Sorry</body></html>"), "web page"),
        (answers(200, ""), "empty"),
    ],
    ids=["500", "404", "cut", "doctype", "malformed", "truncated", "page", "empty"],
)
async def test_a_sitemap_index_half_of_which_fails_deletes_nothing(
    site: FakeSite, synced: SyncedSite, trouble: Misbehaviour, told: str
) -> None:
    """The good half is synced, the report says which one failed, and the exit code is 3."""
    _fill(site, 6)
    _write_index(site, {"/a.xml": ["/p0", "/p1", "/p2"], "/b.xml": ["/p3", "/p4", "/p5"]})
    assert (await synced.run()).counts["created"] == 6
    for path in ("/p1", "/p4"):
        del site.pages[path]
    site.put("/new", "Of windmills.")
    _write_index(site, {"/a.xml": ["/p0", "/p2", "/new"], "/b.xml": ["/p3", "/p5"]})
    site.misbehave(trouble, "/b.xml")
    report = await synced.run()
    assert report.exit_code == 3, report.as_json()
    assert report.counts["gone"] == 0
    assert report.counts["created"] == 1
    (warning,) = [each for each in report.warnings if "could not be read completely" in each]
    assert "/b.xml" in warning
    assert told in warning
    assert await synced.documents() == {f"/p{number}" for number in range(6)} | {"/new"}
    site.behave()
    healed = await synced.run()
    assert (healed.exit_code, healed.counts["deleted"]) == (0, 2)


def _write_index(site: FakeSite, children: dict[str, list[str]]) -> None:
    lines = "".join(f"<sitemap><loc>{site.url}{child}</loc></sitemap>" for child in children)
    site.put_file("/sitemap.xml", f"<sitemapindex>{lines}</sitemapindex>")
    for child, paths in children.items():
        site.put_file(child, urlset("".join(_listed(site, path) for path in paths)))


def _listed(site: FakeSite, path: str) -> str:
    return f"<url><loc>{site.url}{path}</loc><lastmod>2026-01-01</lastmod></url>"


async def test_an_emptied_sitemap_deletes_nothing_that_still_answers(
    site: FakeSite, synced: SyncedSite
) -> None:
    """All pages are asked for; all are there."""
    _fill(site, 5)
    await synced.run()
    site.put_file("/sitemap.xml", urlset(""))
    report = await synced.run()
    assert (report.exit_code, report.counts["gone"], report.counts["unchanged"]) == (0, 0, 5)
    assert len(await synced.documents()) == 5


async def test_a_site_that_answers_404_to_everything_is_held(
    site: FakeSite, synced: SyncedSite
) -> None:
    """A person decides. What is rejected stays, also in later runs; what is approved goes."""
    _fill(site, 5)
    await synced.run()
    site.pages.clear()
    report = await synced.run()
    assert (report.exit_code, report.counts["held"], report.counts["deleted"]) == (4, 5, 0)
    assert len(await synced.documents()) == 5
    assert (await synced.run()).exit_code == 4
    workspace = synced.syncs.row.workspace_id
    await reject(synced.db, workspace, [await synced.id("/p0")])
    await approve(synced.db, workspace, [synced.syncs.row.name])
    assert await synced.documents() == {"/p0"}
    later = await synced.run()
    assert (later.exit_code, later.counts["gone"]) == (0, 0)
    assert await synced.documents() == {"/p0"}


async def test_held_pages_that_come_back_are_held_no_longer(
    site: FakeSite, synced: SyncedSite
) -> None:
    """The outage is over before anyone decided."""
    _fill(site, 5)
    await synced.run()
    pages = dict(site.pages)
    site.pages.clear()
    await synced.run()
    site.pages.update(pages)
    report = await synced.run()
    assert (report.exit_code, report.counts["unchanged"]) == (0, 5)
    assert await synced.documents() == set(pages)


async def test_a_connection_that_keeps_deleted_pages_keeps_them(
    site: FakeSite, synced: SyncedSite
) -> None:
    """`keep_deleted` never deletes, and says what it kept."""
    _fill(site)
    await synced.run()
    synced.settings(keep_deleted=True)
    del site.pages["/p3"]
    report = await synced.run()
    assert (report.exit_code, report.counts["gone"], report.counts["kept_deleted"]) == (0, 0, 1)
    assert "/p3" in await synced.documents()
    await synced.run()
    assert "/p3" in await synced.documents()


async def test_pages_that_an_option_leaves_out_go_through_the_guard(
    site: FakeSite, synced: SyncedSite, open_site: OpenSite
) -> None:
    """Few go at once; many are held."""
    _fill(site)
    await synced.run()
    options = dict(synced.syncs.row.options)
    synced.settings(options={**options, "exclude": ["/p3"]})
    report = await synced.run()
    assert (report.exit_code, report.counts["filtered"], report.counts["deleted"]) == (0, 1, 1)
    assert await synced.lines(report, "filtered") == {"/p3": "the exclude pattern /p3 matches it"}
    synced.settings(options={**options, "include": ["/p1"]})
    report = await synced.run()
    assert (report.exit_code, report.counts["held"]) == (4, 8)
    assert len(await synced.documents()) == 9
