"""From what Canvas says to entries: who sees them, what they are called, what they say.

A version is a digest of all of that, so equal ones mean that nothing has changed, be it a title,
the course's name, or who may see it. Where a list does not bring the text along, its time stands in
for it; times are cut to the second, so what was written in this very second counts as unsettled,
and has another version later.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from html import escape
from urllib.parse import urlsplit

from msgspec import Struct, field
from msgspec.structs import asdict, replace

from syncline.connectors.canvas.wire import (
    Assignment,
    Course,
    File,
    Item,
    Module,
    Page,
    Reply,
    Topic,
    User,
)
from syncline.connectors.marks import digest
from syncline.core.media import EXTENSIONS, media_type_of
from syncline.core.model import Content, Entry, Json, Metadata

__all__ = ["Place", "html_of_replies", "media_type", "unseen"]

_UNSETTLED = timedelta(seconds=10)
_LIVELY = timedelta(days=30)
_DAY = 86_400


class Place(Struct, frozen=True):
    """Where and when an item was found."""

    course: Course
    now: datetime
    """By the clock of Canvas."""
    site: str
    max_bytes: int

    def entry(self, kind: str, item: Item, *, content: bool) -> Entry:
        """The entry of an item that the course's members see.

        With `content` it brings its text along, where that is in the answer.
        """
        said = _said(kind, item, self)
        metadata = self._metadata(kind, item, said)
        principals = principals_of(kind, item, self.course)
        entry = Entry(
            id=f"{kind}:{item.id}",
            version=digest(asdict(metadata), principals, said.filtered, said.mark),
            locator={"kind": kind, "course": self.course.id, "id": item.id},
            parent=f"course:{self.course.id}",
            metadata=metadata,
            size=said.size,
            filtered=said.filtered,
        )
        if said.html is None or said.filtered or not content:
            return entry
        return replace(entry, content=self.content(kind, item, said.html.encode()))

    def content(
        self,
        kind: str,
        item: Item,
        data: bytes,
        media_type: str = "text/html",
        charset: str | None = "utf-8",
    ) -> Content:
        """What an item says, once its text has been read."""
        metadata = self._metadata(kind, item, _said(kind, item, self))
        principals = principals_of(kind, item, self.course)
        return Content(data, media_type, charset, metadata, principals)

    def _metadata(self, kind: str, item: Item, said: _Said) -> Metadata:
        course = self.course
        author = said.author and (said.author.display_name or said.author.name)
        return Metadata(
            title=item.title or None,
            url=self._url(item.html_url) or self.site + _PATHS[kind].format(course.id, item.id),
            language=course.locale or None,
            authors=(author,) if author else (),
            categories=(course.name,) if course.name else (),
            created_at=said.created_at or item.created_at,
            updated_at=said.updated_at or item.updated_at or said.created_at,
            properties={
                "kind": kind,
                "course": course.id,
                **({"course_code": course.course_code} if course.course_code else {}),
                **said.properties,
            },
        )

    def html_of_module(self, module: Module) -> str:
        """A module's outline."""
        lines = []
        for item in module.items or ():
            if not item.published:
                continue
            title = escape(item.title)
            link = escape(item.external_url or self._url(item.html_url))
            if item.type == "SubHeader":
                lines.append(f"<h2>{title}</h2>")
            else:
                kind = f" ({escape(item.type)})" if item.type else ""
                lines.append(f'<p><a href="{link}">{title}</a>{kind}</p>')
        return "".join(lines)

    def _url(self, told: str) -> str:
        """A page of Canvas at the address that we know it by; it may have others."""
        try:
            path = urlsplit(told).path
        except ValueError:
            return ""
        return f"{self.site}{path}" if path.startswith("/") else ""


_PATHS = {
    "announcement": "/courses/{}/discussion_topics/{}",
    "assignment": "/courses/{}/assignments/{}",
    "discussion": "/courses/{}/discussion_topics/{}",
    "file": "/courses/{}/files/{}",
    "module": "/courses/{}/modules/{}",
    "page": "/courses/{}/pages/page_id:{}",
    "syllabus": "/courses/{}/assignments/syllabus",
}


def unseen(item: Item, now: datetime) -> str | None:
    """Why the course's members do not see an item, or not yet; None if they do.

    A teacher's token sees what they do not: it must not be found before they may see it.
    """
    graded = item.assignment if isinstance(item, Topic | Page) else None
    if graded is not None and (reason := unseen(graded, now)):
        return reason
    if not item.published:
        return "it is not published"
    if item.unlock_at is not None and item.unlock_at > now:
        return f"it is locked until {item.unlock_at:%Y-%m-%d %H:%M} UTC"
    if isinstance(item, Topic) and item.delayed_post_at is not None and item.delayed_post_at > now:
        return f"it is to be posted at {item.delayed_post_at:%Y-%m-%d %H:%M} UTC"
    if isinstance(item, File):
        if item.locked or item.hidden or item.hidden_for_user:
            return "it is not published" if item.locked else "it is hidden"
        if item.lock_at is not None and item.lock_at <= now:
            return f"it is locked since {item.lock_at:%Y-%m-%d %H:%M} UTC"
    return None


