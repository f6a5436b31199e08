"""What is known to go wrong with help centers, and does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from syncline.core.errors import BadContent
from syncline.core.model import Content, Entry, Gone
from syncline.testing.api_reader import Reader
from syncline.testing.api_world import ApiWorld
from syncline.testing.fake_server import answers
from syncline.testing.fakes.zendesk import FakeZendesk
from tests.unit.connectors.zendesk.conftest import Connect, asked, text_of

_EXPORT = "help_center/incremental/articles"


def _written(center: FakeZendesk, count: int) -> list[int]:
    """Numbers of articles, the oldest first, a minute apart; long ago."""
    numbers = []
    for number in range(count):
        center.clock.advance(60)
        numbers.append(center.create(f"Article {number}", f"<p>Text {number}</p>"))
    center.clock.advance(3_600)
    return numbers


async def _next_run(center: FakeZendesk, reader: Reader) -> None:
    """A run an hour later; `asked` is of it alone."""
    center.clock.advance(3_600)
    center.requests.clear()
    await reader.run()


def _moved(reader: Reader, before: dict[str, str | None]) -> set[str]:
    return {each for each, version in reader.versions().items() if before.get(each) != version}


# What the export tells.


async def test_a_vote_moves_an_article_but_no_version(
    center: FakeZendesk, connect: Connect
) -> None:
    """`updated_at` moves with votes and comments, too: what is stored stays as it is."""
    (number,) = _written(center, 1)
    _, reader = connect()
    await reader.catch_up()
    before = dict(reader.versions())
    center.vote(number)
    await _next_run(center, reader)
    assert f"help_center/articles/{number}/translations?page%5Bsize%5D=100" in asked(center)
    assert _moved(reader, before) == set()


async def test_a_page_of_the_export_never_splits_a_second(
    center: FakeZendesk, connect: Connect
) -> None:
    """Its pages grow instead; no article is lost at their edges, and none is asked for twice."""
    numbers = _written(center, 9)
    _, reader = connect()
    await reader.catch_up()
    for number in numbers[:5]:
        center.vote(number)
    center.clock.advance(1)
    for number in numbers[5:]:
        center.translate(number, "en-us", "New", "<p>New</p>")
    center.cap = 2
    await _next_run(center, reader)
    assert sum(_EXPORT in path for path in asked(center)) == 2
    read = [path for path in asked(center) if "/translations" in path]
    assert len(read) == len(set(read)) == len(numbers)


async def test_an_export_that_names_an_article_of_long_ago_is_believed(
    center: FakeZendesk, connect: Connect
) -> None:
    """`updated_at` may be older than what was asked for: it is looked at all the same."""
    old, new = _written(center, 2)
    _, reader = connect()
    await reader.catch_up()
    before = dict(reader.versions())
    center.translate(old, "en-us", "Edited", "<p>Edited</p>")
    center.stamped[old] = center.articles[new].created_at
    await _next_run(center, reader)
    assert _moved(reader, before) == {f"article:{old}:en-us"}


async def test_links_to_an_alias_of_the_host_are_followed_at_home(
    center: FakeZendesk, connect: Connect
) -> None:
    """What counts of them is the path."""
    numbers = _written(center, 5)
    _, reader = connect()
    await reader.catch_up()
    for number in numbers:
        center.clock.advance(1)
        center.translate(number, "en-us", "New", "<p>New</p>")
    center.cap, center.elsewhere = 2, "https://acme-alias.zendesk.example"
    await _next_run(center, reader)
    assert sum(_EXPORT in path for path in asked(center)) == 3
    assert {each.metadata.title for each in reader.state.values()} == {"New"}


async def test_what_the_export_told_is_not_read_again_by_the_run_after_it(
    center: FakeZendesk, connect: Connect
) -> None:
    """The last five minutes are asked for again, but what was settled then is known."""
    (number,) = _written(center, 1)
    _, reader = connect()
    await reader.catch_up()
    center.vote(number)
    for minutes in (2, 3, 3):
        center.clock.advance(60 * minutes)
        center.requests.clear()
        await reader.run()
        found = sum("/translations" in path for path in asked(center))
        assert found == (1 if minutes == 2 else 0)


# What goes, and when it is noticed.


@pytest.mark.parametrize("agent", [True, False])
async def test_an_archived_article_goes_with_the_complete_list(
    center: FakeZendesk, connect: Connect, agent: bool
) -> None:
    """The export does not tell of it."""
    kept, gone = _written(center, 2)
    world, reader = connect(agent=agent)
    await reader.catch_up()
    locator = reader.state[f"article:{gone}:en-us"].locator
    center.archive(gone)
    await _next_run(center, reader)
    assert f"article:{gone}:en-us" in reader.state
    await reader.reconcile()
    assert set(reader.state) == {f"article:{kept}:en-us"}
    async with world.open() as connector:
        assert isinstance(await connector.fetch(locator, None), Gone)


async def test_a_published_article_that_is_unpublished_goes_with_the_next_run(
    center: FakeZendesk, connect: Connect
) -> None:
    """And what hangs on it; its other language stays, and keeps that."""
    one, two = _written(center, 2)
    center.translate(one, "de", "Artikel", "<p>Text</p>")
    files = [f"attachment:{center.attach(each, 'keys.txt', b'Keys.')}" for each in (one, two)]
    center.clock.advance(3_600)
    _, reader = connect(attachments=True)
    await reader.catch_up()
    assert set(files) <= set(reader.state)
    center.unpublish(one)
    center.unpublish(two)
    await _next_run(center, reader)
    left = {f"article:{one}:de", files[0]}
    assert set(reader.state) == left
    await reader.reconcile()
    assert set(reader.state) == left


async def test_a_deleted_translation_goes_with_the_complete_list(
    center: FakeZendesk, connect: Connect
) -> None:
    """The export names the article; that a language of it is gone, only the list shows."""
    (number,) = _written(center, 1)
    center.translate(number, "de", "Artikel", "<p>Text</p>")
    center.clock.advance(3_600)
    _, reader = connect()
    await reader.catch_up()
    center.delete_translation(number, "en-us")
    await _next_run(center, reader)
    assert len(reader.state) == 2
    await reader.reconcile()
    assert set(reader.state) == {f"article:{number}:de"}


# What an article carries.


async def test_labels_are_tags_and_sections_are_categories(
    center: FakeZendesk, connect: Connect
) -> None:
    """From the category down, through sections in each other."""
    center.categories[2] = "Guides"
    center.sections |= {20: ("Kilns", 2, None), 21: ("Repairs", 2, 20)}
    number = center.create("Fuses", "<p>Change them.</p>", section=21)
    center.label(number, "electric", "care")
    _, reader = connect()
    await reader.run()
    about = reader.state[f"article:{number}:en-us"].metadata
    assert about.categories == ("Guides", "Kilns", "Repairs")
    assert about.tags == ("care", "electric")
    content = reader.state[f"article:{number}:en-us"].content
    assert content is not None
    assert (content.metadata.categories, content.metadata.tags) == (about.categories, about.tags)


async def test_other_labels_are_told_by_the_next_run(center: FakeZendesk, connect: Connect) -> None:
    """They are part of the version."""
    (number,) = _written(center, 1)
    _, reader = connect()
    await reader.catch_up()
    before = dict(reader.versions())
    center.label(number, "care")
    await _next_run(center, reader)
    assert _moved(reader, before) == {f"article:{number}:en-us"}
    assert reader.state[f"article:{number}:en-us"].metadata.tags == ("care",)


@pytest.mark.parametrize("what", ["section", "category"])
async def test_a_renamed_section_moves_its_articles_with_the_complete_list(
    center: FakeZendesk, connect: Connect, what: str
) -> None:
    """Their `updated_at` stays, so that nothing else would tell."""
    (number,) = _written(center, 1)
    _, reader = connect()
    await reader.catch_up()
    before = dict(reader.versions())
    if what == "section":
        center.sections[10] = ("Particular", 1, None)
    else:
        center.categories[1] = "Support"
    await _next_run(center, reader)
    assert _moved(reader, before) == set()
    await reader.reconcile()
    assert _moved(reader, before) == {f"article:{number}:en-us"}
    path = reader.state[f"article:{number}:en-us"].metadata.categories
    assert path == (("Help", "Particular") if what == "section" else ("Support", "General"))


# What hangs on articles.


async def _content(world: ApiWorld, entry: Entry) -> Content:
    async with world.open() as connector:
        found = await connector.fetch(entry.locator, None)
    assert isinstance(found, Content), found
    return found


async def test_an_attachment_has_its_type_its_size_and_its_articles_readers(
    center: FakeZendesk, connect: Connect
) -> None:
    """The type by its name, since the source says that all is a stream of octets."""
    number = center.create("Keys", "<p>Turn them.</p>", segment=77)
    file = center.attach(number, "keys.md", b"# Keys\n\nTurn them.")
    world, reader = connect(attachments=True)
    await reader.run()
    entry = reader.state[f"attachment:{file}"]
    assert (entry.size, entry.parent, entry.metadata.title) == (18, f"article:{number}", "keys.md")
    content = await _content(world, entry)
    assert (content.media_type, content.data) == ("text/markdown", b"# Keys\n\nTurn them.")
    assert content.principals == ("zendesk:segment:77",)
    assert content.version == entry.version
    center.clock.advance(3_600)
    center.restrict(number, 78)
    await _next_run(center, reader)
    assert reader.state[f"attachment:{file}"].version != entry.version
    assert (await _content(world, entry)).principals == ("zendesk:segment:78",)


async def test_a_page_in_place_of_an_attachment_is_no_content(
    center: FakeZendesk, connect: Connect
) -> None:
    """What came is not as long as the file."""
    number = center.create("Keys", "<p>Turn them.</p>")
    file = center.attach(number, "keys.md", b"# Keys")
    world, reader = connect(attachments=True)
    await reader.run()
    center.misbehave(answers(200, "<form>Log in</form>"), f"/hc/article_attachments/{file}/keys.md")
    with pytest.raises(BadContent, match="not what its source describes"):
        await _content(world, reader.state[f"attachment:{file}"])


async def test_what_cannot_be_read_or_is_too_large_is_left_out(
    center: FakeZendesk, connect: Connect
) -> None:
    number = center.create("Keys", "<p>Turn them.</p>")
    center.attach(number, "keys.exe", b"MZ")
    center.attach(number, "keys.txt", b"x" * (10 * 1024 * 1024 + 1))
    world, _ = connect(attachments=True)
    async with world.open() as connector:
        (partition,) = await connector.partitions()
        found = [each async for each in connector.enumerate(partition)]
    assert [each.filtered for each in found if isinstance(each, Entry) and each.parent] == [
        "files like 'keys.exe' cannot be read",
        "it is larger than 10 MB",
    ]


@pytest.mark.parametrize("locales", [(), ("de",)])
@pytest.mark.parametrize("source", ["deleted", "draft"])
async def test_an_attachment_of_an_article_without_the_first_language_stays(
    center: FakeZendesk, connect: Connect, source: str, locales: tuple[str, ...]
) -> None:
    """The feed and the complete list agree about it, and it can be read."""
    number = center.create("Keys", "<p>Turn them.</p>")
    center.translate(number, "de", "Schlüssel", "<p>Drehen.</p>")
    if source == "deleted":
        center.delete_translation(number, "en-us")
    else:
        center.unpublish(number)
    center.clock.advance(3_600)
    world, reader = connect(attachments=True, locales=locales)
    await reader.run()
    file = center.attach(number, "keys.txt", b"All about keys.")
    await _next_run(center, reader)
    told = dict(reader.versions())
    assert set(told) == {f"article:{number}:de", f"attachment:{file}"}
    await reader.reconcile()
    assert reader.versions() == told
    assert await text_of(world, reader.state[f"attachment:{file}"]) == "All about keys."


# Who finds it.


async def test_an_article_for_everyone_can_be_for_those_who_are_signed_in(
    center: FakeZendesk, connect: Connect
) -> None:
    """Where the help center wants a log-in; then versions are others, too. Segments stay."""
    numbers = (center.create("A", "<p>A</p>"), center.create("B", "<p>B</p>", segment=77))
    file = f"attachment:{center.attach(numbers[0], 'keys.txt', b'Keys.')}"
    (_, public), (world, private) = (
        connect(attachments=True),
        connect(attachments=True, articles_for="signed-in"),
    )
    await public.run()
    await private.run()
    here = f"zendesk:signed-in:{center.url.removeprefix('http://').partition(':')[0]}"
    names = [*(f"article:{number}:en-us" for number in numbers), file]
    readers = [
        [(await _content(world, reader.state[name])).principals for name in names]
        for world, reader in ((connect(attachments=True)[0], public), (world, private))
    ]
    segment = ("zendesk:segment:77",)
    assert readers == [[None, segment, None], [(here,), segment, (here,)]]
    same = [public.state[each].version == private.state[each].version for each in names]
    assert same == [False, True, False]


# Without credentials.


async def test_nothing_new_without_credentials_takes_a_request_for_each_language(
    center: FakeZendesk, connect: Connect
) -> None:
    """And one for which there are: neither sections nor anything else is asked for."""
    _written(center, 3)
    _, reader = connect(agent=False)
    await reader.catch_up()
    await _next_run(center, reader)
    newest = "articles?sort_by=updated_at&sort_order=desc&per_page=100&page=1"
    assert asked(center) == [
        "help_center/locales",
        *(f"help_center/{each}/{newest}" for each in ("en-us", "de")),
    ]


@pytest.mark.parametrize("request_number", [3, 4, 5])
async def test_an_article_archived_while_pages_are_read_hides_no_edit(
    center: FakeZendesk, connect: Connect, request_number: int
) -> None:
    """Rows move up past where the listing is: it goes back by a page, and misses none."""
    center.locales = ["en-us"]
    numbers = _written(center, 8)
    _, reader = connect(agent=False)
    await reader.catch_up()
    for number in numbers[:6]:
        center.clock.advance(1)
        center.translate(number, "en-us", "New", "<p>New</p>")
    center.clock.advance(3_600)
    center.cap = 2
    _before_request(center, request_number, lambda: center.archive(numbers[5]))
    await reader.run()
    titles = {each: reader.state[f"article:{each}:en-us"].metadata.title for each in numbers[:5]}
    assert set(titles.values()) == {"New"}, titles


async def test_more_edits_than_a_sorted_list_shows_are_read_from_the_whole(
    center: FakeZendesk, connect: Connect
) -> None:
    """Lists that are cut by numbers end after some pages."""
    numbers = _written(center, 6)
    _, reader = connect(agent=False)
    await reader.catch_up()
    for number in numbers:
        center.translate(number, "en-us", "New", "<p>New</p>")
    center.cap, center.most_numbered = 1, 3
    await _next_run(center, reader)
    assert {each.metadata.title for each in reader.state.values()} == {"New"}


def _before_request(center: FakeZendesk, number: int, edit: Callable[[], object]) -> None:
    """Edit just before the server answers the request of this number, counted from now."""
    last = center.count() + number

    def before(seen: object) -> None:
        if center.count() == last:
            edit()

    center.before = before
