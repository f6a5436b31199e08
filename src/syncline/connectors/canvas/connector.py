"""Reads courses. Canvas has no feed of changes, so each run lists what there is.

Lists that are sorted by their updates cannot be left early: pages are sorted by a time that
publishing moves, but show one that it does not move. A row may slip from one page of a list
to another while it is read, so what is not listed is asked for once more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote, urlsplit

from syncline.connectors.canvas.entries import Place, html_of_replies, media_type, unseen
from syncline.connectors.canvas.spec import CanvasOptions, Holding, SwitchedOff
from syncline.connectors.canvas.wire import (
    Assignment,
    Course,
    File,
    Item,
    Module,
    ModuleItem,
    Page,
    Reply,
    Topic,
    User,
)
from syncline.connectors.json_api import Answer, JsonApi, Params
from syncline.connectors.marks import ending_at
from syncline.connectors.paging import follow, link_to
from syncline.connectors.wire import W, read, rows
from syncline.core.errors import BadContent, Forbidden, NotFound, Rejected, Unauthorized
from syncline.core.model import (
    Change,
    Content,
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
from syncline.core.ports import Context

__all__ = ["CanvasConnector"]

_STRING_IDS = {"Accept": "application/json+canvas-string-ids"}
"""Ids have 64 bits; as numbers, not every reader of JSON keeps them whole."""
_READ = Cursor(1, "pages")
"""The pages' texts have been read once: from now on only those of changed pages are."""
_SYLLABUS = {"include[]": ("syllabus_body",)}
_LEAST_CAP = 50
"""No Canvas gives fewer rows than this to who asks for 100 and has no further page."""
_OF_ALL_TIMES = {"start_date": "1970-01-01", "end_date": "2999-12-31"}
"""Announcements are of the last 14 days, unless dates are given."""
_CLOSED = ("created", "claimed", "unpublished", "deleted")


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of entries, and where it is read beneath `/courses/ID`."""

    name: str
    option: Holding
    row: type[Item] = Item
    path: str = ""
    params: Mapping[str, tuple[str, ...] | str] = field(default_factory=dict)
    id: str = "{}"


_SECTIONS = {"include[]": ("sections", "overrides")}
_KINDS = (  # what people wait for comes first
    _Kind("announcement", "announcements", Topic, "/discussion_topics", _SECTIONS),
    _Kind("assignment", "assignments", Assignment, "/assignments", {"include[]": ("overrides",)}),
    _Kind("syllabus", "syllabus"),
    _Kind("discussion", "discussions", Topic, "/discussion_topics", _SECTIONS),
    _Kind("page", "pages", Page, "/pages", {"sort": "created_at"}, "page_id:{}"),
    _Kind("module", "modules", Module, "/modules", {"include[]": ("items",)}),
    _Kind("file", "files", File, "/files", {"sort": "created_at"}),
)
_BY_NAME = {kind.name: kind for kind in _KINDS}


class CanvasConnector:
    """One Canvas, as the token's user sees it."""

    def __init__(self, options: CanvasOptions, context: Context) -> None:
        self._options = options
        self._context = context
        self._api = JsonApi(context.http, f"{options.url}/api/v1", headers=_STRING_IDS)
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
        return await self._content(kind.name, item, self._place(course, answer), name)

    # --- courses -------------------------------------------------------------------------------

    async def _active(self) -> AsyncIterator[Course]:
        account = self._options.account
        path = "/courses" if account is None else f"/accounts/{quote(account, safe='')}/courses"
        params = {"state[]": ("available",), **self._include}
        if account is None:
            params["enrollment_state"] = ("active",)
        async for row, _ in self._rows(path, params, Course):
            if isinstance(row, Failed):
                raise BadContent(row.message)
            if not row.access_restricted_by_date:
                yield row.slim()

    async def _named(self, name: str) -> Course | None:
        try:
            return await self._course(name)
        except (NotFound, Forbidden):
            return None

    async def _course(self, name: str) -> Course:
        known = self._courses.get(name)
        if known is None:
            answer = await self._api.get(f"/courses/{quote(name, safe=':~')}", self._include)
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
        params = dict(kind.params)
        since = self._context.since if content else None
        path = f"/courses/{quote(course.id, safe='~')}{kind.path}"
        if kind.name == "announcement":
            path = "/announcements"
            params |= {"context_codes[]": f"course_{course.id}", "active_only": "true"}
            params |= _OF_ALL_TIMES
            if since is not None:
                params["start_date"] = since.strftime("%Y-%m-%dT%H:%M:%SZ")
        if kind.name == "page" and bodies:
            params["include[]"] = "body"
        if kind.name == "file" and since is not None:
            params |= {"sort": "updated_at", "order": "desc"}
        async for row, answer in self._rows(path, params, kind.row):
            if isinstance(row, Failed):
                yield row
            elif kind.name == "file" and since and row.updated_at and row.updated_at < since:
                break  # and all that follow are older still
            elif unseen(row, self._now(answer)) is None:
                item = await self._whole(row, course)
                yield self._place(course, answer).entry(kind.name, item, content=content)

    async def _whole(self, item: Item, course: Course) -> Item:
        """A module with its items, which a list leaves out where there are many."""
        if not isinstance(item, Module) or item.items is not None:
            return item
        path = f"/courses/{quote(course.id, safe='~')}/modules/{quote(item.id, safe='~')}/items"
        found: list[ModuleItem] = []
        async for row, _ in self._rows(path, {}, ModuleItem):
            if isinstance(row, Failed):
                raise BadContent(row.message)
            found.append(row)
        return item.model_copy(update={"items": tuple(found)})

    async def _rows(
        self, path: str, params: Params, kind: type[W]
    ) -> AsyncIterator[tuple[W | Failed, Answer]]:
        start = self._api.url(path, {**(params or {}), "per_page": 100})
        pages = follow(start.removeprefix(self._api.base), self._api.get, self._following)
        async for page in pages:
            for row in rows(kind, page.data, None, page.what):
                yield row, page

    def _following(self, page: Answer, place: str) -> str | None:
        link = link_to(page.headers, "next")
        count = len(page.array())
        if "link" not in page.headers and (count == 0 or count >= _LEAST_CAP):
            raise BadContent(
                f"{page.what} does not say whether there is more",
                hint="Canvas sends a Link header with each list; a proxy may have removed it.",
            )
        return None if link is None else self._api.own(link)

    # --- texts ---------------------------------------------------------------------------------

    async def _content(self, kind: str, item: Item, place: Place, name: str) -> Fetched:
        entry = place.entry(kind, item, content=True)
        if entry.filtered is not None:
            return Gone(name, entry.filtered)
        if entry.content is not None:
            return entry.content
        if isinstance(item, Topic):
            replies = await self._replies(item, place.course)
            return place.content(kind, item, replies.encode())
        if isinstance(item, File):
            return await self._download(kind, item, place)
        if isinstance(item, Module):
            whole = await self._whole(item, place.course)
            return await self._content(kind, whole, place, name)
        raise BadContent(f"{name} comes without its text")

    async def _replies(self, topic: Topic, course: Course) -> str:
        path = (
            f"/courses/{quote(course.id, safe='~')}/discussion_topics/{quote(topic.id, safe='~')}"
        )
        answer = await self._api.get(f"{path}/view", {"include_new_entries": 1})
        data = answer.object()
        names = {
            user.id: user.display_name or user.name
            for user in rows(User, {"participants": [], **data}, "participants", answer.what)
            if isinstance(user, User)
        }
        kept = [*rows(Reply, data, "view", answer.what)]
        newer = [*rows(Reply, {"new_entries": [], **data}, "new_entries", answer.what)]
        return html_of_replies(
            topic,
            [each for each in kept if isinstance(each, Reply)],
            [each for each in newer if isinstance(each, Reply)],
            names,
        )

    async def _download(self, kind: str, file: File, place: Place) -> Content:
        if not file.url:
            raise Forbidden(
                f"file {file.id} cannot be downloaded by the token's user",
                hint="Use the token of somebody who may.",
            )
        try:
            # The address lives for minutes, and leads to another host, without our token.
            response = await self._context.http.get(file.url, max_bytes=place.max_bytes)
        except (NotFound, Rejected, Forbidden, Unauthorized) as error:
            # That host's word: it says nothing about the file in Canvas, nor about our token.
            raise BadContent(
                f"the data of file {file.id} cannot be had: {error}",
                hint="The next run asks for another address.",
            ) from error
        told = media_type(file) or "text/plain"
        return place.content(kind, file, response.body, told, response.charset)

    def _place(self, course: Course, answer: Answer | None = None) -> Place:
        most = int(self._options.max_file_mb * 1024 * 1024)
        return Place(course, self._now(answer), self._options.url, most)

    def _now(self, answer: Answer | None) -> datetime:
        return (answer and answer.date) or self._context.clock.now()


def _one(kind: _Kind, course: str, item: str) -> tuple[str, Params]:
    path = f"/courses/{quote(course, safe='~')}"
    if kind.name == "syllabus":
        return path, _SYLLABUS
    params = {key: value for key, value in kind.params.items() if key != "sort"}
    return f"{path}{kind.path}/{kind.id.format(quote(item, safe='~'))}", params


def _syllabus(course: Course) -> Item:
    return Item(id=course.id, title=f"{course.name}: Syllabus" if course.name else "Syllabus")
