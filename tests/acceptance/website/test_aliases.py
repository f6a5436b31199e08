"""One page under several addresses is one document: canonical links and redirects."""

from __future__ import annotations

import pytest

from syncline.embedders.hashing import HashingEmbedder
from syncline.sync.search import SearchRequest, search
from syncline.testing.fake_server import redirects
from syncline.testing.fake_site import FakeSite
from tests.acceptance.website.synced_site import SyncedSite, page


async def test_a_canonical_link_makes_one_document_of_two_addresses(
    site: FakeSite, synced: SyncedSite
) -> None:
    """The canonical one has it, the other is an alias with its reason; search shows one."""
    site.put("/print/guide", "")
    site.pages["/guide"] = page("The guide to glaciers.", canonical="/guide")
    site.pages["/print/guide"] = page("The guide to glaciers.", canonical=f"{site.url}/guide")
    report = await synced.run()
    assert (report.counts["created"], report.counts["alias"]) == (1, 1)
    assert await synced.documents() == {"/guide"}
    assert await synced.lines(report, "alias") == {"/print/guide": "the same document as /guide"}
    assert (await synced.why("/print/guide")).document == await synced.id("/guide")
    found = await search(
        synced.db,
        synced.syncs.row.workspace_id,
        SearchRequest("glaciers"),
        HashingEmbedder,
        HashingEmbedder().name,
    )
    assert [hit.url for hit in found.hits] == [f"{site.url}/guide"]


async def test_an_alias_stays_one_without_being_asked_again(
    site: FakeSite, synced: SyncedSite
) -> None:
    """Within recheck by its date; after it by reading it; the counts stay the same."""
    site.pages["/guide"] = page("Of glaciers.", lastmod="2026-01-01")
    site.pages["/print"] = page("Of glaciers.", canonical="/guide", lastmod="2026-01-01")
    await synced.run()
    report = await synced.run()
    assert (report.counts["unchanged"], report.counts["alias"]) == (1, 1)
    assert not synced.asked()
    synced.always_recheck()
    report = await synced.run()
    assert (report.counts["unchanged"], report.counts["alias"]) == (1, 1)
    assert await synced.documents() == {"/guide"}


async def test_a_page_that_becomes_an_alias_gives_its_document_up(
    site: FakeSite, synced: SyncedSite
) -> None:
    """Through the guard, with its reason; and it gets one again when the link goes."""
    for number in range(8):
        site.put(f"/p{number}", f"Of lantern number {number}.")
    await synced.run()
    own = site.pages["/p1"]
    site.pages["/p1"] = page("Of lantern number 1.", canonical="/p0")
    report = await synced.run()
    assert (report.exit_code, report.counts["alias"], report.counts["deleted"]) == (0, 1, 1)
    assert await synced.lines(report, "deleted") == {"/p1": "the same document as /p0"}
    assert "/p1" not in await synced.documents()
    site.pages["/p1"] = own
    assert (await synced.run()).counts["created"] == 1
    assert "/p1" in await synced.documents()


async def test_a_canonical_link_to_an_unlisted_page_is_not_followed(
    site: FakeSite, synced: SyncedSite
) -> None:
    """The page keeps a document of its own: nothing is lost. The next runs cost one request."""
    site.pages["/a"] = page("Of harbours.", canonical="/never-listed")
    report = await synced.run()
    assert report.counts["created"] == 1
    assert await synced.documents() == {"/a"}
    report = await synced.run()
    assert report.counts["unchanged_by_validators"] == 1
    assert synced.asked() == {"/a": 1}


async def test_canonical_links_in_a_chain_lead_to_its_end(
    site: FakeSite, synced: SyncedSite
) -> None:
    """`/c` says `/b`, which says `/a`: both are `/a`'s."""
    site.pages["/a"] = page("Of harbours.")
    site.pages["/b"] = page("Of harbours.", canonical="/a")
    site.pages["/c"] = page("Of harbours.", canonical="/b")
    report = await synced.run()
    assert await synced.documents() == {"/a"}
    assert await synced.lines(report, "alias") == {
        "/b": "the same document as /a",
        "/c": "the same document as /a",
    }


async def test_a_chain_that_leads_nowhere_ends_at_its_last_page(
    site: FakeSite, synced: SyncedSite
) -> None:
    """`/b` names a page that nothing lists, so it has a document; `/a` is an alias of it."""
    site.pages["/a"] = page("Of harbours.", canonical="/b")
    site.pages["/b"] = page("Of harbours too.", canonical="/never-listed")
    for _ in range(2):
        await synced.run()
        assert await synced.documents() == {"/b"}
    site.pages["/a"] = page("Of harbours, edited.", canonical="/b")
    await synced.run()
    assert await synced.documents() == {"/b"}


