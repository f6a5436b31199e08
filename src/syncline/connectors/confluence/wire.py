"""What Confluence says of spaces and contents."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from syncline.connectors.wire import Id, Moment, Names, Number, Text, Wire, inside, read
from syncline.core.errors import BadContent
from syncline.core.model import Json

__all__ = ["Piece", "Space", "piece_of"]


class Space(Wire):
    id: Text = ""
    key: Id
    name: Text = ""
    type: Text = ""


class Piece(Wire):
    """A page, blog post, comment or attachment."""

    id: Id
    type: Text = ""
    status: Text = "current"
    title: Text = ""
    space_key: Text = inside("", "space", "key")
    space_name: Text = inside("", "space", "name")
    number: Number = inside(None, "version", "number")
    """Of its version."""
    updated_at: Moment = inside(None, "version", "when")
    editor: Text = inside("", "version", "by", "displayName")
    created_at: Moment = inside(None, "history", "createdDate")
    author: Text = inside("", "history", "createdBy", "displayName")
    labels: Names = inside((), "metadata", "labels", "results")
    media_type: Text = inside("", "metadata", "mediaType")
    extension_type: Text = inside("", "extensions", "mediaType")
    size: Number = inside(None, "extensions", "fileSize")
    storage: Json = inside(None, "body", "storage", "value")
    """Its text."""
    webui: Text = inside("", "_links", "webui")
    download: Text = inside("", "_links", "download")
    ancestors: Json = None
    container: Json = None
    raw: Any = Field(None, exclude=True)
    """As it came: what decides about access is not read leniently."""

    @property
    def name(self) -> str:
        """The entry's id."""
        return f"{self.type}:{self.id}"

    @property
    def above(self) -> list[dict[str, Any]]:
        """The pages above a page, the uppermost first. Raises `BadContent`: it must be told."""
        found = [] if self.type == "blogpost" and self.ancestors is None else self.ancestors
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise BadContent(f"Confluence does not say which pages {self.name} stands beneath")
        return found


def piece_of(row: Json) -> Piece:
    """A content. Raises `BadContent` for what is none."""
    if not isinstance(row, dict):
        raise BadContent("A row of Confluence's list is no object")
    return read(Piece, {**row, "raw": row}, "A content")
