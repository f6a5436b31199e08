"""What sites do wrong: the entry fails alone, or the run fails clearly; nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from syncline.core.model import RunState
from syncline.sync.report import Report
from syncline.testing.clock import FakeClock
from syncline.testing.fake_server import (
    Misbehaviour,
    answers,
    cut_off,
    drips,
    gzip_bomb,
    never_ends,
    rate_limits,
    redirects,
    sends_raw,
)
from syncline.testing.fake_site import FakeSite
from tests.acceptance.website.synced_site import OpenSite, SyncedSite, page


def _fill(site: FakeSite, pages: int = 5, *, lastmod: str | None = "2026-01-01") -> None:
    for number in range(pages):
        site.put(f"/p{number}", f"Of lantern number {number}.", lastmod=lastmod)


def _error(report: Report) -> str:
    assert report.error is not None
    assert report.error["hint"], "an error must say what to do"
    return str(report.error["message"])


# --- pages that ask to be left alone ------------------------------------------------------------


@pytest.mark.parametrize(
    "hidden",
    [
        page("Of lantern number 1.", robots="noindex, follow"),
        page("Of lantern number 1.", headers={"X-Robots-Tag": "noindex"}),
        page("Of lantern number 1.", headers={"X-Robots-Tag": "syncline: none"}),
    ],
    ids=["meta", "header", "header for us"],
)
async def test_a_page_that_asks_not_to_be_indexed_is_filtered(
    site: FakeSite, synced: SyncedSite, hidden: object
) -> None:
    """The document that was there goes."""
    _fill(site, lastmod=None)
    await synced.run()
    site.pages["/p1"] = hidden  # type: ignore[assignment]  # a FakePage
    report = await synced.run()
    assert (report.exit_code, report.counts["filtered"], report.counts["deleted"]) == (0, 1, 1)
    assert "noindex" in (await synced.lines(report, "filtered"))["/p1"]
    assert await synced.documents() == {"/p0", "/p2", "/p3", "/p4"}
    report = await synced.run()
    assert (report.counts["filtered"], report.counts["gone"]) == (1, 0)


async def test_a_header_for_other_robots_means_nothing_to_us(
    site: FakeSite, synced: SyncedSite
) -> None:
    """`googlebot: noindex` is theirs."""
    site.pages["/a"] = page("Of harbours.", headers={"X-Robots-Tag": "googlebot: noindex"})
    assert (await synced.run()).counts["created"] == 1


async def test_a_site_that_suddenly_asks_not_to_be_indexed_is_held(
    site: FakeSite, synced: SyncedSite
) -> None:
    """A staging setting that slipped out does not empty the knowledge base."""
    _fill(site, lastmod=None)
    await synced.run()
    for number in range(5):
        site.pages[f"/p{number}"] = page(f"Of lantern number {number}.", robots="noindex")
    report = await synced.run()
    assert (report.exit_code, report.counts["filtered"], report.counts["held"]) == (4, 5, 5)
    assert len(await synced.documents()) == 5


async def test_what_robots_txt_forbids_is_filtered_and_not_asked_for(
    site: FakeSite, synced: SyncedSite
) -> None:
    """The document that was there goes."""
    _fill(site)
    await synced.run()
    site.put_robots("User-agent: *\nDisallow: /p3\n")
    synced.always_recheck()
    report = await synced.run()
    assert (report.exit_code, report.counts["filtered"], report.counts["deleted"]) == (0, 1, 1)
    assert await synced.lines(report, "filtered") == {"/p3": "robots.txt forbids it"}
    assert "/p3" not in synced.asked()


async def test_a_robots_txt_that_forbids_everything_is_held(
    site: FakeSite, synced: SyncedSite
) -> None:
    """Nothing is lost until a person agrees."""
    _fill(site)
    await synced.run()
    site.put_robots("User-agent: *\nDisallow: /\n")
    report = await synced.run()
    assert (report.exit_code, report.counts["held"]) == (4, 5)
    assert len(await synced.documents()) == 5


# --- the site as a whole ------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", [answers(503), cut_off(), sends_raw(b"SSH-2.0-x\r\n")])
async def test_without_robots_txt_nothing_is_read(
    site: FakeSite, synced: SyncedSite, trouble: Misbehaviour
) -> None:
    """The run fails and says why; nothing is lost; the next one is fine."""
    _fill(site)
    await synced.run()
    site.misbehave(trouble, "/robots.txt")
    del site.pages["/p1"]
    report = await synced.run()
    assert (report.state, report.exit_code) == (RunState.FAILED, 1)
    assert "robots.txt cannot be read" in _error(report)
    assert not synced.asked()
    assert len(await synced.documents()) == 5
    site.behave()
    assert (await synced.run()).counts["deleted"] == 1


@pytest.mark.parametrize("trouble", [answers(500), answers(403), cut_off(), rate_limits("7200")])
async def test_a_site_that_refuses_everything_fails_the_run(
    site: FakeSite, synced: SyncedSite, trouble: Misbehaviour
) -> None:
    """Nothing is deleted, and no entry is blamed for it."""
    _fill(site)
    await synced.run()
    site.misbehave(trouble)
    for _ in range(4):
        report = await synced.run()
        assert report.exit_code == 1
        assert _error(report)
    site.behave()
    report = await synced.run()
    assert (report.exit_code, report.counts["unchanged"], report.counts["gone"]) == (0, 5, 0)


async def test_a_site_that_is_down_fails_the_run(open_site: OpenSite, site: FakeSite) -> None:
    """Nobody listens there: the error says what to check."""
    async with FakeSite() as other:
        gone = other.url
    async with open_site(f"{gone}/") as synced:
        report = await synced.run()
        assert report.exit_code == 1
        assert "no connection" in _error(report)
        assert report.counts["listed"] == 0


async def test_a_site_without_a_sitemap_gets_a_clear_answer(
    site: FakeSite, synced: SyncedSite
) -> None:
    """It says where it looked, and what to give instead."""
    site.has_sitemap = False
    site.put("/", "Welcome.")
    report = await synced.run()
    assert report.exit_code == 1
    assert "has no sitemap" in _error(report)
    assert "/sitemap.xml" in _error(report)
    assert report.error is not None
    assert "sitemap" in report.error["hint"]


async def test_a_sitemap_that_goes_away_deletes_nothing(site: FakeSite, synced: SyncedSite) -> None:
    """Without a listing, nothing is absent from it."""
    _fill(site)
    await synced.run()
    site.has_sitemap = False
    site.pages.clear()
    assert (await synced.run()).exit_code == 1
    assert len(await synced.documents()) == 5


# --- single pages -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (lambda: answers(500), "answered 500"),
        (lambda: answers(403), "answered 403"),
        (lambda: answers(401), "answered 401"),
        (lambda: answers(418), "answered 418"),
        (lambda: answers(200, b"\x89PNG", content_type="image/png"), "cannot be read"),
        (lambda: gzip_bomb(8), "decompresses to more"),
        (never_ends, "larger than"),
        (lambda: cut_off(b"<html>"), "cut"),
        (lambda: redirects("/bad"), "circle"),
        (lambda: redirects(""), "without saying where"),
        (lambda: answers(200, b"x" * 6_400_000), "larger than 6 MB"),
        (lambda: answers(200, "<title>Page not found</title><p>Sorry."), "soft 404"),
    ],
    ids=[
        "500", "403", "401", "418", "image", "bomb", "endless", "cut", "loop", "nowhere",
        "large", "soft 404",
    ],
)  # fmt: skip
async def test_a_bad_page_fails_alone(
    site: FakeSite, open_site: OpenSite, trouble: Callable[[], Misbehaviour], told: str
) -> None:
    """The others are synced; the report says what is wrong with it; the exit code is 3. What
    was there of it before is still found."""
    _fill(site, lastmod=None)
    site.put("/bad", "Of a good time.")
    async with open_site(max_page_mb=6) as synced:
        await synced.run()
        site.misbehave(trouble(), "/bad")
        site.put("/new", "Of windmills.")
        report = await synced.run()
        assert report.exit_code == 3, report.as_json()
        assert (report.counts["failed"], report.counts["created"]) == (1, 1)
        assert report.counts["unchanged"] == 5
        reason = (await synced.lines(report, "failed"))["/bad"]
        assert told in reason
        assert "/bad" in await synced.documents()
        assert "good time" in await synced.text("/bad")
        site.behave()
        assert (await synced.run()).exit_code == 0


async def test_a_page_that_only_drips_fails_alone(site: FakeSite, open_site: OpenSite) -> None:
    """It is given up after a while; the clock here is the test's."""
    clock = FakeClock()

    async def pause() -> None:
        clock.advance(1)
        await asyncio.sleep(0)

    _fill(site)
    async with open_site(session={"clock": clock, "sleep": clock.sleep}) as synced:
        await synced.run()
        site.put("/slow", "Of patience.")
        site.misbehave(drips(pause), "/slow")
        report = await synced.run()
        assert (report.exit_code, report.counts["failed"], report.counts["unchanged"]) == (3, 1, 5)
        assert "too slowly" in (await synced.lines(report, "failed"))["/slow"]


