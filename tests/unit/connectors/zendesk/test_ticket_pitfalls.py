"""What is known to go wrong with tickets, and does not."""

from __future__ import annotations

import pytest

from syncline.core.errors import BadContent
from syncline.core.model import Content, Entry, Gone
from syncline.testing.api_reader import Reader
from syncline.testing.fake_server import answers
from syncline.testing.fakes.zendesk_tickets import FakeZendeskTickets
from tests.unit.connectors.zendesk.conftest import Connect, asked, text_of


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


async def _settled(desk: FakeZendeskTickets, reader: Reader) -> dict[str, str | None]:
    """Versions after a run that was told everything."""
    desk.clock.advance(600)
    await reader.run()
    return dict(reader.versions())


async def test_the_last_minute_is_told_by_a_later_run(
    desk: FakeZendeskTickets, connect_desk: Connect
) -> None:
    """The export leaves it out; nothing of it is passed over."""
    _, reader = connect_desk(internal_comments=False)
    old = desk.create("Old", "Text.")
    await _settled(desk, reader)
    new = desk.create("New", "Text.")
    await reader.run()
    assert set(reader.state) == {f"ticket:{old}"}
    desk.clock.advance(61)
    await reader.run()
    assert set(reader.state) == {f"ticket:{old}", f"ticket:{new}"}


@pytest.mark.parametrize("how", ["deleted", "scrubbed"])
async def test_a_husk_is_a_deletion_with_or_without_its_status(
    desk: FakeZendeskTickets, connect_desk: Connect, how: str
) -> None:
    """Deleted tickets stay in the export, as do erased ones, whose status tells nothing."""
    kept, gone = desk.create("Kiln", "Text."), desk.create("Spam", "Buy now.")
    world, reader = connect_desk()
    await _settled(desk, reader)
    (locator,) = [each.locator for name, each in reader.state.items() if name == f"ticket:{gone}"]
    if how == "deleted":
        desk.delete(gone)
    else:
        desk.scrub(gone)
    await _settled(desk, reader)
    assert set(reader.state) == {f"ticket:{kept}", f"ticket:{kept}:internal"}
    async with world.open() as connector:
        assert isinstance(await connector.fetch(locator, None), Gone)


async def test_a_ticket_about_scrubbing_is_none_that_was_erased(
    desk: FakeZendeskTickets, connect_desk: Connect
) -> None:
    """Both subject and text have to be those of a husk."""
    ticket = desk.create("SCRUBBED", "The floor, at last.")
    _, reader = connect_desk(internal_comments=False)
    assert set(await _settled(desk, reader)) == {f"ticket:{ticket}"}


async def test_most_of_a_first_export_may_be_husks(
    desk: FakeZendeskTickets, connect_desk: Connect
) -> None:
    """They cost no request of their own."""
    for number in range(12):
        desk.delete(desk.create(f"Spam {number}", "Buy now."))
    ticket = desk.create("Kiln", "Text.")
    desk.cap = 2
    _, reader = connect_desk(internal_comments=False)
    assert set(await _settled(desk, reader)) == {f"ticket:{ticket}"}
    # Who we are, and the export's pages: of these twelve, and one that was there before.
    assert desk.count() == 1 + 7


async def test_the_export_goes_by_another_time_than_that_of_the_update(
    desk: FakeZendeskTickets, connect_desk: Connect
) -> None:
    """`updated_at` can be a month old; the ticket is told, and read, all the same."""
    ticket = desk.create("Kiln", "Text.")
    world, reader = connect_desk(internal_comments=False)
    before = await _settled(desk, reader)
    desk.clock.advance(30 * 86_400)
    desk.create("Other", "Text.")
    desk.tickets[ticket].comments[0].body = "Other text."
    desk.recompute(ticket)
    after = await _settled(desk, reader)
    assert after[f"ticket:{ticket}"] != before[f"ticket:{ticket}"]
    entry = reader.state[f"ticket:{ticket}"]
    assert entry.metadata.updated_at is not None
    assert (desk.now() - entry.metadata.updated_at).days == 30
    assert "Other text." in await text_of(world, entry)


async def test_a_cursor_that_is_exhausted_is_kept(
    desk: FakeZendeskTickets, connect_desk: Connect
) -> None:
    """It is answered with none: where we are is not forgotten, and not read from the start."""
    desk.create("Kiln", "Text.")
    _, reader = connect_desk(internal_comments=False)
    await _settled(desk, reader)
    stored = dict(reader.cursors)
    for _ in range(2):
        desk.requests.clear()
        await _settled(desk, reader)
        assert reader.cursors == stored
        assert [path.partition("=")[0] for path in asked(desk)] == [
            "users/me",
            "incremental/tickets/cursor?cursor",
        ]


