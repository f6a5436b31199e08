"""Web sites with a sitemap, through the conformance suite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import count
from typing import cast

import pytest
from msgspec.structs import replace

from syncline.connectors.website.spec import SPEC
from syncline.core.ports import Context
from syncline.testing.api_checks import API_CHECKS, ApiCheck
from syncline.testing.api_world import ApiWorld
from syncline.testing.clock import FakeClock
from syncline.testing.connector_suite import ConnectorSuite, SourceWorld
from syncline.testing.fake_api import FakeApi
from syncline.testing.fake_server import answers
from syncline.testing.fake_site import FakeSite
from syncline.transport.http import HttpSession

_TOKEN = "lantern-token-4711"


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


class DatedSiteWorld(ApiWorld):
    """A site for those who have a token, whose sitemap has dates. Nothing of it is hidden, so that
    no answer matters more than others."""

    budget = 3

    def __init__(self, site: FakeSite) -> None:
        assert SPEC.from_source is not None
        options = SPEC.options.model_validate(SPEC.from_source(site.url))
        secrets = SPEC.secrets.model_validate({"token": _TOKEN})
        super().__init__(SPEC, options, cast("FakeApi", site), secrets)
        site.accepts = {f"Bearer {_TOKEN}"}
        self.site = site
        self._edits = count(1)
        self.texts: dict[str, str] = {}

    async def add(self, name: str, text: str) -> str:
        stamp = self.site.clock.now() + timedelta(seconds=next(self._edits))
        self.site.put(f"/{name}", text, title=name, lastmod=stamp.isoformat())
        self.texts[f"{self.site.url}/{name}"] = text
        return f"{self.site.url}/{name}"

    async def edit(self, name: str, text: str) -> None:
        await self.add(name, text)

    async def rename(self, name: str) -> str:
        stamp = self.site.clock.now() + timedelta(seconds=next(self._edits))
        title, text = f"Renamed: {name}", self.texts[f"{self.site.url}/{name}"]
        self.site.put(f"/{name}", text, title=title, lastmod=stamp.isoformat())
        return title

    async def remove(self, name: str) -> None:
        del self.site.pages[f"/{name}"], self.texts[f"{self.site.url}/{name}"]

    async def expected_texts(self) -> dict[str, str]:
        return self.texts


_OF_APIS = {
    "strange_payloads_do_no_harm": "pages are no JSON",
    "pages_smaller_than_asked_are_not_the_end": "sitemaps are not asked for by pages",
    "pages_said_twice_hide_nothing": "sitemaps are not asked for by pages",
    "cursors_that_are_null_are_not_the_end": "sitemaps have no cursors",
    "old_cursors_lose_nothing": "sitemaps have no cursors",
    "access_changes_alone_are_noticed": "sites tell no access lists",
    "access_tokens_may_expire": "no site's token is renewed",
}


@pytest.mark.parametrize(
    "check",
    [each for each in API_CHECKS if each.__name__ not in _OF_APIS],
    ids=lambda check: check.__name__,
)
async def test_a_site_survives_as_apis_do(check: ApiCheck) -> None:
    """Faults, edits and kills between any two requests, quotas, credentials and logs."""
    async with FakeSite() as site:
        await check(DatedSiteWorld(site))


def test_a_site_is_spared_no_check_that_fits_it() -> None:
    """What is left out is known by name."""
    assert set(_OF_APIS) <= {each.__name__ for each in API_CHECKS}
