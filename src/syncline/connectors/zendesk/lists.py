"""Lists of a help center: cut by cursors; or by numbers, which can be sorted."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import TypeAlias

from msgspec import Struct

from syncline.connectors.json_api import Answer, JsonApi, Params
from syncline.connectors.paging import follow, next_in, next_number
from syncline.connectors.wire import rows
from syncline.connectors.zendesk.account import after_cursor
from syncline.connectors.zendesk.wire import Article
from syncline.core.model import Failed

__all__ = ["ROOT", "articles_in", "by_cursor", "newest_first"]

ROOT = "/api/v2/help_center"
_NEWEST: Params = {"sort_by": "updated_at", "sort_order": "desc", "per_page": 100}
_Place: TypeAlias = tuple[int, int | None]
"""A page's number, and how many rows the list had before it was asked for."""


class _Page(Struct, frozen=True):
    rows: Sequence[Article | Failed]
    size: int
    total: int | None
    last: bool
    """Nothing that is wanted comes after it."""


async def by_cursor(api: JsonApi, path: str, after: str = "") -> AsyncGenerator[Answer, None]:
    """The pages after that cursor."""

    async def page(place: str) -> Answer:
        return await api.get(path, {"page[size]": 100, "page[after]": place or None})

    async for answer in follow(after, page, lambda answer, _: after_cursor(answer)):
        yield answer


async def newest_first(
    api: JsonApi, path: str, floor: datetime
) -> AsyncGenerator[Sequence[Article | Failed], None]:
    """The articles that were updated since `floor`, page by page; some perhaps twice.

    Where one has left the list meanwhile, others have moved up, past where we are: back by a page.
    Where one is edited meanwhile, it moves to the top: the next run finds it there.
    """

    async def ask(place: _Place) -> _Page:
        answer = await api.get(path, {**_NEWEST, "page": place[0]})
        found, total = articles_in(answer), answer.object().get("count")
        new = [row for row in found if not _is_before(floor, row)]
        last = next_in(answer, "next_page") is None or len(new) < len(found)
        return _Page(new, len(found), total if isinstance(total, int) else None, last)

    def following(page: _Page, place: _Place) -> _Place | None:
        number, before = place
        after = next_number(number, page.size, before, page.total, last=page.last)
        return None if after is None else (after, page.total)

    first: _Place = (1, None)
    async with aclosing(follow(first, ask, following)) as pages:
        async for page in pages:
            yield page.rows


def articles_in(page: Answer) -> Sequence[Article | Failed]:
    """The articles of a page."""
    return list(rows(Article, page.data, "articles", page.what))


def _is_before(moment: datetime, row: Article | Failed) -> bool:
    """Whether it was updated before that moment's second."""
    if isinstance(row, Failed) or row.updated_at is None:
        return False
    return row.updated_at < moment.replace(microsecond=0)
