"""Syncs over a fake site, in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from syncline.settings import Settings
from syncline.testing.fake_site import FakeSite
from tests.acceptance.website.synced_site import (
    OpenSite,
    SiteSource,
    SyncedSite,
    impatient_transport,
)
from tests.support.syncs import open_syncs


@pytest.fixture
async def site() -> AsyncIterator[FakeSite]:
    """An empty site."""
    async with FakeSite() as site:
        yield site


@pytest.fixture
def open_site(server_settings: Settings, workspace_name: str, site: FakeSite) -> OpenSite:
    """See `site_opener`."""
    return site_opener(server_settings, workspace_name, site)


@pytest.fixture
async def synced(open_site: OpenSite) -> AsyncIterator[SyncedSite]:
    """A connection to the site, as its address alone makes it."""
    async with open_site() as synced:
        yield synced


def site_opener(settings: Settings, workspace_name: str, site: FakeSite) -> OpenSite:
    """`async with open_site(include=[…]) as synced` makes a connection to the site.

    `source` is its address, by default the site's own; `workspace` another workspace; `session`
    arguments of the `HttpSession`; all else options.
    """

    @asynccontextmanager
    async def open_it(
        source: str = "",
        *,
        workspace: str = workspace_name,
        session: dict[str, Any] | None = None,
        **options: Any,
    ) -> AsyncIterator[SyncedSite]:
        slept: list[float] = []
        async with (
            open_syncs(
                settings.model_copy(update={"workers": 1}),
                workspace,
                SiteSource(source or f"{site.url}/", options),
                "website",
                open_transport=impatient_transport(slept, **(session or {})),
            ) as syncs,
            syncs.tools.database.connection() as db,
        ):
            yield SyncedSite(site, syncs, db, slept)

    return open_it
