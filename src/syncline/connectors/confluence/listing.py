"""Reading Confluence's lists to their end, which only a missing `_links.next` is.

Pages come shorter than they were asked for, since caps are silent and what we may not see is taken
out after it was counted; and `_links.next` steps by what was asked for, not by what came. So each
page begins with the last row of the one before. Where it does not, rows were deleted or edited
meanwhile and the others have moved up: then the page before is read once more. A page without news
that says itself that it is another one is asked for again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from syncline.connectors.confluence.refusals import Overloaded
from syncline.connectors.json_api import Answer, JsonApi, Params
from syncline.connectors.paging import MOST_PAGES
from syncline.core.errors import BadContent
from syncline.core.model import Json

__all__ = ["key_of", "listed", "results_of"]

_LEAST = 10
"""No cap on the rows of a page is known to be lower: so far leads a page on which all is hidden."""
_MOST_WITHOUT_NEWS = 250
"""So many pages in a row without a new row are a circle. A few come where many rows are hidden."""


async def listed(
    api: JsonApi,
    path: str,
    params: Params,
    limit: int,
    *,
    first: Answer | None = None,
    overruns: bool = False,
) -> AsyncIterator[Json]:
    """The rows of a list. `first` is its first page, where that is known already.

    A list that `overruns` says its last rows again past its end: there a page without news is it.
    Raises a `SourceError`; what was not read to its end is never taken for complete.
    """
    start, stale, widest = 0, 0, _LEAST
    anchor: str | None = None
    before: set[str] = set()
    stepped_back = 0
    for _ in range(MOST_PAGES):
        try:
            query = {**params, "start": start, "limit": limit}
            answer, first = first or await api.get(path, query), None
        except Overloaded:
            if limit == 1:
                raise
            limit = max(1, limit // 2)
            continue
        found, following = results_of(answer)
        keys = [key_of(row) for row in found]
        if anchor is not None and anchor not in keys and not stepped_back:
            stepped_back = min(start, max(1, len(before) - 1))
            start -= stepped_back
            continue
        fresh = [
            row for key, row in zip(keys, found, strict=True) if key is None or key not in before
        ]
        for row in fresh:
            yield row
        stale = 0 if fresh or not found else stale + 1
        said_again = bool(stale) and answer.object().get("start") not in (None, start)
        if not said_again and (following is None or (overruns and stale)):
            return
        if stale >= _MOST_WITHOUT_NEWS:
            break
        if said_again:
            continue
        anchor = keys[-1] if fresh and len(keys) > 1 else None
        widest = max(widest, len(found))
        start += len(found) - (anchor is not None) if found else min(widest, limit)
        before = {key for key in keys if key is not None} | (set() if fresh else before)
        stepped_back = 0
    raise BadContent(
        f"The list at {api.base}{path} does not end: it says the same again and again",
        hint="The next run tries again. If it stays so, this is a fault of the source's.",
    )


def results_of(answer: Answer) -> tuple[list[Json], str | None]:
    """A page's rows, and the link to the next one. Raises `BadContent` for what is no page."""
    data = answer.object()
    found, links = data.get("results"), data.get("_links")
    if not isinstance(found, list) or not isinstance(links, dict):
        raise BadContent(
            f"{answer.what} did not answer with a list as Confluence describes it",
            hint="The next run tries again. If it stays so, check the connection's address.",
        )
    following = links.get("next")
    if following is not None and not isinstance(following, str):
        raise BadContent(f"{answer.what} does not say whether there is more")
    return found, following or None


def key_of(row: Json) -> str | None:
    """What tells a row from others."""
    if not isinstance(row, dict):
        return None
    value: Any = row.get("id") or row.get("key") or row.get("name")
    return str(value) if isinstance(value, str | int) else None
