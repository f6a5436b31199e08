"""Reading what an API sends: nulls, missing and unknown fields never stop it.

A payload's class derives from `Wire`, gives every field a default, and leaves without one what
nothing can be done without, which is the id::

    class Article(Wire):
        id: Id
        title: Text = ""
        updated_at: Moment = None
        labels: Texts = ()
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import (
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from syncline.core.errors import BadContent
from syncline.core.model import Failed, Json

__all__ = [
    "Dated",
    "Flag",
    "Id",
    "Moment",
    "Names",
    "Number",
    "Text",
    "Texts",
    "Wire",
    "clean",
    "inside",
    "read",
    "readable",
    "rows",
]

_MILLISECONDS = 100_000_000_000
"""As a number of seconds that is the year 5138: so it counts milliseconds."""


class Wire(BaseModel):
    """A payload, or a part of one. A field that is not as it should be takes its default."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    @field_validator("*", mode="wrap")
    @classmethod
    def _leniently(
        cls, value: Any, validate: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        try:
            return validate(value)
        except ValidationError:
            assert info.field_name is not None
            field = cls.model_fields[info.field_name]
            if field.is_required():
                raise
            return field.get_default(call_default_factory=True)


def inside(default: object, *path: str) -> Any:
    """A field that lies deeper in the payload: `name: Text = inside("", "author", "name")`."""
    return Field(default, validation_alias=AliasPath(*path))


def clean(text: str) -> str:
    """The text without what cannot be stored: NUL, and halves of surrogate pairs."""
    if "\0" in text:
        text = text.replace("\0", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _text(value: Any) -> str:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return ""


def _id(value: Any) -> str:
    text = _text(value).strip()
    if not text or isinstance(value, float):
        raise ValueError("an id is missing")
    return text


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        return ()
    return tuple(text for text in map(_text, value) if text)


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        return ()
    return tuple(sorted({*_texts([each.get("name") for each in value])}))


def _number(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return int(number) if math.isfinite(number) else None


def _flag(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def _moment(value: Any) -> datetime | None:
    """ISO 8601, or a number of seconds or milliseconds since 1970; UTC where none is named."""
    try:
        if isinstance(value, str) and not value.strip().lstrip("-").isdigit():
            moment = datetime.fromisoformat(value.strip())
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        if value is None or isinstance(value, bool):
            return None
        seconds = float(value)
        seconds = seconds / 1000 if abs(seconds) >= _MILLISECONDS else seconds
        return datetime.fromtimestamp(seconds, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


Text: TypeAlias = Annotated[str, BeforeValidator(_text)]
"""A string that can be stored; a number in its digits; empty for anything else."""
Id: TypeAlias = Annotated[str, BeforeValidator(_id)]
"""A string or a whole number, as a string that is not empty. Without one there is no row."""
Texts: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_texts)]
"""The strings of a list, without empty ones."""
Names: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_names)]
"""What the objects of a list are called, each once and sorted: `[{"name": "tea"}, …]`."""
Number: TypeAlias = Annotated[int | None, BeforeValidator(_number)]
"""A whole number; None for what is none."""
Flag: TypeAlias = Annotated[bool, BeforeValidator(_flag)]
"""True only where the API says true."""
Moment: TypeAlias = Annotated[datetime | None, BeforeValidator(_moment)]
"""An aware date in UTC; None for what is none."""


class Dated(Wire):
    """A payload with the two dates that most have."""

    created_at: Moment = None
    updated_at: Moment = None


W = TypeVar("W", bound=Wire)


def read(kind: type[W], data: Json, what: str) -> W:
    """One payload. Raises `BadContent` where its id is missing; `what` names it for people."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise BadContent(
            f"{what} is not as its API describes it: {_trouble(error)}",
            hint="The next run tries again. If it stays so, the source's API may have changed.",
        ) from error


def rows(kind: type[W], data: Json, name: str | None, what: str) -> Iterator[W | Failed]:
    """The rows of the list `name` in an answer, `what` naming the answer for people.

    Without a name the answer is the list itself.

    A row that cannot be understood is a `Failed` without an id: the listing is incomplete, but
    its other rows count. Raises `BadContent` where there is no such list at all, since
    an answer without one is not an empty answer.
    """
    found = data if name is None else data.get(name) if isinstance(data, dict) else None
    if not isinstance(found, list):
        raise BadContent(
            f"{what} is no list" if name is None else f"{what} has no list {name!r}",
            hint="The next run tries again. If it stays so, check the connection's address.",
        )
    for number, row in enumerate(found):
        try:
            yield kind.model_validate(row)
        except ValidationError as error:
            place = f"row {number}" if name is None else f"row {number} of {name!r}"
            message = f"{what}: {place} cannot be read: {_trouble(error)}"
            yield Failed("bad_content", message)


def readable(row: W | Failed) -> W:
    """The row of a list that is of no use unless all of it can be read. Raises `BadContent`."""
    if isinstance(row, Failed):
        raise BadContent(row.message)
    return row


def _trouble(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"]))
    words = first["msg"].removeprefix("Value error, ")
    return f"{place}: {words}" if place else words