async def test_links_to_an_alias_of_the_host_are_not_needed(
    desk: FakeZendeskTickets, connect_desk: Connect
) -> None:
    """The cursor is enough."""
    tickets = [desk.create(f"Ticket {number}", "Text.") for number in range(5)]
    desk.cap, desk.elsewhere = 2, "https://acme-alias.zendesk.example"
    _, reader = connect_desk(internal_comments=False)
    assert set(await _settled(desk, reader)) == {f"ticket:{each}" for each in tickets}


async def test_an_export_that_does_not_say_whether_it_is_over_is_an_error(
    desk: FakeZendeskTickets, connect_desk: Connect
) -> None:
    """A page without `end_of_stream` is neither the end nor to be gone on from."""
    desk.misbehave(
        answers(200, '{"tickets": [], "after_cursor": "x"}', content_type="application/json"),
        "/api/v2/incremental/tickets/cursor?start_time=0",
    )
    _, reader = connect_desk()
    with pytest.raises(BadContent, match="whether there is more"):
        await reader.run()


async def test_all_pages_of_a_conversation_are_read(
    desk: FakeZendeskTickets, connect_desk: Connect
) -> None:
    """Pages hold a hundred comments."""
    ticket = desk.create("Kiln", "Comment 0.")
    for number in range(1, 230):
        desk.comment(ticket, f"Comment {number}.", author=501 if number % 2 else 9)
    world, reader = connect_desk(internal_comments=False)
    await _settled(desk, reader)
    text = await text_of(world, reader.state[f"ticket:{ticket}"])
    assert [f"Comment {number}." in text for number in range(230)] == [True] * 230
    assert text.count("<h2>Agent") == 114  # each second one, but for the first


async def test_notes_are_found_by_agents_alone(
    desk: FakeZendeskTickets, connect_desk: Connect
) -> None:
    """Public and internal comments are kept apart; what does not say that it is public is not."""
    ticket = desk.create("Kiln", "Said to all.", requester=501)
    desk.comment(ticket, "Said among us.", public=False)
    desk.comment(ticket, "Perhaps to all.")
    desk.tickets[ticket].comments[-1].public = None
    world, reader = connect_desk()
    await _settled(desk, reader)
    found = {}
    async with world.open() as connector:
        for name, entry in reader.state.items():
            content = await connector.fetch(entry.locator, None)
            assert isinstance(content, Content)
            found[name] = (content.principals, content.data.decode())
    public, internal = found[f"ticket:{ticket}"], found[f"ticket:{ticket}:internal"]
    assert (public[0], internal[0]) == (
        ("zendesk:agents", "zendesk:user:501"),
        ("zendesk:agents",),
    )
    told = [
        [words in text for words in ("Said to all.", "Said among us.", "Perhaps to all.")]
        for _, text in (public, internal)
    ]
    assert told == [[True, False, False], [False, True, True]]


async def test_a_ticket_of_nobodys_is_found_by_agents_alone(
    desk: FakeZendeskTickets, connect_desk: Connect
) -> None:
    """Where the requester is not told, there is no principal for one."""
    ticket = desk.create("Kiln", "Text.")
    desk.tickets[ticket].requester = None
    world, reader = connect_desk(internal_comments=False)
    await _settled(desk, reader)
    async with world.open() as connector:
        content = await connector.fetch(reader.state[f"ticket:{ticket}"].locator, None)
    assert isinstance(content, Content)
    assert content.principals == ("zendesk:agents",)


async def test_a_ticket_that_is_lost_between_list_and_fetch_is_gone(
    desk: FakeZendeskTickets, connect_desk: Connect
) -> None:
    """Some answers of 404 have no body."""
    ticket = desk.create("Kiln", "Text.")
    world, reader = connect_desk(internal_comments=False)
    await _settled(desk, reader)
    desk.misbehave(answers(404, "", content_type="text/plain"), f"/api/v2/tickets/{ticket}")
    async with world.open() as connector:
        found = await connector.fetch(reader.state[f"ticket:{ticket}"].locator, None)
    assert found == Gone(f"ticket:{ticket}", "there is no such ticket any more")


async def test_only_the_tickets_of_the_last_days_are_read_at_first(
    desk: FakeZendeskTickets, connect_desk: Connect
) -> None:
    """An old one that is touched again comes with the feed."""
    old = desk.create("Old", "Text.")
    desk.clock.advance(40 * 86_400)
    new = desk.create("New", "Text.")
    _, reader = connect_desk(internal_comments=False, days=30)
    assert set(await _settled(desk, reader)) == {f"ticket:{new}"}
    desk.comment(old, "Another.")
    assert set(await _settled(desk, reader)) == {f"ticket:{new}", f"ticket:{old}"}
