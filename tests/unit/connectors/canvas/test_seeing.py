"""Who sees what: what is not to be found, and by whom the rest is."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.testing.fakes.canvas import FakeCanvas
from tests.unit.connectors.canvas.conftest import Opener

_SOON, _PAST = "2031-01-01T00:00:00Z", "2029-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("kind", "more", "reason"),
    [
        *((kind, {"published": False}, "not published") for kind in ("page", "assignment")),
        ("discussion", {"published": False}, "not published"),
        ("discussion", {"delayed_post_at": _SOON}, "to be posted at 2031-01-01"),
        ("discussion", {"assignment": {"id": 1, "unlock_at": _SOON}}, "locked until"),
        ("module", {"published": False}, "not published"),
        ("assignment", {"unlock_at": _SOON}, "locked until 2031-01-01 00:00 UTC"),
        ("file", {"unlock_at": _SOON}, "locked until"),
        ("file", {"lock_at": _PAST}, "locked since"),
        ("file", {"locked": True}, "not published"),
        ("file", {"hidden": True}, "hidden"),
    ],
)
async def test_what_members_do_not_see_is_absent(
    opened: Opener, canvas: FakeCanvas, course: int, kind: str, more: dict[str, Any], reason: str
) -> None:
    """Though a teacher's token reads it: found early it would be a leak. Known before: gone."""
    thing = canvas.create(kind, course, "Answers.txt", "<p>Forty-two.</p>")
    connector = await opened()
    entry = await connector.one()
    canvas.change(thing, **more)
    assert await connector.read() == {}
    assert reason in await connector.gone(entry)


async def test_it_appears_when_its_time_has_come(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """By the clock of Canvas, without an edit."""
    thing = canvas.create("assignment", course, "Answers", "<p>42</p>", unlock_at=_SOON)
    connector = await opened()
    assert await connector.read() == {}
    canvas.skew = 400 * 86_400
    assert set(await connector.read()) == {f"assignment:{thing}"}


async def test_what_is_locked_for_the_tokens_user_is_filtered(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """Its text is withheld: the reason is told, in words, and nothing old stays to be found."""
    canvas.teacher = False
    page = canvas.create("page", course, "Week 2", "<p>Later.</p>")
    connector = await opened()
    before = await connector.one()
    canvas.change(
        page, locked_for_user=True, lock_info={}, lock_explanation="Locked until <b>May</b>."
    )
    entry = await connector.one(connector.cursor)
    assert entry.filtered == "locked for the token's user: Locked until May ."
    assert entry.version != before.version
    assert await connector.gone(entry) == entry.filtered


async def test_what_is_closed_but_can_be_read_is_read(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """After its last day an assignment takes no more work, and still says what it was."""
    canvas.teacher = False
    canvas.create(
        *("assignment", course, "Essay", "<p>On mosses.</p>"),
        locked_for_user=True,
        lock_info={"can_view": True, "lock_at": _PAST},
    )
    connector = await opened()
    assert "On mosses." in await connector.text(await connector.one())


_MEMBERS = "canvas:course:{}"
_ALL = "canvas:users:all"


@pytest.mark.parametrize(
    ("course_is", "page", "discussion", "syllabus"),
    [
        ({}, (_MEMBERS,), (_MEMBERS,), (_MEMBERS,)),
        ({"is_public": True}, None, (_MEMBERS,), None),
        ({"is_public": None}, (_MEMBERS,), (_MEMBERS,), (_MEMBERS,)),
        (
            *({"is_public_to_auth_users": True},),
            *((_MEMBERS, _ALL), (_MEMBERS,), (_MEMBERS, _ALL)),
        ),
        ({"public_syllabus": True}, (_MEMBERS,), (_MEMBERS,), None),
        ({"public_syllabus_to_auth": True}, (_MEMBERS,), (_MEMBERS,), (_MEMBERS, _ALL)),
    ],
)
async def test_a_public_course_is_everybodys_except_what_students_say(
    opened: Opener,
    canvas: FakeCanvas,
    course: int,
    course_is: dict[str, Any],
    page: Any,
    discussion: Any,
    syllabus: Any,
) -> None:
    """What the API says of the course decides; what it does not say opens nothing."""
    for kind in ("page", "discussion"):
        canvas.create(kind, course, "Mosses", "<p>Soft.</p>")
    canvas.courses[course].syllabus = "<p>Bring a lens.</p>"
    canvas.courses[course].more.update(course_is)
    connector = await opened()
    seen = {}
    for entry in (await connector.read()).values():
        content = entry.content or await connector.connector.fetch(entry.locator, None)
        seen[entry.id.partition(":")[0]] = content.principals
    expected = {"page": page, "discussion": discussion, "syllabus": syllabus}
    assert seen == {
        kind: names and tuple(each.format(course) for each in names)
        for kind, names in expected.items()
    }


@pytest.mark.parametrize(
    ("kind", "more", "principals"),
    [
        (
            "announcement",
            {"sections": [{"id": 8}, {"id": 7}]},
            ("canvas:section:7", "canvas:section:8"),
        ),
        ("announcement", {"sections": None}, ()),
        (
            "assignment",
            {"overrides": [{"course_section_id": 7}, {"student_ids": [5, 6]}, {"group_id": 3}]},
            ("canvas:group:3", "canvas:section:7", "canvas:user:5", "canvas:user:6"),
        ),
        ("assignment", {}, ()),
        ("discussion", {"assignment": {"id": 1, "only_visible_to_overrides": True}}, ()),
    ],
)
async def test_what_is_for_some_carries_their_names(
    opened: Opener,
    canvas: FakeCanvas,
    course: int,
    kind: str,
    more: dict[str, Any],
    principals: tuple[str, ...],
) -> None:
    """Also in a public course; where the API does not say for whom, it is nobody's."""
    canvas.courses[course].more["is_public"] = True
    thing = canvas.create(kind, course, "Essay", "<p>On mosses.</p>")
    mark = {"announcement": "is_section_specific", "assignment": "only_visible_to_overrides"}
    canvas.change(thing, **{mark[kind]: True} if kind in mark else {}, **more)
    entry = await (await opened()).one()
    assert entry.content is not None
    assert entry.content.principals == principals


@pytest.mark.parametrize(
    ("level", "principals"),
    [
        ("inherit", (_MEMBERS,)),
        ("course", (_MEMBERS,)),
        ("institution", (_MEMBERS, _ALL)),
        ("public", None),
        (None, (_MEMBERS,)),
    ],
)
async def test_files_have_a_visibility_of_their_own(
    opened: Opener, canvas: FakeCanvas, course: int, level: str | None, principals: Any
) -> None:
    """It goes before the course's."""
    canvas.create("file", course, "a.txt", "Text", visibility_level=level)
    connector = await opened()
    content = await connector.connector.fetch((await connector.one()).locator, None)
    assert content.principals == (principals and tuple(each.format(course) for each in principals))


async def test_a_course_that_becomes_public_moves_versions(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """A change of access alone is noticed, and a list's own text need not be fetched for it."""
    canvas.create("page", course, "Mosses", "<p>Soft.</p>")
    before = await (await opened()).one()
    canvas.courses[course].more["is_public"] = True
    assert (await (await opened()).one()).version != before.version
