"""Which courses are read, and what becomes of those that are no more."""

from __future__ import annotations

import pytest

from syncline.core.errors import Forbidden, NotFound
from syncline.testing.fakes.canvas import FakeCanvas
from tests.unit.connectors.canvas.conftest import Opener


@pytest.fixture
def other(canvas: FakeCanvas) -> int:
    """A second course."""
    return canvas.create_course("Zoology")


async def test_all_active_courses_are_partitions(
    opened: Opener, canvas: FakeCanvas, course: int, other: int
) -> None:
    """Those that are not published, are over, or shut by their dates are not."""
    for state in ("unpublished", "completed", "deleted"):
        canvas.courses[canvas.create_course(state)].state = state
    canvas.create_course("Shut", access_restricted_by_date=True)
    canvas.cap = 2
    found = await (await opened()).connector.partitions()
    assert [(each.id, each.title) for each in found] == [
        (str(course), "Botany"),
        (str(other), "Zoology"),
    ]


async def test_an_administrator_reads_the_courses_of_an_account(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """Also those that nobody has enrolled them in."""
    canvas.courses[course].enrolled = False
    connector = await opened(account="self")
    assert [each.id for each in await connector.connector.partitions()] == [str(course)]
    assert connector.asked("/api/v1/accounts/self/courses?") == 1


async def test_no_course_at_all_is_an_error(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """Or everything would be taken for gone."""
    canvas.courses[course].enrolled = False
    with pytest.raises(Forbidden, match="no active course") as caught:
        await (await opened()).connector.partitions()
    assert "account=self" in str(caught.value.hint)


async def test_named_courses_alone_are_asked_for(
    opened: Opener, canvas: FakeCanvas, course: int, other: int
) -> None:
    """One request each, once."""
    connector = await opened(courses=[str(other)])
    await connector.connector.check()
    assert [each.title for each in await connector.connector.partitions()] == ["Zoology"]
    assert connector.asked("/courses") == 1


async def test_a_course_that_does_not_exist_is_told_and_others_go_on(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """The check names it; reading it fails, so that nothing of it is deleted."""
    connector = await opened(courses=[str(course), "99"])
    identity = await connector.connector.check()
    assert "no course 99" in identity.account
    assert identity.detail["missing"] == ["99"]
    assert any("no course 99" in each for each in connector.warnings)
    first, second = await connector.connector.partitions()
    assert (first.id, second.id) == ("99", str(course))
    with pytest.raises(NotFound):
        [each async for each in connector.connector.changes(first, None)]
    assert [each async for each in connector.connector.changes(second, None)]


async def test_where_no_named_course_exists_those_there_are_are_told(opened: Opener) -> None:
    """The check fails, and helps."""
    with pytest.raises(NotFound, match="no course 98, 99") as caught:
        await (await opened(courses=["98", "99"])).connector.check()
    assert "(Botany)" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("completed", "not active any more"),
        ("unpublished", "not active any more"),
        ("deleted", "no such course any more"),
    ],
)
async def test_what_was_in_a_course_goes_with_it(
    opened: Opener, canvas: FakeCanvas, course: int, other: int, change: str, reason: str
) -> None:
    """It answers for itself that it is over, once for all that was in it."""
    for number in range(3):
        canvas.create("page", course, f"Page {number}")
    entries = list((await (await opened()).read()).values())
    if change == "deleted":
        del canvas.courses[course]
    else:
        canvas.courses[course].state = change
    connector = await opened()
    assert await connector.read() == {}
    assert [reason in await connector.gone(entry) for entry in entries] == [True] * 3
    assert connector.asked(f"/courses/{course}") <= 3


async def test_what_was_in_a_course_that_is_named_no_more_goes(
    opened: Opener, canvas: FakeCanvas, course: int, other: int
) -> None:
    """Without asking: the options say so."""
    canvas.create("page", course, "Mosses")
    entry = await (await opened()).one()
    connector = await opened(courses=[str(other)])
    await connector.read()
    assert "not among those" in await connector.gone(entry)


async def test_a_course_that_slipped_from_the_list_keeps_what_is_in_it(
    opened: Opener, canvas: FakeCanvas, course: int, other: int
) -> None:
    """A list of courses shifts like any other: the course itself is asked."""
    canvas.create("page", course, "Mosses", "<p>Soft.</p>")
    entry = await (await opened()).one()
    canvas.courses[course].more["access_restricted_by_date"] = True
    connector = await opened()
    assert await connector.read() == {}
    del canvas.courses[course].more["access_restricted_by_date"]
    assert "Soft." in await connector.text(entry)


async def test_a_named_course_that_is_not_published_is_empty(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """Nobody but its teachers sees it yet."""
    canvas.create("page", course, "Mosses")
    entry = await (await opened(courses=[str(course)])).one()
    canvas.courses[course].state = "unpublished"
    connector = await opened(courses=[str(course)])
    assert await connector.read() == {}
    assert "not published" in await connector.gone(entry)


async def test_a_syllabus_that_is_emptied_is_gone(
    opened: Opener, canvas: FakeCanvas, course: int
) -> None:
    """And one that is edited has another version."""
    canvas.courses[course].syllabus = "<p>Bring a lens.</p>"
    first = await (await opened()).one()
    canvas.courses[course].syllabus = "<p>Bring two.</p>"
    connector = await opened()
    second = await connector.one()
    assert second.version != first.version
    assert "Bring two." in await connector.text(second)
    canvas.courses[course].syllabus = None
    connector = await opened()
    assert await connector.read() == {}
    assert await connector.gone(second) == "the syllabus is empty"