async def test_a_site_that_answers_everything_loses_no_page_to_it(
    site: FakeSite, synced: SyncedSite
) -> None:
    """A removed page is answered with 200 and the site's usual excuse: it stays as it was."""
    _fill(site, lastmod=None)
    excuse = "<html><title>Our handbook</title><body>Try the search instead.</body></html>"
    site.soft_404 = excuse
    await synced.run()
    site.misbehave(answers(200, excuse), "/p1")
    report = await synced.run()
    assert (report.exit_code, report.counts["failed"], report.counts["gone"]) == (3, 1, 0)
    assert "lantern" in await synced.text("/p1")


@pytest.mark.parametrize("lastmod", ["2026-01-01", None])
async def test_a_page_that_always_fails_becomes_a_dead_letter(
    site: FakeSite, synced: SyncedSite, lastmod: str | None
) -> None:
    """Three runs end with exit code 3, the later ones with 0; it stays visible, and its last
    good version is found. When the page changes, it is read again."""
    _fill(site, lastmod=lastmod)
    await synced.run()
    synced.always_recheck()
    site.misbehave(answers(500), "/p1")
    for _ in range(3):
        report = await synced.run()
        assert (report.exit_code, report.counts["failed"]) == (3, 1), report.as_json()
    for _ in range(2):
        report = await synced.run()
        assert (report.exit_code, report.counts["failed"], report.counts["dead"]) == (0, 1, 1)
        assert "500" in (await synced.lines(report, "failed"))["/p1"]
    assert (await synced.why("/p1")).standing == "dead letter"
    assert "/p1" in await synced.documents()
    site.behave()
    site.put("/p1", "Mended.", lastmod=lastmod and "2026-02-01")
    report = await synced.run()
    assert (report.exit_code, report.counts["updated"], report.counts["failed"]) == (0, 1, 0)
    assert (await synced.why("/p1")).standing == "stored"


