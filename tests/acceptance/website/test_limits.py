"""Quotas, rests and breakers, as whoever syncs a site meets them."""

from __future__ import annotations

import asyncio

import pytest

from syncline.core.jobs import ClaimedJob, Done, Snooze
from syncline.core.model import RunState
from syncline.settings import Settings
from syncline.store.breakers import close_breakers, note_failures, open_breakers
from syncline.store.connections import list_connections
from syncline.store.database import Connection
from syncline.store.events import list_events
from syncline.store.workspaces import find_workspace
from syncline.sync.sync_job import SYNC, sync_handler
from syncline.testing.fake_server import answers, rate_limits
from syncline.testing.fake_site import FakeSite
from tests.acceptance.website.synced_site import OpenSite, SyncedSite
from tests.support.commands import Commands


def _fill(site: FakeSite, pages: int) -> list[str]:
    paths = [f"/p{number:02}" for number in range(pages)]
    for number, path in enumerate(paths):
        site.put(path, f"Of lantern number {number}.")
    return paths


async def test_a_connections_own_quota_is_kept(site: FakeSite, open_site: OpenSite) -> None:
    """The run waits when its minute is used up, and the next run still knows."""
    _fill(site, 30)
    async with open_site(requests_per_minute=20) as synced:
        report = await synced.run()
        assert (report.exit_code, report.counts["created"]) == (0, 30)
        assert sum(seconds > 55 for seconds in synced.slept) >= site.count() - 20
        synced.slept.clear()
        await synced.run()
        assert max(synced.slept) > 55


async def test_a_quota_that_is_used_up_ends_the_run_until_there_is_more(
    site: FakeSite, open_site: OpenSite
) -> None:
    """No entry fails for it; what was read is stored; the job comes back when it was told."""
    _fill(site, 30)
    async with open_site(requests_per_day=20) as synced:
        report = await synced.run()
        assert (report.state, report.exit_code) == (RunState.FAILED, 1)
        assert report.counts["failed"] == 0
        read = report.counts["created"]
        assert read == synced.asked().total() > 10
        assert report.error is not None
        assert report.error["code"] == "rate_limited"
        assert 86_000 < float(str(report.error["retry_after"])) < 87_000
        assert site.count() == 20
        assert len(await synced.documents()) == read


async def test_a_site_that_wants_a_long_rest_gets_it(site: FakeSite, synced: SyncedSite) -> None:
    """Once that is clear nothing more is asked, by this run or the next; no page is blamed."""
    paths = _fill(site, 20)
    for path in paths[1:]:
        site.misbehave(rate_limits("3000"), path)
    report = await synced.run()
    assert (report.state, report.counts["failed"]) == (RunState.FAILED, 0)
    assert (report.counts["listed"], report.counts["created"]) == (1, 1)
    assert report.error is not None
    assert "127.0.0.1 is not asked until" in str(report.error["message"])
    assert len(synced.asked()) <= 12
    report = await synced.run()
    assert report.error is not None
    assert report.error["code"] == "rate_limited"
    assert site.count() == 0


async def test_the_job_comes_back_when_it_was_told(site: FakeSite, synced: SyncedSite) -> None:
    """A little later, not sooner; and not as an attempt that failed."""
    row = synced.syncs.row
    job = ClaimedJob(1, row.workspace_id, row.id, SYNC, {}, 1, attempts=1, epoch=1, owner="us")
    handle = sync_handler(synced.syncs.tools, lambda report: None)
    for path in _fill(site, 10):
        site.misbehave(rate_limits("3000"), path)
    outcome = await handle(job, asyncio.Event())
    assert isinstance(outcome, Snooze)
    assert 2990 < outcome.seconds <= 3300
    assert outcome.reason["code"] == "rate_limited"
    site.behave()
    await synced.db.execute("DELETE FROM quotas")
    assert await handle(job, asyncio.Event()) == Done()


