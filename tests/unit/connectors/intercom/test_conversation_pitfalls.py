"""What is known to go wrong with conversations, and does not."""

from __future__ import annotations

import json

import pytest

from syncline.core.errors import BadContent, SourceError
from syncline.core.model import Checkpoint, Entry, Gone
from syncline.testing.api_reader import Reader
from syncline.testing.api_world import Killed
from syncline.testing.fake_server import answers
from syncline.testing.fakes.intercom import FakeIntercom
from tests.unit.connectors.intercom.conftest import Connect, Workspace

_READ = {"read": ["conversations"]}


def _held(fake: FakeIntercom, count: int, *, apart: float = 60) -> list[str]:
    """Ids of conversations, the oldest first."""
    numbers = []
    for number in range(count):
        fake.clock.advance(apart)
        numbers.append(fake.talk(f"<p>Question {number}</p>"))
    return numbers


def _ids(numbers: list[str]) -> set[str]:
    return {f"conversation:{number}" for number in numbers}


async def _text(world: Workspace, reader: Reader, number: str) -> str:
    return await world.text(reader.state[f"conversation:{number}"])


async def test_parts_without_a_body_are_no_messages(fake: FakeIntercom, connect: Connect) -> None:
    """Assignments and closings are left out; messages say who wrote them, and when."""
    number = fake.talk("<p>My <b>kiln</b> is cold.</p>", name="Jane <Doe>")
    fake.assign(number, fake.me)
    fake.say(number, "<p>Is it plugged in?</p>", author=fake.me, attached=["plug.png"])
    fake.say(number, "<p>She always says so.</p>", part_type="note", author=fake.me)
    fake.say(number, "<p> </p>")
    fake.close(number)
    world, reader = connect(**_READ)
    await reader.run()
    assert (await _text(world, reader, number)).splitlines() == [
        "<p><strong>Jane &lt;Doe&gt;</strong> (customer, 2030-01-01 00:00 UTC):</p>",
        "<div><p>My <b>kiln</b> is cold.</p></div>",
        "<p><strong>Ciaran Lee</strong> (teammate, 2030-01-01 00:00 UTC):</p>",
        "<div><p>Is it plugged in?</p></div>",
        "<p>Attached: plug.png</p>",
        "<p><strong>Ciaran Lee</strong> (note, 2030-01-01 00:00 UTC):</p>",
        "<div><p>She always says so.</p></div>",
    ]


async def test_more_parts_than_the_api_gives_are_told(fake: FakeIntercom, connect: Connect) -> None:
    """It gives the newest 500."""
    (number,) = _held(fake, 1)
    for part in range(503):
        fake.say(number, f"<p>Part {part}.</p>")
    world, reader = connect(**_READ)
    await reader.run()
    text = await _text(world, reader, number)
    assert "Question 0" in text
    assert "(3 earlier parts are not told by Intercom.)" in text
    assert "Part 2." not in text
    assert "Part 3." in text
    assert "Part 502." in text


@pytest.mark.parametrize("counted", [True, False])
async def test_two_replies_within_a_second_are_two(
    fake: FakeIntercom, connect: Connect, counted: bool
) -> None:
    """Times are in seconds: what was read while a second could go on is read once more."""
    fake.counts_parts = counted
    (number,) = _held(fake, 1)
    _, reader = connect(**_READ)
    await reader.run()
    early = reader.state[f"conversation:{number}"].version
    fake.say(number, "<p>In the same second.</p>")
    await reader.run()
    assert (reader.state[f"conversation:{number}"].version != early) is counted
    fake.clock.advance(120)
    await reader.run()
    late = reader.state[f"conversation:{number}"].version
    assert late != early
    fake.clock.advance(120)
    await reader.run()
    assert reader.state[f"conversation:{number}"].version == late


@pytest.mark.parametrize("requests", range(1, 7))
async def test_a_first_search_that_dies_goes_on_within_a_second(
    fake: FakeIntercom, connect: Connect, requests: int
) -> None:
    """More conversations share a second than a page holds: none is skipped, few are read twice."""
    fake.cap = 2
    numbers = [*_held(fake, 2), *_held(fake, 7, apart=0), *_held(fake, 3)]
    world, reader = connect(**_READ)
    await world.settle()
    with pytest.raises(Killed):
        await reader.run(requests=requests)
    fake.requests.clear()
    await reader.run()
    assert set(reader.state) == _ids(numbers)
    if requests == 6:  # who we are, and five of six pages: two are left
        assert fake.count() == 3, "it began anew"


