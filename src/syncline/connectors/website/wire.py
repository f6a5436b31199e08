"""What a page's headers say: its type, when it changed, and what is asked of robots."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from syncline.connectors.sitemaps import parse_lastmod
from syncline.core.media import EXTENSIONS, media_type_of
from syncline.core.ports import HttpResponse

__all__ = ["directives", "is_html", "is_readable", "last_modified", "media_type"]

_HTML = frozenset({"text/html", "application/xhtml+xml"})
_READABLE = frozenset(EXTENSIONS.values()) | _HTML
_GENERATED = timedelta(minutes=1)


def media_type(response: HttpResponse) -> str:
    """The type to read a page as, or the server's own word for what cannot be read."""
    said = response.media_type
    by_name = media_type_of(urlsplit(response.url).path)
    if said in ("", "application/octet-stream", "binary/octet-stream"):
        looks_like_html = response.body[:512].lstrip()[:1] == b"<"
        return by_name or ("text/html" if looks_like_html else said)
    if said == "text/x-markdown" or (said == "text/plain" and by_name == "text/markdown"):
        return "text/markdown"
    return said


def is_readable(name: str) -> bool:
    """Whether Syncline can read this media type."""
    return name in _READABLE


def is_html(name: str) -> bool:
    """Whether it is a web page."""
    return name in _HTML


def directives(headers: Mapping[str, str], agent: str) -> tuple[str, ...]:
    """What `X-Robots-Tag` asks of us: `noindex` and the like, in lower case, sorted."""
    wanted: set[str] = set()
    addressed = "*"
    for part in headers.get("x-robots-tag", "").lower().split(","):
        name, colon, rule = part.partition(":")
        if colon and name.strip() not in ("unavailable_after", "max-snippet"):
            # An agent's name holds until the next one.
            addressed, part = name.strip(), rule
        if addressed in ("*", agent.lower()) and part.strip():
            wanted.add(part.strip())
    return tuple(sorted(wanted))


def last_modified(headers: Mapping[str, str]) -> datetime | None:
    """When the page changed, unless the server only says that it has just made it."""
    changed = parse_lastmod(headers.get("last-modified", ""))
    answered = parse_lastmod(headers.get("date", ""))
    if changed and answered and abs(answered - changed) < _GENERATED:
        return None
    return changed
