"""Time zones by name, and the instant at which a local clock shows a time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from difflib import get_close_matches
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from syncline.core.errors import UsageError

__all__ = ["first_instant", "in_utc", "zone_called", "zone_name"]

_SECOND = timedelta(seconds=1)
# What a machine's zone folder holds besides places: its own setting, and no zone at all.
_NO_PLACES = {"localtime", "posixrules", "Factory"}


def zone_name(text: str) -> str:
    """The proper spelling of a zone's name, in any case, with spaces or underscores.

    Raises `UsageError` for an unknown one; its hint names a similar zone if there is one.
    """
    name = "_".join(text.split())
    if name == "UTC" or (name[:1].isupper() and _is_zone(name)):
        return name
    names = _names()
    found = names.get(name.casefold())
    if found is None:
        raise UsageError(f'unknown time zone "{" ".join(text.split())[:80]}"', hint=_hint(name))
    return found


def zone_called(name: str) -> tzinfo:
    """The zone with this proper name (see `zone_name`). UTC needs no zone data to be installed."""
    return UTC if name == "UTC" else ZoneInfo(name)


def first_instant(day: date, at: time, zone: str) -> datetime | None:
    """When clocks in `zone` first show `at`, or later, on `day`; in UTC, exact to the second.

    A time that is skipped gives the end of the gap, one that comes twice the first of both.
    None if the zone skipped the whole day, as those that crossed the date line did.
    """
    instant = _first_showing(datetime.combine(day, at), zone)
    place = zone_called(zone)
    if instant.astimezone(place).date() == day:
        return instant
    # The gap reaches midnight: the day counts if it began at all.
    midnight = _first_showing(datetime.combine(day, time.min), zone)
    return instant if midnight.astimezone(place).date() == day else None


def in_utc(moment: datetime) -> datetime:
    """The same moment in UTC. Raises `ValueError` if it has no time zone."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return moment.astimezone(UTC)


def _first_showing(wanted: datetime, zone: str) -> datetime:
    place = zone_called(zone)
    instant = wanted.replace(tzinfo=place).astimezone(UTC)
    if _shown(instant, place) == wanted:
        return instant
    # In a gap: before its end clocks show less than what is wanted, from then on more.
    before = wanted.replace(tzinfo=place, fold=1).astimezone(UTC)
    while instant - before > _SECOND:
        middle = before + (instant - before) // 2
        middle = middle.replace(microsecond=0)
        if _shown(middle, place) < wanted:
            before = middle
        else:
            instant = middle
    return instant


def _shown(instant: datetime, place: tzinfo) -> datetime:
    return instant.astimezone(place).replace(tzinfo=None, fold=0)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return name not in _NO_PLACES


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    """Every zone's name, by its spelling without case."""
    names = (available_timezones() - _NO_PLACES) | {"UTC"}
    return {name.casefold(): name for name in sorted(names)}


def _hint(name: str) -> str:
    names = _names()
    if len(names) == 1:
        return "This machine has no time zone data: install its tzdata package, or use UTC."
    cities = {key.rpartition("/")[2]: found for key, found in names.items()}
    similar = get_close_matches(name[:80].casefold(), {**names, **cities}, n=1, cutoff=0.8)
    if similar:
        return f"Did you mean {names.get(similar[0]) or cities[similar[0]]}?"
    return "Zones are called like Europe/Berlin, Australia/Sydney or UTC."
