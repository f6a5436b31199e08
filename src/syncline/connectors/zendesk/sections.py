"""What articles lie in: categories, and sections in each other."""

from __future__ import annotations

from collections.abc import Mapping

from syncline.connectors.json_api import JsonApi
from syncline.connectors.paging import rows_of
from syncline.connectors.wire import readable
from syncline.connectors.zendesk.lists import ROOT, by_cursor
from syncline.connectors.zendesk.wire import Category, Section

__all__ = ["paths_of", "section_paths"]


async def section_paths(api: JsonApi) -> Mapping[str, tuple[str, ...]]:
    """As `paths_of`, by the API's word."""
    categories = rows_of(by_cursor(api, f"{ROOT}/categories"), Category, "categories")
    sections = rows_of(by_cursor(api, f"{ROOT}/sections"), Section, "sections")
    return paths_of(
        [readable(each) async for each in categories],
        [readable(each) async for each in sections],
    )


def paths_of(categories: list[Category], sections: list[Section]) -> Mapping[str, tuple[str, ...]]:
    """The names of each section's category, of the sections around it, and its own."""
    named = {each.id: each.name for each in categories}
    known = {each.id: each for each in sections}
    return {each: _path(each, known, named) for each in known}


def _path(
    section: str, sections: Mapping[str, Section], categories: Mapping[str, str]
) -> tuple[str, ...]:
    names: list[str] = []
    each = sections.get(section)
    category = ""
    while each is not None and len(names) < 20:
        names.append(each.name)
        category = category or each.category_id
        each = sections.get(each.parent_section_id)
    return tuple(filter(None, [categories.get(category, ""), *reversed(names)]))
