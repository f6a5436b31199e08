"""The lists of Canvas, page by page as their Link headers say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

from syncline.connectors.canvas.wire import Course, Item, Module, ModuleItem
from syncline.connectors.json_api import Answer, JsonApi, Params
from syncline.connectors.paging import follow, link_to
from syncline.connectors.wire import W, readable, rows
from syncline.core.errors import BadContent
from syncline.core.model import Failed

__all__ = ["listed", "path_to", "whole"]

_LEAST_CAP = 50
"""No Canvas gives fewer rows than this to who asks for 100 and has no further page."""


def path_to(course: str, *beneath: str) -> str:
    """The path of a course, or of what lies beneath it."""
    return "/".join(["/courses", *(quote(each, safe=":") for each in (course, *beneath))])


async def listed(
    api: JsonApi, path: str, params: Params, kind: type[W]
) -> AsyncIterator[tuple[W | Failed, Answer]]:
    """The rows of a list, each with the page that it stood on. Raises a `SourceError`."""

    def following(page: Answer, place: str) -> str | None:
        link = link_to(page.headers, "next")
        count = len(page.array())
        if "link" not in page.headers and (count == 0 or count >= _LEAST_CAP):
            raise BadContent(
                f"{page.what} does not say whether there is more",
                hint="Canvas sends a Link header with each list; a proxy may have removed it.",
            )
        return None if link is None else api.own(link)

    start = api.url(path, {**params, "per_page": 100}).removeprefix(api.base)
    async for page in follow(start, api.get, following):
        for row in rows(kind, page.data, None, page.what):
            yield row, page


async def whole(api: JsonApi, item: Item, course: Course) -> Item:
    """A module with its items, which a list leaves out where there are many."""
    if not isinstance(item, Module) or item.items is not None:
        return item
    found = listed(api, path_to(course.id, "modules", item.id, "items"), {}, ModuleItem)
    items = tuple([readable(row) async for row, _ in found])
    return item.model_copy(update={"items": items})
