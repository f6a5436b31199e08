"""Finds a site's sitemaps and walks through them and the ones they lead to."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from typing import IO
from urllib.parse import urljoin, urlsplit

from msgspec import Struct

from syncline.connectors.sitemaps import Child, SitemapItem, SitemapReader, parse_lastmod
from syncline.core.errors import (
    BadContent,
    BlockedAddress,
    BreakerOpen,
    Forbidden,
    NotFound,
    RateLimited,
    Rejected,
    SourceError,
    Unauthorized,
)
from syncline.core.model import Failed
from syncline.core.ports import Context
from syncline.core.urls import normalise_url, shown_url

__all__ = ["ListedPage", "SitemapWalk"]

_MB = 1024 * 1024
_SITEMAP_BYTES = 512 * _MB
_IN_MEMORY = 1 * _MB
# Whoever has just published something wants to see it.
_KEEP_SECONDS = 60.0
_PIECE = 64 * 1024
_LEVELS = 5
_SITEMAPS = 20_000
_URL_BYTES = 8192  # as long as an entry's id may be


class ListedPage(Struct, frozen=True):
    """A page as a sitemap lists it."""

    url: str
    """In its normal spelling."""
    lastmod: str | None
    """As written; None if it is no date."""
    updated_at: datetime | None


class SitemapWalk:
    """Reads sitemaps through a context's transport; tells what it passes over in warnings."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._skipped: dict[str, tuple[int, str]] = {}
        self.proven: str | None = None
        """The sitemap that `find` has proved by trying it."""

    async def find(self, site: str, named: Sequence[str]) -> tuple[str, ...]:
        """The site's sitemaps: those `named` in its robots.txt, or one in a usual place.

        Raises `Rejected` if there is none, `Unauthorized` if the site tells only whom it
        knows, and what the transport could not mend.
        """
        self.proven = None
        urls = [self._normal(text, site) for text in named]
        found = tuple(dict.fromkeys(url for url in urls if url))
        self._warn("robots.txt")
        if found:
            return found
        places = (urljoin(site, "sitemap.xml"), "/sitemap.xml", "/sitemap_index.xml")
        tried = dict.fromkeys(normalise_url(place, site) for place in places)
        refused: Unauthorized | None = None
        for url in tried:
            try:
                await self.prove(url)
            except (NotFound, Forbidden, Rejected, BadContent):
                continue
            except Unauthorized as error:
                refused = refused or error
                continue
            self.proven = url
            return (url,)
        if refused is not None:
            raise refused
        raise Rejected(
            f"{shown_url(site)} has no sitemap: robots.txt names none, and there is none at "
            + ", ".join(urlsplit(url).path for url in tried),
            hint="Give the sitemap's own address (often found at the foot of the site), as the "
            "source or as the option `sitemap`. A sitemap index, RSS or Atom feed serves too.",
        )

    async def prove(self, url: str) -> None:
        """Read a sitemap's beginning. Raises `BadContent` if it is something else."""
        reader = SitemapReader(shown_url(url))
        read = 0
        # Always asked for: it also tells whether the source is there.
        async with self._context.http.stream(url, max_bytes=_SITEMAP_BYTES, keep=0) as pieces:
            async for piece in pieces:
                read += len(piece)
                if any(True for _ in reader.feed(piece)) or read > _MB:
                    return
        for _ in reader.close():
            return

    async def pages(self, sitemaps: Sequence[str]) -> AsyncIterator[ListedPage | Failed]:
        """Every page of these sitemaps and of those they lead to, as they are read.

        A sitemap that cannot be read, or not to its end, yields a `Failed` without id after
        what was read of it; the others are read all the same. Raises `RateLimited`, `BreakerOpen`,
        `Unauthorized` and `BlockedAddress`, which would only repeat themselves.
        """
        waiting = deque((url, 1) for url in sitemaps)
        known = set(sitemaps)
        number = 0
        while waiting:
            sitemap, level = waiting.popleft()
            number += 1
            self._context.progress(f"reading sitemap {number} of {number + len(waiting)}")
            problem: SourceError | None = None
            try:
                async for item in self._items(sitemap):
                    url = self._normal(item.url, sitemap)
                    if url is None:
                        continue
                    if not isinstance(item, Child):
                        yield self._page(url, item.lastmod)
                    elif url not in known:
                        self._check_bounds(sitemap, level, len(known))
                        known.add(url)
                        waiting.append((url, level + 1))
            except (RateLimited, BreakerOpen, Unauthorized, BlockedAddress):
                raise
            except SourceError as error:
                problem = error
            self._warn(shown_url(sitemap))
            if problem is not None:
                yield Failed(problem.code, problem.message)

    async def _items(self, url: str) -> AsyncIterator[SitemapItem]:
        """A sitemap's items; what came before an error is given first.

        It is received to its end before its first item is used: the server need not wait
        for us while we read the pages.
        """
        reader = SitemapReader(shown_url(url))
        problem: SourceError | None = None
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
            try:
                async with self._context.http.stream(
                    url, max_bytes=_SITEMAP_BYTES, keep=_KEEP_SECONDS
                ) as pieces:
                    async for piece in pieces:
                        spool.write(piece)
            except SourceError as error:
                problem = error
            spool.seek(0)
            for data in _pieces(spool):
                for item in reader.feed(data):
                    yield item
        if problem is not None:
            raise problem
        for item in reader.close():
            yield item

    def _page(self, url: str, lastmod: str | None) -> ListedPage:
        updated = parse_lastmod(lastmod) if lastmod else None
        if lastmod and updated is None:
            self._skip("dates that cannot be read, ignored", lastmod)
        return ListedPage(url, lastmod if updated else None, updated)

    def _normal(self, text: str, base: str) -> str | None:
        try:
            # Sitemaps must give whole addresses; some give paths, and mean them.
            url = normalise_url(text, base) if text.startswith("/") else normalise_url(text)
        except ValueError:
            self._skip("entries without an http(s) address, skipped", text)
            return None
        if len(url) > _URL_BYTES:
            self._skip("entries with too long an address, skipped", text)
            return None
        return url

    def _check_bounds(self, sitemap: str, level: int, known: int) -> None:
        if level >= _LEVELS or known >= _SITEMAPS:
            raise BadContent(
                f"{shown_url(sitemap)} leads to more sitemaps than are followed "
                f"({_LEVELS} levels, {_SITEMAPS:,} in all)",
                hint="Name the sitemap to read in the option `sitemap`.",
            )

    def _skip(self, reason: str, example: str) -> None:
        count, first = self._skipped.get(reason, (0, example))
        self._skipped[reason] = (count + 1, first)

    def _warn(self, where: str) -> None:
        """A line for each reason, not for each entry: there may be a million."""
        for reason, (count, first) in self._skipped.items():
            self._context.warn(f"{where}: {count:,} {reason} (the first: {shown_url(first)!r})")
        self._skipped.clear()


def _pieces(spool: IO[bytes]) -> Iterator[bytes]:
    while data := spool.read(_PIECE):
        yield data
