"""A site synced in other ways: planned, killed, in another order, with another pipeline."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from aiohttp import web

from syncline.connectors.registry import Registry
from syncline.core.failpoints import Failpoint
from syncline.core.model import Mode
from syncline.pipeline import fingerprint
from syncline.settings import Settings
from syncline.store.connections import ConnectionRow, list_connections
from syncline.store.database import Database
from syncline.sync import stage as data_path
from syncline.sync.plan import plan_connection
from syncline.sync.report import Report
from syncline.sync.run import RunRequest
from syncline.sync.sources import Wishes, connect_source
from syncline.testing.fake_server import answers, redirects
from syncline.testing.fake_site import FakeSite, urlset
from tests.acceptance.website.synced_site import OpenSite, SiteSource, SyncedSite, page
from tests.support.state import assert_consistent, state_of
from tests.support.syncs import Ended, sync_process, sync_process_result

PAGES = 60


def _first(site: FakeSite) -> None:
    """Plain pages, shared texts, canonical links (also to nowhere and in a circle), redirects,
    and pages that say they are not to be indexed."""
    for number in range(PAGES):
        site.put(f"/p{number:03}", f"Of lantern number {number // 2}.", lastmod="2026-01-01")
    for number in range(0, PAGES, 10):
        site.pages[f"/c{number:03}"] = page("A copy.", canonical=f"/p{number:03}")
        site.pages[f"/n{number:03}"] = page(f"Nothing {number}.", canonical="/never-listed")
        site.pages[f"/x{number:03}"] = page("Hidden.", robots="noindex")
    for path, target in {"/a": "/b", "/b": "/c", "/c": "/a"}.items():
        site.pages[path] = page("A circle.", canonical=target)
    site.put("/old", "")
    site.misbehave(redirects("/p001"), "/old")
    site.put("/gone", "")
    site.misbehave(answers(404), "/gone")


def _second(site: FakeSite) -> None:
    """Some pages change, some go, some move, an alias becomes a page."""
    for number in range(3, PAGES, 20):
        site.put(f"/p{number:03}", f"Edited, number {number}.", lastmod="2026-02-01")
        del site.pages[f"/p{number + 1:03}"]
        site.pages[f"/moved{number:03}"] = site.pages.pop(f"/p{number + 2:03}")
    site.put("/c010", "A page of its own.")
    site.put("/new", "Of windmills.")


async def _planned(synced: SyncedSite) -> Report:
    return await plan_connection(synced.syncs.tools, RunRequest(synced.syncs.row, Mode.PLAN))


async def test_a_plan_predicts_the_sync_and_leaves_nothing_behind(
    site: FakeSite, synced: SyncedSite, workspace_name: str
) -> None:
    """The first sync, and one after changes: the same counts, and the state as before."""
    _first(site)
    for later in (False, True):
        if later:
            _second(site)
        before = await state_of(synced.db, workspace_name)
        plan = await _planned(synced)
        assert plan.exit_code == 0, plan.as_json()
        assert plan.accounted_for
        assert await state_of(synced.db, workspace_name) == before
        done = await synced.run()
        assert done.exit_code == 0, done.as_json()
        told = {name: plan.counts[name] for name in done.counts if name in _PREDICTED}
        assert told == {name: done.counts[name] for name in told}
        await assert_consistent(synced.db, workspace_name)


_PREDICTED = {
    "listed", "created", "updated", "moved", "unchanged", "filtered", "alias", "absent",
    "repeated", "failed", "gone", "deleted", "held",
}  # fmt: skip


async def test_the_order_of_arrival_changes_nothing(
    site: FakeSite, open_site: OpenSite, workspace_name: str
) -> None:
    """Two syncs of the same site, its answers shuffled: the same documents and manifest."""
    _first(site)
    states = []
    for seed in (1, 2):
        workspace = f"{workspace_name}-{seed}"
        _shuffle(site, seed)
        async with open_site(workspace=workspace) as synced:
            assert (await synced.run()).exit_code == 0
            await assert_consistent(synced.db, workspace)
            states.append(await state_of(synced.db, workspace))
    for name, rows in states[0].items():
        assert states[1][name] == rows, f"{name} differ"


def _shuffle(site: FakeSite, seed: int) -> None:
    """Each answer lets some others go first."""
    chance = random.Random(seed)
    answer = FakeSite.answer

    async def delayed(request: web.BaseRequest) -> web.StreamResponse:
        for _ in range(chance.randrange(40)):
            await asyncio.sleep(0)
        return await answer(site, request)

    site.answer = delayed  # type: ignore[method-assign]


@pytest.mark.parametrize(
    "place",
    [
        Failpoint.LISTING_NOTED,
        Failpoint.BATCH_BEFORE_COMMIT,
        Failpoint.LISTING_ENDED,
        Failpoint.DELETIONS_BEFORE_COMMIT,
    ],
)
async def test_a_killed_sync_leaves_no_trace(
    site: FakeSite,
    open_site: OpenSite,
    server_settings: Settings,
    workspace_name: str,
    database: Database,
    tmp_path: Path,
    place: Failpoint,
) -> None:
    """Killed once in the first sync and once in the second, and synced again at once: the end
    is that of two undisturbed syncs."""
    _first(site)
    async with open_site(workspace=f"{workspace_name}-undisturbed") as synced:
        await synced.run()
        changed = dict(site.pages)
        _second(site)
        await synced.run()
        expected = await state_of(synced.db, f"{workspace_name}-undisturbed")
    later = dict(site.pages)
    for number, pages in enumerate((changed, later)):
        site.pages = dict(pages)
        mark = tmp_path / f"killed-{number}"
        await _sync(server_settings, workspace_name, site, f"{place}=kill-once:{mark}")
        assert mark.exists() or (place, number) == (Failpoint.DELETIONS_BEFORE_COMMIT, 0)
        ended = await _sync(server_settings, workspace_name, site)
        assert ended.status == 0, ended.errors
        assert ended.report is not None
        assert ended.report["exit_code"] == 0, ended.report
    async with database.connection() as db:
        await assert_consistent(db, workspace_name)
        found = await state_of(db, workspace_name)
    for name, rows in expected.items():
        assert found[name] == rows, f"{name} differ after kills at {place}"


async def _sync(settings: Settings, workspace: str, site: FakeSite, failpoints: str = "") -> Ended:
    process = sync_process(
        settings, workspace, SiteSource(f"{site.url}/"), "website", failpoints=failpoints
    )
    # The site answers from this very process, so it must not wait in the foreground.
    return await asyncio.to_thread(sync_process_result, process)


async def test_another_pipeline_reads_the_kept_originals(
    site: FakeSite, synced: SyncedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new extractor reads every page anew without asking the site for any."""
    for number in range(4):
        site.put(f"/p{number}", f"Of lantern number {number}.", lastmod="2026-01-01")
    await synced.run()
    real = fingerprint.pipeline_fingerprint
    monkeypatch.setattr(data_path, "pipeline_fingerprint", lambda *given: real(*given)[::-1])
    report = await synced.run()
    assert (report.exit_code, report.counts["read_from_originals"]) == (0, 4)
    assert report.counts["unchanged"] == 4
    assert not synced.asked()


