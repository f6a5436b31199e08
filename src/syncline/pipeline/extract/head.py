"""What an HTML page says about itself: titles, people, dates, its address and its wishes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

from msgspec import Struct
from msgspec.structs import replace
from selectolax.lexbor import LexborHTMLParser, LexborNode

from syncline.core.model import Json, Metadata
from syncline.pipeline.extract.generators import is_documentation
from syncline.pipeline.extract.normalise import one_line

__all__ = ["Head", "read_head"]


class Head(Struct, frozen=True):
    """What was found. Fields that the page does not set are unknown."""

    metadata: Metadata
    canonical: str | None = None
    directives: tuple[str, ...] = ()
    generator: str = ""
    """The program that wrote the page, in lower case."""

    def metadata_for(self, text: str) -> Metadata:
        """The metadata, with the title that documentation has as its first heading."""
        if is_documentation(self.generator) and (title := _first_heading(text)):
            return replace(self.metadata, title=title)
        return self.metadata


def _first_heading(text: str) -> str | None:
    heading = _HEADING.search(text)
    return heading[1].replace("`", "") if heading else None


_HEADING = re.compile(r"^#{1,2} (.{1,300})$", re.MULTILINE)


def read_head(tree: LexborHTMLParser, url: str | None) -> Head:
    """Read a page's head, and those of its parts that say the same. Nothing here raises.

    `url` is the page's own address, which relative ones are resolved against.
    """
    tags = _Tags()
    if tree.head is not None:
        tags.read(tree.head.css("title,meta,link,base"))
    if not tags.titles and tree.root is not None:
        # A stray element ends the head early; what should stand in it is then in the body.
        tags = _Tags()
        tags.read(tree.root.css("meta,head title,body > title,head link,head base"))
    generator = tags.first("generator").lower()
    created = _first_date(tags.all_of(_CREATED))
    updated = _first_date(tags.all_of(_UPDATED))
    documentation = is_documentation(generator)
    if created is None and updated is None and not documentation:
        created, updated = _dates_in_body(tree)
    description = tags.first("description", "og:description", "dcterms.description")
    properties: dict[str, Json] = {"description": one_line(description)} if description else {}
    metadata = Metadata(
        title=_title("" if documentation else _only_heading(tree), tags),
        language=_language(tree, tags),
        authors=tuple(_people(tags.all_of(_AUTHORS))),
        tags=_keywords(tags),
        created_at=created,
        updated_at=updated,
        properties=properties,
    )
    robots = ",".join(tags.all_of(("robots", "syncline")))
    return Head(
        metadata=metadata,
        canonical=_canonical(tags, url),
        directives=tuple(dict.fromkeys(w.strip().lower() for w in robots.split(",") if w.strip())),
        generator=generator,
    )


_CREATED = (
    "article:published_time", "datepublished", "dcterms.created", "dcterms.issued",
    "dcterms.date", "dc.date", "dc.date.issued", "pubdate", "publishdate", "date",
)  # fmt: skip
_UPDATED = (
    "article:modified_time", "og:updated_time", "datemodified", "dcterms.modified",
    "dc.date.modified", "last-modified", "revised",
)  # fmt: skip
_AUTHORS = ("author", "article:author", "dcterms.creator", "dc.creator", "parsely-author")
_MOST_TAGS = 5_000


class _Tags:
    """The head's tags, by name."""

    def __init__(self) -> None:
        self.titles: list[str] = []
        self.canonical: list[str] = []
        self.base: str | None = None
        self._named: dict[str, list[str]] = {}

    def read(self, nodes: Iterable[LexborNode]) -> None:
        for node, _ in zip(nodes, range(_MOST_TAGS), strict=False):
            attributes = node.attributes
            if node.tag == "meta":
                content = (attributes.get("content") or "").strip()
                for key in ("name", "property", "itemprop", "http-equiv"):
                    if content and (name := attributes.get(key)):
                        self._named.setdefault(name.strip().lower(), []).append(content)
                        break
            elif node.tag == "title":
                self.titles.append(one_line(node.text()))
            elif node.tag == "base":
                self.base = self.base or attributes.get("href")
            elif "canonical" in (attributes.get("rel") or "").lower().split():
                self.canonical += (attributes.get("href") or "").split()

    def first(self, *names: str) -> str:
        for name in names:
            if name in self._named:
                return self._named[name][0]
        return ""

    def all_of(self, names: Iterable[str]) -> list[str]:
        named = self._named
        return [content for name in names if name in named for content in named[name]]


