"""Reads a site: the pages that its sitemaps list, as far as its robots.txt allows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from urllib.parse import urlsplit

from syncline.connectors.robots import Robots, RobotsFiles, product_token
from syncline.connectors.sitemap_walk import ListedPage, SitemapWalk
from syncline.connectors.soft404 import SoftNotFound
from syncline.connectors.website.spec import WebsiteOptions, url_glob
from syncline.connectors.website.wire import (
    directives,
    is_html,
    is_readable,
    last_modified,
    media_type,
)
from syncline.core.errors import BadContent, Forbidden, NotFound, Rejected, Unauthorized
from syncline.core.model import (
    Change,
    Content,
    Cursor,
    Entry,
    Failed,
    Fetched,
    Gone,
    Identity,
    Locator,
    Metadata,
    NotModified,
    Partition,
    Validators,
)
from syncline.core.ports import Context
from syncline.core.urls import Origin, origin_of, shown_url
from syncline.transport.conditional import validators_of

__all__ = ["WebsiteConnector"]

_AGENT = "Syncline"
_MB = 1024 * 1024
_ACCEPT = {"Accept": "text/html, application/xhtml+xml, text/markdown, text/plain;q=0.9, */*;q=0.5"}
_INDEX_PAGES = ("/index.", "/default.", "/home")


class WebsiteConnector:
    """A site whose sitemaps list its pages."""

    def __init__(
        self, options: WebsiteOptions, context: Context, *, authenticated: bool = False
    ) -> None:
        self._options = options
        self._authenticated = authenticated
        self._context = context
        self._agent = product_token(options.user_agent or _AGENT)
        self._include = [url_glob(pattern) for pattern in options.include]
        self._exclude = [(pattern, url_glob(pattern)) for pattern in options.exclude]
        self._own = _family(origin_of(options.url))
        self._robots = RobotsFiles(context.http, self._agent)
        self._walk = SitemapWalk(context)
        self._sitemaps_found: Sequence[str] | None = None
        self._soft = SoftNotFound(context.http, self._robots)

    async def check(self) -> Identity:
        self._sitemaps_found = None
        sitemaps = await self._sitemaps()
        if sitemaps[0] != self._walk.proven:
            await self._walk.prove(sitemaps[0])
        return Identity(self._options.url, {"sitemaps": list(sitemaps)})

    async def partitions(self) -> Sequence[Partition]:
        return (Partition("pages", title=origin_of(self._options.url).host),)

    async def changes(self, partition: Partition, cursor: Cursor | None) -> AsyncIterator[Change]:
        async for found in self.enumerate(partition):
            yield found

    async def enumerate(self, partition: Partition) -> AsyncIterator[Entry | Failed]:
        own = 0
        others: dict[Origin, int] = {}
        async for page in self._walk.pages(await self._sitemaps()):
            if isinstance(page, Failed):
                yield page
                continue
            origin = origin_of(page.url)
            if origin in self._own:
                own += 1
                yield self._entry(page, await self._robots.of(origin))
            elif origin in others or len(others) < 100:
                others[origin] = others.get(origin, 0) + 1
        if others:
            self._tell_others(own, others)

    async def fetch(self, locator: Locator, validators: Validators | None) -> Fetched:
        url = str(locator["url"])
        try:
            response = await self._context.http.get(
                url,
                headers=_ACCEPT,
                validators=validators,
                max_bytes=int(self._options.max_page_mb * _MB),
            )
        except NotFound as error:
            return Gone(url, error.message)
        except Unauthorized as error:
            if self._authenticated:
                raise
            # We have no credentials that could be wrong: this page alone is not for us.
            raise Forbidden(error.message, hint="Exclude addresses like this one.") from error
        if response.not_modified:
            return NotModified({**(validators or {}), **validators_of(response, url)})
        if response.url != url:
            await self._check_redirect(url, response.url)
        kind = media_type(response)
        if not is_readable(kind):
            raise BadContent(
                f"{shown_url(url)} is of the type {kind or 'unknown'}, which cannot be read",
                hint="Web pages, Markdown and plain text can. Exclude addresses like this one.",
            )
        if is_html(kind):
            reason = await self._soft.reason(url, response)
            if reason:
                raise BadContent(
                    f"{shown_url(url)} is a soft 404: it was answered with 200, but {reason}",
                    hint="It is probably gone, or needs a browser to be shown; what was read "
                    "of it before is kept.",
                )
        return Content(
            data=response.body,
            media_type=kind,
            charset=response.charset,
            metadata=Metadata(url=response.url, updated_at=last_modified(response.headers)),
            validators=validators_of(response, url),
            alias_of=None if response.url == url else response.url,
            directives=directives(response.headers, self._agent),
        )

    async def _sitemaps(self) -> Sequence[str]:
        """Where the sitemaps are; looked for once, as long as this connector is open."""
        if self._sitemaps_found is None:
            self._sitemaps_found = await self._find_sitemaps()
        return self._sitemaps_found

    async def _find_sitemaps(self) -> Sequence[str]:
        robots = await self._robots.of(origin_of(self._options.url))
        if self._options.sitemap:
            return (self._options.sitemap,)
        return await self._walk.find(self._options.url, robots.sitemaps)

    def _entry(self, page: ListedPage, robots: Robots) -> Entry:
        return Entry(
            id=page.url,
            version=None if page.lastmod is None else f"lastmod:{page.lastmod}",
            locator={"url": page.url},
            metadata=Metadata(url=page.url, updated_at=page.updated_at),
            filtered=self._why_filtered(page.url, robots),
        )

    def _why_filtered(self, url: str, robots: Robots) -> str | None:
        if not robots.allows(url):
            return "robots.txt forbids it"
        if self._include and not any(glob.fullmatch(url) for glob in self._include):
            return "no include pattern matches it"
        for pattern, glob in self._exclude:
            if glob.fullmatch(url):
                return f"the exclude pattern {pattern} matches it"
        return None

    def _tell_others(self, own: int, others: dict[Origin, int]) -> None:
        site = shown_url(self._options.url)
        most = max(others, key=lambda origin: others[origin])
        if not own:
            raise Rejected(
                f"The sitemap of {site} lists only pages of other sites, such as {most}",
                hint=f"If the site has moved, sync {most}/ instead.",
            )
        self._context.warn(
            f"{sum(others.values()):,} pages of other sites than {site} skipped, such as {most}"
        )

    async def _check_redirect(self, url: str, target: str) -> None:
        """Raise `BadContent` if a page's redirect does not lead to a page of this site."""
        origin = origin_of(target)
        if origin not in self._own:
            raise BadContent(
                f"{shown_url(url)} redirects to another site, {shown_url(target)}",
                hint="If it has moved there, sync that site instead.",
            )
        path = urlsplit(url).path
        is_index = path.lower().startswith(_INDEX_PAGES) or f"{url}/" == target
        if target in (f"{origin}/", self._options.url) and not (path == "/" or is_index):
            raise BadContent(
                f"{shown_url(url)} is a soft 404: it redirects to the site's front page",
                hint="It is probably gone; what was read of it before is kept.",
            )
        if not (await self._robots.of(origin)).allows(target):
            raise BadContent(
                f"{shown_url(url)} redirects to {shown_url(target)}, which robots.txt forbids"
            )


def _family(origin: Origin) -> frozenset[Origin]:
    """The origins that are one site: http and https, with and without `www.`."""
    if origin.port not in (80, 443):
        return frozenset({origin})
    bare = origin.host.removeprefix("www.")
    return frozenset(
        Origin(scheme, host, port)
        for scheme, port in (("http", 80), ("https", 443))
        for host in (bare, f"www.{bare}")
    )
