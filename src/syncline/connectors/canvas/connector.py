"""Reads courses. Canvas has no feed of changes, so each run lists what there is.

Lists that are sorted by their updates cannot be left early: pages are sorted by a time that
publishing moves, but show one that it does not move. A row may slip from one page of a list
to another while it is read, so what is not listed is asked for once more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from urllib.parse import quote, urlsplit

from msgspec import Struct, field

from syncline.connectors.canvas.contents import Contents
from syncline.connectors.canvas.entries import Place, unseen
from syncline.connectors.canvas.listing import listed, path_to, whole
from syncline.connectors.canvas.refusals import SwitchedOff
from syncline.connectors.canvas.spec import CanvasOptions, Holding
from syncline.connectors.canvas.wire import (
    Assignment,
    Course,
    File,
    Item,
    Module,
    Page,
    Topic,
    User,
)
from syncline.connectors.json_api import Answer, JsonApi, Params
from syncline.connectors.marks import ending_at
from syncline.connectors.wire import read, readable
from syncline.core.errors import Forbidden, NotFound
from syncline.core.model import (
    Change,
    Cursor,
    Entry,
    Failed,
    Fetched,
    Gone,
    Identity,
    Locator,
    Partition,
    Validators,
)
from syncline.core.ports import Context, Probes

__all__ = ["CanvasConnector"]

_STRING_IDS = {"Accept": "application/json+canvas-string-ids"}
"""Ids have 64 bits; as numbers, not every reader of JSON keeps them whole."""
_READ = Cursor(1, "pages")
"""The pages' texts have been read once: from now on only those of changed pages are."""
_SYLLABUS = {"include[]": ("syllabus_body",)}
_OF_ALL_TIMES = {"start_date": "1970-01-01", "end_date": "2999-12-31"}
"""Announcements are of the last 14 days, unless dates are given."""
_CLOSED = ("created", "claimed", "unpublished", "deleted")


class _Kind(Struct, frozen=True):
    """One kind of entries, and where it is read beneath `/courses/ID`."""

    name: str
    option: Holding
    row: type[Item] = Item
    path: str = ""
    params: Mapping[str, tuple[str, ...] | str] = field(default_factory=dict)
    id: str = "{}"


_SECTIONS = {"include[]": ("sections", "overrides")}
_KINDS = (  # what people wait for comes first
    _Kind("announcement", "announcements", Topic, "discussion_topics", _SECTIONS),
    _Kind("assignment", "assignments", Assignment, "assignments", {"include[]": ("overrides",)}),
    _Kind("syllabus", "syllabus"),
    _Kind("discussion", "discussions", Topic, "discussion_topics", _SECTIONS),
    _Kind("page", "pages", Page, "pages", {"sort": "created_at"}, "page_id:{}"),
    _Kind("module", "modules", Module, "modules", {"include[]": ("items",)}),
    _Kind("file", "files", File, "files", {"sort": "created_at"}),
)
_BY_NAME = {kind.name: kind for kind in _KINDS}


