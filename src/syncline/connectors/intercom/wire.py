"""What Intercom's API (version 2.14) says, parsed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from syncline.connectors.wire import Id, Moment, Number, Text, Texts, Wire
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


class App(Wire):
    id_code: Text = ""
    name: Text = ""


class Admin(Wire):
    """A teammate."""

    id: Id
    name: Text = ""
    email: Text = ""
    app: App = App()


class Collection(Wire):
    id: Id
    name: Text = ""
    parent_id: Text = ""


class Tag(Wire):
    name: Text = ""


class Tags(Wire):
    tags: tuple[Tag, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted({tag.name for tag in self.tags if tag.name}))


class ArticleText(Wire):
    """An article in one language."""

    title: Text = ""
    description: Text = ""
    body: Text = ""
    author_id: Text = ""
    state: Text = ""
    created_at: Moment = None
    updated_at: Moment = None
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
    tags: Tags = Tags()


class InternalArticle(Wire):
    id: Id
    title: Text = ""
    body: Text = ""
    author_id: Text = ""
    owner_id: Text = ""
    locale: Text = ""
    created_at: Moment = None
    updated_at: Moment = None


class Author(Wire):
    type: Text = ""
    id: Text = ""
    name: Text = ""
    email: Text = ""


class Attachment(Wire):
    name: Text = ""


class Message(Wire):
    """The first message, or a part; most parts have no body: they are no messages."""

    type: Text = ""
    part_type: Text = ""
    subject: Text = ""
    body: Text = ""
    author: Author = Author()
    attachments: tuple[Attachment, ...] = ()
    created_at: Moment = None


class Parts(Wire):
    conversation_parts: tuple[Message, ...] = ()
    total_count: Number = None


class Statistics(Wire):
    count_conversation_parts: Number = None


class Conversation(Wire):
    id: Id
    title: Text = ""
    created_at: Moment = None
    updated_at: Moment = None
    state: Text = ""
    priority: Text = ""
    team_assignee_id: Text = ""
    admin_assignee_id: Text = ""
    tags: Tags = Tags()
    source: Message = Message()
    statistics: Statistics = Statistics()
    conversation_parts: Parts = Parts()


class Place(Wire):
    page: Number = None
    per_page: Number = None
    total_pages: Number = None
    next: Json = None
    """An address, or an object with a cursor."""


class Pages(Wire):
    """What an answer says of the list that it is a page of."""

    pages: Place = Place()
    total_count: Number = None
