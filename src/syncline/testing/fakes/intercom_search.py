"""How a fake Intercom searches: nested filters, an order, and pages by opaque cursors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from syncline.core.model import Json

__all__ = ["matching", "page_after"]

_MOST_FILTERS = 15
_DATES = ("created_at", "updated_at", "waiting_since", "snoozed_until")


def matching(row: Json, query: Json) -> bool:
    """Whether the row fits the query. Raises `ValueError` for one that is not valid."""
    operator, value = query["operator"], query["value"]
    if operator in ("AND", "OR"):
        if not isinstance(value, list) or len(value) > _MOST_FILTERS:
            raise ValueError(f"no list of at most {_MOST_FILTERS} filters")
        each = [matching(row, part) for part in value]
        return all(each) if operator == "AND" else any(each)
    field = query["field"]
    there: Any = row
    for name in field.split("."):
        there = there.get(name) if isinstance(there, dict) else None
    if field in _DATES:
        if operator not in ("=", "<", ">"):
            raise ValueError(f"{operator} is not supported for {field}")
        asked = int(value)
        if there is None:
            return False
        return bool(there == asked or (there > asked if operator == ">" else there < asked))
    if operator in ("=", "!="):
        return bool((there == value) is (operator == "="))
    if operator in ("IN", "NIN"):
        return bool((there in value) is (operator == "IN"))
    if operator == "~":
        return str(value) in str(there or "")
    raise ValueError(f"{operator} is not supported for {field}")


def page_after(
    rows: Sequence[Json], sort: Json, cursor: str | None, size: int
) -> tuple[Sequence[Json], Json]:
    """The rows after a cursor, and what is said of the page. A cursor holds a row's place, so
    that rows which come or go before it shift nothing."""
    by = sort["field"] if sort else "updated_at"
    ascending = bool(sort) and sort.get("order") == "ascending"
    sign = 1 if ascending else -1

    def place(row: Json) -> list[int]:
        return [sign * int(row[by] or 0), sign * int(row["id"])]

    ordered = sorted(rows, key=place)
    number = 1
    if cursor:
        *after, number = json.loads(cursor)
        ordered = [row for row in ordered if place(row) > after]
    found = ordered[:size]
    total = -(-len(rows) // size) or 1
    pages: Json = {"type": "pages", "page": number, "per_page": size, "total_pages": total}
    if len(ordered) > size:
        mark = json.dumps([*place(found[-1]), number + 1])
        pages["next"] = {"page": number + 1, "starting_after": mark}
    return found, pages
