"""What is known to go wrong with lists of articles, and does not."""

from __future__ import annotations

import json

import pytest

from syncline.core.errors import BadContent, SourceError
from syncline.core.model import Content, Entry
from syncline.testing.fake_server import answers
from syncline.testing.fakes.intercom import FakeIntercom
from tests.unit.connectors.intercom.conftest import Connect

_SIZE = 5


def _written(fake: FakeIntercom, count: int, *, apart: float = 60) -> list[str]:
    """Ids of articles, the oldest first."""
    numbers = []
    for number in range(count):
        fake.clock.advance(apart)
        numbers.append(fake.create(f"Article {number}", f"<p>Text {number}</p>"))
    return numbers


def _ids(numbers: list[str]) -> set[str]:
    return {f"article:{number}" for number in numbers}


async def test_nothing_changed_among_many_takes_two_requests(
    fake: FakeIntercom, connect: Connect
) -> None:
    """Who we are, and page one; whatever there is beneath it, and whenever it was written."""
    _written(fake, 2_000, apart=0)
    world, reader = connect()
    await reader.catch_up()
    fake.requests.clear()
    await reader.run()
    assert len(reader.state) == 2_000
    assert world.paths() == ["GET /me", "GET /articles?per_page=250&page=1"]


async def test_one_edit_among_many_takes_four_requests(
    fake: FakeIntercom, connect: Connect
) -> None:
    """Page one reaches down to what is known; what its ids stand for is asked for besides."""
    numbers = _written(fake, 12)
    world, reader = connect(page_size=_SIZE)
    await reader.catch_up()
    fake.update(numbers[3], body="<p>Edited.</p>")
    fake.requests.clear()
    await reader.run()
    assert world.paths() == [
        "GET /me",
        f"GET /articles?per_page={_SIZE}&page=1",
        "GET /help_center/collections?per_page=50&page=1",
        "GET /admins",
    ]


async def test_lists_in_another_order_are_read_to_their_end(
    fake: FakeIntercom, connect: Connect
) -> None:
    """What is new stands on page two, beneath what is old: the order is not taken on trust."""
    fake.clock.advance(60)
    numbers = [fake.create(f"Article {number}", "<p>Text</p>") for number in range(4)]
    _, reader = connect()
    await reader.catch_up()
    rows = [fake.articles[each] for each in numbers]
    for row, seconds in zip(rows, (0, 5_000, 0, 6_000), strict=True):
        row.update(updated_at=row["updated_at"] + seconds)
    for page in (1, 2):
        pages = {"type": "pages", "page": page, "per_page": 2, "total_pages": 2}
        data = {"data": rows[page * 2 - 2 : page * 2], "total_count": 4, "pages": pages}
        answer = answers(200, json.dumps(data), content_type="application/json")
        fake.misbehave(answer, f"/articles?per_page=250&page={page}")
    before = reader.versions()
    await reader.run()
    moved = {each for each, version in reader.versions().items() if version != before[each]}
    assert moved == _ids([numbers[1], numbers[3]])


async def test_page_zero_is_never_asked_for(fake: FakeIntercom, connect: Connect) -> None:
    """It has page one's rows and names page one as the next: every row would come twice."""
    _written(fake, 12)
    world, reader = connect(page_size=_SIZE)
    await world.settle()
    await reader.run()
    listed = [path for path in world.paths() if path.startswith("GET /articles")]
    assert listed == [
        f"GET /articles?per_page={_SIZE}&page={page}" for page in (1, 2, 3, 1)
    ]  # the last is the second look at page one


async def test_an_article_that_moves_up_while_pages_are_read_is_seen(
    fake: FakeIntercom, connect: Connect
) -> None:
    """It was on page three, and is on page one when page three is read: there is a second look."""
    numbers = _written(fake, 15)
    world, reader = connect(page_size=_SIZE)
    await world.settle()

    def edit() -> None:
        fake.clock.advance(1)
        fake.update(numbers[1], body="<p>Moved to the top.</p>")

    world.before_request(5, edit)  # me, page 1, collections, admins, page 2
    await reader.run()
    assert set(reader.state) == _ids(numbers)
    assert "Moved to the top." in await world.text(reader.state[f"article:{numbers[1]}"])
    content = reader.state[f"article:{numbers[1]}"].content
    assert content is not None
    assert b"Moved to the top." in content.data


async def test_an_article_deleted_while_pages_are_read_hides_no_other(
    fake: FakeIntercom, connect: Connect
) -> None:
    """Rows move up past where the listing is: it goes back by a page, and misses none."""
    numbers = _written(fake, 15)
    world, reader = connect(page_size=_SIZE)
    await world.settle()
    for request in (4, 5, 6):
        victim = numbers.pop()

        def delete(victim: str = victim) -> None:
            fake.delete(victim)

        world.before_request(request, delete)
        await reader.reconcile()
        assert set(reader.state) >= _ids(numbers), f"deleted before request {request}"


