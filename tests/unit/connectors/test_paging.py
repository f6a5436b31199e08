"""Pages are followed to the end that the source names, and never in a circle."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.connectors.json_api import Answer
from syncline.connectors.paging import cursor_if, follow, link_to, next_in
from syncline.core.errors import BadContent


async def _read(place: str) -> str:
    return place


async def test_until_there_is_no_next_place() -> None:
    """Also where a page in between is empty."""
    following = {"a": "b", "b": "c", "c": None}
    pages = [each async for each in follow("a", _read, lambda page, _: following[page])]
    assert pages == ["a", "b", "c"]


async def test_a_circle_is_an_error() -> None:
    following = {"a": "b", "b": "c", "c": "b"}
    pages = follow("a", _read, lambda page, _: following[page])
    assert [await anext(pages) for _ in range(3)] == ["a", "b", "c"]
    with pytest.raises(BadContent, match="does not end"):
        await anext(pages)


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('<https://x/api?page=2>; rel="next"', "https://x/api?page=2"),
        ('<a>; rel="current",<b>; rel="next",<c>; rel="last"', "b"),
        ('<a?x=1,2;3>; title="a, \\"b"; rel=next', "a?x=1,2;3"),
        ('<a>; rel="prev next"', "a"),
        ('<a>; REL="Next"', "a"),
        ('<a>; rel="first"', None),
        ("", None),
        ("nonsense, <", None),
    ],
)
def test_link_headers_are_read_in_all_their_forms(header: str, target: str | None) -> None:
    assert link_to({"link": header} if header else {}, "next") == target


@given(st.text())
def test_no_link_header_is_too_strange(header: str) -> None:
    link_to({"link": header}, "next")


def _page(data: Any) -> Answer:
    return Answer(data, {}, "the page")


def test_a_list_ends_where_its_next_is_there_and_null() -> None:
    """Without a `next` it may have been cut off; no cursor holds what cannot be sent."""
    assert next_in(_page({"next": None}), "next") is None
    assert next_in(_page({"next": "b\ud800"}), "next") == "b\ufffd"
    for data in ({}, {"next": ""}, {"next": 7}, {"next": "\0"}):
        with pytest.raises(BadContent, match="does not say whether there is more"):
            next_in(_page(data), "next")


def test_a_list_ends_where_there_is_no_more() -> None:
    """Where there is more, the page must say where."""
    assert cursor_if(_page({}), False, None) is None
    assert cursor_if(_page({}), True, "b") == "b"
    with pytest.raises(BadContent, match="does not say whether"):
        cursor_if(_page({}), None, "b")
    for cursor in (None, "", 7):
        with pytest.raises(BadContent, match="does not say where"):
            cursor_if(_page({}), True, cursor)
