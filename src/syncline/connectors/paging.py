"""Reading one page after another, until the source says that there is none.

A page that is short, or empty, is not the end: only the source's own word is. A source whose pages
lead in a circle is an error, since a listing that ends there would not be complete.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Hashable, Mapping
from contextlib import aclosing
from hashlib import blake2b
from typing import TypeVar

from syncline.connectors.json_api import Answer
from syncline.connectors.wire import W, clean, rows
from syncline.core.errors import BadContent, NotFound, Rejected
from syncline.core.model import Failed

__all__ = [
    "MOST_PAGES",
    "cursor_if",
    "follow",
    "link_to",
    "next_in",
    "next_number",
    "resumed",
    "rows_of",
]

MOST_PAGES = 1_000_000
"""No listing is longer: a server that makes up a new cursor each time would never end."""
_LINK = re.compile(
    r'<\s*([^<>]*)\s*>((?:\s*;\s*[\w*!#$&+.^`|~-]+\s*(?:=\s*(?:"(?:[^"\\]|\\.)*"|[^,;"\s]*))?)*)'
)
_REL = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^,;"\s]+))', re.IGNORECASE)

P = TypeVar("P")
T = TypeVar("T", bound=Hashable)


async def follow(
    start: T, read: Callable[[T], Awaitable[P]], following: Callable[[P, T], T | None]
) -> AsyncGenerator[P, None]:
    """The pages from `start` on. `following(page, place)` is the next place; None at the end.

    A place is a cursor, a link, a number: whatever `read` takes. Raises `BadContent` where the
    source sends us back to a place where we have been.
    """
    place: T | None = start
    been: set[bytes] = set()
    while place is not None:
        mark = blake2b(repr(place).encode("utf-8", "surrogatepass"), digest_size=8).digest()
        if mark in been or len(been) >= MOST_PAGES:
            raise BadContent(
                "The source's list does not end: a page leads back to one that was read before",
                hint="The next run tries again. If it stays so, this is a fault of the source's.",
            )
        been.add(mark)
        page = await read(place)
        yield page
        place = following(page, place)


async def resumed(
    pages: Callable[[T], AsyncGenerator[P, None]],
    place: T,
    beginning: T,
    warn: Callable[[str], None],
) -> AsyncGenerator[P, None]:
    """The pages from a stored place on; from `beginning` where the source takes it no more."""
    stream = pages(place)
    first: P | None = None
    try:
        first = await anext(stream, None)
    except (Rejected, NotFound) as error:
        if place == beginning:
            raise
        warn(f"read anew, since the source does not go on where it was left: {error.message}")
        stream = pages(beginning)
    async with aclosing(stream):
        if first is not None:
            yield first
        async for page in stream:
            yield page


async def rows_of(
    pages: AsyncIterable[Answer], kind: type[W], name: str | None
) -> AsyncGenerator[W | Failed, None]:
    """The rows of the list `name` in each page; see `wire.rows`."""
    async for page in pages:
        for row in rows(kind, page.data, name, page.what):
            yield row


def next_in(page: Answer, name: str) -> str | None:
    """The next page's cursor or link. The end is a `name` that is there, and null.

    Raises `BadContent` where the page does not say.
    """
    data = page.object()
    found = data.get(name)
    if found is None and name in data:
        return None
    if not (isinstance(found, str) and (place := clean(found))):
        raise BadContent(f"{page.what} does not say whether there is more")
    return place


def next_number(
    number: int, size: int, before: int | None, total: int | None, *, last: bool
) -> int | None:
    """The page to read after page `number` of a list that is cut by numbers; None at the end.

    `before` is how many rows the list had when the page before it was read, `total` how many it has
    now. Where it has become shorter, rows have moved up, past where we are: back by a page.
    """
    lost = 0 if before is None or total is None else before - total
    if lost > 0:
        return max(1, number - 1 - lost // max(1, size))
    return None if last else number + 1


def cursor_if(page: Answer, more: object, cursor: object) -> str | None:
    """The next page's cursor, if there is `more`: both as the page tells them.

    Raises `BadContent` where it does not say.
    """
    if not isinstance(more, bool):
        raise BadContent(f"{page.what} does not say whether there is more")
    if not more:
        return None
    if not (isinstance(cursor, str) and (place := clean(cursor))):
        raise BadContent(f"{page.what} has more, but does not say where")
    return place


def link_to(headers: Mapping[str, str], relation: str) -> str | None:
    """The target of the Link header with this relation (RFC 8288); names in lower case."""
    for match in _LINK.finditer(headers.get("link", "")):
        found = _REL.search(match[2])
        if found and relation in (found[1] or found[2] or "").lower().split():
            return match[1].strip()
    return None