@pytest.mark.parametrize("edited", ["/a", "/b", "/c"])
async def test_canonical_links_in_a_circle_make_one_document(
    site: FakeSite, synced: SyncedSite, edited: str
) -> None:
    """The smallest address has it, whichever of the pages changes later."""
    links = {"/a": "/b", "/b": "/c", "/c": "/a"}
    for path, target in links.items():
        site.pages[path] = page("Of harbours.", canonical=target, lastmod="2026-01-01")
    report = await synced.run()
    assert (report.counts["created"], report.counts["alias"]) == (1, 2)
    assert await synced.documents() == {"/a"}
    site.pages[edited] = page("Edited.", canonical=links[edited], lastmod="2026-02-01")
    report = await synced.run()
    assert (report.exit_code, report.counts["gone"]) == (0, 0), report.as_json()
    assert await synced.documents() == {"/a"}
    assert (await synced.run()).counts["unchanged"] == 1


async def test_a_canonical_link_to_another_site_is_ignored(
    site: FakeSite, synced: SyncedSite
) -> None:
    """A page cannot make another site's document of itself."""
    site.pages["/a"] = page("Of harbours.", canonical="https://elsewhere.example/a")
    report = await synced.run()
    assert (report.counts["created"], report.counts["alias"]) == (1, 0)
    assert await synced.documents() == {"/a"}


async def test_a_redirect_to_a_listed_page_is_an_alias(site: FakeSite, synced: SyncedSite) -> None:
    """The target is read once for each address, and has one document."""
    site.put("/old", "")
    site.put("/new", "Of harbours.")
    site.misbehave(redirects("/new", 301), "/old")
    report = await synced.run()
    assert (report.counts["created"], report.counts["alias"]) == (1, 1)
    assert await synced.documents() == {"/new"}
    assert await synced.lines(report, "alias") == {"/old": "the same document as /new"}
    report = await synced.run()
    assert (report.counts["unchanged"], report.counts["alias"]) == (1, 1)


async def test_a_redirect_to_an_unlisted_page_has_its_own_document(
    site: FakeSite, synced: SyncedSite
) -> None:
    """Found under the listed address."""
    site.put("/old", "")
    site.pages["/new"] = page("Of harbours.", listed=False)
    site.misbehave(redirects("/new", 301), "/old")
    report = await synced.run()
    assert report.counts["created"] == 1
    assert await synced.documents() == {"/old"}
    assert "harbours" in await synced.text("/old")
    assert (await synced.run()).counts["unchanged"] == 1
    assert (await synced.run()).exit_code == 0


async def test_a_redirect_to_another_site_fails_alone(site: FakeSite, synced: SyncedSite) -> None:
    """The other site's pages are not this one's."""
    site.put("/a", "Of harbours.")
    site.put("/old", "")
    site.misbehave(redirects("http://127.0.0.1:9/x"), "/old")
    report = await synced.run()
    assert (report.exit_code, report.counts["created"], report.counts["failed"]) == (3, 1, 1)
    assert await synced.documents() == {"/a"}


async def test_the_alias_takes_over_when_its_target_goes(
    site: FakeSite, synced: SyncedSite
) -> None:
    """The canonical page is deleted: the copy gets the document, in the very same run."""
    for number in range(8):
        site.put(f"/p{number}", f"Of lantern number {number}.", lastmod="2026-01-01")
    site.pages["/guide"] = page("Of glaciers.", lastmod="2026-01-01")
    site.pages["/print"] = page("Of glaciers.", canonical="/guide", lastmod="2026-01-01")
    await synced.run()
    del site.pages["/guide"]
    report = await synced.run()
    assert report.exit_code == 0, report.as_json()
    assert "/guide" not in await synced.documents()
    assert report.accounted_for
    assert "/print" in await synced.documents()
    report = await synced.run()
    assert (report.exit_code, report.counts["gone"], report.counts["unchanged"]) == (0, 0, 9)


async def test_a_site_whose_every_page_names_one_address_is_held(
    site: FakeSite, synced: SyncedSite
) -> None:
    """A broken template makes aliases of all pages: nothing goes before a person says so, and
    nothing has gone when it is mended."""
    for number in range(6):
        site.put(f"/p{number}", f"Of lantern number {number}.")
    await synced.run()
    pages = dict(site.pages)
    for number in range(6):
        site.pages[f"/p{number}"] = page(f"Of lantern number {number}.", canonical="/p0")
    report = await synced.run()
    assert (report.exit_code, report.counts["alias"], report.counts["held"]) == (4, 5, 5)
    assert report.counts["deleted"] == 0
    assert await synced.documents() == set(pages)
    assert (await synced.run()).exit_code == 4
    site.pages.update(pages)
    report = await synced.run()
    assert (report.exit_code, report.counts["gone"]) == (0, 0)
    assert await synced.documents() == set(pages)
    assert (await synced.why("/p3")).standing == "stored"
