"""What the API of Canvas says, parsed (https://developerdocs.instructure.com/services/canvas).

`published` and its like are told only to those who may change them: what does not say that it is
unpublished is published.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field

from syncline.connectors.wire import Dated, Flag, Id, Moment, Number, Text, Texts, Wire, inside

__all__ = [
    "Assignment",
    "Course",
    "File",
    "Item",
    "Module",
    "ModuleItem",
    "Override",
    "Page",
    "Reply",
    "Topic",
    "User",
]

# They open a file without a log-in, and some of them live for a short time only.
_KEYS = re.compile(r"(?<=[?&;])(?:sf_)?verifier=[^&\"'\s<>#]*(?:&amp;|&)?")


def _objects(value: Any) -> list[Any]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


Html: TypeAlias = Annotated[Text, AfterValidator(lambda html: _KEYS.sub("", html))]
"""A text, or an address, without the keys that links to files carry."""


class User(Wire):
    id: Id
    name: Text = ""
    display_name: Text = ""


class Course(Wire):
    id: Id
    name: Text = ""
    course_code: Text = ""
    workflow_state: Text = ""
    locale: Text = ""
    is_public: Flag = False
    is_public_to_auth_users: Flag = False
    access_restricted_by_date: Flag = False
    public_syllabus: Flag = False
    public_syllabus_to_auth: Flag = False
    syllabus_body: Html = ""

    @property
    def tells_syllabus(self) -> bool:
        """Whether the syllabus was in the answer, be it empty."""
        return "syllabus_body" in self.model_fields_set

    def slim(self) -> Course:
        """The course with a mark in place of its syllabus: there may be thousands of courses."""
        mark = blake2b(self.syllabus_body.encode(), digest_size=16).hexdigest()
        return self.model_copy(update={"syllabus_body": mark}) if self.syllabus_body else self


class Override(Wire):
    """Whom something is assigned to: a section, a group, or some students."""

    course_section_id: Text = ""
    group_id: Text = ""
    student_ids: Texts = ()


class Section(Wire):
    id: Id


class Item(Dated):
    """What all that a course holds has in common."""

    id: Id
    title: Text = ""
    html_url: Text = ""
    unlock_at: Moment = None
    published: Flag = True
    locked_for_user: Flag = False
    can_view: Flag = inside(False, "lock_info", "can_view")
    """Closed for submissions, but still to be read."""
    lock_explanation: Text = ""
    only_visible_to_overrides: Flag = False
    overrides: tuple[Override, ...] = ()


class Topic(Item):
    """A discussion, or an announcement."""

    message: Html = ""
    author: User | None = None
    posted_at: Moment = None
    delayed_post_at: Moment = None
    last_reply_at: Moment = None
    discussion_subentry_count: Number = 0
    user_can_see_posts: Flag = True
    is_section_specific: Flag = False
    sections: tuple[Section, ...] = ()
    assignment: Item | None = None


class Assignment(Item):
    title: Text = Field("", validation_alias=AliasChoices("name", "title"))
    description: Html = ""
    due_at: Moment = None
    points_possible: Text = ""
    submission_types: Texts = ()


class Page(Item):
    id: Id = Field(validation_alias=AliasChoices("page_id", "id"))
    body: Html | None = None
    last_edited_by: User | None = None
    assignment: Item | None = None


class ModuleItem(Item):
    type: Text = ""
    external_url: Html = ""


class Module(Item):
    title: Text = Field("", validation_alias=AliasChoices("name", "title"))
    items: tuple[ModuleItem, ...] | None = None
    items_count: Number = None


class File(Item):
    title: Text = Field("", validation_alias=AliasChoices("display_name", "filename"))
    uuid: Text = ""
    content_type: Text = Field("", validation_alias="content-type")
    url: Text = ""
    size: Number = None
    modified_at: Moment = None
    lock_at: Moment = None
    locked: Flag = False
    hidden: Flag = False
    hidden_for_user: Flag = False
    visibility_level: Text = ""


class Reply(Wire):
    id: Text = ""
    user_id: Text = ""
    user_name: Text = ""
    message: Html = ""
    created_at: Moment = None
    deleted: Flag = False
    replies: Annotated[tuple[Reply, ...], BeforeValidator(_objects)] = ()
