"""Web sites with a sitemap, through the conformance suite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from syncline.connectors.website.spec import SPEC
from syncline.core.ports import Context
from syncline.testing.clock import FakeClock
from syncline.testing.connector_suite import ConnectorSuite, SourceWorld
from syncline.testing.fake_server import answers
from syncline.testing.fake_site import FakeSite
from syncline.transport.http import HttpSession


class WebsiteWorld(SourceWorld):
    """A site with one page an entry, some of them deeper down, and one that robots may not read."""

    def __init__(self, site: FakeSite, http: HttpSession, clock: FakeClock) -> None:
        assert SPEC.from_source is not None
        super().__init__(SPEC, SPEC.options.model_validate(SPEC.from_source(site.url)))
        self.site = site
        self._http = http
        self._clock = clock
        site.put_robots("User-agent: *\nDisallow: /private/\n")
        site.put("/private/plan", "Nobody's business.")
        site.put("/not-listed", "On no sitemap.")
        site.pages["/not-listed"] = replace(site.pages["/not-listed"], listed=False)

    def context(self) -> Context:
        return Context(http=self._http, clock=self._clock)

    async def add(self, name: str, text: str) -> str:
        self.site.put(self._path(name), text, title=name)
        return self.site.url + self._path(name)

    async def edit(self, name: str, text: str) -> None:
        await self.add(name, text)

    async def remove(self, name: str) -> None:
        del self.site.pages[self._path(name)]

    async def expected_ids(self) -> set[str]:
        hidden = ("/private/", "/not-listed")
        return {self.site.url + each for each in self.site.pages if not each.startswith(hidden)}

    async def break_source(self) -> None:
        self.site.misbehave(answers(502, "bad gateway"))

    def _path(self, name: str) -> str:
        return ("/", "/deep/", "/deep/er/")[len(name) % 3] + name


class TestWebsite(ConnectorSuite):
    @pytest.fixture
    async def world(self) -> AsyncIterator[SourceWorld]:
        clock = FakeClock()
        async with (
            FakeSite() as site,
            HttpSession(allow_private_hosts=["127.0.0.1"], clock=clock, sleep=clock.sleep) as http,
        ):
            yield WebsiteWorld(site, http, clock)
