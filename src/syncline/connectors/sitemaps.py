"""Sitemaps in all their forms, read piece by piece: XML, indexes, RSS, Atom, text; also gzipped.

Memory stays bounded whatever comes: entries are handed out as they are read, and what a
sitemap has no use for (document types with entities, endless tags, deep nesting) ends it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeAlias
from xml.parsers import expat

from msgspec import Struct

from syncline.core.errors import BadContent
from syncline.transport.limits import BoundedGunzip, Limits

__all__ = ["Child", "Listed", "SitemapItem", "SitemapReader", "parse_lastmod"]

_MAX_DECODED = 1024 * 1024 * 1024
_MAX_PENDING = 4 * 1024 * 1024
_MAX_DEPTH = 50
# As many bytes tell XML from text, and UTF-16 from UTF-8.
_TELLING = 4
# Longer than any address that is taken.
_MAX_TEXT = 9000
_ROOTS = frozenset({"urlset", "sitemapindex", "rss", "feed", "RDF"})
_ITEMS = frozenset({"url", "sitemap", "item", "entry"})
# Of each kind of item: the elements that hold its address, and its date.
_ADDRESS = {"url": ("loc",), "sitemap": ("loc",), "item": ("link",), "entry": ()}
_DATE = {"url": ("lastmod",), "sitemap": (), "item": ("pubDate", "date"), "entry": ("updated",)}
# Addresses are often written with a bare `&`, which would end the whole document.
_BARE_AMPERSAND = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});)")
_LONGEST_ENTITY = 10


class Listed(Struct, frozen=True):
    """A page that a sitemap lists; the address as it is written there, `""` if it has none."""

    url: str
    lastmod: str | None = None


class Child(Struct, frozen=True):
    """A sitemap that an index lists."""

    url: str


SitemapItem: TypeAlias = Listed | Child


class SitemapReader:
    """Feed it a sitemap's bytes as they come, then `close` it."""

    def __init__(self, name: str) -> None:
        """`name` is what errors call the sitemap: its address, fit to be shown."""
        self._name = name
        self._gunzip: BoundedGunzip | None = None
        self._form: _Xml | _Text | None = None
        self._start = b""
        self._sniffed = False

    def feed(self, data: bytes) -> Iterator[SitemapItem]:
        """The items that these bytes complete. Raises `BadContent`."""
        if not self._sniffed:
            self._start += data
            if len(self._start) < 2:
                return
            self._sniffed = True
            data, self._start = self._start, b""
            if data[:2] == b"\x1f\x8b":
                self._gunzip = BoundedGunzip(Limits(), _MAX_DECODED, self._name)
        for piece in self._gunzip.feed(data) if self._gunzip else (data,):
            yield from self._read(piece)

    def close(self) -> Iterator[SitemapItem]:
        """The items that the end completes. Raises `BadContent`, or `Transient` when cut off."""
        yield from self._read(b"", final=True)
        if self._gunzip:
            self._gunzip.close()

    def _read(self, data: bytes, *, final: bool = False) -> Iterator[SitemapItem]:
        if self._form is None:
            self._start += data
            start = self._start.removeprefix(b"\xef\xbb\xbf").lstrip()
            if not start and final:
                raise BadContent(f"{self._name} is empty", hint="A sitemap lists a site's pages.")
            if len(start) < _TELLING and not final:
                if not start and len(self._start) > _TELLING:
                    self._start = b""  # only white space so far
                return
            is_xml = start.startswith((b"<", b"\xff\xfe", b"\xfe\xff"))
            self._form = _Xml(self._name) if is_xml else _Text(self._name)
            data, self._start = start, b""
        yield from self._form.feed(data, final=final)