class CanvasConnector:
    """One Canvas, as the token's user sees it."""

    def __init__(self, options: CanvasOptions, context: Context) -> None:
        self._options = options
        self._context = context
        self._api = JsonApi(context.http, f"{options.url}/api/v1", headers=_STRING_IDS)
        self._contents = Contents(self._api, context.http)
        self._include = _SYLLABUS if "syllabus" in options.read else {}
        self._courses: dict[str, Course] = {}
        self._chosen: tuple[str, ...] | None = None
        """The courses that are read, once that is known."""

    async def check(self) -> Identity:
        answer = await self._api.get("/users/self")
        user = read(User, answer.object(), answer.what)
        account = f"{user.name or user.id} at {urlsplit(self._options.url).netloc}"
        missing = [name for name in self._options.courses if await self._named(name) is None]
        if missing:
            lacking = f"no course {', '.join(missing)}, or not for this user"
            self._context.warn(f"There is {lacking}.")
            if len(missing) == len(self._options.courses):
                few = [f"{each.id} ({each.name})" async for each in self._active()][:10]
                raise NotFound(
                    f"{account}: there is {lacking}",
                    hint=f"There are: {', '.join(few) or 'none'}. An id is in a course's address.",
                )
            account = f"{account}, but there is {lacking}"
        return Identity(account, {"user": user.id, "missing": missing})

    async def probes(self) -> Probes:
        course = await self._course((await self.partitions())[0].id)
        kinds = [kind for kind in _KINDS if kind.option in self._options.read]
        return {
            f"{kind.option} of {course.name or course.id}": partial(self._probe, kind, course)
            for kind in kinds
        }

    async def partitions(self) -> Sequence[Partition]:
        if self._options.courses:
            named = [(name, await self._named(name)) for name in self._options.courses]
            found = {course.id if course else name: course for name, course in named}
        else:
            found = {course.id: course async for course in self._active()}
            self._courses.update((name, course) for name, course in found.items() if course)
        if not found:
            raise Forbidden(
                "The token's user takes part in no active course",
                hint="Enrol the user, or name courses (`--option courses=…`), or an account that "
                "the user administers (`--option account=self`).",
            )
        if "syllabus" in self._options.read and not all(
            course is None or course.tells_syllabus for course in found.values()
        ):
            self._context.warn(
                "Canvas tells no syllabus: the token's developer key must allow include parameters"
            )
        self._chosen = tuple(sorted(found, key=lambda name: (len(name), name)))
        titles = {name: course.name if course else "" for name, course in found.items()}
        return [Partition(name, titles[name]) for name in self._chosen]

    async def changes(self, partition: Partition, cursor: Cursor | None) -> AsyncIterator[Change]:
        stream = self._read(partition, content=True, bodies=cursor != _READ)
        async for each in ending_at(_READ, stream):
            yield each

    async def enumerate(self, partition: Partition) -> AsyncIterator[Entry | Failed]:
        async for each in self._read(partition, content=False, bodies=False):
            yield each

    async def fetch(self, locator: Locator, validators: Validators | None) -> Fetched:
        kind, course_id = _BY_NAME[str(locator["kind"])], str(locator["course"])
        name = f"{kind.name}:{locator['id']}"
        left = await self._left(course_id)
        if left is not None:
            return Gone(name, left)
        try:
            answer = await self._api.get(*_one(kind, course_id, str(locator["id"])))
        except NotFound:
            return Gone(name, "Canvas has it no more")
        if kind.name == "syllabus":
            course = self._course_in(answer)
            item = _syllabus(course)
            gone = None if course.syllabus_body else "the syllabus is empty"
        else:
            item = read(kind.row, answer.object(), answer.what)
            course = await self._course(course_id)
            gone = unseen(item, self._now(answer))
        if gone is not None or course.workflow_state in _CLOSED:
            return Gone(name, gone or "its course is not published")
        return await self._contents.of(kind.name, item, self._place(course, answer), name)

    # --- courses -------------------------------------------------------------------------------

    async def _active(self) -> AsyncIterator[Course]:
        account = self._options.account
        path = "/courses" if account is None else f"/accounts/{quote(account, safe='')}/courses"
        params = {"state[]": ("available",), **self._include}
        if account is None:
            params["enrollment_state"] = ("active",)
        async for row, _ in listed(self._api, path, params, Course):
            if not readable(row).access_restricted_by_date:
                yield readable(row).slim()

    async def _named(self, name: str) -> Course | None:
        try:
            return await self._course(name)
        except (NotFound, Forbidden):
            return None

    async def _course(self, name: str) -> Course:
        known = self._courses.get(name)
        if known is None:
            answer = await self._api.get(path_to(name), self._include)
            known = read(Course, answer.object(), answer.what).slim()
            self._courses[name] = self._courses[known.id] = known
        return known

    def _course_in(self, answer: Answer) -> Course:
        course = read(Course, answer.object(), answer.what)
        if not course.tells_syllabus:
            raise Forbidden(
                f"{answer.what} tells no syllabus",
                hint="The token's developer key must allow include parameters.",
            )
        return course

    async def _left(self, course_id: str) -> str | None:
        """Why a course is read no more, where this is about a course that was not listed."""
        if self._chosen is None or course_id in self._chosen:
            return None
        if self._options.courses:
            return "its course is not among those that are read"
        try:
            course = await self._course(course_id)
        except NotFound:
            return "there is no such course any more"
        active = course.workflow_state == "available" and not course.access_restricted_by_date
        return None if active else "its course is not active any more"

    # --- lists ---------------------------------------------------------------------------------

    async def _read(
        self, partition: Partition, *, content: bool, bodies: bool
    ) -> AsyncIterator[Entry | Failed]:
        course = await self._course(partition.id)
        if course.workflow_state in _CLOSED:
            return
        for kind in _KINDS:
            if kind.option not in self._options.read:
                continue
            self._context.progress(f"{course.name}: {kind.option}")
            try:
                async for each in self._list(kind, course, content=content, bodies=bodies):
                    yield each
            except SwitchedOff:
                continue
            except Forbidden as error:
                where = f"{kind.option} of {course.name or course.id}"
                yield Failed(error.code, f"{where}: {error.message} {error.hint or ''}".strip())

    async def _list(
        self, kind: _Kind, course: Course, *, content: bool, bodies: bool
    ) -> AsyncIterator[Entry | Failed]:
        if kind.name == "syllabus":
            if course.syllabus_body:
                place = self._place(course)
                yield place.entry(kind.name, _syllabus(course), content=False)
            return
        path, params = _list_of(kind, course)
        since = self._context.since if content else None
        if kind.name == "announcement" and since is not None:
            params["start_date"] = since.strftime("%Y-%m-%dT%H:%M:%SZ")
        if kind.name == "page" and bodies:
            params["include[]"] = "body"
        if kind.name == "file" and since is not None:
            params |= {"sort": "updated_at", "order": "desc"}
        async for row, answer in listed(self._api, path, params, kind.row):
            if isinstance(row, Failed):
                yield row
            elif kind.name == "file" and since and row.updated_at and row.updated_at < since:
                break  # and all that follow are older still
            elif unseen(row, self._now(answer)) is None:
                item = await whole(self._api, row, course)
                yield self._place(course, answer).entry(kind.name, item, content=content)

    async def _probe(self, kind: _Kind, course: Course) -> None:
        if kind.name == "syllabus":
            self._course_in(await self._api.get(*_one(kind, course.id, course.id)))
            return
        path, params = _list_of(kind, course)
        with suppress(SwitchedOff):
            await self._api.get(path, {**params, "per_page": 1})

    def _place(self, course: Course, answer: Answer | None = None) -> Place:
        most = int(self._options.max_file_mb * 1024 * 1024)
        return Place(course, self._now(answer), self._options.url, most)

    def _now(self, answer: Answer | None) -> datetime:
        return (answer and answer.date) or self._context.clock.now()


def _list_of(kind: _Kind, course: Course) -> tuple[str, dict[str, tuple[str, ...] | str]]:
    params = dict(kind.params)
    if kind.name != "announcement":
        return path_to(course.id, kind.path), params
    params |= {"context_codes[]": f"course_{course.id}", "active_only": "true"}
    return "/announcements", params | _OF_ALL_TIMES


def _one(kind: _Kind, course: str, item: str) -> tuple[str, Params]:
    if kind.name == "syllabus":
        return path_to(course), _SYLLABUS
    params = {key: value for key, value in kind.params.items() if key != "sort"}
    return path_to(course, kind.path, kind.id.format(item)), params


def _syllabus(course: Course) -> Item:
    return Item(id=course.id, title=f"{course.name}: Syllabus" if course.name else "Syllabus")