async def test_an_article_deleted_while_what_is_new_is_read_hides_no_edit(
    fake: FakeIntercom, connect: Connect
) -> None:
    """The last page with news is just that page from which an edited article has moved up."""
    numbers = _written(fake, 15)
    world, reader = connect(page_size=_SIZE)
    await reader.catch_up()
    for number in numbers[:11]:
        fake.clock.advance(60)
        fake.update(number, title="Edited")
    await world.settle()
    world.before_request(6, lambda: fake.delete(numbers[10]))  # page 3, after who and what
    await reader.run()
    titles = {reader.state[f"article:{each}"].metadata.title for each in numbers[:10]}
    assert "page=3" in "".join(world.paths())
    assert titles == {"Edited"}


async def test_an_article_edited_while_all_are_enumerated_is_not_missed(
    fake: FakeIntercom, connect: Connect
) -> None:
    """Or it would be taken for gone."""
    numbers = _written(fake, 15)
    world, reader = connect(page_size=_SIZE)
    await world.settle()
    world.before_request(2, lambda: fake.update(numbers[0], title="Edited"))
    await reader.reconcile()
    assert set(reader.state) == _ids(numbers)


async def test_a_translation_edited_alone_is_noticed(fake: FakeIntercom, connect: Connect) -> None:
    """The article's `updated_at` is its default language's: the enumeration tells by versions."""
    (number,) = _written(fake, 1)
    fake.translate(number, "de", "Artikel", "<p>Alter Text</p>")
    world, reader = connect()
    await reader.catch_up()
    before = reader.versions()
    fake.translate(number, "de", "Artikel", "<p>Neuer Text</p>")
    await reader.catch_up()
    moved = {each for each, version in reader.versions().items() if before[each] != version}
    assert moved == {f"article:{number}:de"}
    assert "Neuer Text" in await world.text(reader.state[f"article:{number}:de"])


@pytest.mark.parametrize("change", ["rename", "tag"])
async def test_what_touches_no_article_moves_its_version(
    fake: FakeIntercom, connect: Connect, change: str
) -> None:
    """Names of collections and tags are metadata, though `updated_at` knows nothing of them."""
    outer = fake.collect("Help")
    number = fake.create("Keys", "<p>Turn them.</p>", collection=fake.collect("Guides", outer))
    _, reader = connect()
    await reader.catch_up()
    before = reader.state[f"article:{number}"]
    assert before.metadata.categories == ("Help", "Guides")
    assert before.metadata.authors == ("Ciaran Lee",)
    if change == "rename":
        fake.rename(outer, "Support")
    else:
        fake.tag(number, "security")
    await reader.catch_up()
    after = reader.state[f"article:{number}"]
    assert after.version != before.version
    assert after.metadata.categories[0] == ("Support" if change == "rename" else "Help")
    assert after.metadata.tags == (() if change == "rename" else ("security",))


@pytest.mark.parametrize("skew", [0.0, -7_200.0])
async def test_two_edits_within_a_second_are_two(
    fake: FakeIntercom, connect: Connect, skew: float
) -> None:
    """Times are in seconds; the second edit is seen though `updated_at` stays, and looks old."""
    fake.skew = skew
    (number,) = _written(fake, 1)
    _, reader = connect()
    await reader.run()
    before = reader.state[f"article:{number}"].version
    fake.update(number, body="<p>Another text in the same second.</p>")
    await reader.run()
    assert reader.state[f"article:{number}"].version != before
    content = reader.state[f"article:{number}"].content
    assert content is not None
    assert b"same second" in content.data


async def test_rows_that_become_visible_late_are_seen(fake: FakeIntercom, connect: Connect) -> None:
    """An article appears beneath a newer one that was read already."""
    late, newest = _written(fake, 2)
    hidden = fake.articles.pop(late)
    _, reader = connect()
    await reader.run()
    assert set(reader.state) == _ids([newest])
    fake.articles[late] = hidden
    await reader.run()
    assert set(reader.state) == _ids([late, newest])


@pytest.mark.parametrize("skew", [-7_200.0, 7_200.0])
async def test_a_clock_that_is_wrong_loses_nothing(
    fake: FakeIntercom, connect: Connect, skew: float
) -> None:
    """Two hours ahead of ours, or behind: edits are seen by the next run."""
    fake.skew = skew
    numbers = _written(fake, 3)
    _, reader = connect()
    await reader.run()
    for body in ("First", "Second"):
        fake.clock.advance(30)
        fake.update(numbers[0], body=f"<p>{body}</p>")
        await reader.run()
        content = reader.state[f"article:{numbers[0]}"].content
        assert content is not None
        assert body in content.data.decode()