_SEPARATOR = re.compile(r"\s+[|\-–—·•:«»]+\s+|\s*[|»«]\s*|\s+::\s+")


def _title(heading: str, tags: _Tags) -> str | None:
    """The page's own name: what its heading says, where the head agrees with it.

    Titles name the site as well (`Install | Acme Docs`); that part is cut off where the
    heading or the site's name shows which part it is, and only there.
    """
    shared = one_line(tags.first("og:title", "dcterms.title", "twitter:title"))
    written = tags.titles[0] if tags.titles else ""
    title = shared or written
    said = heading.casefold()
    if heading and (not title or said in written.casefold() or said in shared.casefold()):
        return heading
    site = one_line(tags.first("og:site_name", "application-name"))
    return _without_site(title, site) or heading or None


def _only_heading(tree: LexborHTMLParser) -> str:
    """The page's `h1`, if it has one only: several are sections, or the site's name."""
    if tree.body is None:
        return ""
    headings = [one_line(node.text()) for node in tree.body.css("h1")[:3]]
    headings = [heading for heading in headings if heading]
    if len(headings) != 1 or len(headings[0]) > 300:
        return ""
    return headings[0].rstrip("¶#").rstrip()


def _without_site(title: str, site: str) -> str:
    if not site or title.casefold() == site.casefold():
        return title
    separators = list(_SEPARATOR.finditer(title))
    for separator in separators[-1:] + separators[:1]:
        before, after = title[: separator.start()], title[separator.end() :]
        if after.casefold() == site.casefold():
            return before
        if before.casefold() == site.casefold():
            return after
    return title


_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}")


def _language(tree: LexborHTMLParser, tags: _Tags) -> str | None:
    html = tree.root
    attributes = html.attributes if html is not None else {}
    for said in (
        attributes.get("lang"),
        attributes.get("xml:lang"),
        tags.first("content-language", "og:locale", "dcterms.language"),
    ):
        if said and _LANGUAGE.fullmatch(said.strip()):
            return said.strip().replace("_", "-")
    return None


def _people(names: Iterable[str]) -> Iterable[str]:
    for name in names:
        # Some sites give the address of a profile where a name belongs.
        if not re.match(r"(?i)https?:|www\.|@", name):
            yield one_line(name)


def _keywords(tags: _Tags) -> tuple[str, ...]:
    """Keywords, if they are tags: programs that write one element a keyword make an index."""
    written = list(tags.all_of(("keywords",)))
    listed = written[0].split(",") if len(written) == 1 else tags.all_of(("article:tag",))
    return tuple(dict.fromkeys(tag for each in listed if (tag := one_line(each))))


def _canonical(tags: _Tags, url: str | None) -> str | None:
    """The one canonical address, absolute. A page that names two has not decided."""
    named = set(tags.canonical)
    if len(named) != 1:
        return None
    try:
        base = urljoin(url or "", tags.base or "")
        address = urljoin(base, named.pop())
        parts = urlsplit(address)
    except ValueError:
        return None
    return address if parts.scheme in ("http", "https") and parts.netloc else None


def _dates_in_body(tree: LexborHTMLParser) -> tuple[datetime | None, datetime | None]:
    """When the page's first marked times say it was written and changed."""
    if tree.body is None:
        return None, None
    created = updated = None
    for node in tree.body.css("time[datetime]")[:20]:
        attributes = node.attributes
        moment = _date(attributes.get("datetime") or "")
        kind = (attributes.get("itemprop") or attributes.get("class") or "").lower()
        if "modif" in kind or "updat" in kind:
            updated = updated or moment
        else:
            created = created or moment
    return created, updated


def _first_date(written: Iterable[str]) -> datetime | None:
    return next((moment for each in written if (moment := _date(each))), None)


def _date(written: str) -> datetime | None:
    text = written.strip()[:64]
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = parse(text)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
    return None
