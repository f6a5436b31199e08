"""How a fake Canvas shows what is in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from mimetypes import guess_type
from typing import TYPE_CHECKING, Any

from syncline.core.model import Json

if TYPE_CHECKING:
    from syncline.testing.fakes.canvas import FakeCanvas

__all__ = [
    "FakeCourse",
    "FakeReply",
    "FakeThing",
    "course_row",
    "item_row",
    "stringified",
    "thing_row",
    "view_row",
]

_AUTHOR = {
    "id": 42,
    "display_name": "Ann Teacher",
    "avatar_image_url": None,
    "html_url": "https://school.example/users/42",
}


@dataclass(slots=True)
class FakeCourse:
    id: int
    name: str
    created_at: datetime
    more: dict[str, Any]
    state: str = "available"
    enrolled: bool = True
    """Whether the token's user takes part."""
    syllabus: str | None = None


@dataclass(slots=True)
class FakeReply:
    id: int
    user: str
    message: str | None
    """None: deleted."""
    created_at: datetime
    parent: int | None


@dataclass(slots=True, eq=False)
class FakeThing:
    """An announcement, assignment, discussion, page, module or file."""

    id: int
    kind: str
    course: int
    title: str
    text: str
    created_at: datetime
    updated_at: datetime
    """The row's own."""
    revised_at: datetime
    """Of a page's title or text: what is shown as `updated_at`."""
    published: bool = True
    more: dict[str, Any] = field(default_factory=dict)
    """Further fields, as the API names them."""
    replies: list[FakeReply] = field(default_factory=list)
    last_reply_at: datetime | None = None
    items: list[dict[str, Any]] = field(default_factory=list)

    @property
    def slug(self) -> str:
        """A page's address within its course."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")


def course_row(canvas: FakeCanvas, course: FakeCourse, includes: Sequence[str]) -> dict[str, Any]:
    """A course."""
    row = {
        "id": course.id,
        "name": course.name,
        "course_code": course.name[:8].upper(),
        "account_id": 1,
        "root_account_id": 1,
        "uuid": f"course-{course.id}",
        "enrollment_term_id": 1,
        "grading_standard_id": None,
        "start_at": None,
        "end_at": None,
        "created_at": _iso(course.created_at),
        "default_view": "modules",
        "license": "private",
        "locale": None,
        "is_public": False,
        "is_public_to_auth_users": False,
        "public_syllabus": False,
        "public_syllabus_to_auth": False,
        "calendar": {"ics": canvas.link("/feeds/calendars/course.ics")},
        "time_zone": "Europe/Berlin",
        "workflow_state": course.state,
    }
    if "syllabus_body" in includes:
        row["syllabus_body"] = course.syllabus
    return {**row, **course.more}


def thing_row(
    canvas: FakeCanvas, thing: FakeThing, includes: Sequence[str], *, body: bool
) -> dict[str, Any]:
    """Anything that a course holds; `body` is for pages, whose list leaves it out."""
    place = {"assignment": "assignments", "page": "pages", "module": "modules", "file": "files"}
    path = place.get(thing.kind, "discussion_topics")
    name = thing.slug if thing.kind == "page" else thing.id
    unlock_at = thing.more.get("unlock_at")
    soon = unlock_at is not None and datetime.fromisoformat(unlock_at) > canvas.now()
    locked = not canvas.teacher and soon
    row: dict[str, Any] = {
        "html_url": canvas.link(f"/courses/{thing.course}/{path}/{name}"),
        "locked_for_user": locked,
        **_ROWS[thing.kind](thing),
    }
    if canvas.teacher or thing.kind in ("page", "discussion", "announcement", "assignment"):
        row["published"] = thing.published
    if thing.kind == "page" and body:
        row["body"] = thing.text
    if locked:
        row["lock_info"] = {"unlock_at": unlock_at, "asset_string": f"{thing.kind}_{thing.id}"}
        row["lock_explanation"] = f"This {thing.kind} is locked until <b>{unlock_at}</b>"
    row |= thing.more
    if row["locked_for_user"] and not row.get("lock_info", {}).get("can_view"):
        for text in ("body", "description", "message"):
            row |= {text: None} if text in row and text != "body" else {}
        row.pop("body", None)
    if "sections" not in includes:
        row.pop("sections", None)
    if "overrides" not in includes or not canvas.teacher:
        row.pop("overrides", None)
    return row


def _topic(thing: FakeThing) -> dict[str, Any]:
    alive = [each for each in thing.replies if each.message is not None]
    return {
        "id": thing.id,
        "title": thing.title,
        "message": thing.text,
        "author": _AUTHOR,
        "user_name": "Ann Teacher",
        "created_at": _iso(thing.created_at),
        "posted_at": _iso(thing.created_at),
        "delayed_post_at": None,
        "last_reply_at": _iso(thing.last_reply_at or thing.created_at),
        "lock_at": None,
        "discussion_subentry_count": len(alive),
        "discussion_type": "threaded",
        "require_initial_post": False,
        "user_can_see_posts": True,
        "read_state": "read",
        "unread_count": 0,
        "subscribed": False,
        "subscription_hold": "topic_is_announcement" if thing.kind == "announcement" else None,
        "is_section_specific": False,
        "assignment_id": None,
        "group_category_id": None,
        "attachments": [],
        "locked": False,
        "pinned": False,
    }


def _assignment(thing: FakeThing) -> dict[str, Any]:
    return {
        "id": thing.id,
        "course_id": thing.course,
        "name": thing.title,
        "description": thing.text,
        "created_at": _iso(thing.created_at),
        "updated_at": _iso(thing.updated_at),
        "due_at": None,
        "lock_at": None,
        "unlock_at": None,
        "points_possible": 10.0,
        "submission_types": ["online_text_entry"],
        "only_visible_to_overrides": False,
        "workflow_state": "published" if thing.published else "unpublished",
    }


def _page(thing: FakeThing) -> dict[str, Any]:
    return {
        "page_id": thing.id,
        "url": thing.slug,
        "title": thing.title,
        "created_at": _iso(thing.created_at),
        "updated_at": _iso(thing.revised_at),
        "editing_roles": "teachers",
        "last_edited_by": _AUTHOR,
        "front_page": False,
        "hide_from_students": not thing.published,
        "todo_date": None,
        "publish_at": None,
    }


def _module(thing: FakeThing) -> dict[str, Any]:
    shown = [each for each in thing.items if each["published"]]
    return {
        "id": thing.id,
        "name": thing.title,
        "position": 1,
        "unlock_at": None,
        "require_sequential_progress": False,
        "prerequisite_module_ids": [],
        "items_count": len(shown),
        "items_url": f"/api/v1/courses/{thing.course}/modules/{thing.id}/items",
    }


def _file(thing: FakeThing) -> dict[str, Any]:
    return {
        "id": thing.id,
        "uuid": f"file-{thing.id}",
        "folder_id": 1,
        "display_name": thing.title,
        "filename": thing.title.replace(" ", "+"),
        "upload_status": "success",
        "content-type": guess_type(thing.title)[0] or "application/octet-stream",
        "size": len(thing.text.encode()),
        "created_at": _iso(thing.created_at),
        "updated_at": _iso(thing.updated_at),
        "modified_at": _iso(thing.revised_at),
        "unlock_at": None,
        "lock_at": None,
        "locked": not thing.published,
        "hidden": False,
        "hidden_for_user": False,
        "visibility_level": "inherit",
        "mime_class": "text",
    }


_ROWS = {
    "announcement": _topic,
    "discussion": _topic,
    "assignment": _assignment,
    "page": _page,
    "module": _module,
    "file": _file,
}


def item_row(canvas: FakeCanvas, module: FakeThing, item: dict[str, Any]) -> Json:
    """What is in a module."""
    path = f"/courses/{module.course}/modules/items/{item['id']}"
    return {
        "module_id": module.id,
        "position": 1,
        "indent": 0,
        "html_url": canvas.link(path),
    } | item


def view_row(topic: FakeThing) -> Json:
    """All replies to a discussion, each beneath what it answers."""

    def beneath(parent: int | None) -> list[Json]:
        return [
            {
                "id": each.id,
                "parent_id": each.parent,
                "created_at": _iso(each.created_at),
                "updated_at": _iso(each.created_at),
                "replies": beneath(each.id),
                **(
                    {"deleted": True}
                    if each.message is None
                    else {"user_id": _number_of(each.user), "message": each.message}
                ),
            }
            for each in topic.replies
            if each.parent == parent
        ]

    names = sorted({each.user for each in topic.replies})
    return {
        "unread_entries": [],
        "forced_entries": [],
        "entry_ratings": {},
        "participants": [{"id": _number_of(name), "display_name": name} for name in names],
        "view": beneath(None),
        "new_entries": [],
    }


def _number_of(name: str) -> int:
    return sum(name.encode()) + 1000


def stringified(data: Json) -> Json:
    """With ids as strings, as `Accept: application/json+canvas-string-ids` asks."""
    if isinstance(data, list):
        return [stringified(each) for each in data]
    if not isinstance(data, dict):
        return data
    made: dict[str, Json] = {}
    for name, value in data.items():
        number = isinstance(value, int) and not isinstance(value, bool)
        if number and (name == "id" or name.endswith("_id")):
            made[name] = str(value)
        elif name.endswith("_ids") and isinstance(value, list):
            made[name] = [str(each) for each in value]
        else:
            made[name] = stringified(value)
    return made


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
