"""The fake of Confluence understands a client library that many use, and is understood by it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from atlassian import Confluence
from atlassian.errors import ApiError

from syncline.testing.fakes.confluence import FakeConfluence

_TOKEN = "NDc1MTQ4OTU2-lantern"


async def test_spaces_are_read_by_atlassian_python_api() -> None:
    """Pages, queries, attachments, comments, restrictions, permissions and users."""
    async with FakeConfluence() as server:
        server.let_in(_TOKEN)
        server.add_space("DOCS", "Documentation")
        server.add_space("HR", "People", viewers=[("group", "staff"), ("user", "jane")])
        home = server.create("DOCS", "Home", "<p>Welcome.</p>")
        for number in range(70):
            server.create("DOCS", f"Page {number}", parent=home, labels=["tea"])
        server.create("DOCS", "News", "<p>New.</p>", kind="blogpost")
        server.create("DOCS", "Re: Home", "<p>Yes.</p>", kind="comment", parent=home)
        file = server.create("DOCS", "notes.md", "# Notes", kind="attachment", parent=home)
        server.restrict(home, ["jane"], ["staff"])
        server.hidden = {list(server.contents)[5]}
        client: Any = Confluence(url=server.url, token=_TOKEN)  # type: ignore[no-untyped-call]
        await asyncio.to_thread(_read, client, home, file)


def _read(client: Any, home: str, file: str) -> None:
    spaces = client.get_all_spaces(space_type="global")["results"]
    assert [each["key"] for each in spaces] == ["DOCS", "HR"]
    assert client.get_space("DOCS")["name"] == "Documentation"
    # It follows `_links.next`: that steps by the limit, and one page is hidden.
    pages = [*client.get_all_pages_from_space("DOCS")]
    assert len(pages) == 70
    assert [each["title"] for each in client.get_all_blog_posts_from_space("DOCS")] == ["News"]
    page = client.get_page_by_id(home, expand="body.storage,version,ancestors,space")
    assert page["body"]["storage"]["value"] == "<p>Welcome.</p>"
    assert (page["version"]["number"], page["ancestors"]) == (1, [])
    found = client.cql('space="DOCS" and type in (attachment)')["results"]
    assert [each["content"]["id"] for each in found] == [file]
    (attached,) = client.get_attachments_from_content(home)["results"]
    assert attached["_links"]["download"].startswith(f"/download/attachments/{home}/notes.md")
    (comment,) = client.get_page_comments(home, expand="body.storage", depth="all")["results"]
    assert comment["body"]["storage"]["value"] == "<p>Yes.</p>"
    read = client.get_all_restrictions_for_content(home)["read"]["restrictions"]
    assert [each["username"] for each in read["user"]["results"]] == ["jane"]
    assert [each["name"] for each in read["group"]["results"]] == ["staff"]
    told = client.get_all_space_permissions("HR")
    assert {each["operation"]["operationKey"] for each in told} == {"read"}
    assert client.get_user_details_by_userkey("key-jane")["displayName"] == "Jane Doe"
    members = client.get_group_members("confluence-users")
    assert {each["username"] for each in _rows(members)} == {"jane", "joe", "reader"}
    with pytest.raises(ApiError):
        client.get_page_by_id("404")


def _rows(found: Any) -> list[dict[str, Any]]:
    return found["results"] if isinstance(found, dict) else list(found)
