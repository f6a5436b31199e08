"""Who may see what: restrictions, what stands above a page, and its space."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncline.core.errors import SourceError
from syncline.core.model import Entry, Failed, Partition
from syncline.testing.fake_server import answers
from syncline.testing.fakes.confluence import FakeConfluence
from tests.unit.connectors.confluence.conftest import Open


async def test_a_space_says_who_may_see_its_pages(wiki: FakeConfluence, open_wiki: Open) -> None:
    """Users and groups with the permission to view; everyone where anonymous readers have it."""
    wiki.add_space("HR", viewers=[("group", "staff"), ("user", "jane")])
    wiki.create("HR", "Pay")
    wiki.create("DOCS", "Tea")
    async with open_wiki() as opened:
        assert await opened.principals("Pay") == ("confluence:group:staff", "confluence:user:jane")
        assert await opened.principals("Tea") is None


async def test_restrictions_hold_for_all_that_is_beneath(
    wiki: FakeConfluence, open_wiki: Open
) -> None:
    """Pages beneath, their comments, their attachments; blog posts have their own."""
    top = wiki.create("DOCS", "Top")
    page = wiki.create("DOCS", "Deep", parent=wiki.create("DOCS", "Between", parent=top))
    wiki.create("DOCS", "Re: Deep", "<p>Yes.</p>", kind="comment", parent=page)
    wiki.create("DOCS", "notes.md", "Notes.", kind="attachment", parent=page)
    wiki.restrict(top, ["jane"], ["staff"])
    wiki.create("DOCS", "News", kind="blogpost", users=["joe"])
    expected = ("confluence:group:staff", "confluence:user:jane")
    async with open_wiki() as opened:
        for title in ("Top", "Between", "Deep", "Re: Deep", "notes.md"):
            assert await opened.principals(title) == expected, title
        assert await opened.principals("News") == ("confluence:user:joe",)


async def test_who_reads_must_pass_every_restriction(wiki: FakeConfluence, open_wiki: Open) -> None:
    """A user of the lower page's passes if the upper page names her, or a group she is in."""
    wiki.members = {"staff": ["jane"], "guests": ["joe"]}
    top = wiki.create("DOCS", "Top", groups=["staff", "both"])
    wiki.create("DOCS", "Deep", parent=top, users=["jane", "joe"], groups=["both", "lower"])
    async with open_wiki() as opened:
        found = await opened.principals("Deep")
        assert found == ("confluence:group:both", "confluence:user:jane")
        assert any("confluence:group:lower" in each for each in opened.warnings)


async def test_nobody_passes_what_excludes_everybody(wiki: FakeConfluence, open_wiki: Open) -> None:
    """Then the access list is empty, and not open."""
    top = wiki.create("DOCS", "Top", users=["jane"])
    wiki.create("DOCS", "Deep", parent=top, users=["joe"])
    async with open_wiki() as opened:
        assert await opened.principals("Deep") == ()


async def test_more_subjects_than_come_along_are_all_read(
    wiki: FakeConfluence, open_wiki: Open
) -> None:
    """A list of 200 has no next link: it is asked on."""
    wiki.create("DOCS", "Tea", users=[f"user{number}" for number in range(450)])
    async with open_wiki() as opened:
        found = await opened.principals("Tea")
    assert found is not None
    assert len(found) == 450


async def test_a_server_that_does_not_expand_restrictions_is_asked_for_each(
    wiki: FakeConfluence, open_wiki: Open
) -> None:
    """Whatever expansions it knows, the same lists come out, and the same versions."""
    top = wiki.create("DOCS", "Top", users=["jane"])
    page = wiki.create("DOCS", "Deep", parent=top)
    wiki.create("DOCS", "Re: Deep", "<p>Yes.</p>", kind="comment", parent=page)
    async with open_wiki() as opened:
        before = await opened.listed()
        cursor = await opened.cursor()
    wiki.expands_restrictions = wiki.expands_containers = False
    async with open_wiki() as opened:
        assert await opened.listed() == before
        assert await opened.principals("Re: Deep") == ("confluence:user:jane",)
        found = [each for each in await opened.changes(cursor) if isinstance(each, Entry)]
        assert {each.metadata.title or "": each for each in found} == before


