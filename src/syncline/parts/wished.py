"""What may be wanted of a connection, as keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict

from syncline.core.model import Json

if TYPE_CHECKING:
    from syncline.sync.sources import Wishes

__all__ = ["Wished", "any_of", "asked"]


class Wished(TypedDict, total=False):
    """What may be wanted of a connection; what is not given stays as it is."""

    name: str | None
    """Its name; of the connections to one source it says which, or makes another."""
    filter: Mapping[str, Json] | None
    """Fields of `syncline.pipeline.filter.Filter`; each replaces the connection's own."""
    clear_filter: bool | None
    """Forget the connection's filter first."""
    options: Mapping[str, Json] | None
    """The connector's options, in text or as they are."""
    keep_deleted: bool | None
    guard_fraction: float | None
    guard_minimum: int | None
    recheck_seconds: int | None
    secrets: Mapping[str, str | None] | None
    """What the source asks us to prove, sealed before it is stored; None forgets one."""


def asked(wishes: Wished) -> Wishes:
    """What was given of it."""
    from syncline.sync.sources import Wishes

    return Wishes(**{name: value for name, value in wishes.items() if value is not None})  # type: ignore[arg-type]  # the dictionary's own types


def any_of(wishes: Wished) -> bool:
    """Whether anything was given."""
    return any(value is not None and value not in ({}, False) for value in wishes.values())