async def test_a_time_to_come_hides_no_edit(fake: FakeIntercom, connect: Connect) -> None:
    """An article that says it was updated next year is not the place to go on from."""
    first, second = _written(fake, 2)
    fake.articles[second]["updated_at"] += 365 * 86_400
    world, reader = connect()
    await reader.catch_up()
    await world.settle()
    fake.update(first, body="<p>This year's.</p>")
    await reader.run()
    content = reader.state[f"article:{first}"].content
    assert content is not None
    assert b"This year's." in content.data


async def test_an_empty_page_is_not_the_end(fake: FakeIntercom, connect: Connect) -> None:
    """Rows may be left out of a page after it was cut: there are more if it says so."""
    number = _written(fake, 1)[0]
    _, reader = connect()
    await reader.catch_up()
    fake.update(number, body="<p>On page two.</p>")
    pages = {"type": "pages", "page": 1, "per_page": 250, "total_pages": 2, "next": "/articles"}
    row = fake.articles[number]
    for page, rows in ((1, []), (2, [row])):
        body = json.dumps({"data": rows, "total_count": 1, "pages": {**pages, "page": page}})
        if page == 2:
            body = body.replace('"/articles"', "null")
        answer = answers(200, body, content_type="application/json")
        fake.misbehave(answer, f"/articles?per_page=250&page={page}")
    await reader.run()
    content = reader.state[f"article:{number}"].content
    assert content is not None
    assert b"On page two." in content.data


async def test_articles_can_be_for_teammates_alone(fake: FakeIntercom, connect: Connect) -> None:
    """Where the help center is not public; then their versions are others too."""
    (number,) = _written(fake, 1)
    (_, public), (world, private) = connect(), connect(articles_for="teammates")
    await public.run()
    await private.run()
    open_, closed = public.state[f"article:{number}"], private.state[f"article:{number}"]
    assert open_.content is not None
    assert open_.content.principals is None
    assert open_.version != closed.version
    async with world.open() as connector:
        fetched = await connector.fetch(closed.locator, None)
    for content in (closed.content, fetched):
        assert isinstance(content, Content)
        assert content.principals == (f"intercom:teammates:{fake.workspace}",)


async def test_drafts_leave_with_the_next_run(fake: FakeIntercom, connect: Connect) -> None:
    """An article that is unpublished, in a help center of one language, too."""
    fake.multilingual = False
    numbers = _written(fake, 2)
    _, reader = connect()
    await reader.run()
    assert reader.state[f"article:{numbers[0]}"].metadata.language == "en"
    fake.update(numbers[0], state="draft")
    await reader.run()
    assert set(reader.state) == _ids(numbers[1:])


async def test_a_state_that_is_unknown_is_no_word_about_the_article(
    fake: FakeIntercom, connect: Connect
) -> None:
    """It neither shows it nor takes it away: it fails, and what is stored stays."""
    (number,) = _written(fake, 1)
    fake.articles[number]["state"] = None
    world, _ = connect()
    async with world.open() as connector:
        (partition,) = await connector.partitions()
        (found,) = [each async for each in connector.enumerate(partition)]
        assert not isinstance(found, Entry)
        assert found.id == f"article:{number}"
        assert found.locator is not None
        with pytest.raises(BadContent, match="neither published nor a draft"):
            await connector.fetch(found.locator, None)


@pytest.mark.parametrize(
    "pages",
    [
        "null",
        '{"type": "pages"}',
        '{"type": "pages", "page": 2, "per_page": 250, "total_pages": 3, "next": null}',
    ],
)
async def test_a_page_that_does_not_say_where_it_stands_is_an_error(
    fake: FakeIntercom, connect: Connect, pages: str
) -> None:
    """The end of a list that nobody told of would be the end of what is missing."""
    _written(fake, 1)
    body = f'{{"type": "list", "data": [], "total_count": 0, "pages": {pages}}}'
    fake.misbehave(answers(200, body, content_type="application/json"), times=1, after=1)
    _, reader = connect()
    with pytest.raises(SourceError, match="page"):
        await reader.run()
    assert reader.cursors == {}


async def test_lists_that_go_by_cursors_are_followed(fake: FakeIntercom, connect: Connect) -> None:
    """The description has cursors where real answers have addresses: both will do."""
    first, second = _written(fake, 2)
    places = [("page=1", second, {"starting_after": "b"}), ("starting_after=b", first, None)]
    for number, (where, article, after) in enumerate(places, start=1):
        pages = {"type": "pages", "page": number, "per_page": 1, "total_pages": 2, "next": after}
        rows = [fake.articles[article]]
        body = json.dumps({"type": "list", "data": rows, "total_count": 2, "pages": pages})
        page = answers(200, body, content_type="application/json")
        fake.misbehave(page, f"/articles?per_page=250&{where}")
    _, reader = connect()
    await reader.run()
    assert set(reader.state) == _ids([first, second])
