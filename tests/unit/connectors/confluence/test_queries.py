"""Queries for what was modified: what is known to go wrong with them, by its name."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from syncline.core.errors import Rejected
from syncline.core.model import Cursor, Entry, Failed
from syncline.testing.fake_server import answers
from syncline.testing.fakes.confluence import FakeConfluence
from tests.unit.connectors.confluence.conftest import Open

_HOUR = 3600


def _fill(wiki: FakeConfluence, pages: int) -> None:
    for number in range(pages):
        wiki.create("DOCS", f"Page {number:04}", f"<p>Of lantern {number}.</p>")


@pytest.mark.parametrize("hours", [-12, -5.5, 0, 2, 14])
async def test_queries_in_another_time_zone_miss_nothing(
    wiki: FakeConfluence, open_wiki: Open, hours: float
) -> None:
    """A date without a zone means the reader's own, which is not told."""
    wiki.zone = timezone(timedelta(hours=hours))
    _fill(wiki, 3)
    wiki.clock.advance(3 * 24 * _HOUR)
    async with open_wiki() as opened:
        cursor = await opened.cursor()
        wiki.create("DOCS", "Just now")
        wiki.clock.advance(1)
        assert await opened.titles(cursor) == ["Just now"]


async def test_queries_to_the_minute_miss_nothing(wiki: FakeConfluence, open_wiki: Open) -> None:
    """What was modified in the very minute, before and after the run, is told by the next."""
    wiki.clock.advance(59.5)
    async with open_wiki() as opened:
        cursor = await opened.cursor()
        for _ in range(4):
            wiki.clock.advance(0.4)
            wiki.create("DOCS", f"At {wiki.now()}")
        assert len(await opened.titles(cursor)) == 4


async def test_what_the_index_tells_late_is_seen(wiki: FakeConfluence, open_wiki: Open) -> None:
    """A watermark is never past what may still be indexed."""
    wiki.index_lag = 300
    async with open_wiki() as opened:
        cursor = await opened.cursor()
        wiki.create("DOCS", "Late")
        wiki.clock.advance(60)
        assert await opened.titles(cursor) == []
        wiki.clock.advance(300)
        assert await opened.titles(cursor) == ["Late"]


async def test_a_clock_that_is_hours_wrong_misses_nothing(
    wiki: FakeConfluence, open_wiki: Open
) -> None:
    """Confluence's is behind ours; the day of overlap covers it."""
    wiki.skew = -8 * _HOUR
    async with open_wiki() as opened:
        cursor = await opened.cursor()
        wiki.create("DOCS", "Just now")
        wiki.clock.advance(1)
        assert await opened.titles(cursor) == ["Just now"]


async def test_the_watermark_is_behind_now(wiki: FakeConfluence, open_wiki: Open) -> None:
    """By the time that the index may need."""
    async with open_wiki() as opened:
        cursor = await opened.cursor()
    assert cursor.value == {"since": (wiki.clock.now() - timedelta(minutes=10)).isoformat()}


async def test_without_news_a_space_costs_one_request(
    wiki: FakeConfluence, open_wiki: Open
) -> None:
    """And the list of spaces one; who may view a space is asked once something in it is new."""
    wiki.add_space("HR", "Personnel", viewers=[("group", "staff")])
    _fill(wiki, 3)
    wiki.clock.advance(3 * 24 * _HOUR)
    async with open_wiki() as opened:
        cursor = await opened.cursor()
    before = len(wiki.requests)
    async with open_wiki() as opened:
        await opened.connector.check()
        assert await opened.titles(cursor) == []
    assert len(wiki.requests) - before == 3
    wiki.create("HR", "Just hired")
    wiki.clock.advance(1)
    before = len(wiki.requests)
    async with open_wiki() as opened:
        await opened.connector.check()
        (entry,) = [each for each in await opened.changes(cursor) if isinstance(each, Entry)]
    assert entry.id.startswith("page:")
    assert len(wiki.requests) - before == 4


async def test_newer_cursors_are_refused_with_a_hint(open_wiki: Open) -> None:
    """What newer code has written is not read by halves."""
    async with open_wiki() as opened:
        with pytest.raises(Rejected) as caught:
            await opened.changes(Cursor(2, {"since": "2030-01-01T00:00:00+00:00", "more": 1}))
    assert "--full" in (caught.value.hint or "")


async def test_a_row_that_cannot_be_read_keeps_the_cursor(
    wiki: FakeConfluence, open_wiki: Open
) -> None:
    """The listing is incomplete, and says so."""
    wiki.create("DOCS", "Tea")
    row = '{"id": null, "type": "page"}'
    page = f'{{"results": [{row}], "_links": {{}}}}'
    async with open_wiki() as opened:
        await opened.connector.check()
        (space,) = await opened.connector.partitions()
        wiki.misbehave(answers(200, page, content_type="application/json"))
        found = [each async for each in opened.connector.changes(space, None)]
    assert {type(each) for each in found} == {Failed}
