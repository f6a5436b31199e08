"""The fakes of Zendesk understand a client library that many use, and are understood by it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from zenpy import Zenpy

from syncline.testing.fakes.zendesk import FakeZendesk
from syncline.testing.fakes.zendesk_tickets import FakeZendeskTickets
from tests.conformance.clients.loopback import session_to

_WHO = ("ann@example.com", "lantern-token-4711")


def _client(url: str) -> Zenpy:
    return Zenpy(subdomain="acme", email=_WHO[0], token=_WHO[1], session=session_to(url))


async def test_a_help_center_is_read_by_zenpy() -> None:
    """Lists, single articles, translations, sections and categories, and the export."""
    async with FakeZendesk() as server:
        server.let_in(*_WHO)
        server.cap = 2
        numbers = [server.create(f"Title {n}", f"<p>Text {n}</p>") for n in range(5)]
        server.translate(numbers[0], "de", "Titel", "<p>Text</p>")
        server.restrict(numbers[1], 77)

        def drive() -> None:
            help_center = _client(server.url).help_center
            listed = list(help_center.articles(cursor_pagination=True))
            assert [each.id for each in listed] == numbers
            assert listed[1].user_segment_id == 77
            one = help_center.articles(id=numbers[2])
            assert (one.title, one.body, one.draft) == ("Title 2", "<p>Text 2</p>", False)
            assert {each.locale for each in help_center.articles.translations(numbers[0])} == {
                "en-us",
                "de",
            }
            assert [each.name for each in help_center.sections()] == ["General"]
            assert [each.name for each in help_center.categories()] == ["Help"]
            changed = help_center.articles.incremental(start_time=1)
            assert {each.id for each in changed} == set(numbers)

        await asyncio.to_thread(drive)


async def test_tickets_are_exported_by_zenpy() -> None:
    """The cursor export with its husks, and comments."""
    async with FakeZendeskTickets() as server:
        server.let_in(*_WHO)
        server.cap = 2
        numbers = [server.create(f"Subject {n}", f"Text {n}") for n in range(5)]
        server.comment(numbers[0], "Between us.", public=False)
        server.delete(numbers[4])
        server.clock.advance(600)

        def drive() -> None:
            client = _client(server.url)
            assert client.users.me().role == "agent"
            start = datetime(2020, 1, 1, tzinfo=UTC)
            found = {
                each.id: each for each in client.tickets.incremental(start, paginate_by_time=False)
            }
            assert set(found) == set(numbers)
            assert (found[numbers[4]].status, found[numbers[4]].subject) == ("deleted", "SCRUBBED")
            comments = list(client.tickets.comments(numbers[0]))
            assert [each.public for each in comments] == [True, False]

        await asyncio.to_thread(drive)