def principals_of(kind: str, item: Item, course: Course) -> tuple[str, ...] | None:
    """Who may see it: None is everyone. What the API does not tell, it does not open."""
    graded = item.assignment if isinstance(item, Topic | Page) else None
    for each in filter(None, (item, graded)):
        if each.only_visible_to_overrides:
            return tuple(sorted(set(_assigned(each))))
    if isinstance(item, Topic) and item.is_section_specific:
        return tuple(sorted({f"canvas:section:{each.id}" for each in item.sections}))
    members = f"canvas:course:{course.id}"
    syllabus = kind == "syllabus"
    public = course.is_public or (syllabus and course.public_syllabus)
    known = course.is_public_to_auth_users or (syllabus and course.public_syllabus_to_auth)
    if kind == "discussion":
        public = known = False  # what students say is not the public's
    if isinstance(item, File) and item.visibility_level in ("course", "institution", "public"):
        public = item.visibility_level == "public"
        known = item.visibility_level == "institution"
    if public:
        return None
    return (members, "canvas:users:all") if known else (members,)


def _assigned(item: Item) -> Iterator[str]:
    for each in item.overrides:
        if each.course_section_id:
            yield f"canvas:section:{each.course_section_id}"
        if each.group_id:
            yield f"canvas:group:{each.group_id}"
        yield from (f"canvas:user:{student}" for student in each.student_ids)


class _Said(Struct, frozen=True):
    """What differs between the kinds."""

    mark: Json
    """Stands for the text in the version."""
    html: str | None = None
    """The text, where it is in the answer."""
    author: User | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    properties: Mapping[str, Json] = field(default_factory=dict)
    filtered: str | None = None
    size: int | None = None


def _said(kind: str, item: Item, place: Place) -> _Said:
    match item:
        case Topic():
            said = _topic(kind, item, place.now)
        case Assignment():
            html = _facts(item) + item.description
            said = _Said(html, html, properties=_properties(item))
        case Page():
            said = _Said(_time(item.updated_at, place.now), item.body, item.last_edited_by)
        case Module():
            outline = None if item.items is None else place.html_of_module(item)
            said = _Said(outline, outline)
        case File():
            said = _file(item, place)
        case _:
            said = _Said(place.course.syllabus_body, place.course.syllabus_body)
    if item.locked_for_user and not item.can_view:
        words = " ".join(re.sub(r"<[^>]*>", " ", item.lock_explanation).split())
        return replace(said, filtered=f"locked for the token's user: {words}".rstrip(": "))
    return said


def _topic(kind: str, topic: Topic, now: datetime) -> _Said:
    mark: list[Json] = [topic.message]
    html: str | None = topic.message
    replies = topic.discussion_subentry_count or 0
    if kind == "discussion" and replies > 0 and topic.user_can_see_posts:
        html = None
        last = topic.last_reply_at
        # No field moves when a reply is edited: while people talk, it is read again each day.
        lively = last is None or now - last < _LIVELY
        spread = int.from_bytes(blake2b(topic.id.encode(), digest_size=4).digest()) % _DAY
        mark += [replies, last and _time(last, now)]
        mark += [int(now.timestamp() + spread) // _DAY if lively else None]
    moved = max(filter(None, (topic.posted_at, topic.last_reply_at)), default=None)
    return _Said(
        mark,
        html,
        topic.author,
        topic.posted_at,
        moved,
        {"replies": replies} if kind == "discussion" else {},
    )


def _file(file: File, place: Place) -> _Said:
    filtered = None
    if media_type(file) is None:
        filtered = "files of this type cannot be read"
    elif (file.size or 0) > place.max_bytes:
        filtered = f"larger than {place.max_bytes / 1024 / 1024:g} MB"
    times = [_time(each, place.now) for each in (file.updated_at, file.modified_at)]
    return _Said([file.uuid, file.size, times], filtered=filtered, size=file.size)


def _time(moment: datetime | None, now: datetime) -> Json:
    """A time as a mark. Without one, or too fresh a one, the next look must find another."""
    if moment is None:
        return now.isoformat()
    return [moment.isoformat(), now < moment + _UNSETTLED]


def media_type(file: File) -> str | None:
    """What a file is read as; None if it cannot be read."""
    told = file.content_type.partition(";")[0].strip().lower()
    return media_type_of(file.title) or (told if told in EXTENSIONS.values() else None)


def html_of_replies(
    topic: Topic, kept: Iterable[Reply], newer: Sequence[Reply], names: Mapping[str, str]
) -> str:
    """A discussion, each reply beneath a heading of its own.

    `newer` are those that the kept ones do not hold yet, or not as they are now.
    """
    now = {reply.id: reply for reply in newer}
    whole = [now.pop(reply.id, reply) for reply in _flat(kept)] + list(now.values())
    said = []
    for reply in whole:
        if not reply.deleted and reply.message:
            name = names.get(reply.user_id) or reply.user_name or "Anonymous"
            said.append(f"<h2>{escape(name)}</h2><div>{reply.message}</div>")
    return f"<div>{topic.message}</div>{''.join(said)}"


def _flat(replies: Iterable[Reply]) -> Iterator[Reply]:
    for reply in replies:
        yield reply
        yield from _flat(reply.replies)


def _facts(assignment: Assignment) -> str:
    facts = []
    if assignment.due_at:
        facts.append(f"Due {assignment.due_at:%Y-%m-%d %H:%M} UTC.")
    if assignment.points_possible:
        facts.append(f"{assignment.points_possible.removesuffix('.0')} points.")
    return f"<p>{escape(' '.join(facts))}</p>" if facts else ""


def _properties(assignment: Assignment) -> dict[str, Json]:
    found: dict[str, Json] = {}
    if assignment.due_at:
        found["due_at"] = assignment.due_at.isoformat()
    if assignment.points_possible:
        found["points"] = assignment.points_possible
    if assignment.submission_types:
        found["submission_types"] = list(assignment.submission_types)
    return found
