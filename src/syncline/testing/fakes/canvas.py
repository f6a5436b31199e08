"""A fake Canvas, as https://developerdocs.instructure.com/services/canvas and its source have it.

What it shows of each thing is in `canvas_rows.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from syncline.core.model import Json
from syncline.testing.clock import FakeClock
from syncline.testing.fake_api import Asked, FakeApi, Reply
from syncline.testing.fakes.canvas_rows import (
    FakeCourse,
    FakeReply,
    FakeThing,
    course_row,
    item_row,
    stringified,
    thing_row,
    view_row,
)
from syncline.testing.fakes.canvas_storage import FakeStorage

__all__ = ["FakeCanvas"]

_ROOT = "/api/v1/"
_KINDS = {
    "assignments": "assignment",
    "discussion_topics": "discussion",
    "pages": "page",
    "modules": "module",
    "files": "file",
}
_MOST_ITEMS = 50
"""Of a module that is listed with its items."""
_FULL = 600.0
_LEAKS = 10.0
_LINK_LIVES = timedelta(minutes=5)


@dataclass(slots=True)
class _Refusals:
    """What the token's user may not read."""

    forbidden: set[str] = field(default_factory=set)
    """Kinds that need another role."""
    disabled: set[str] = field(default_factory=set)
    """Lists that the course has switched off; what is in them is still there."""
    scopes: set[str] | None = None
    """Kinds that the developer key lets in; it then lets no `include` through."""
    status: int = 403
    """Of who lacks a permission; it was 401 for years."""