async def test_a_conversation_that_moves_while_pages_are_read_is_seen(
    fake: FakeIntercom, connect: Connect
) -> None:
    """It goes to the end of the list, whether it was read before or not."""
    fake.cap = 2
    numbers = _held(fake, 8)
    world, reader = connect(**_READ)
    await world.settle()
    for number in (numbers[0], numbers[5]):
        fake.clock.advance(1)

        def reply(number: str = number) -> None:
            fake.say(number, "<p>One more thing.</p>")

        world.before_request(3, reply)
        reader.cursors.clear()
        await reader.run()
        assert set(reader.state) == _ids(numbers)
        await world.settle()
        await reader.run()
        version = reader.state[f"conversation:{number}"].version
        assert version is not None
        assert not version.endswith("~")
        assert "One more thing." in await _text(world, reader, number)


async def test_a_search_in_another_order_is_only_believed_at_its_end(
    fake: FakeIntercom, connect: Connect
) -> None:
    """The newest come first if the order is not heeded: only the end is a place to go on from."""
    fake.sorts = False
    fake.cap = 2
    numbers = _held(fake, 6)
    world, reader = connect(**_READ)
    await world.settle()
    async with world.open() as connector:
        (partition,) = await connector.partitions()
        found = [each async for each in connector.changes(partition, None)]
    assert {each.id for each in found if isinstance(each, Entry)} == _ids(numbers)
    assert [isinstance(each, Checkpoint) for each in found].index(True) == len(found) - 1
    with pytest.raises(Killed):
        await reader.run(requests=3)
    await reader.run()
    assert set(reader.state) == _ids(numbers)


async def test_a_missing_cursor_is_not_the_end(fake: FakeIntercom, connect: Connect) -> None:
    """A page that is not the last, and says not where the next is, fails the search."""
    rows = [fake._listed(fake.conversations[each]) for each in _held(fake, 2)]
    for following in (None, {"page": 2, "starting_after": None}, {}):
        pages = {"type": "pages", "page": 1, "per_page": 2, "total_pages": 3, "next": following}
        body = json.dumps({"pages": pages, "total_count": 6, "conversations": rows})
        fake.misbehave(answers(200, body, content_type="application/json"), times=1, after=1)
        _, reader = connect(**_READ)
        with pytest.raises(BadContent, match="does not say where"):
            await reader.run()
        fake.behave()


async def test_only_the_workspaces_teammates_find_them(
    fake: FakeIntercom, connect: Connect
) -> None:
    """Conversations and internal articles carry its principal, and what the metadata says."""
    note = fake.create_internal("Salaries", "<p>They are paid.</p>")
    number = fake.talk("<p>Hello</p>", subject="<p>Kiln &amp; fire</p>")
    fake.assign(number, fake.me)
    world, reader = connect(read=["conversations", "internal-articles"])
    await reader.run()
    async with world.open() as connector:
        for entry in reader.state.values():
            content = await connector.fetch(entry.locator, None)
            assert not isinstance(content, Gone)
            assert content.principals == (f"intercom:teammates:{fake.workspace}",)  # type: ignore[union-attr]
    assert reader.state[f"internal-article:{note}"].metadata.authors == ("Ciaran Lee",)
    about = reader.state[f"conversation:{number}"].metadata
    assert about.title == "Kiln & fire"
    assert about.url == (
        f"https://app.intercom.com/a/inbox/{fake.workspace}/inbox/conversation/{number}"
    )
    assert about.authors == ("Jane Doe",)
    assert about.properties["state"] == "open"
    assert about.properties["channel"] == "email"
    assert about.properties["teammate"] == fake.me


async def test_without_a_workspace_nothing_restricted_is_read(
    fake: FakeIntercom, connect: Connect
) -> None:
    """Nobody could be allowed to see it, and everybody must not."""
    _held(fake, 1)
    fake.workspace = ""
    _, reader = connect(**_READ)
    with pytest.raises(SourceError, match="which workspace"):
        await reader.run()


async def test_what_is_not_read_any_more_is_gone(fake: FakeIntercom, connect: Connect) -> None:
    """An entry of a kind that the options no longer name is answered without asking."""
    (number,) = _held(fake, 1)
    world, _ = connect(read=["articles"])
    async with world.open() as connector:
        locator = {"kind": "conversation", "id": number, "workspace": fake.workspace}
        answer = await connector.fetch(locator, None)
    assert answer == Gone(
        f"conversation:{number}", "the connection does not read conversations any more"
    )
    assert fake.count() == 0
