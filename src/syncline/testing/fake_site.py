"""A fake web site: pages, robots.txt and sitemaps in memory, on a hostile server."""

from __future__ import annotations

import math
from collections.abc import Mapping
from hashlib import blake2b
from xml.sax.saxutils import escape

from aiohttp import web
from msgspec import Struct, field

from syncline.testing.clock import FakeClock
from syncline.testing.fake_source import FakeSource

__all__ = ["FakePage", "FakeSite", "urlset"]


class FakePage(Struct, frozen=True):
    """One page. Its etag follows from its body."""

    body: bytes
    content_type: str = "text/html; charset=utf-8"
    lastmod: str | None = None
    """What the sitemap says of it."""
    headers: Mapping[str, str] = field(default_factory=dict)
    listed: bool = True
    has_etag: bool = True

    @property
    def etag(self) -> str:
        return f'"{blake2b(self.body, digest_size=8).hexdigest()}"'


class FakeSite(FakeSource):
    """A site whose `/sitemap.xml` lists its pages, unless `files` has one by that name."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        super().__init__(clock)
        self.pages: dict[str, FakePage] = {}
        self.files: dict[str, tuple[bytes, str]] = {}
        """By path: body and content type of robots.txt, sitemaps and what else is no page."""
        self.file_headers: dict[str, dict[str, str]] = {}
        """By path: headers of the files, and of the sitemap; an ETag there makes for 304s."""
        self.has_sitemap = True
        self.soft_404: str | None = None
        """Answers unknown addresses with 200 and this page; `{path}` in it is the address."""

    def put(
        self, path: str, text: str = "", *, title: str = "", lastmod: str | None = None
    ) -> None:
        """Write a page of HTML with this text."""
        title = title or f"Page {path}"
        body = f"<html><head><title>{title}</title></head><body><h1>{title}</h1><p>{text}</p>"
        self.pages[path] = FakePage(f"{body}</body></html>".encode(), lastmod=lastmod)

    def put_file(self, path: str, body: str | bytes, content_type: str = "application/xml") -> None:
        """Put anything else there: a sitemap, a feed, a robots.txt."""
        self.files[path] = (body.encode() if isinstance(body, str) else body, content_type)

    def put_robots(self, text: str) -> None:
        """Write robots.txt."""
        self.put_file("/robots.txt", text, "text/plain")

    def sitemap(self) -> str:
        """A sitemap of all listed pages."""
        lines = "".join(
            f"<url><loc>{escape(self.link(path))}</loc>"
            + (f"<lastmod>{escape(page.lastmod)}</lastmod>" if page.lastmod else "")
            + "</url>\n"
            for path, page in sorted(self.pages.items())
            if page.listed
        )
        return urlset(lines)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.raw_path
        if (wait := self.windows.enter(path)) > 0:
            return web.Response(status=429, headers={"Retry-After": str(math.ceil(wait))})
        if self.accepts is not None and request.headers.get("Authorization") not in self.accepts:
            return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})
        if path in self.files:
            return self._answer_file(request, *self.files[path])
        if path == "/sitemap.xml" and self.has_sitemap:
            return self._answer_file(request, self.sitemap().encode(), "application/xml")
        page = self.pages.get(path)
        if page is None:
            return self._answer_missing(path)
        headers = {"Content-Type": page.content_type, **page.headers}
        if page.has_etag:
            headers["ETag"] = page.etag
            if request.headers.get("If-None-Match") == page.etag:
                return web.Response(status=304, headers={"ETag": page.etag})
        return web.Response(body=page.body, headers=headers)

    def _answer_file(
        self, request: web.BaseRequest, body: bytes, content_type: str
    ) -> web.StreamResponse:
        headers = {"Content-Type": content_type, **self.file_headers.get(request.raw_path, {})}
        if request.headers.get("If-None-Match", "") == headers.get("ETag", "none"):
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, headers=headers)

    def _answer_missing(self, path: str) -> web.StreamResponse:
        if self.soft_404 is None:
            return web.Response(status=404, text="404: no such page")
        return web.Response(
            text=self.soft_404.replace("{path}", escape(path)), content_type="text/html"
        )


def urlset(lines: str) -> str:
    """A sitemap around these `<url>` elements."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{lines}</urlset>\n'
    )
