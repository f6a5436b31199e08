"""Pages that are answered with 200 although they say that there is no such page.

Two signs: the page's own title or heading says so, in few words; or the site answers an
address that cannot exist in just the same way. The latter is tried once.
"""

from __future__ import annotations

import asyncio
import html
import re
from hashlib import blake2b
from urllib.parse import unquote, urlsplit

from msgspec import Struct
from selectolax.lexbor import LexborHTMLParser

from syncline.connectors.robots import RobotsFiles
from syncline.core.errors import SourceError
from syncline.core.ports import HttpResponse, HttpTransport
from syncline.core.urls import Origin, origin_of

__all__ = ["SoftNotFound", "says_not_found"]

_LOOKED_AT = 256 * 1024
_SHORT = 150
"""Words: an error page says little; an article about error pages says more."""
_DIFFERENT = 3
"""Words, or one in a hundred, by which two answers may differ and be the same page."""
_WORD = re.compile(r"\w+")
_SPACE = re.compile(r"\s+")
_NOT_FOUND = re.compile(
    r"(?i)^\W*(?:error|http|status)?\W*404\b"
    r"|^\W*(?:not found|nothing found)\b"
    r"|\b(?:page|article|document|content|file|resource|post|topic)\b.{0,30}"
    r"\b(?:not (?:be )?found|not exist|no longer (?:exists|available)|(?:is|was) missing)\b"
)
_ONLY_STATUS = re.compile(r"(?i)\b404\b.{0,20}\bnot found\b")
_TAG = re.compile(r"<[^<>]*>")


class SoftNotFound:
    """Knows how one site answers for what it does not have."""

    def __init__(self, http: HttpTransport, robots: RobotsFiles) -> None:
        self._http = http
        self._robots = robots
        self._missing: _Missing | None = None
        self._once = asyncio.Lock()

    async def reason(self, asked: str, response: HttpResponse) -> str | None:
        """Why this web page, answered for the address `asked`, is none; None if it is one."""
        if says_not_found(response):
            return "it says itself that it was not found"
        missing = self._missing or await self._learn(origin_of(response.url))
        if response.url != asked and response.url == missing.url:
            return "it redirects to where addresses that do not exist redirect to"
        if missing.look is not None and missing.look.is_of(response):
            return "it is what the site answers for addresses that do not exist"
        return None

    async def _learn(self, origin: Origin) -> _Missing:
        async with self._once:
            if self._missing is None:
                name = blake2b(str(origin).encode(), digest_size=8).hexdigest()
                self._missing = await self._ask(f"{origin}/no-such-page-{name}")
            return self._missing

    async def _ask(self, url: str) -> _Missing:
        try:
            robots = await self._robots.of(origin_of(url))
            if not robots.allows(url):
                return _Missing()
            response = await self._http.get(url, headers={"Accept": "text/html"})
        except SourceError:
            return _Missing()
        if response.url != url:
            return _Missing(url=response.url)
        is_page = response.media_type in ("text/html", "application/xhtml+xml", "")
        return _Missing(look=_PageLook.of(response) if is_page else None)


class _Missing(Struct, frozen=True):
    """How a site answers, where it fails to say 404."""

    url: str | None = None
    look: _PageLook | None = None


def says_not_found(response: HttpResponse) -> bool:
    """Whether a page's title or first heading says that there is no such page, and little else."""
    start = _start(response.body)
    headings = (_element(start, b"title"), _element(start, b"h1"))
    if not any(_NOT_FOUND.search(text) or _ONLY_STATUS.search(text) for text in headings):
        return False
    return len(_words(response)) < _SHORT


class _PageLook(Struct, frozen=True):
    """What makes two answers the same page to a reader, whatever address each was asked by."""

    title: str
    words: frozenset[str]

    @classmethod
    def of(cls, response: HttpResponse) -> _PageLook:
        return cls(_plain_title(response), frozenset(_words(response)))

    def is_of(self, response: HttpResponse) -> bool:
        """Whether this answer looks just the same: its title, and nearly all its words."""
        if _plain_title(response) != self.title:
            return False
        words = frozenset(_words(response))
        bound = max(_DIFFERENT, len(self.words) // 100)
        return len(words - self.words) <= bound and len(self.words - words) <= bound


def _plain_title(response: HttpResponse) -> str:
    title = _element(_start(response.body), b"title")
    return " ".join(word for word in _WORD.findall(title) if word not in _own_words(response.url))


def _words(response: HttpResponse) -> list[str]:
    """A page's words in lower case, without those of its own address and without numbers."""
    body = LexborHTMLParser(response.body[:_LOOKED_AT]).body
    if body is None:
        return []
    for node in body.css("script, style, noscript, template"):
        node.decompose()
    own = _own_words(response.url)
    text = body.text(separator=" ").lower()
    return [word for word in _WORD.findall(text) if word not in own and not word.isdigit()]


def _own_words(url: str) -> frozenset[str]:
    return frozenset(_WORD.findall(unquote(urlsplit(url).path).lower()))


def _start(data: bytes) -> bytes:
    return data[: _LOOKED_AT // 4]


def _element(start: bytes, name: bytes) -> str:
    """The text of the first such element, in lower case; searched without backtracking."""
    lower = start.lower()
    opening = lower.find(b"<" + name)
    content = lower.find(b">", opening) + 1
    closing = lower.find(b"</" + name, content)
    if opening < 0 or not content or closing < 0:
        return ""
    text = start[content:closing][:2000].decode("utf-8", "replace")
    return _SPACE.sub(" ", html.unescape(_TAG.sub(" ", text))).strip().lower()