class _Text:
    """One address a line."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._rest = b""
        self._is_first = True

    def feed(self, data: bytes, *, final: bool) -> Iterator[SitemapItem]:
        lines = (self._rest + data).splitlines()
        self._rest = b""
        if lines and not final and not data.endswith((b"\n", b"\r")):
            # Cut, so that a file without line ends stays small; it is then too long anyway.
            self._rest = lines.pop()[: _MAX_TEXT + 1]
        for line in lines:
            url = line.decode("utf-8", "replace").strip()
            if not url:
                continue
            if self._is_first and not url.lower().startswith(("http://", "https://")):
                raise BadContent(
                    f"{self._name} is not a sitemap: it begins with {url[:40]!r}",
                    hint="A sitemap is XML, or a text file with one address a line.",
                )
            self._is_first = False
            yield Listed(url)


class _Xml:
    """`urlset`, `sitemapindex`, RSS and Atom, by the elements' names and their parents'."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._found: list[SitemapItem] = []
        self._path: list[str] = []
        self._item: dict[str, str] = {}
        self._text: list[str] | None = None
        self._length = 0
        self._in_cdata = False
        self._fed = 0
        self._rest = b""
        self._repair: bool | None = None
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start_element
        parser.EndElementHandler = self._end_element
        parser.CharacterDataHandler = self._characters
        parser.StartCdataSectionHandler = self._start_cdata
        parser.EndCdataSectionHandler = self._end_cdata
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._entity

    def feed(self, data: bytes, *, final: bool) -> Iterator[SitemapItem]:
        if self._repair is None:
            self._repair = b"\0" not in data[:4] and not data.startswith((b"\xff", b"\xfe"))
        if self._repair:
            data = self._repaired(data, final=final)
        error: expat.ExpatError | None = None
        self._fed += len(data)
        try:
            self._parser.Parse(data, final)
        except expat.ExpatError as caught:
            error = caught
        # What was complete before the damage counts.
        found, self._found = self._found, []
        yield from found
        if error is not None:
            raise self._damage(error, final=final) from error
        if self._fed - self._parser.CurrentByteIndex > _MAX_PENDING:
            raise BadContent(
                f"{self._name} has a tag without an end", hint="It is not a proper sitemap."
            )

    def _repaired(self, data: bytes, *, final: bool) -> bytes:
        data = self._rest + data
        cut = len(data)
        if not final:
            last = data.rfind(b"&", max(0, cut - _LONGEST_ENTITY))
            cut = last if last >= 0 else cut
        data, self._rest = data[:cut], data[cut:]
        return _BARE_AMPERSAND.sub(b"&amp;", data)

    def _damage(self, error: expat.ExpatError, *, final: bool) -> BadContent:
        if self._path and self._path[0].lower() == "html":
            return self._web_page()
        if final and self._path:
            return BadContent(
                f"{self._name} is cut off at line {error.lineno}",
                hint="Pages that it would have listed stay as they are. If it remains so, "
                "tell the site's owner.",
            )
        return BadContent(
            f"{self._name} is not well-formed XML: {error}", hint="Tell the site's owner."
        )

    def _web_page(self) -> BadContent:
        return BadContent(
            f"{self._name} is a web page, not a sitemap",
            hint="Give the address of the site's sitemap.",
        )

    def _start_element(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        if not self._path and local not in _ROOTS:
            if local.lower() == "html":
                raise self._web_page()
            raise BadContent(
                f"{self._name} is not a sitemap: its root element is <{name[:40]}>",
                hint="Sitemaps, sitemap indexes, RSS and Atom feeds can be read.",
            )
        if len(self._path) >= _MAX_DEPTH:
            raise BadContent(f"{self._name} is nested too deeply", hint="It is not a sitemap.")
        parent = self._path[-1] if self._path else ""
        self._path.append(local)
        if local in _ITEMS and parent not in _ITEMS:
            self._item = {}
        elif parent == "entry" and local == "link":
            if attributes.get("rel", "alternate") == "alternate":
                self._item.setdefault("url", attributes.get("href", "").strip())
        elif parent in _ITEMS and (local in _ADDRESS[parent] or local in _DATE[parent]):
            self._text, self._length = [], 0

    def _end_element(self, name: str) -> None:
        local = self._path.pop()
        parent = self._path[-1] if self._path else ""
        if self._text is not None and parent in _ITEMS:
            text = "".join(self._text).strip()
            self._text = None
            if text:
                self._item.setdefault("url" if local in _ADDRESS[parent] else "date", text)
        elif local in _ITEMS and parent not in _ITEMS:
            url = self._item.get("url", "")
            date = self._item.get("date")
            self._found.append(Child(url) if local == "sitemap" else Listed(url, date))

    def _characters(self, text: str) -> None:
        if self._text is None or self._length > _MAX_TEXT:
            return
        if self._in_cdata and self._repair:
            text = text.replace("&amp;", "&")
        self._text.append(text)
        self._length += len(text)

    def _start_cdata(self) -> None:
        self._in_cdata = True

    def _end_cdata(self) -> None:
        self._in_cdata = False

    def _doctype(self, name: str, system: str | None, public: str | None, subset: bool) -> None:
        if name.lower() == "html":
            raise self._web_page()
        if subset:
            raise self._declares()

    def _entity(self, *declaration: object) -> None:
        raise self._declares()

    def _declares(self) -> BadContent:
        return BadContent(
            f"{self._name} declares a document type of its own, which could expand without end",
            hint="Sitemaps need none: the site's owner can leave the DOCTYPE out.",
        )


def parse_lastmod(text: str) -> datetime | None:
    """A sitemap's or a feed's date in UTC; None for what is none. Days begin at midnight UTC."""
    text = text.strip()
    if re.fullmatch(r"\d{4}(-\d{2})?", text):
        text = f"{text}-01-01"[: len("0000-00-00")] if "-" not in text else f"{text}-01"
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        try:
            date = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
    if date.tzinfo is None:
        return date.replace(tzinfo=UTC)
    try:
        return date.astimezone(UTC)
    except OverflowError:
        return None
