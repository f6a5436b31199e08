"""What is listed of a course, and how cheaply and surely."""

from __future__ import annotations

import pytest

from syncline.core.errors import BadContent, Forbidden
from syncline.testing.fakes.canvas import FakeCanvas
from tests.unit.connectors.canvas.conftest import Opener


async def test_what_people_wait_for_comes_first(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """Announcements and assignments before pages, and files last, however they were made."""
    for kind in ("file", "module", "page", "discussion", "assignment", "announcement"):
        canvas.create(kind, course, "Mosses.txt", "<p>Soft.</p>")
    canvas.courses[course].syllabus = "<p>Bring a lens.</p>"
    found = await (await opened()).read()
    assert [each.partition(":")[0] for each in found] == [
        *("announcement", "assignment", "syllabus", "discussion", "page", "module", "file")
    ]
    connector = await opened(read=["files", "announcements"])
    some = await connector.read()
    assert [each.partition(":")[0] for each in some] == ["announcement", "file"]
    assert (connector.asked(), connector.asked("syllabus_body")) == (3, 0)


async def test_announcements_of_all_times_are_listed(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """Canvas by itself tells those of the last 14 days."""
    old = canvas.create("announcement", course, "Welcome", "<p>Hear ye.</p>")
    canvas.clock.advance(400 * 86_400)
    new = canvas.create("announcement", course, "Farewell", "<p>Go now.</p>")
    found = await (await opened()).read()
    assert set(found) == {f"announcement:{old}", f"announcement:{new}"}


async def test_a_first_run_gets_the_texts_with_the_lists_and_later_ones_do_not(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """150 pages cost no request each at first; later their texts do not travel again."""
    for number in range(150):
        canvas.create("page", course, f"Page {number}", f"<p>Moss {number}.</p>")
    connector = await opened()
    first = await connector.read()
    assert len(first) == 150
    assert all(entry.content is not None for entry in first.values())
    assert connector.asked("/pages") == 2
    again = await connector.read(connector.cursor)
    assert not any(entry.content for entry in again.values())
    assert {k: e.version for k, e in again.items()} == {k: e.version for k, e in first.items()}
    assert not connector.asked("=body")


async def test_a_canvas_whose_lists_bring_no_texts_is_read_page_by_page(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """Older ones do not know the parameter; versions are the same."""
    canvas.create("page", course, "Mosses", "<p>Soft.</p>")
    with_text = await (await opened()).one()
    canvas.lists_bodies = False
    connector = await opened()
    entry = await connector.one()
    assert (entry.content, entry.version) == (None, with_text.version)
    assert "Soft." in await connector.text(entry)


async def test_a_renamed_page_keeps_its_id(opened: Opener, canvas: FakeCanvas, course: int) -> None:
    """Its address moves, another page takes the old one, a third is called as its id."""
    page = canvas.create("page", course, "Mosses", "<p>Soft.</p>")
    connector = await opened()
    before = await connector.one()
    canvas.rename(page, "Liverworts")
    other = canvas.create("page", course, "Mosses", "<p>Another one.</p>")
    third = canvas.create("page", course, str(page), "<p>A third one.</p>")
    found = await connector.read(connector.cursor)
    assert set(found) == {f"page:{page}", f"page:{other}", f"page:{third}"}
    after = found[before.id]
    assert after.version != before.version
    assert after.metadata.title == "Liverworts"
    assert after.metadata.url == f"{canvas.url}/courses/{course}/pages/liverworts"
    assert "Soft." in await connector.text(after)


async def test_publishing_is_seen_though_no_shown_time_moves(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """Lists are sorted by another `updated_at` than they show, so none is left early."""
    old = canvas.create("page", course, "Old", "<p>Long ago.</p>")
    canvas.publish(old, False)
    canvas.clock.advance(86_400)
    for number in range(3):
        canvas.create("page", course, f"Page {number}", "<p>New.</p>")
    canvas.cap = 2
    connector = await opened()
    assert len(await connector.read()) == 3
    canvas.clock.advance(86_400)
    canvas.publish(old)
    assert f"page:{old}" in await connector.read(connector.cursor)


@pytest.mark.parametrize("kind", ["page", "file"])
async def test_an_edit_in_the_second_of_the_last_look_is_seen(
    opened: Opener, canvas: FakeCanvas, course: int, kind: str
) -> None:
    """Times are cut to the second: what was only just written is looked at once more."""
    connector = await opened()
    thing = canvas.create(kind, course, "Mosses.txt", "Soft.")
    fresh = await connector.one()
    canvas.edit(thing, "Hard.")
    canvas.clock.advance(60)
    settled = await connector.one(connector.cursor)
    assert settled.version != fresh.version
    assert (await connector.one(connector.cursor)).version == settled.version


async def test_a_row_that_slips_to_an_earlier_page_is_not_taken_for_gone(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """A list shifts when something is deleted while it is read: who was skipped still answers."""
    pages = [canvas.create("page", course, f"Page {n}", f"<p>Moss {n}</p>") for n in range(4)]
    connector = await opened()
    before = await connector.read()
    canvas.cap = 2

    def delete_the_first(seen: object) -> None:
        if "/pages" in str(seen) and "bookmark" in str(seen) and pages[0] in canvas.things:
            canvas.delete(pages[0])

    canvas.before = delete_the_first
    during = await connector.read()
    skipped = before[f"page:{pages[2]}"]
    assert skipped.id not in during
    assert "Moss 2" in await connector.text(skipped)
    assert await connector.gone(before[f"page:{pages[0]}"]) == "Canvas has it no more"


async def test_a_page_of_a_list_without_a_row_is_not_its_end(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """Topics are cut into pages before those that the user may not see are left out."""
    canvas.teacher = False
    for number in range(3):
        canvas.publish(canvas.create("discussion", course, f"Draft {number}"), False)
    last = canvas.create("discussion", course, "Seen", "<p>Here.</p>")
    canvas.cap = 2
    assert set(await (await opened()).read()) == {f"discussion:{last}"}


@pytest.mark.parametrize("name", ["Link", "link", "LINK"])
async def test_the_link_header_may_be_written_in_any_way(
    opened: Opener, canvas: FakeCanvas, course: int, name: str
) -> None:
    """And `last` is never in it."""
    canvas.link_name, canvas.cap = name, 1
    for number in range(3):
        canvas.create("page", course, f"Page {number}", "<p>Moss.</p>")
    assert len(await (await opened()).read()) == 3


async def test_an_empty_list_without_links_is_an_error(opened: Opener, canvas: FakeCanvas) -> None:
    """Canvas always links; without any, something in between has taken the links out."""
    connector = await opened()
    await connector.read()
    canvas.link_name = "X-Removed"
    with pytest.raises(BadContent, match="whether there is more") as caught:
        await connector.read()
    assert "proxy" in str(caught.value.hint)


async def test_a_module_with_many_items_is_read_whole(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """Its items are left out of the list; then they have one of their own."""
    small = canvas.create("module", course, "Week 1")
    canvas.add_item(small, "Reading", "SubHeader")
    canvas.add_item(small, "A & B", external_url="https://example.com/?a=1&verifier=k3y")
    canvas.add_item(small, "Not yet", published=False)
    large = canvas.create("module", course, "Week 2")
    for number in range(120):
        canvas.add_item(large, f"Leaf {number}")
    connector = await opened()
    found = await connector.read()
    text = await connector.text(found[f"module:{small}"])
    assert "<h2>Reading</h2>" in text
    assert '<a href="https://example.com/?a=1&amp;">A &amp; B</a>' in text
    assert "Not yet" not in text
    assert "Leaf 119" in await connector.text(found[f"module:{large}"])
    assert connector.asked("/items") == 2
    fetched = await connector.connector.fetch(found[f"module:{large}"].locator, None)
    assert b"Leaf 119" in fetched.data


async def test_ids_beyond_doubles_are_kept(opened: Opener, canvas: FakeCanvas, course: int) -> None:
    """They are asked for as strings."""
    page = canvas.create("page", course, "Mosses")
    assert page > 2**53
    assert (await (await opened()).one()).id == f"page:{page}"
    accepts = {seen.headers["accept"] for seen in canvas.requests}
    assert accepts == {"application/json+canvas-string-ids"}


async def test_a_part_that_is_switched_off_is_empty_and_takes_nothing_away(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """Its list answers 404; its pages are still there for who has a link."""
    page = canvas.create("page", course, "Mosses", "<p>Soft.</p>")
    canvas.create("assignment", course, "Draw one")
    connector = await opened()
    before = await connector.read()
    canvas.refusals.disabled = {"page"}
    after = await connector.read()
    assert set(before) - set(after) == {f"page:{page}"}
    assert connector.failures == []
    assert "Soft." in await connector.text(before[f"page:{page}"])


@pytest.mark.parametrize("status", [401, 403])
async def test_a_part_that_may_not_be_read_makes_the_listing_incomplete(
    opened: Opener, canvas: FakeCanvas, course: int, status: int
) -> None:
    """So nothing is deleted; the other parts are read."""
    canvas.create("page", course, "Mosses")
    file = canvas.create("file", course, "a.txt", "Text")
    canvas.refusals.forbidden, canvas.refusals.status = {"page"}, status
    connector = await opened()
    assert set(await connector.read()) == {f"file:{file}"}
    (failed,) = connector.failures
    assert (failed.id, failed.code) == (None, "forbidden")
    assert "pages of Botany" in failed.message
    assert "not authorized" in failed.message
    assert connector.cursor is None


async def test_a_developer_key_without_includes_is_worked_around(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """Items of modules are asked for; a syllabus that is not told is not taken for an empty one."""
    canvas.courses[course].syllabus = "<p>Bring a lens.</p>"
    module = canvas.create("module", course, "Week 1")
    canvas.add_item(module, "Leaf")
    syllabus = (await (await opened()).read())[f"syllabus:{course}"]
    canvas.refusals.scopes = {"announcement", "assignment", "discussion", "page", "module", "file"}
    connector = await opened()
    entry = await connector.one()
    assert "Leaf" in await connector.text(entry)
    assert any("include parameters" in each for each in connector.warnings)
    with pytest.raises(Forbidden, match="tells no syllabus"):
        await connector.connector.fetch(syllabus.locator, None)
