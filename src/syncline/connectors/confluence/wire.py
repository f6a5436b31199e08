"""What Confluence says of spaces and contents."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from syncline.connectors.wire import Id, Moment, Number, Text, Wire, read
from syncline.core.errors import BadContent
from syncline.core.model import Json

__all__ = ["Piece", "Space", "piece_of"]


class _Part(Wire):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Space(_Part):
    id: Text = ""
    key: Id
    name: Text = ""
    type: Text = ""


class _SpaceOf(_Part):
    key: Text = ""
    name: Text = ""


class _Person(_Part):
    display_name: Text = ""


class _Version(_Part):
    number: Number = None
    when: Moment = None
    by: _Person = _Person()


class _History(_Part):
    created_date: Moment = None
    created_by: _Person = _Person()


class _Label(_Part):
    name: Text = ""


class _Labels(_Part):
    results: tuple[_Label, ...] = ()


class _About(_Part):
    labels: _Labels = _Labels()
    media_type: Text = ""


class _Extensions(_Part):
    media_type: Text = ""
    file_size: Number = None


class _Storage(_Part):
    value: Json = None


class _Body(_Part):
    storage: _Storage | None = None


class _Links(_Part):
    webui: Text = ""
    download: Text = ""


class Piece(_Part):
    """A page, blog post, comment or attachment."""

    id: Id
    type: Text = ""
    status: Text = "current"
    title: Text = ""
    space: _SpaceOf = _SpaceOf()
    version: _Version = _Version()
    history: _History = _History()
    metadata: _About = _About()
    extensions: _Extensions = _Extensions()
    body: _Body = _Body()
    links: _Links = Field(_Links(), alias="_links")
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
