"""What Intercom's API (version 2.14) says, parsed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from syncline.connectors.wire import Dated, Id, Moment, Names, Number, Text, Texts, Wire, inside
from syncline.core.model import Json

__all__ = [
    "API_VERSION",
    "Admin",
    "Article",
    "ArticleText",
    "Collection",
    "Conversation",
    "InternalArticle",
    "Message",
    "Pages",
]

API_VERSION = "2.14"
_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


class Admin(Wire):
    """A teammate."""

    id: Id
    name: Text = ""
    email: Text = ""
    workspace: Text = inside("", "app", "id_code")
    workspace_name: Text = inside("", "app", "name")


class Collection(Wire):
    id: Id
    name: Text = ""
    parent_id: Text = ""


class ArticleText(Dated):
    """An article in one language."""

    title: Text = ""
    description: Text = ""
    body: Text = ""
    author_id: Text = ""
    state: Text = ""
    url: Text = ""


def _by_locale(value: Any) -> Any:
    """Languages without a text are null; and a `type` is among them."""
    if not isinstance(value, dict):
        return {}
    return {
        name: text
        for name, text in value.items()
        if isinstance(text, dict) and _LOCALE.fullmatch(str(name))
    }


class Article(ArticleText):
    """The text in the default language, and the others."""

    id: Id
    default_locale: Text = ""
    translated_content: Annotated[Mapping[str, ArticleText], BeforeValidator(_by_locale)] = Field(
        default_factory=dict
    )
    parent_id: Text = ""
    parent_ids: Texts = ()
    tags: Names = inside((), "tags", "tags")


class InternalArticle(Dated):
    id: Id
    title: Text = ""
    body: Text = ""
    author_id: Text = ""
    owner_id: Text = ""
    locale: Text = ""


class Attachment(Wire):
    name: Text = ""


class Message(Wire):
    """The first message, or a part; most parts have no body: they are no messages."""

    type: Text = ""
    part_type: Text = ""
    subject: Text = ""
    body: Text = ""
    author_type: Text = inside("", "author", "type")
    author_name: Text = inside("", "author", "name")
    author_email: Text = inside("", "author", "email")
    attachments: tuple[Attachment, ...] = ()
    created_at: Moment = None


class Conversation(Dated):
    id: Id
    title: Text = ""
    state: Text = ""
    priority: Text = ""
    team_assignee_id: Text = ""
    admin_assignee_id: Text = ""
    tags: Names = inside((), "tags", "tags")
    source: Message = Message()
    part_count: Number = inside(None, "statistics", "count_conversation_parts")
    parts: tuple[Message, ...] = inside((), "conversation_parts", "conversation_parts")
    parts_there: Number = inside(None, "conversation_parts", "total_count")
    """More than are told, where there are many."""


class Pages(Wire):
    """What an answer says of the list that it is a page of."""

    page: Number = inside(None, "pages", "page")
    per_page: Number = inside(None, "pages", "per_page")
    total_pages: Number = inside(None, "pages", "total_pages")
    next: Json = inside(None, "pages", "next")
    """An address, or an object with a cursor."""
    total_count: Number = None
