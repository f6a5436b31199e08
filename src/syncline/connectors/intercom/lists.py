"""Intercom's lists, page by page: by numbers, newest first, or by cursors of a search."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime
from itertools import pairwise
from typing import Any, Generic, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from syncline.connectors.intercom.wire import Conversation, Pages
from syncline.connectors.json_api import Answer, JsonApi
from syncline.connectors.paging import follow, next_number
from syncline.connectors.wire import W, rows
from syncline.core.errors import BadContent
from syncline.core.model import Failed

__all__ = ["Page", "newest_first", "numbered", "search"]

_MOST_CONVERSATIONS = 150
_Place: TypeAlias = tuple[int, int | None, str]
"""A page's number, how many rows the list had before it was asked for, a cursor if any."""
_FIRST: _Place = (1, None, "")


class Page(Struct, Generic[W], frozen=True):
    """A page of a list."""

    rows: Sequence[W | Failed]
    total: int | None
    """Of rows in the whole list."""
    size: int
    """Of a full page."""
    last: bool
    cursor: str
    """Of the next page, where the list goes by cursors."""
    answer: Answer
    shrunk: bool = False
    """The list has become shorter: rows have moved up, past where we are."""


async def numbered(
    api: JsonApi, kind: type[W], path: str, size: int
) -> AsyncGenerator[Page[W], None]:
    """The pages of a list that is asked for by numbers, the first of which is 1.

    Where it has become shorter, rows have moved up, past where we are: back by a page.
    """

    async def ask(place: _Place) -> Page[W]:
        number, before, cursor = place
        where = {"starting_after": cursor} if cursor else {"page": number}
        answer = await api.get(path, {"per_page": size, **where})
        page = _page(kind, answer, "data", place, size)
        return replace(page, shrunk=page.total is not None and page.total < (before or 0))

    def following(page: Page[W], place: _Place) -> _Place | None:
        number, before, cursor = place
        if cursor or page.cursor:
            return None if page.last else (number + 1, page.total, page.cursor)
        following = next_number(number, page.size, before, page.total, last=page.last)
        return None if following is None else (following, page.total, "")

    async with aclosing(follow(_FIRST, ask, following)) as pages:
        async for page in pages:
            yield page


async def newest_first(
    api: JsonApi, kind: type[W], path: str, size: int, floor: datetime | None
) -> AsyncGenerator[Page[W], None]:
    """Pages of a numbered list, down to rows that are as old as `floor`.

    What is edited meanwhile moves to the top, from where we have not been to where we were:
    page one is looked at again, until there is nothing new.
    """
    known: frozenset[Any] = frozenset()
    while True:
        count, top, fresh = 0, frozenset[Any](), False
        async with aclosing(numbered(api, kind, path, size)) as pages:
            async for page in pages:
                marks = frozenset(map(_mark, page.rows))
                new = [row for row in page.rows if _mark(row) not in known]
                count, top, fresh = count + 1, top or marks, fresh or bool(new)
                yield replace(page, rows=new)
                reached = known & marks or (floor and _reaches(page.rows, floor))
                if reached and not page.shrunk:
                    break
        if count <= 1 or not fresh:
            return
        known |= top


async def search(api: JsonApi, since: int) -> AsyncGenerator[Page[Conversation], None]:
    """The conversations that were updated after `since`, in seconds; perhaps also at it."""
    size = _MOST_CONVERSATIONS
    query = {
        "query": {"field": "updated_at", "operator": ">", "value": since},
        "sort": {"field": "updated_at", "order": "ascending"},
    }

    async def ask(place: _Place) -> Page[Conversation]:
        paging = {"per_page": size, **({"starting_after": place[2]} if place[2] else {})}
        answer = await api.post("/conversations/search", {**query, "pagination": paging})
        page = _page(Conversation, answer, "conversations", place, size)
        if not page.last and not page.cursor:
            raise BadContent(f"{answer.what} has more pages, but does not say where")
        return page

    def following(page: Page[Conversation], place: _Place) -> _Place | None:
        return None if page.last else (place[0] + 1, None, page.cursor)

    async with aclosing(follow(_FIRST, ask, following)) as pages:
        async for page in pages:
            yield page


def _page(kind: type[W], answer: Answer, name: str, place: _Place, size: int) -> Page[W]:
    """The answer as a page. Raises `BadContent` where it does not say whether it is the last."""
    found = list(rows(kind, answer.data, name, answer.what))
    here = Pages.model_validate(answer.data)
    if here.next is None and here.total_pages is None:
        raise BadContent(f"{answer.what} does not say whether there are more pages")
    cursor = here.next.get("starting_after") if isinstance(here.next, dict) else None
    number, _, by_cursor = place
    if not by_cursor and here.page not in (None, number):
        raise BadContent(f"{answer.what} answered with page {here.page}, not with page {number}")
    return Page(
        rows=found,
        total=here.total_count,
        size=here.per_page if here.per_page and here.per_page > 0 else size,
        last=not here.next and (here.page or number) >= (here.total_pages or 0),
        cursor=cursor if isinstance(cursor, str) else "",
        answer=answer,
    )


def _reaches(found: Sequence[Any], floor: datetime) -> bool:
    """Whether nothing newer than `floor` can follow: in order, the last row is the oldest."""
    times = [row.updated_at for row in found if not isinstance(row, Failed) and row.updated_at]
    in_order = all(newer >= older for newer, older in pairwise(times))
    return bool(times) and (times[-1] if in_order else max(times)) <= floor


def _mark(row: Any) -> Any:
    return row if isinstance(row, Failed) else (row.id, row.updated_at)
