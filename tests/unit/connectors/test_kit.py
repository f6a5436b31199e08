"""What connectors are put together from: questions asked once, cursors, contents, addresses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from syncline.connectors.api_options import address_at
from syncline.connectors.contents import fetched, html
from syncline.connectors.marks import cursor_moment, ending_at
from syncline.connectors.once import Once
from syncline.core.errors import BadContent, Rejected, Transient
from syncline.core.model import Change, Checkpoint, Cursor, Entry, Failed, Gone, Metadata

_CURSOR = Cursor(1, "here")


async def test_what_is_asked_for_once_is_asked_for_once() -> None:
    """By whoever comes first, while the others wait; after an error the next one asks."""
    asked: list[int] = []

    async def ask() -> str | None:
        asked.append(len(asked))
        await asyncio.sleep(0)
        if len(asked) == 1:
            raise Transient("not now")
        return None

    once = Once(ask)
    found = await asyncio.gather(*(once() for _ in range(5)), return_exceptions=True)
    assert isinstance(found[0], Transient)
    assert found[1:] == [None] * 4
    assert asked == [0, 1]


@pytest.mark.parametrize(
    ("missing", "ends"),
    [(None, True), (Failed("bad_content", "?", "a"), True), (Failed("bad_content", "?"), False)],
)
async def test_a_list_with_a_gap_ends_without_a_checkpoint(
    missing: Failed | None, ends: bool
) -> None:
    """An entry that failed is no gap: it is known."""
    changes: list[Change] = [Entry("a", "1", {}), *([missing] if missing else [])]

    async def stream() -> AsyncIterator[Change]:
        for each in changes:
            yield each

    found = [each async for each in ending_at(_CURSOR, stream())]
    assert found == [*changes, *([Checkpoint(_CURSOR)] if ends else [])]


def test_a_cursor_holds_a_moment_in_either_form() -> None:
    """Another version's is refused."""
    moment = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
    for stored in (moment.isoformat(), moment.timestamp()):
        assert cursor_moment(Cursor(1, {"since": stored}), 1, "since") == moment
    with pytest.raises(Rejected, match="another version"):
        cursor_moment(Cursor(2, {"since": 0}), 1, "since")


def test_an_entry_that_brings_its_content_along_answers_a_fetch() -> None:
    """Left out, it is gone; where it could not be read, that is an error."""
    content = html("<p>Tea", Metadata(title="Tea"), None)
    assert fetched(Entry("a", "1", {}, content=content)) is content
    assert fetched(Entry("a", "1", {}, content=content, filtered="a draft")) == Gone("a", "a draft")
    assert isinstance(fetched(Entry("a", "1", {})), Gone)
    with pytest.raises(BadContent, match="half of it"):
        fetched(Failed("bad_content", "half of it", "a"))


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("https://acme.example.com/x", True),
        ("HTTPS://ACME.EXAMPLE.COM", True),
        (" https://api.example.org/ ", True),
        ("http://acme.example.com", False),
        ("https://acme.example.com.evil.org", False),
        ("https://notexample.com", False),
        ("https://x.api.example.org", False),
        ("https://[", False),
        ("acme.example.com", False),
    ],
)
def test_an_address_is_known_by_its_host(text: str, ours: bool) -> None:
    """Exactly, or beneath a domain; never by what only looks like it."""
    assert (address_at(text, ".example.com", "api.example.org") is not None) == ours
