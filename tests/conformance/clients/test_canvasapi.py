"""The fake Canvas is one: a client library of others reads it, and their fixtures are like it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from canvasapi import Canvas
from canvasapi.exceptions import CanvasException

from syncline.connectors.canvas.wire import (
    Assignment,
    Course,
    File,
    Module,
    ModuleItem,
    Page,
    Topic,
)
from syncline.connectors.wire import Wire
from syncline.testing.fakes.canvas import FakeCanvas
from tests.support.shared_data import needs, shared_data

pytestmark = pytest.mark.filterwarnings("ignore:Canvas may respond unexpectedly")
_TOKEN = "lantern-token-4711"
_FIXTURES = shared_data("canvas/fixtures")


@pytest.fixture
async def canvas() -> AsyncIterator[FakeCanvas]:
    async with FakeCanvas() as canvas:
        canvas.accepts = {f"Bearer {_TOKEN}"}
        yield canvas


@pytest.fixture
def course(canvas: FakeCanvas) -> int:
    return canvas.create_course("Botany")


async def test_canvasapi_reads_all_that_the_connector_reads(
    canvas: FakeCanvas, course: int
) -> None:
    """Lists page by page, single things, replies, items, and a file's data."""
    for kind in ("page", "assignment", "announcement", "module", "file", "discussion"):
        for number in range(12):
            canvas.create(kind, course, f"{kind} {number}.txt", f"Text {number}")
    topic = max(canvas.things)
    module = next(each for each in canvas.things.values() if each.kind == "module")
    canvas.answer_to(topic, "Bob", "The strong one.")
    canvas.add_item(module.id, "Leaf")
    canvas.courses[course].syllabus = "<p>Bring a lens.</p>"

    def read() -> dict[str, Any]:
        client = Canvas(canvas.url, _TOKEN)
        found = client.get_course(course, include=["syllabus_body"])
        code = f"course_{course}"
        pages = list(found.get_pages(sort="title", include=["body"]))
        return {
            "user": client.get_current_user().name,
            "courses": [each.id for each in client.get_courses(state=["available"])],
            "account": [each.id for each in client.get_courses(enrollment_state="active")],
            "syllabus": found.syllabus_body,
            "pages": [(each.title, each.body) for each in pages],
            "page": found.get_page(pages[3].url).body,
            "by id": found.get_page(f"page_id:{pages[3].page_id}").title,
            "assignments": [each.name for each in found.get_assignments()],
            "assignment": found.get_assignment(found.get_assignments()[2].id).description,
            "announcements": [each.title for each in client.get_announcements([code])],
            "discussions": [each.title for each in found.get_discussion_topics()],
            "view": found.get_full_discussion_topic(topic)["view"][0]["message"],
            "modules": [each.name for each in found.get_modules()],
            "items": [each.title for each in found.get_module(module.id).get_module_items()],
            "files": [each.display_name for each in found.get_files()],
            "file": found.get_files()[4].get_contents(),
        }

    found = await asyncio.to_thread(read)
    for kind in ("pages", "assignments", "announcements", "discussions", "modules", "files"):
        assert len(found[kind]) == 12, kind
    assert (found["user"], found["courses"]) == ("Ann Teacher", [course])
    assert found["syllabus"] == "<p>Bring a lens.</p>"
    assert found["page"] == dict(found["pages"])[found["by id"]]
    assert (found["view"], found["items"]) == ("The strong one.", ["Leaf"])
    assert found["file"].startswith("Text ")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda canvas: canvas.refusals.forbidden.add("page"), "Forbidden"),
        (lambda canvas: canvas.refusals.disabled.add("page"), "ResourceDoesNotExist"),
        (lambda canvas: setattr(canvas.refusals, "scopes", {"file"}), "Unauthorized"),
        (lambda canvas: setattr(canvas, "accepts", {"another"}), "InvalidAccessToken"),
        (lambda canvas: _throttle(canvas, 429), "RateLimitExceeded"),
        (lambda canvas: _throttle(canvas, 403), "Forbidden"),
    ],
)
async def test_canvasapi_understands_its_refusals(
    canvas: FakeCanvas, course: int, change: Callable[[FakeCanvas], None], error: str
) -> None:
    """Each as the error that the library has for it."""

    def read() -> None:
        found = Canvas(canvas.url, _TOKEN).get_course(course)
        change(canvas)
        list(found.get_pages())

    with pytest.raises(CanvasException) as caught:
        await asyncio.to_thread(read)
    assert type(caught.value).__name__ == error


def _throttle(canvas: FakeCanvas, status: int) -> None:
    canvas.throttled_status, canvas.cost = status, 700.0
    canvas._used = 700.0


_ROWS: dict[str, tuple[str, str, type[Wire]]] = {
    "get_pages": ("page", "pages", Page),
    "get_all_assignments": ("assignment", "assignments", Assignment),
    "get_discussion_topics": ("discussion", "discussion_topics", Topic),
    "list_modules": ("module", "modules", Module),
    "list_course_files": ("file", "files", File),
}


@needs("canvas/fixtures")
async def test_fixtures_of_others_are_read_and_are_like_the_fakes(
    canvas: FakeCanvas, course: int
) -> None:
    """Our parsers take their rows, and the fake's have all of their fields but numberings."""
    known = json.loads((_FIXTURES / "course.json").read_text())
    Course.model_validate(known["get_by_id"]["data"])
    for name, (kind, path, wire) in _ROWS.items():
        thing = canvas.create(kind, course, "Mosses.txt", "Soft.")
        fake = canvas._list(kind, canvas.courses[course], _asked(path)).data[0]
        for row in known[name]["data"]:
            assert wire.model_validate(row).model_dump()["id"] == str(row["id"])
            unknown = set(row) - set(fake) - {"id", "name", "position"}
            assert not unknown, f"{kind} {thing}: {unknown}"
    for row in json.loads((_FIXTURES / "module.json").read_text())["list_module_items"]["data"]:
        assert ModuleItem.model_validate(row).title == row["title"]
    told = json.loads((_FIXTURES / "announcements.json").read_text())["list_announcements"]
    assert [Topic.model_validate(row).message for row in told["data"]]


def _asked(path: str) -> Any:
    from syncline.testing.fake_api import Asked

    return Asked("GET", f"/api/v1/courses/1/{path}", {}, {}, None)
