"""Which entries belong to a connection (membership), and which are read (the window)."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal

from msgspec import Struct
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    field_serializer,
    field_validator,
)

from syncline.core.errors import ConfigurationError
from syncline.core.model import Json, Metadata

__all__ = ["Filter", "Rejection", "decide", "parse_age", "parse_filter_date"]


_LONGEST = timedelta(days=36_525)


class Rejection(Struct, frozen=True):
    """Why an entry is left out."""

    kind: Literal["window", "membership"]
    """`window`: it is not read now, and what is stored stays. `membership`: it does not
    belong, and what is stored goes."""
    reason: str


class Filter(BaseModel):
    """What belongs to a connection, and how far back it is read. Empty: everything."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    updated_since: datetime | None = Field(
        default=None, description="Read only what was updated at this time or later"
    )
    updated_before: datetime | None = Field(
        default=None, description="Read only what was updated before this time"
    )
    updated_within: timedelta | None = Field(
        default=None, description="Read only what was updated so lately, such as 32h, when read"
    )
    contains: tuple[str, ...] = Field(
        default=(), description="Only documents with all of these words in title or text"
    )
    not_contains: tuple[str, ...] = Field(
        default=(), description="Only documents with none of these words in title or text"
    )
    categories: tuple[str, ...] = Field(default=(), description="Only these categories")
    tags: tuple[str, ...] = Field(default=(), description="Only documents with one of these tags")
    authors: tuple[str, ...] = Field(
        default=(), description="Only documents by one of these authors"
    )
    properties: dict[str, Json] = Field(
        default_factory=dict, description="Only documents whose properties have all these values"
    )

    _now: datetime | None = PrivateAttr(default=None)

    @field_validator("updated_within", mode="before")
    @classmethod
    def _age(cls, value: object) -> object:
        return parse_age(value) if isinstance(value, str) else value

    @field_validator("updated_within")
    @classmethod
    def _some_time(cls, value: timedelta | None) -> timedelta | None:
        if value is not None and value <= timedelta():
            raise ValueError("must be longer than no time at all")
        if value is not None and value > _LONGEST:
            raise ValueError("must be at most a hundred years")
        return value

    @field_serializer("updated_within")
    def _as_age(self, value: timedelta | None) -> str | None:
        if value is None:
            return None
        seconds = round(value.total_seconds())
        return f"{seconds}s" if seconds % 3600 else f"{seconds // 3600}h"

    @field_validator("updated_since", "updated_before")
    @classmethod
    def _in_utc(cls, value: datetime | None) -> datetime | None:
        return None if value is None else _utc(value)

    @field_validator("contains", "not_contains", "categories", "tags", "authors")
    @classmethod
    def _no_blank(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        if any(not value.strip() for value in values):
            raise ValueError("an empty word would match every document")
        return values

    @property
    def membership_key(self) -> str:
        """Canonical JSON of everything but the window; equal filters have equal keys."""
        return _canonical(
            {
                "authors": sorted(set(self.authors)),
                "categories": sorted(set(self.categories)),
                "contains": sorted(set(self.contains)),
                "not_contains": sorted(set(self.not_contains)),
                "properties": self.properties,
                "tags": sorted(set(self.tags)),
            }
        )

    @property
    def window_key(self) -> str:
        """Canonical JSON of the reading window."""
        moving = (
            {} if self.updated_within is None else {"within": self.updated_within.total_seconds()}
        )
        return _canonical(
            {
                **moving,
                "before": self.updated_before and self.updated_before.isoformat(),
                "since": self.updated_since and self.updated_since.isoformat(),
            }
        )

    @property
    def is_empty(self) -> bool:
        """True when every entry passes."""
        return not (
            self.updated_since
            or self.updated_before
            or self.updated_within
            or self.contains
            or self.not_contains
            or self.categories
            or self.tags
            or self.authors
            or self.properties
        )

    def at(self, now: datetime) -> Filter:
        """The same filter, in which `updated_within` reaches back from this time."""
        placed = self.model_copy()
        placed._now = now  # noqa: SLF001 - our own
        return placed

    @property
    def age(self) -> str:
        """`updated_within` in words."""
        hours = (self.updated_within or timedelta()).total_seconds() / 3600
        return f"{hours:g} h" if hours < 72 else f"{hours / 24:g} days"

    @property
    def window_start(self) -> datetime | None:
        """Where `updated_within` begins; None where it is not set, or not placed by `at`."""
        if self.updated_within is None or self._now is None:
            return None
        return _utc(self._now) - self.updated_within


def decide(filter: Filter, metadata: Metadata, text: str | None = None) -> Rejection | None:  # noqa: A002  (the field's word)
    """Why `filter` leaves a document out, or None if it does not.

    Without a text (before the fetch) what is unknown is undecided and passes. With one,
    everything is decided: an unknown field matches no membership filter, and an unknown
    date lies inside the window. Membership is decided first, because a document that
    certainly does not belong is removed however old it is.
    """
    if filter.is_empty:
        return None
    reason = _outside_membership(filter, metadata, text)
    if reason is not None:
        return Rejection("membership", reason)
    reason = _outside_window(filter, metadata)
    return None if reason is None else Rejection("window", reason)


def _outside_membership(wanted: Filter, metadata: Metadata, text: str | None) -> str | None:
    decided = text is not None
    return (
        _none_of("category", "categories", wanted.categories, metadata.categories, decided)
        or _none_of("tag", "tags", wanted.tags, metadata.tags, decided)
        or _none_of("author", "authors", wanted.authors, metadata.authors, decided)
        or _other_properties(wanted, metadata, decided)
        or _other_words(wanted, metadata, text)
    )


def _none_of(
    one: str, several: str, wanted: tuple[str, ...], found: tuple[str, ...], decided: bool
) -> str | None:
    if not wanted or (not found and not decided):
        return None
    if {_fold(value) for value in wanted} & {_fold(value) for value in found}:
        return None
    if len(wanted) == 1:
        return f'{one} is not "{wanted[0]}"' if found else f'has no {one}, not "{wanted[0]}"'
    return f"none of the {several} {_quoted(wanted)}"


def _other_properties(wanted: Filter, metadata: Metadata, decided: bool) -> str | None:
    for name, value in wanted.properties.items():
        if name not in metadata.properties:
            if decided:
                return f'property "{name}" is not set, not {_canonical(value)}'
            continue
        found = metadata.properties[name]
        if not _same(found, value) and not (
            isinstance(found, (list, tuple)) and any(_same(item, value) for item in found)
        ):
            return f'property "{name}" is not {_canonical(value)}'
    return None


def _same(found: Json, wanted: Json) -> bool:
    if isinstance(found, str) and isinstance(wanted, str):
        return _fold(found) == _fold(wanted)
    # In Python True == 1; in a source's properties they are two different values.
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    return bool(found == wanted)


def _other_words(wanted: Filter, metadata: Metadata, text: str | None) -> str | None:
    if not wanted.contains and not wanted.not_contains:
        return None
    searched = _fold(f"{metadata.title or ''}\n{text or ''}")
    for words in wanted.not_contains:
        if _fold(words) in searched:
            return f'contains "{words}"'
    if text is not None:
        for words in wanted.contains:
            if _fold(words) not in searched:
                return f'does not contain "{words}"'
    return None


def _outside_window(window: Filter, metadata: Metadata) -> str | None:
    if metadata.updated_at is None:
        return None
    updated = _utc(metadata.updated_at)
    if window.updated_since is not None and updated < window.updated_since:
        return (
            f"updated {_shown(updated)}, before the reading window "
            f"(since {_shown(window.updated_since)})"
        )
    start = window.window_start
    if start is not None and updated < start:
        return f"updated {_shown(updated)}, before the reading window (the last {window.age})"
    if window.updated_before is not None and updated >= window.updated_before:
        return (
            f"updated {_shown(updated)}, after the reading window "
            f"(before {_shown(window.updated_before)})"
        )
    return None


_RELATIVE = re.compile(r"(\d{1,9})\s*([wdhms])", re.IGNORECASE)
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def parse_age(text: str) -> timedelta:
    """`32h`, `7d`, `2w`. Raises `ValueError`."""
    found = _RELATIVE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'"{text}" is not an age; write 32h, 7d or 2w')
    try:
        return timedelta(**{_UNITS[found[2].lower()]: int(found[1])})
    except OverflowError as error:
        raise ValueError(f'"{text}" is longer than time') from error


def parse_filter_date(text: str, now: datetime) -> datetime:
    """A date in UTC from ISO 8601 (`2025-01-31`, `2025-01-31T12:00Z`) or an age (`7d`, `32h`).

    Dates without a time zone are UTC. Raises `ConfigurationError`.
    """
    written = text.strip()
    try:
        if _RELATIVE.fullmatch(written):
            return _utc(now) - parse_age(written)
        return _utc(datetime.fromisoformat(written))
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(
            f'"{text}" is not a date',
            hint="Write a date (2025-01-31), a time (2025-01-31T12:00Z) or an age (7d, 32h, 2w).",
        ) from error


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _shown(moment: datetime) -> str:
    if (moment.hour, moment.minute, moment.second) == (0, 0, 0):
        return moment.date().isoformat()
    return moment.strftime("%Y-%m-%dT%H:%MZ")


def _fold(text: str) -> str:
    """For comparing: no case, one form of each character, one space between words."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _quoted(values: Iterable[str]) -> str:
    return ", ".join(f'"{value}"' for value in values)


def _canonical(value: Json) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
