"""Single contents: what is told of them, read, and gone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from syncline.core.errors import BadContent, Rejected, SourceError
from syncline.core.model import Content, Entry, Failed, Gone
from syncline.testing.fake_server import answers, redirects
from syncline.testing.fakes.confluence import FakeConfluence
from tests.unit.connectors.confluence.conftest import Open


async def test_only_confluences_own_404_means_gone(wiki: FakeConfluence, open_wiki: Open) -> None:
    """A proxy's, or another application's at this address, deletes nothing."""
    page = wiki.create("DOCS", "Tea")
    async with open_wiki() as opened:
        locator = (await opened.listed())["Tea"].locator
        wiki.misbehave(answers(404, "<html>nginx</html>"), times=1)
        with pytest.raises(Rejected):
            await opened.connector.fetch(locator, None)
        wiki.trash(page)
        assert await opened.connector.fetch(locator, None) == Gone(
            f"page:{page}",
            f"{wiki.url}/rest/api/content/{page}?expand=…"
            f" answered 404 (Not Found): No content found with id: ContentId{{id={page}}}",
        )


async def test_attachments_go_with_their_page(wiki: FakeConfluence, open_wiki: Open) -> None:
    """What stands on a page in the trash is listed no more, and gone when asked for."""
    page = wiki.create("DOCS", "Tea")
    wiki.create("DOCS", "notes.md", "# Notes", kind="attachment", parent=page)
    async with open_wiki() as opened:
        entry = (await opened.listed())["notes.md"]
        content = await opened.connector.fetch(entry.locator, None)
        assert isinstance(content, Content)
        assert (content.data, content.media_type) == (b"# Notes", "text/markdown")
        wiki.trash(page)
        assert not await opened.listed()
        assert isinstance(await opened.connector.fetch(entry.locator, None), Gone)


async def test_attachments_that_cannot_be_read_are_filtered_with_a_reason(
    wiki: FakeConfluence, open_wiki: Open
) -> None:
    """By their type, and by their size."""
    page = wiki.create("DOCS", "Tea")
    wiki.create("DOCS", "a.png", kind="attachment", parent=page, media_type="image/png")
    wiki.create("DOCS", "b.txt", "x" * 20_000, kind="attachment", parent=page)
    async with open_wiki(max_attachment_mb=0.01) as opened:
        found = await opened.listed()
    assert found["a.png"].filtered == "files like 'a.png' (image/png) cannot be read"
    assert found["b.txt"].filtered == "it is larger than 0.01 MB"


async def test_a_download_that_wants_a_log_in_is_no_content(
    wiki: FakeConfluence, open_wiki: Open
) -> None:
    """A log-in page is not taken for the file."""
    page = wiki.create("DOCS", "Tea")
    wiki.create("DOCS", "a.html", "<p>a</p>", kind="attachment", parent=page)
    async with open_wiki() as opened:
        entry = (await opened.listed())["a.html"]
        path = f"/download/attachments/{page}/a.html?api=v2"
        wiki.misbehave(redirects("/login.action"), path)
        wiki.misbehave(answers(200, "<form>Log in</form>"), "/login.action")
        with pytest.raises(SourceError, match="log-in"):
            await opened.connector.fetch(entry.locator, None)


async def test_a_page_in_place_of_a_download_is_no_content(
    wiki: FakeConfluence, open_wiki: Open
) -> None:
    """What came is not as long as the file."""
    page = wiki.create("DOCS", "Tea")
    wiki.create("DOCS", "a.html", "<p>a</p>", kind="attachment", parent=page)
    async with open_wiki() as opened:
        entry = (await opened.listed())["a.html"]
        path = f"/download/attachments/{page}/a.html?api=v2"
        wiki.misbehave(answers(200, "<form>Log in</form>"), path)
        with pytest.raises(BadContent, match="not what its source describes"):
            await opened.connector.fetch(entry.locator, None)


async def test_a_text_that_is_not_told_is_no_empty_text(
    wiki: FakeConfluence, open_wiki: Open
) -> None:
    """It fails and is tried again, since its version says that it is known."""
    page = wiki.create("DOCS", "Tea")
    async with open_wiki() as opened:
        locator = (await opened.listed())["Tea"].locator
        wiki.contents[page].body = None  # type: ignore[assignment]
        with pytest.raises(BadContent):
            await opened.connector.fetch(locator, None)
        (failed, _) = await opened.changes()
    assert isinstance(failed, Failed)
    assert (failed.id, failed.locator) == (f"page:{page}", locator)


async def test_users_are_called_by_their_names(wiki: FakeConfluence, open_wiki: Open) -> None:
    """Each is asked for once; one who is gone is nobody's fault."""
    links = "".join(f'<ac:link><ri:user ri:userkey="key-{n}" /></ac:link>' for n in ("jane", "zoe"))
    for number in range(3):
        wiki.create("DOCS", f"Page {number}", f"<p>{links}</p>")
    async with open_wiki() as opened:
        found = [each for each in await opened.changes() if isinstance(each, Entry)]
    assert all(each.content and b"@Jane Doe@someone" in each.content.data for each in found)
    assert sum("/rest/api/user" in each.path for each in wiki.requests) == 2


async def test_metadata_says_what_is_known(wiki: FakeConfluence, open_wiki: Open) -> None:
    """Title, address, people, place, labels and dates."""
    top = wiki.create("DOCS", "Kitchen")
    page = wiki.create("DOCS", "Tea & milk", parent=top, labels=["hot", "daily"])
    wiki.clock.advance(60)
    wiki.update(page)
    wiki.contents[page].author = "joe"
    async with open_wiki() as opened:
        entry = (await opened.listed())["Tea & milk"]
    told = entry.metadata
    assert told.url == f"{wiki.url}/display/DOCS/Tea%20%26%20milk"
    assert told.authors == ("Joe Bloggs",)
    assert told.categories == ("Documentation", "Kitchen")
    assert told.tags == ("daily", "hot")
    assert (told.updated_at, told.created_at) == (wiki.now(), wiki.now() - timedelta(seconds=60))
    assert told.properties == {"type": "page", "space": "DOCS"}
    assert entry.parent == f"page:{top}"
