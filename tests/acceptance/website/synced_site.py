"""A fake site with a connection to it: what a test writes there, and what a user then has."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from msgspec.structs import replace

from syncline.connectors.website.spec import SPEC
from syncline.core.model import Json, Mode
from syncline.core.ports import Authentication, Explain
from syncline.settings import Settings
from syncline.store.database import Connection
from syncline.sync.documents import document_page, document_view
from syncline.sync.history import read_run
from syncline.sync.opening import OpenTransport
from syncline.sync.report import Report
from syncline.sync.standing import Standing, explain
from syncline.sync.watch import Watch
from syncline.testing.fake_site import FakePage, FakeSite
from syncline.transport.hosts import Shared
from syncline.transport.http import HttpSession
from syncline.transport.oauth import Renewal
from tests.support.syncs import Syncs

__all__ = ["OpenSite", "SiteSource", "SyncedSite", "impatient_transport", "page"]


@dataclass(frozen=True, slots=True)
class SiteSource:
    """A site as a person gives it: an address, and options beside it."""

    path: str
    more: Mapping[str, Json] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, Json]:
        assert SPEC.from_source is not None
        given = SPEC.from_source(self.path)
        assert given is not None
        parsed = SPEC.options.model_validate({**given, **self.more})
        return parsed.model_dump(mode="json", exclude_unset=True)


def impatient_transport(slept: list[float], **session: Any) -> OpenTransport:
    """Makes sessions that note how long they would have waited, and do not wait."""

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(0)

    def make(
        options: Any,
        shared: Shared | None = None,
        authentication: Authentication | None = None,
        explain: Explain | None = None,
        renewal: Renewal | None = None,
    ) -> HttpSession:
        return HttpSession(
            shared=shared,
            authentication=authentication,
            explain=explain,
            renewal=renewal,
            allow_private_hosts=options.allow_private_hosts,
            user_agent=options.user_agent,
            concurrency=options.concurrency,
            delay=options.delay,
            **{"sleep": sleep, **session},
        )

    return make


def page(
    text: str,
    *,
    title: str = "",
    canonical: str | None = None,
    robots: str | None = None,
    lastmod: str | None = None,
    headers: Mapping[str, str] | None = None,
    listed: bool = True,
    has_etag: bool = True,
) -> FakePage:
    """A page of HTML with what a test needs in its head."""
    head = f"<title>{title or text[:40]}</title>"
    if canonical is not None:
        head += f'<link rel="canonical" href="{canonical}">'
    if robots is not None:
        head += f'<meta name="robots" content="{robots}">'
    body = (
        f"<html><head>{head}</head><body><h1>{title or text[:40]}</h1><p>{text}</p></body></html>"
    )
    return FakePage(
        body.encode(), lastmod=lastmod, headers=headers or {}, listed=listed, has_etag=has_etag
    )


@dataclass(slots=True)
class SyncedSite:
    """A site, its connection, and what the user sees of it. Paths stand for addresses."""

    site: FakeSite
    syncs: Syncs
    db: Connection
    slept: list[float]

    async def run(self, mode: Mode = Mode.INCREMENTAL, **more: Any) -> Report:
        """Sync; every entry must be accounted for. The requests are counted from here on."""
        self.site.requests.clear()
        report = await self.syncs.run(mode, **more)
        assert report.accounted_for, report.as_json()
        counts = report.counts
        assert counts.get("requests", 0) >= len(self.site.requests), counts
        assert counts["gone"] == counts["deleted"] + counts["moved"] + counts["held"], counts
        return report

    def settings(self, **changed: Any) -> None:
        """Change the connection's settings, such as `recheck_seconds`, for the next runs."""
        self.syncs.row = replace(self.syncs.row, **changed)

    def always_recheck(self) -> None:
        """Believe no version that is only a hint."""
        self.settings(recheck_seconds=0)

    # --- what the source was asked ---------------------------------------------------------------

    def asked(self) -> Counter[str]:
        """How often each page was asked for in the last run (robots.txt, sitemaps and the
        trial of an address that does not exist left out)."""
        return Counter(
            seen.path
            for seen in self.site.requests
            if seen.path not in self.site.files
            and seen.path not in ("/robots.txt", "/sitemap.xml")
            and not seen.path.startswith("/no-such-page-")
        )

    def scraped(self, report: Report) -> str:
        """What a service that has done this run tells Prometheus of it."""
        watch = Watch(self.syncs.tools.database, Settings.from_environment({}), with_default=True)
        watch.count(report)
        return watch.metrics.render(None).decode()

    # --- what the user has -----------------------------------------------------------------------

    async def documents(self, state: str = "live") -> set[str]:
        """The paths of the documents."""
        found = await document_page(
            self.db, self.syncs.row.workspace_id, state=state, limit=100_000
        )
        return set(self.paths(each.entry_id for each in found.documents))

    async def text(self, path: str) -> str:
        """A live document's text."""
        return (await document_view(self.db, self.syncs.row.workspace_id, await self.id(path))).text

    async def id(self, path: str) -> int:
        """A live document's id."""
        found = await document_page(self.db, self.syncs.row.workspace_id, limit=100_000)
        (row,) = [each for each in found.documents if each.entry_id == self.site.url + path]
        return row.id

    async def lines(self, report: Report, kind: str) -> dict[str, str]:
        """A run's report lines of a kind: the reasons by path."""
        assert report.run is not None
        read = await read_run(self.db, self.syncs.row.workspace_id, report.run, limit=1000)
        return {
            self.path(line.entry_id or ""): self.path(line.reason, everywhere=True)
            for line in read.lines.get(kind, ())
        }

    async def why(self, path: str) -> Standing:
        """Where one address stands."""
        (standing,) = await explain(self.db, self.syncs.row.workspace_id, self.site.url + path)
        return standing

    def path(self, text: str, *, everywhere: bool = False) -> str:
        """Without the site's address, which has a port that changes."""
        return text.replace(self.site.url, "") if everywhere else text.removeprefix(self.site.url)

    def paths(self, texts: Iterable[str]) -> list[str]:
        return [self.path(text) for text in texts]


OpenSite: TypeAlias = Callable[..., AbstractAsyncContextManager[SyncedSite]]
