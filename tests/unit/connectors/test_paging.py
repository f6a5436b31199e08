"""Pages are followed to the end that the source names, and never in a circle."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.connectors.paging import follow, link_to
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