async def test_a_space_that_does_not_tell_is_not_for_everyone(
    wiki: FakeConfluence, open_wiki: Open
) -> None:
    """Before 9.1, or without the rights: it is for those whom the options name, or who ask for the
    space by its name, which is told. What an anonymous reader sees is for everyone."""
    wiki.create("DOCS", "Tea")
    wiki.tells_permissions = False
    async with open_wiki(viewers=["confluence:group:confluence-users"]) as opened:
        assert await opened.principals("Tea") == ("confluence:group:confluence-users",)
        assert not opened.warnings
    async with open_wiki() as opened:
        assert await opened.principals("Tea") == ("confluence:space:DOCS",)
        assert ["DOCS" in each and "viewers" in each for each in opened.warnings] == [True]
    wiki.accepts = None
    async with open_wiki(token=None) as opened:
        assert await opened.principals("Tea") is None
        assert not opened.warnings


@pytest.mark.parametrize("status", [400, 403, 404, 500])
async def test_a_proxys_refusal_opens_no_space(
    wiki: FakeConfluence, open_wiki: Open, status: int
) -> None:
    """Only Confluence's own word says that the permissions may not be read."""
    wiki.create("DOCS", "Tea")
    path = "/rest/api/space/DOCS/permissions"
    wiki.misbehave(answers(status, "<html>no</html>"), path)
    async with open_wiki() as opened:
        with pytest.raises(SourceError):
            await opened.listed()


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    odd=st.sampled_from([None, 0, "", [], {}, "read", {"read": None}, [None], True]),
    place=st.sampled_from(["read", "restrictions", "user", "group", "results"]),
)
async def test_restrictions_that_cannot_be_read_open_nothing(
    wiki: FakeConfluence, open_wiki: Open, odd: object, place: str
) -> None:
    """Whatever stands in place of any part of them: the entry fails, and is never for everyone."""
    wiki.contents.clear()
    wiki.create("DOCS", "Secret", users=["jane"])
    show = wiki.restriction_row

    def strange(*given: Any) -> Any:
        answer = show(*given)
        if place == "read":
            return "none" if odd is None else odd
        if place == "restrictions":
            return {**answer, "restrictions": odd}
        kind = "user" if place == "results" else place
        inner = {"results": odd or None, "limit": 200} if place == "results" else odd
        return {**answer, "restrictions": {**answer["restrictions"], kind: inner}}

    with patch.object(wiki, "restriction_row", strange):
        async with open_wiki() as opened:
            (failed,) = [each for each in await opened.changes() if not isinstance(each, Entry)]
    assert isinstance(failed, Failed)


async def test_a_page_of_no_known_space_is_not_for_everyone(
    wiki: FakeConfluence, open_wiki: Open
) -> None:
    """Its space is what says who may see it."""
    wiki.create("DOCS", "Tea")
    with patch.object(wiki, "space_row", lambda space: {"key": None, "name": "?"}):
        async with open_wiki() as opened:
            found = [each async for each in opened.connector.enumerate(Partition("DOCS"))]
    assert [type(each) for each in found] == [Failed]


async def test_what_moves_no_version_of_confluences_moves_ours(
    wiki: FakeConfluence, open_wiki: Open
) -> None:
    """Restrictions above, the space's permissions, labels, moves and renames above a page."""
    top, other = wiki.create("DOCS", "Top"), wiki.create("DOCS", "Other")
    page = wiki.create("DOCS", "Tea", parent=top)
    seen = []
    edits: list[Callable[[], object]] = [
        lambda: None,
        lambda: wiki.restrict(top, ["jane"]),
        lambda: wiki.restrict(top),
        lambda: setattr(wiki.spaces["DOCS"], "viewers", [("group", "staff")]),
        lambda: wiki.label(page, "hot"),
        lambda: wiki.update(top, title="Summit"),
        lambda: wiki.move(page, other),
    ]
    for edit in edits:
        edit()
        async with open_wiki() as opened:
            seen.append((await opened.listed())["Tea"].version)
    assert seen[0] == seen[2]
    assert len(set(seen)) == len(edits) - 1
