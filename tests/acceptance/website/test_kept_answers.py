"""robots.txt and sitemaps that a site lets us keep, across runs, processes and machines."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from syncline.settings import Settings
from syncline.store.database import Connection
from syncline.sync.maintenance import hosts
from syncline.testing.fake_site import FakeSite
from tests.acceptance.website.conftest import site_opener
from tests.acceptance.website.synced_site import OpenSite, SyncedSite
from tests.support.queue import shift_clock

_LISTED = ("/robots.txt", "/sitemap.xml")


def _fill(site: FakeSite, *, headers: dict[str, str]) -> None:
    for number in range(3):
        site.put(f"/p{number}", f"Of lantern number {number}.", lastmod="2026-01-01")
    site.put_robots(f"User-agent: *\nSitemap: {site.url}/sitemap.xml\n")
    site.file_headers = {path: dict(headers) for path in _LISTED}


def _statuses(site: FakeSite) -> dict[str, list[bool]]:
    """For each of the two files: whether each request for it was conditional."""
    return {
        path: ["if-none-match" in seen.headers for seen in site.requests if seen.path == path]
        for path in _LISTED
    }


async def test_what_has_validators_is_asked_for_with_them(
    site: FakeSite, open_site: OpenSite
) -> None:
    """By the next run in another process, and counted as a hit; a change is seen at once."""
    _fill(site, headers={"ETag": '"1"'})
    async with open_site() as synced:
        assert "cache_hits" not in (await synced.run()).counts
    async with open_site() as synced:  # with nothing in memory
        report = await synced.run()
        assert report.counts["cache_hits"] == 3
        assert report.counts["requests"] == len(site.requests)
        assert 'cache_hits_total{cache="responses",kind="website"} 3.0' in synced.scraped(report)
        assert _statuses(site) == {"/robots.txt": [True], "/sitemap.xml": [True, True]}
        site.put("/new", "Of windmills.")
        site.file_headers["/sitemap.xml"]["ETag"] = '"2"'
        report = await synced.run()
        assert report.counts["created"] == 1


async def test_what_holds_for_a_while_is_not_asked_for(site: FakeSite, synced: SyncedSite) -> None:
    """But the sitemap once a run, for that tells whether the site is there."""
    _fill(site, headers={"ETag": '"1"', "Cache-Control": "max-age=3600"})
    await synced.run()
    await synced.run()
    assert _statuses(site) == {"/robots.txt": [], "/sitemap.xml": [True]}


@pytest.mark.parametrize("value", ["no-store", "private"])
async def test_what_is_not_to_be_kept_is_not(
    site: FakeSite, synced: SyncedSite, value: str
) -> None:
    """Whatever else the headers say; nothing of it is in the database."""
    _fill(site, headers={"ETag": '"1"', "Cache-Control": f"max-age=3600, {value}"})
    await synced.run()
    await synced.run()
    assert _statuses(site) == {"/robots.txt": [False], "/sitemap.xml": [False, False]}
    assert await _rows(synced) == 0


async def test_answers_are_forgotten_when_their_time_is_over(
    site: FakeSite, synced: SyncedSite
) -> None:
    """By upkeep, in this workspace."""
    _fill(site, headers={"ETag": '"1"'})
    await synced.run()
    row = synced.syncs.row
    assert await _rows(synced) == 2
    assert await hosts.run_once(synced.db, row.workspace_id) == 0
    await shift_clock(synced.db, 8 * 86_400)
    await hosts.run_once(synced.db, row.workspace_id)
    await shift_clock(synced.db, 0)
    assert await _rows(synced) == 0


async def _rows(synced: SyncedSite) -> int:
    found = await synced.db.execute(
        "SELECT count(*) FROM response_cache WHERE workspace_id = %s",
        (synced.syncs.row.workspace_id,),
    )
    row = await found.fetchone()
    assert row is not None
    return int(row[0])


# --- Redis ---------------------------------------------------------------------------------------


@pytest.fixture
async def redis_url(tmp_path: Path) -> AsyncIterator[str]:
    """A Redis of the test's own."""
    program = shutil.which("redis-server")
    assert program is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = await asyncio.create_subprocess_exec(
        program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert server.stdout is not None
    try:
        async with asyncio.timeout(20):
            while b"Ready to accept connections" not in await server.stdout.readline():
                pass
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        if server.returncode is None:
            server.terminate()
        await server.communicate()


@pytest.mark.server("redis-server")
async def test_redis_keeps_them_where_it_is_configured(
    site: FakeSite, server_settings: Settings, workspace_name: str, redis_url: str
) -> None:
    """And the table nothing; other workspaces find nothing of it there."""
    _fill(site, headers={"ETag": '"1"'})
    settings = server_settings.model_copy(update={"redis_url": SecretStr(redis_url)})
    open_it = site_opener(settings, workspace_name, site)
    async with open_it() as synced:
        await synced.run()
        assert await _rows(synced) == 0
    async with open_it() as synced:
        assert (await synced.run()).counts["cache_hits"] == 3
    async with open_it(workspace=f"{workspace_name}-other") as synced:
        assert "cache_hits" not in (await synced.run()).counts


async def test_without_redis_there_is_a_note_and_nothing_else(
    site: FakeSite, server_settings: Settings, workspace_name: str, db: Connection
) -> None:
    """A cache that is down costs no run; its password is not told."""
    _fill(site, headers={"ETag": '"1"'})
    url = SecretStr("redis://:secret@127.0.0.1:1/0")
    open_it = site_opener(
        server_settings.model_copy(update={"redis_url": url}), workspace_name, site
    )
    async with open_it() as synced:
        report = await synced.run()
    assert report.exit_code == 0
    (warning,) = report.warnings
    assert "Redis is of no use" in warning
    assert "secret" not in warning