async def test_a_site_that_breaks_down_is_left_alone(site: FakeSite, open_site: OpenSite) -> None:
    """After five failures in a row the run ends; the next asks nothing, until a person, or the
    time, lets it. Only pages that were asked for have failed."""
    paths = _fill(site, 30)
    for path in paths[3:]:
        site.misbehave(answers(502), path)
    async with open_site(concurrency=1) as synced:
        row = synced.syncs.row
        report = await synced.run()
        assert report.state is RunState.FAILED
        assert report.error is not None
        assert report.error["code"] == "breaker_open"
        assert 290 < float(str(report.error["retry_after"])) <= 300
        # Some may be under way when the fifth has failed.
        assert report.counts["created"] == 3
        failed = report.counts["failed"]
        assert 5 <= failed == len(await synced.lines(report, "failed")) < 15
        site.behave()
        report = await synced.run()
        assert report.error is not None
        assert "502" in str(report.error["message"])
        assert site.count() == 0
        (breaker,) = (await open_breakers(synced.db, row.workspace_id))[row.id]
        assert (breaker.host, breaker.failures >= 5) == ("127.0.0.1", True)
        told = await list_events(synced.db, row.workspace_id, kinds=["breaker_open"])
        (event,) = told  # once, though two runs have met it
        assert (event.connection_id, event.payload["host"]) == (row.id, "127.0.0.1")
        assert "502" in str(event.payload["error"])
        await close_breakers(synced.db, row.workspace_id, row.id)
        (event,) = await list_events(synced.db, row.workspace_id, kinds=["recovered"])
        assert event.payload["kind"] == "breaker_open"
        report = await synced.run()
        assert (report.exit_code, report.counts["created"]) == (0, 27)


async def test_a_site_that_stays_down_is_asked_less(site: FakeSite, synced: SyncedSite) -> None:
    """Runs that fail at their first request count as well; then one tries, and all is well."""
    _fill(site, 3)
    site.misbehave(answers(500))
    for _ in range(5):
        report = await synced.run()
        assert report.error is not None
        assert report.error["code"] == "transient"
    report = await synced.run()
    assert report.error is not None
    assert report.error["code"] == "breaker_open"
    assert site.count() == 0
    site.behave()
    await synced.db.execute("UPDATE breakers SET open_until = moment() - interval '1 s'")
    assert (await synced.run()).exit_code == 0
    assert await open_breakers(synced.db, synced.syncs.row.workspace_id) == {}


@pytest.mark.parametrize("page", ["/p00", "/p09"])
async def test_what_fails_in_an_unforeseen_way_fails_alone(
    site: FakeSite, synced: SyncedSite, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault in the connector's own code is the entry's trouble, and tried again by later runs."""

    def directives(headers: dict[str, str], agent: str) -> tuple[str, ...]:
        if headers.get("x-strange"):
            raise KeyError("oddity")
        return ()

    _fill(site, 10)
    monkeypatch.setattr("syncline.connectors.website.connector.directives", directives)
    site.misbehave(answers(200, "<p>Odd.", headers={"X-Strange": "1"}), page)
    report = await synced.run()
    assert (report.exit_code, report.counts["failed"], report.counts["created"]) == (3, 1, 9)
    assert "unforeseen way (KeyError" in (await synced.lines(report, "failed"))[page]
    assert 'sync_errors_total{code="entry",kind="website"} 1.0' in synced.scraped(report)
    site.behave()
    assert (await synced.run()).exit_code == 0


async def test_what_is_not_asked_is_shown(
    server_settings: Settings, workspace_name: str, db: Connection
) -> None:
    """By `status` and `connections`, with the time and the reason; `resume` asks at once."""
    commands = Commands(server_settings, workspace_name)
    async with FakeSite() as gone:
        url = gone.url
    assert commands.run("sync", url, "--name", "site").status == 1
    row = (await list_connections(db, await find_workspace(db, workspace_name)))[0]
    await note_failures(db, row.workspace_id, row.id, "127.0.0.1", 4, "no connection")
    told = commands.run("sync", "site")
    assert told.status == 1
    assert "127.0.0.1 is not asked until" in told.errors
    for command in ("status", "connections"):
        assert "site: 127.0.0.1 is not asked until" in commands.ok(command)
        (connection,) = commands.json(command)["connections"]
        (breaker,) = connection["breakers"]
        assert (breaker["host"], breaker["failures"]) == ("127.0.0.1", 5)
    commands.ok("connections", "resume", "site")
    assert commands.json("status")["connections"][0]["breakers"] == []