async def test_a_page_that_fails_once_is_read_by_the_next_run(
    site: FakeSite, synced: SyncedSite
) -> None:
    """Although its date has not moved and is still believed."""
    _fill(site)
    site.misbehave(answers(500), "/p1", times=4)
    report = await synced.run()
    assert (report.exit_code, report.counts["failed"], report.counts["created"]) == (3, 1, 4)
    report = await synced.run()
    assert (report.exit_code, report.counts["created"], report.counts["unchanged"]) == (0, 1, 4)


async def test_a_host_that_asks_for_a_rest_gets_it(site: FakeSite, synced: SyncedSite) -> None:
    """429 with Retry-After: the run waits that long, and everything is read."""
    _fill(site)
    site.misbehave(rate_limits("7"), "/p1", times=2)
    report = await synced.run()
    assert (report.exit_code, report.counts["created"]) == (0, 5)
    assert max(synced.slept) >= 7


async def test_a_page_that_asks_for_too_long_a_rest_is_left_to_the_next_run(
    site: FakeSite, synced: SyncedSite
) -> None:
    """No run waits for an hour; the entry says when to come back."""
    _fill(site)
    site.misbehave(rate_limits("3000"), "/p1")
    report = await synced.run()
    assert (report.exit_code, report.counts["failed"], report.counts["created"]) == (3, 1, 4)
    assert "3000 s" in (await synced.lines(report, "failed"))["/p1"]
    site.behave()
    assert (await synced.run()).counts["created"] == 1