async def test_an_edited_filter_reads_the_kept_originals(
    site: FakeSite, synced: SyncedSite
) -> None:
    """What no longer belongs goes, with its reason; nothing is asked of the site. What belongs
    again later comes back."""
    for number in range(8):
        site.put(f"/p{number}", f"Of lantern number {number}.", lastmod="2026-01-01")
    await synced.run()
    synced.settings(filter={"not_contains": ["number 3"]})
    report = await synced.run()
    assert (report.exit_code, report.counts["filtered"], report.counts["deleted"]) == (0, 1, 1)
    assert not synced.asked()
    assert "/p3" not in await synced.documents()
    synced.settings(filter={})
    report = await synced.run()
    assert report.counts["created"] == 1
    assert await synced.documents() == set(site.pages)


async def test_a_sitemaps_own_address_is_a_source(site: FakeSite, open_site: OpenSite) -> None:
    """Only what this sitemap lists is read."""
    site.put("/a", "Of harbours.")
    site.put("/b", "Of orchards.")
    site.put_file("/docs.xml", urlset(f"<url><loc>{site.url}/a</loc></url>"))
    async with open_site(f"{site.url}/docs.xml") as synced:
        report = await synced.run()
        assert (report.exit_code, report.counts["created"]) == (0, 1)
        assert await synced.documents() == {"/a"}


async def test_an_address_means_the_same_connection_however_it_is_written(
    site: FakeSite, synced: SyncedSite, workspace_name: str
) -> None:
    """With and without the slash at its end, and in capitals; its options stay."""
    registry = Registry.from_environment({})
    vault = synced.syncs.tools.vault
    made: list[ConnectionRow] = []
    workspace = f"{workspace_name}-typed"
    for text in (site.url, f"{site.url}/", site.url.replace("http", "HTTP")):
        wishes = Wishes(options={"exclude": ["/blog/"]} if not made else {})
        row, new = await connect_source(synced.db, workspace, registry, vault, text, wishes)
        assert new == (not made)
        made.append(row)
    assert len({row.id for row in made}) == 1
    assert made[-1].options["exclude"] == ["/blog/"]
    assert len(await list_connections(synced.db, made[0].workspace_id)) == 1
