"""What entries say: replies, files, and what of links is left out."""

from __future__ import annotations

from collections import Counter

import pytest

from syncline.core.errors import BadContent, Transient
from syncline.core.model import Content
from syncline.testing.fake_server import answers
from syncline.testing.fakes.canvas import FakeCanvas
from tests.unit.connectors.canvas.conftest import Opener

_DAY = 86_400


async def test_a_discussion_is_its_topic_with_all_replies(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """Each beneath a heading, so that an edit moves its own section; deleted ones are left out."""
    topic = canvas.create("discussion", course, "Which lens?", "<p>Tell us.</p>")
    bob = canvas.answer_to(topic, "Bob <b>", "<p>The strong one.</p>")
    canvas.answer_to(topic, "Cleo", "<p>I have none.</p>", parent=bob)
    dan = canvas.answer_to(topic, "Dan", "<p>Forget it.</p>")
    canvas.edit_reply(topic, dan, None)
    connector = await opened()
    entry = await connector.one()
    assert entry.metadata.properties["replies"] == 2
    assert await connector.text(entry) == (
        "<div><p>Tell us.</p></div>"
        "<h2>Bob &lt;b&gt;</h2><div><p>The strong one.</p></div>"
        "<h2>Cleo</h2><div><p>I have none.</p></div>"
    )


async def test_replies_that_the_kept_view_lacks_come_beside_it(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """New ones are added, edited ones take the place of the old ones."""
    topic = canvas.create("discussion", course, "Which lens?", "<p>Tell us.</p>")
    canvas.answer_to(topic, "Bob", "old")
    connector = await opened()
    entry = await connector.one()
    view = (
        '{"participants": [{"id": "7", "display_name": "Bob"}], "view": [null, {"id": "1", '
        '"user_id": "7", "message": "old"}, 5], "new_entries": [{"id": "1", "user_id": "7", '
        '"message": "edited"}, {"id": "2", "user_id": null, "message": "new"}]}'
    )
    path = f"/api/v1/courses/{course}/discussion_topics/{topic}/view?include_new_entries=1"
    canvas.misbehave(answers(200, view, content_type="application/json"), path)
    text = await connector.text(entry)
    assert text.endswith("<h2>Bob</h2><div>edited</div><h2>Anonymous</h2><div>new</div>")


async def test_a_view_that_is_not_built_yet_is_waited_for(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """Canvas answers 503 without a body until it is; replies are never taken for none."""
    topic = canvas.create("discussion", course, "Which lens?")
    canvas.answer_to(topic, "Bob", "The strong one.")
    connector = await opened()
    entry = await connector.one()
    path = f"/api/v1/courses/{course}/discussion_topics/{topic}/view?include_new_entries=1"
    canvas.misbehave(answers(503), path, times=2)
    assert "The strong one." in await connector.text(entry)
    canvas.misbehave(answers(503), path)
    with pytest.raises(Transient):
        await connector.connector.fetch(entry.locator, None)
    canvas.behave()
    canvas.misbehave(answers(200, "{}", content_type="application/json"), path)
    with pytest.raises(BadContent, match="no list 'view'"):
        await connector.connector.fetch(entry.locator, None)


async def test_new_replies_move_a_discussions_version_at_once(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """And deleted ones do."""
    topic = canvas.create("discussion", course, "Which lens?")
    connector = await opened()
    versions = [(await connector.one()).version]
    reply = canvas.answer_to(topic, "Bob", "The strong one.")
    versions.append((await connector.one()).version)
    canvas.edit_reply(topic, reply, None)
    canvas.clock.advance(60)
    canvas.answer_to(topic, "Bob", "Or not.")
    versions.append((await connector.one()).version)
    canvas.clock.advance(60)
    versions.append((await connector.one()).version)
    canvas.edit_reply(topic, reply + 1, None)
    versions.append((await connector.one()).version)
    assert len(set(versions)) == 5  # a reply of this very second is unsettled, too


async def test_an_edited_reply_is_seen_within_a_day(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """No field tells of it: while people talk, a discussion is read once a day, later no more."""
    topic = canvas.create("discussion", course, "Which lens?")
    canvas.answer_to(topic, "Bob", "The strong one.")
    connector = await opened()
    versions = []
    for _ in range(2 * 45):
        versions.append((await connector.one()).version)
        canvas.clock.advance(_DAY / 2)
    counts = Counter(versions)
    assert 30 <= len(counts) <= 33
    assert counts[versions[-1]] >= 28


async def test_a_discussion_that_wants_a_post_first_is_its_topic(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """The replies would be refused, and are not asked for."""
    topic = canvas.create("discussion", course, "Which lens?", "Tell us.", user_can_see_posts=False)
    canvas.answer_to(topic, "Bob", "The strong one.")
    connector = await opened()
    assert await connector.text(await connector.one()) == "Tell us."
    assert connector.asked("/view") == 0


async def test_a_file_comes_from_another_host_without_our_token(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """Its address is asked for anew each time: it lives for minutes, and is kept nowhere."""
    canvas.create("file", course, "notes.md", "# Mosses")
    connector = await opened()
    entry = await connector.one()
    for _ in range(2):
        content = await connector.connector.fetch(entry.locator, None)
        assert isinstance(content, Content)
        assert (content.data, content.media_type) == (b"# Mosses", "text/markdown")
        canvas.clock.advance(3600)
    assert len(canvas.storage.requests) == 2
    assert all("authorization" not in seen.headers for seen in canvas.storage.requests)
    shown = f"{entry} {content.metadata} {content.validators}"
    assert "verifier" not in shown
    assert "download" not in shown


async def test_a_file_whose_data_are_lost_is_not_gone(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """Only Canvas' own 404 for the file says that; and no error shows the address."""
    canvas.create("file", course, "notes.md", "# Mosses")
    connector = await opened()
    entry = await connector.one()
    canvas.storage.misbehave(answers(404))
    with pytest.raises(BadContent, match="the data of file"):
        await connector.connector.fetch(entry.locator, None)
    canvas.storage.behave()
    before = canvas.count()
    canvas.misbehave(answers(500), after=1)
    with pytest.raises(Transient) as caught:
        await connector.connector.fetch(entry.locator, None)
    assert canvas.count() > before
    assert "verifier=…" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "size", "reason"),
    [
        ("slides.pptx", 1, "files of this type cannot be read"),
        ("notes.txt", 3_000_000, "larger than 2 MB"),
        ("notes.txt", 1, None),
        ("NOTES.HTML", 1, None),
    ],
)
async def test_files_that_cannot_be_read_say_why(
    opened: Opener, canvas: FakeCanvas, course: int, name: str, size: int, reason: str | None
) -> None:
    """Without a request for them."""
    canvas.create("file", course, name, "x" * size)
    assert (await (await opened(max_file_mb=2)).one()).filtered == reason


@pytest.mark.parametrize("kind", ["page", "assignment", "announcement", "discussion"])
async def test_keys_in_links_are_left_out(
    opened: Opener, canvas: FakeCanvas, course: int, kind: str
) -> None:
    """They open files without a log-in; and some differ in each answer, which is no edit."""
    text = '<a href="https://x/files/1?verifier={0}&amp;wrap=1">a</a><img src="/f?sf_verifier={0}">'
    thing = canvas.create(kind, course, "Mosses", text.format("k3y"))
    connector = await opened()
    entry = await connector.one()
    said = await connector.text(entry)
    assert '<a href="https://x/files/1?wrap=1">a</a><img src="/f?">' in said
    canvas.things[thing].text = text.format("another")
    assert (await connector.one()).version == entry.version


async def test_an_assignment_says_when_it_is_due(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """In its text, which is what is searched, and as a property."""
    due = "2030-02-03T22:59:00+01:00"
    canvas.create("assignment", course, "Essay", "<p>On mosses.</p>", due_at=due)
    connector = await opened()
    entry = await connector.one()
    assert await connector.text(entry) == (
        "<p>Due 2030-02-03 21:59 UTC. 10 points.</p><p>On mosses.</p>"
    )
    assert entry.metadata.properties["due_at"] == "2030-02-03T21:59:00+00:00"
    assert entry.metadata.categories == ("Botany",)