class FakeCanvas(FakeApi):
    """Edits are methods; what they touch is stamped to the second."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        super().__init__(clock)
        self.user = {"id": 42, "name": "Ann Teacher", "short_name": "Ann"}
        self.teacher = True
        """Whether the token's user sees what is not published."""
        self.courses: dict[int, FakeCourse] = {}
        self.things: dict[int, FakeThing] = {}
        self.refusals = _Refusals()
        self.lists_bodies = True
        """Whether the list of pages knows `include[]=body`."""
        self.link_name = "Link"
        self.throttled_status = 403
        self.cost = 0.31
        self.storage = FakeStorage()
        self._used, self._leaked = 0.0, self.clock.now()
        self._links: dict[str, datetime] = {}
        self._ids = count(10_000_000_000_000_001)  # beyond what a double keeps

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        await self.storage.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.storage.__aexit__(kind, error, trace)
        await super().__aexit__(kind, error, trace)

    # The world.

    def create_course(self, name: str, **more: Any) -> int:
        """A published course; `more` are fields as the API names them."""
        course = FakeCourse(next(self._ids), name, self._stamp(), dict(more))
        self.courses[course.id] = course
        return course.id

    def create(self, kind: str, course: int, title: str, text: str = "", **more: Any) -> int:
        """A published announcement, assignment, discussion, page, module or file."""
        stamp = self._stamp()
        thing = FakeThing(next(self._ids), kind, course, title, text, stamp, stamp, stamp)
        thing.more.update(more)
        self.things[thing.id] = thing
        return thing.id

    def edit(self, number: int, text: str) -> None:
        """Another text."""
        self.things[number].text = text
        self._revise(number)

    def rename(self, number: int, title: str) -> None:
        """Another title; a page's address follows it."""
        self.things[number].title = title
        self._revise(number)

    def change(self, number: int, **more: Any) -> None:
        """Other fields, as the API names them: `unlock_at`, `locked_for_user`, …"""
        self.things[number].more.update(more)
        self.things[number].updated_at = self._stamp()

    def publish(self, number: int, published: bool = True) -> None:
        """Publish it, or no more. A page's `updated_at` as it is shown does not move."""
        self.things[number].published = published
        self.things[number].updated_at = self._stamp()

    def restrict(self, number: int, section: int) -> None:
        """Only a section may see it."""
        if self.things[number].kind == "assignment":
            overrides = [{"id": 1, "assignment_id": number, "course_section_id": section}]
            self.change(number, only_visible_to_overrides=True, overrides=overrides)
        else:
            sections = [{"id": section, "name": f"Section {section}"}]
            self.change(number, is_section_specific=True, sections=sections)

    def answer_to(self, topic: int, user: str, message: str, parent: int | None = None) -> int:
        """A reply to a discussion, or to another reply."""
        reply = FakeReply(next(self._ids), user, message, self._stamp(), parent)
        self.things[topic].replies.append(reply)
        self.things[topic].last_reply_at = reply.created_at
        return reply.id

    def edit_reply(self, topic: int, reply: int, message: str | None) -> None:
        """Another text, or none: deleted. No field of the topic tells of an edit."""
        for each in self.things[topic].replies:
            if each.id == reply:
                each.message = message

    def add_item(self, module: int, title: str, type_: str = "Page", **more: Any) -> None:
        """Something in a module."""
        item = {"id": next(self._ids), "title": title, "type": type_, "published": True, **more}
        self.things[module].items.append(item)

    def delete(self, number: int) -> None:
        """It is in no list any more; nothing tells of it."""
        del self.things[number]

    def _revise(self, number: int) -> None:
        self.things[number].updated_at = self.things[number].revised_at = self._stamp()

    def _stamp(self) -> datetime:
        return self.now().replace(microsecond=0)

    # What it answers.

    def lets_in(self, asked: Asked) -> bool:
        return not asked.path.startswith(_ROOT) or super().lets_in(asked)

    def refuse(self, asked: Asked) -> Reply:
        challenge = {"WWW-Authenticate": 'Bearer realm="canvas-lms"'}
        if "authorization" in asked.headers:
            return Reply({"errors": [{"message": "Invalid access token."}]}, 401, challenge)
        words = {"message": "user authorization required"}
        return Reply({"status": "unauthenticated", "errors": [words]}, 401, challenge)

    def headers(self, asked: Asked) -> Mapping[str, str]:
        left = max(0.0, _FULL - self._used)
        return {"X-Request-Cost": str(self.cost), "X-Rate-Limit-Remaining": str(left)}

    def too_many(self, asked: Asked, seconds: float) -> Reply:
        text = "403 Forbidden (Rate Limit Exceeded)\n"
        return Reply(
            status=self.throttled_status, headers={"X-Rate-Limit-Remaining": "0.0"}, text=text
        )

    async def reply(self, asked: Asked) -> Reply:
        if self._is_full():
            return self.too_many(asked, 0.0)
        if asked.path.startswith("/files/"):
            return self._download(asked)
        if not asked.path.startswith(_ROOT):
            return Reply(status=404, text="<html>Page not found</html>", content_type="text/html")
        reply = self._route(asked.path.removeprefix(_ROOT).strip("/").split("/"), asked)
        if "canvas-string-ids" in asked.headers.get("accept", ""):
            return Reply(stringified(reply.data), reply.status, reply.headers, reply.text)
        return reply

    def _is_full(self) -> bool:
        """A bucket that leaks as time goes by; each request fills it a little."""
        now = self.clock.now()
        self._used = max(0.0, self._used - _LEAKS * (now - self._leaked).total_seconds())
        self._leaked = now
        if self._used >= _FULL:
            return True
        self._used += self.cost
        return False

    def _route(self, parts: list[str], asked: Asked) -> Reply:
        match parts:
            case ["users", "self"]:
                return Reply(dict(self.user))
            case ["courses"] | ["accounts", _, "courses"]:
                return self._cut(asked, list(self._visible_courses(asked)))
            case ["announcements"]:
                return self._announcements(asked)
            case ["courses", number]:
                course = self._course(number)
                return Reply(course_row(self, course, self._includes(asked))) if course else MISSING
            case ["courses", number, *rest] if (course := self._course(number)) is not None:
                return self._of_course(course, rest, asked)
            case ["files", number]:
                return self._show("file", number, asked)
        return MISSING

    def _of_course(self, course: FakeCourse, rest: list[str], asked: Asked) -> Reply:
        kind = _KINDS.get(rest[0], "")
        refused = self._refused(kind)
        if refused is not None:
            return refused
        match rest:
            case [_]:
                return self._list(kind, course, asked) if kind else MISSING
            case ["pages", place]:
                return self._page(course, place, asked)
            case ["modules", number, "items"]:
                return self._with(number, lambda each: self._cut(asked, self._items(each)))
            case ["discussion_topics", number, "view"]:
                return self._with(number, lambda each: Reply(view_row(each)))
            case [_, number]:
                return self._show(kind, number, asked)
        return MISSING

    def _list(self, kind: str, course: FakeCourse, asked: Asked) -> Reply:
        if kind in self.refusals.disabled:
            return Reply({"message": "That page has been disabled for this course"}, 404)
        found = [each for each in self._seen(kind) if each.course == course.id]
        if kind in ("page", "file"):
            found = self._sorted_pages(found, asked)
        bodies = "body" in self._includes(asked) and self.lists_bodies
        # Topics are cut into pages before those that the user may not see are taken out.
        shown = self.things.values() if kind == "discussion" else found
        seen = {each.id for each in found}
        rows = [
            each if each.id in seen else None
            for each in (found if kind != "discussion" else shown)
            if each.course == course.id and each.kind == kind
        ]
        return self._cut(asked, rows, lambda each: self._row(each, asked, body=bodies))

    def _sorted_pages(self, found: list[FakeThing], asked: Asked) -> list[FakeThing]:
        # `updated_at` is the row's, which publishing moves; what is shown is when it was revised.
        order: Callable[[FakeThing], Any] = {
            "created_at": lambda each: (each.created_at, each.id),
            "updated_at": lambda each: (each.updated_at, each.id),
        }.get(asked.one("sort"), lambda each: (each.title.lower(), each.id))
        return sorted(found, key=order, reverse=asked.one("order") == "desc")

    def _page(self, course: FakeCourse, place: str, asked: Asked) -> Reply:
        pages = [each for each in self._seen("page") if each.course == course.id]
        named = [each for each in pages if each.slug == place]
        number = place.removeprefix("page_id:")
        chosen = named or [each for each in pages if str(each.id) == number]
        return Reply(self._row(chosen[0], asked, body=True)) if chosen else MISSING

    def _announcements(self, asked: Asked) -> Reply:
        refused = self._refused("announcement")
        if refused is not None:
            return refused
        codes = asked.query.get("context_codes[]", [])
        if not codes:
            return Reply({"message": "Missing context_codes"}, 400)
        start = _day(asked.one("start_date")) or self.now() - timedelta(days=14)
        end = _day(asked.one("end_date")) or start + timedelta(days=28)
        found = [
            each
            for each in self._seen("announcement")
            if f"course_{each.course}" in codes and start <= each.created_at <= end
        ]
        if asked.one("active_only") == "true":
            found = [each for each in found if each.published]
        found.sort(key=lambda each: (each.created_at, each.id), reverse=True)

        def show(each: FakeThing) -> Json:
            return {**self._row(each, asked, body=True), "context_code": f"course_{each.course}"}

        return self._cut(asked, found, show)

    def _show(self, kind: str, number: str, asked: Asked) -> Reply:
        kinds = ("discussion", "announcement") if kind == "discussion" else (kind,)
        refused = self._refused(kind)
        if refused is not None:
            return refused
        found = [each for each in self._seen(*kinds) if str(each.id) == number]
        return Reply(self._row(found[0], asked, body=True)) if found else MISSING

    def _with(self, number: str, answer: Callable[[FakeThing], Reply]) -> Reply:
        thing = self.things.get(int(number)) if number.isdigit() else None
        return MISSING if thing is None else answer(thing)

    def _refused(self, kind: str) -> Reply | None:
        if self.refusals.scopes is not None and kind not in self.refusals.scopes:
            words = {"message": "Insufficient scopes on access token."}
            return Reply({"errors": [words]}, 401)
        if kind in self.refusals.forbidden:
            words = {"message": "user not authorized to perform that action"}
            return Reply({"status": "unauthorized", "errors": [words]}, self.refusals.status)
        return None

    def _course(self, number: str) -> FakeCourse | None:
        found = self.courses.get(int(number)) if number.isdigit() else None
        return found if found is not None and found.enrolled else None

    def _visible_courses(self, asked: Asked) -> list[Json]:
        states = asked.query.get("state[]")
        everybody = asked.path.startswith(f"{_ROOT}accounts/")
        return [
            course_row(self, course, self._includes(asked))
            for course in self.courses.values()
            if (everybody or course.enrolled) and (not states or course.state in states)
        ]

    def _seen(self, *kinds: str) -> list[FakeThing]:
        found = [each for each in self.things.values() if each.kind in kinds]
        return [each for each in found if self.teacher or each.published]

    def _includes(self, asked: Asked) -> list[str]:
        return [] if self.refusals.scopes is not None else asked.query.get("include[]", [])

    def _row(self, thing: FakeThing, asked: Asked, *, body: bool) -> dict[str, Any]:
        row = thing_row(self, thing, self._includes(asked), body=body)
        if thing.kind == "module" and "items" in self._includes(asked):
            items = self._items(thing)
            row |= {"items": items} if len(items) <= _MOST_ITEMS else {}
        if thing.kind == "file":
            key = f"{thing.id}-{next(self._ids)}"
            self._links[key] = self.now() + _LINK_LIVES
            row["url"] = self.link(f"/files/{thing.id}/download?download_frd=1&verifier={key}")
        return row

    def _items(self, module: FakeThing) -> list[Json]:
        shown = [each for each in module.items if self.teacher or each["published"]]
        return [item_row(self, module, each) for each in shown]

    def _download(self, asked: Asked) -> Reply:
        key = asked.one("verifier")
        number = int(key.partition("-")[0] or 0)
        if number not in self.things or self._links.get(key, self.now()) <= self.now():
            return Reply(status=404, text="<html>Not found</html>", content_type="text/html")
        name = f"/{number}/{self.things[number].title}"
        self.storage.files[name] = self.things[number].text.encode()
        return Reply(status=302, headers={"Location": f"{self.storage.url}{name}"}, text="")

    def _cut(
        self, asked: Asked, rows: Sequence[Any], show: Callable[[Any], Json] = lambda row: row
    ) -> Reply:
        """A page; None stands for a row that the user may not see."""
        size = self.page_size(max(1, asked.number("per_page", 10, 100)))
        marked = asked.one("page")
        place = self.place(marked.removeprefix("bookmark:")) if marked else "1"
        if place is None:
            return Reply({"errors": [{"message": "page is not valid"}]}, 400)
        page = int(place)
        shown = [show(row) for row in rows[(page - 1) * size : page * size] if row is not None]
        # No `last`: counting is left out where it would be expensive.
        links = {"current": page, "first": 1} | ({"prev": page - 1} if page > 1 else {})
        links |= {"next": page + 1} if page * size < len(rows) else {}
        query = [(n, v) for n, values in asked.query.items() if n != "page" for v in values]
        marks = {name: f"bookmark:{self.cursor(str(to))}" for name, to in links.items()}
        header = ",".join(
            f'<{self.link(asked.path)}?{urlencode([*query, ("page", mark)])}>; rel="{name}"'
            for name, mark in marks.items()
        )
        return Reply(shown, headers={self.link_name: header})


MISSING = Reply({"errors": [{"message": "The specified resource does not exist."}]}, 404)


def _day(text: str) -> datetime | None:
    if not re.match(r"\d{4}-\d\d-\d\d", text):
        return None
    moment = datetime.fromisoformat(text)
    return moment.astimezone() if moment.tzinfo else datetime.fromisoformat(f"{text}T00:00:00Z")
