"""What is known to go wrong with tickets, and does not."""

from __future__ import annotations

import pytest

from syncline.core.model import Content, Entry
from syncline.testing.fakes.zendesk_tickets import FakeZendeskTickets
from tests.unit.connectors.zendesk.conftest import Connect


@pytest.mark.parametrize("internal", [False, True])
async def test_a_ticket_that_is_listed_twice_in_a_run_is_read_twice(
    desk: FakeZendeskTickets, connect_desk: Connect, internal: bool
) -> None:
    """What was read of it for its first version is not taken for its second one's."""
    ticket = desk.create("Kiln", "Old words.")
    desk.comment(ticket, "An old note.", public=False)
    desk.create("Other", "It keeps the export going.")
    desk.clock.advance(600)
    desk.cap = 1
    world, _ = connect_desk(internal_comments=internal)
    texts: list[str] = []
    async with world.open() as connector:
        (partition,) = await connector.partitions()
        async for change in connector.changes(partition, None):
            if isinstance(change, Entry) and change.id == f"ticket:{ticket}":
                content = await connector.fetch(change.locator, None)
                assert isinstance(content, Content)
                texts.append(content.data.decode())
                if len(texts) == 1:
                    desk.rewrite(ticket, "New words.")
                    desk.clock.advance(120)
    assert ["New words." in text for text in texts] == [False, True]


async def test_a_reading_of_a_ticket_serves_each_of_its_entries_once(
    desk: FakeZendeskTickets, connect_desk: Connect
) -> None:
    """The two of them cost one request for comments; who comes back is given what is there now."""
    ticket = desk.create("Kiln", "Old words.")
    desk.comment(ticket, "A note.", public=False)
    world, _ = connect_desk()
    async with world.open() as connector:

        async def read(**more: bool) -> str:
            content = await connector.fetch({"ticket": str(ticket), **more}, None)
            assert isinstance(content, Content)
            return content.data.decode()

        assert "Old words." in await read()
        desk.rewrite(ticket, "New words.")
        assert "New words." in await read()
        asked = desk.count()
        assert "A note." in await read(internal=True)
        assert desk.count() == asked
