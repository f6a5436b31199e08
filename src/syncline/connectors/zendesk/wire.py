"""What the help center's API sends: https://developer.zendesk.com/api-reference/help_center/."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator

from syncline.connectors.wire import Dated, Flag, Id, Number, Text, Texts, Wire, clean

__all__ = ["UNKNOWN", "Article", "Attachment", "Category", "Section", "Translation"]

UNKNOWN = "unknown"
"""In place of a segment that was not told: nobody is in it."""


def _segment(value: Any) -> str | None:
    if value is None or (isinstance(value, int | str) and not isinstance(value, bool)):
        return None if value is None else clean(str(value))
    return UNKNOWN


Segment = Annotated[str | None, BeforeValidator(_segment)]


class Translation(Dated):
    id: Id
    locale: Text = ""
    title: Text = ""
    body: Text = ""
    html_url: Text = ""
    draft: bool | None = None
    """Only what is said to be none is published."""


class Article(Translation):
    """An article, in the language that was asked for."""

    section_id: Text = ""
    author_id: Text = ""
    user_segment_id: Segment = UNKNOWN
    """None is everybody."""
    user_segment_ids: Texts = ()
    label_names: Texts = ()
    promoted: Flag = False


class Section(Wire):
    id: Id
    name: Text = ""
    category_id: Text = ""
    parent_section_id: Text = ""


class Category(Wire):
    id: Id
    name: Text = ""


class Attachment(Dated):
    id: Id
    article_id: Text = ""
    file_name: Text = ""
    content_type: Text = ""
    content_url: Text = ""
    size: Number = None
