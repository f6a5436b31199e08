"""Pages of Confluence's lists: what is known to go wrong with them, by its name."""

from __future__ import annotations

import pytest

from syncline.core.errors import BadContent, SourceError
from syncline.core.model import Entry
from syncline.testing.fake_server import answers
from syncline.testing.fakes.confluence import FakeConfluence
from tests.unit.connectors.confluence.conftest import Open

_HOUR = 3600


def _fill(wiki: FakeConfluence, pages: int) -> None:
    for number in range(pages):
        wiki.create("DOCS", f"Page {number:04}", f"<p>Of lantern {number}.</p>")


async def test_silent_caps_hide_nothing(wiki: FakeConfluence, open_wiki: Open) -> None:
    """50 rows with bodies, 200 with expansions, whatever is asked for: a short page is no end."""
    _fill(wiki, 230)
    async with open_wiki() as opened:
        assert len(await opened.listed()) == 230
        assert len(await opened.titles()) == 230


async def test_a_next_link_that_steps_too_far_skips_nothing(
    wiki: FakeConfluence, open_wiki: Open
) -> None:
    """It steps by the limit that was asked for; we go by what came."""
    _fill(wiki, 37)
    wiki.cap = 7
    async with open_wiki() as opened:
        assert sorted(await opened.listed()) == [f"Page {number:04}" for number in range(37)]


async def test_rows_hidden_after_they_were_counted_are_no_end(
    wiki: FakeConfluence, open_wiki: Open
) -> None:
    """Pages come short, even empty, where the account may not view what stands there."""
    _fill(wiki, 60)
    wiki.cap = 10
    wiki.hidden = {each.id for n, each in enumerate(wiki.contents.values()) if 5 <= n < 45}
    async with open_wiki() as opened:
        assert len(await opened.listed()) == 20


async def test_rows_that_move_up_while_pages_are_read_are_seen(
    wiki: FakeConfluence, open_wiki: Open
) -> None:
    """Deletions before where we are, in mid-listing, hide no other page."""
    _fill(wiki, 40)
    wiki.cap = 10
    first = list(wiki.contents)[:4]

    def before(seen: object) -> None:
        if sum("/rest/api/content?" in each.path for each in wiki.requests) == 3 and first:
            wiki.purge(first.pop())
            wiki.purge(first.pop())

    wiki.before = before
    async with open_wiki() as opened:
        found = await opened.listed()
    assert {f"Page {number:04}" for number in range(4, 40)} <= set(found)


async def test_an_edit_in_mid_feed_hides_no_other(wiki: FakeConfluence, open_wiki: Open) -> None:
    """An edited row goes to the end, and the others move up by one."""
    async with open_wiki() as opened:
        cursor = await opened.cursor()
        _fill(wiki, 40)
        wiki.clock.advance(_HOUR)
        wiki.cap = 10
        edited = list(wiki.contents)[3]

        def before(seen: object) -> None:
            if sum("/search?" in each.path for each in wiki.requests) == 2:
                wiki.update(edited, "<p>Again.</p>")
                wiki.before = lambda seen: None

        wiki.before = before
        assert set(await opened.titles(cursor)) == {f"Page {number:04}" for number in range(40)}


async def test_on_5xx_fewer_rows_are_asked_for(wiki: FakeConfluence, open_wiki: Open) -> None:
    """The limit is halved until the server can; what came before is not read again."""
    _fill(wiki, 60)
    wiki.breaks_above = 13
    async with open_wiki(spaces=["DOCS"]) as opened:
        wiki.breaks_above = None
        (space,) = await opened.connector.partitions()
        wiki.breaks_above = 13
        found = [each async for each in opened.connector.enumerate(space)]
    assert len(found) == 60
    limits = [each.path.partition("limit=")[2] for each in wiki.requests if "page" in each.path]
    assert limits[0] == "200"
    assert limits[-1] == "12"


async def test_a_server_that_always_fails_is_an_error(
    wiki: FakeConfluence, open_wiki: Open
) -> None:
    """Halving ends at one row."""
    wiki.misbehave(answers(500, "oops"))
    async with open_wiki() as opened:
        with pytest.raises(SourceError):
            await opened.connector.partitions()


async def test_spaces_past_the_total_end_the_list(wiki: FakeConfluence, open_wiki: Open) -> None:
    """The list of spaces says its last rows again, with a next link, for ever."""
    wiki.overruns = True
    wiki.add_space("HR")
    async with open_wiki() as opened:
        assert [each.id for each in await opened.connector.partitions()] == ["DOCS", "HR"]
    assert wiki.count() <= 3


async def test_a_list_that_does_not_end_is_an_error(wiki: FakeConfluence, open_wiki: Open) -> None:
    """It is never taken for complete."""
    row = '{"id": "1", "type": "page"}'
    page = f'{{"results": [{row}], "_links": {{"next": "/rest/api/content?start=0"}}}}'
    async with open_wiki() as opened:
        (space,) = await opened.connector.partitions()
        wiki.misbehave(answers(200, page, content_type="application/json"))
        with pytest.raises(BadContent, match="does not end"):
            _ = [each async for each in opened.connector.enumerate(space)]


async def test_all_that_hangs_on_a_page_is_read(wiki: FakeConfluence, open_wiki: Open) -> None:
    """25 attachments and comments come along; the rest is asked for."""
    page = wiki.create("DOCS", "Tea")
    for number in range(60):
        wiki.create("DOCS", f"n{number}.md", "Notes.", kind="attachment", parent=page)
        wiki.create("DOCS", f"Re: {number}", "<p>Yes.</p>", kind="comment", parent=page)
    async with open_wiki() as opened:
        assert len(await opened.listed()) == 121
        contents = [e.content for e in await opened.changes() if isinstance(e, Entry)]
    assert sum(each is not None for each in contents) == 61  # what is attached is read by itself
