"""Schedules as people write them, and back: `daily 02:00 Australia/Sydney`, `every 15m`."""

from __future__ import annotations

import re
from datetime import time
from difflib import get_close_matches
from typing import assert_never

from syncline.core.errors import ConfigurationError, UsageError
from syncline.scheduling.cron import normal_expression
from syncline.scheduling.schedule import (
    LONGEST_MINUTES,
    Adaptive,
    Cron,
    Daily,
    Every,
    Hourly,
    Manual,
    Schedule,
    Spread,
    Weekly,
)
from syncline.scheduling.zones import zone_name

__all__ = ["describe", "from_environment", "parse"]

_KINDS = ("manual", "hourly", "every", "daily", "weekly", "spread", "cron", "adaptive")
_HINT = (
    "Write manual, hourly, hourly at :20, every 15m, daily 02:00 Australia/Sydney, "
    "weekly mon 02:00, spread, adaptive, or cron 0 3 * * 1-5."
)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DEFAULT_TIME = time(2)
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_MINUTE = re.compile(r":([0-9]{1,2})")
_PLACE = re.compile(r"[A-Za-z_]+/[A-Za-z]")
_INTERVAL = re.compile(r"(?:([0-9]{1,5})d)?(?:([0-9]{1,5})h)?(?:([0-9]{1,5})m)?")


def parse(text: str, *, zone: str = "UTC") -> Schedule:
    """The schedule that `text` means, in any case and with any spaces.

    Times are 02:00, days Monday and zones `zone` unless the text says so. Raises
    `UsageError`, which names what is wrong and shows how it is written.
    """
    words = text.split()
    if not words:
        raise UsageError("the schedule is empty", hint=_HINT)
    kind, rest = words[0].casefold(), words[1:]
    match kind:
        case "daily" | "weekly":
            return _parse_calendar(kind, rest, zone)
        case "hourly":
            return _parse_hourly(rest)
        case "every":
            return Every(_parse_interval("".join(rest))) if rest else Every()
        case "cron":
            return _parse_cron(rest, zone)
        case "adaptive":
            return _parse_adaptive(rest)
        case "manual" | "spread":
            if rest:
                raise _misplaced(rest, kind)
            return Manual() if kind == "manual" else Spread()
    similar = get_close_matches(kind, _KINDS, n=1)
    meant = f" (did you mean {similar[0]}?)" if similar else ""
    raise UsageError(f'"{_shown(words)}" is not a schedule{meant}', hint=_HINT)


def describe(schedule: Schedule) -> str:
    """The schedule as text, with its time zone; `parse` makes the same schedule of it."""
    match schedule:
        case Manual():
            return "manual"
        case Daily(at, zone):
            return f"daily {at:%H:%M} {zone}"
        case Weekly(day, at, zone):
            return f"weekly {_DAYS[day][:3]} {at:%H:%M} {zone}"
        case Hourly(minute):
            return "hourly" if minute is None else f"hourly at :{minute:02}"
        case Every(minutes):
            return f"every {_interval(minutes)}"
        case Spread():
            return "spread"
        case Cron(expression, zone):
            return f"cron {expression} {zone}"
        case Adaptive(least, base, most):
            return f"adaptive {_interval(least)} {_interval(base)} {_interval(most)}"
    assert_never(schedule)


def from_environment(frequency: str, at: str, zone: str = "UTC") -> Schedule:
    """The schedule of the settings SYNC_FREQUENCY (daily, hourly, weekly) and SYNC_TIME (02:00).

    Blank values are the defaults, daily and 02:00. Weekly is on Mondays; hourly leaves the
    minute to the connection, since SYNC_TIME is a time of day. Raises `ConfigurationError`.
    """
    how_often = frequency.strip().casefold() or "daily"
    if how_often not in ("daily", "hourly", "weekly"):
        raise ConfigurationError(
            f'SYNC_FREQUENCY is "{frequency.strip()[:80]}", not a frequency',
            hint="Set it to daily, hourly or weekly.",
        )
    clock = _time(at.strip()) if at.strip() else _DEFAULT_TIME
    if clock is None:
        raise ConfigurationError(
            f'SYNC_TIME is "{at.strip()[:80]}", not a time of day',
            hint="Set it to hours and minutes between 00:00 and 23:59, like 02:00.",
        )
    try:
        place = zone_name(zone)
    except UsageError as error:
        raise ConfigurationError(error.message, hint=error.hint) from error
    if how_often == "hourly":
        return Hourly()
    return Daily(clock, place) if how_often == "daily" else Weekly(0, clock, place)


def _parse_calendar(kind: str, words: list[str], zone: str) -> Daily | Weekly:
    day, at = 0, _DEFAULT_TIME
    rest = list(words)
    if kind == "weekly" and rest and (found := _day(rest[0])) is not None:
        day = found
        del rest[0]
    if rest and rest[0].casefold() == "at":
        del rest[0]
    if rest and ":" in rest[0]:
        at = _parse_time(rest.pop(0))
    if rest and (not rest[0][0].isalpha() or any(":" in word for word in rest)):
        raise _misplaced(rest, kind)
    place = zone_name(" ".join(rest) or zone)
    return Daily(at, place) if kind == "daily" else Weekly(day, at, place)


def _day(word: str) -> int | None:
    word = word.casefold()
    if len(word) < 3:
        return None
    return next((day for day, name in enumerate(_DAYS) if name.startswith(word)), None)


def _parse_time(word: str) -> time:
    at = _time(word)
    if at is None:
        raise UsageError(
            f'"{word[:80]}" is not a time of day',
            hint="Write hours and minutes between 00:00 and 23:59, as in daily 02:00.",
        )
    return at


def _time(word: str) -> time | None:
    found = _TIME.fullmatch(word)
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        return None
    return time(int(found[1]), int(found[2]))


def _parse_hourly(words: list[str]) -> Hourly:
    if not words:
        return Hourly()
    minute = "".join(words[1:] if words[0].casefold() == "at" else words)
    if (found := _MINUTE.fullmatch(minute)) is None:
        raise UsageError(
            f'"{_shown(words)}" is not a minute of the hour',
            hint="Write hourly, or hourly at :20.",
        )
    return Hourly(int(found[1]))


def _parse_interval(text: str) -> int:
    """Minutes from `1h30m` and the like."""
    found = _INTERVAL.fullmatch(text.casefold())
    if not text or found is None:
        raise UsageError(
            f'"{text[:80]}" is not an interval' if text else "the interval is missing",
            hint="Write minutes, hours or days, as in every 15m, every 2h or every 1h30m.",
        )
    days, hours, minutes = (int(number or 0) for number in found.groups())
    return (days * 24 + hours) * 60 + minutes


def _interval(minutes: int) -> str:
    assert 1 <= minutes <= LONGEST_MINUTES
    days, rest = divmod(minutes, 24 * 60)
    parts = ((days, "d"), (rest // 60, "h"), (rest % 60, "m"))
    return "".join(f"{number}{unit}" for number, unit in parts if number)


def _parse_cron(words: list[str], zone: str) -> Cron:
    # Which word begins the zone: the sixth; or an earlier one, when a field is missing.
    end = next((n for n, word in enumerate(words) if n >= 5 and word[0].isalpha()), len(words))
    if end == len(words) and words and _PLACE.match(words[-1]):
        end -= 1
    expression = normal_expression(" ".join(words[:end]))
    return Cron(expression, zone_name(" ".join(words[end:]) or zone))


def _parse_adaptive(words: list[str]) -> Adaptive:
    if not words:
        return Adaptive()
    if len(words) != 3:
        raise UsageError(
            "an adaptive schedule has three intervals, or none",
            hint="Give the least, the usual and the most, as in adaptive 15m 1h 6h.",
        )
    least, base, most = map(_parse_interval, words)
    return Adaptive(least, base, most)


def _misplaced(words: list[str], kind: str) -> UsageError:
    return UsageError(f'"{_shown(words)}" means nothing after "{kind}"', hint=_HINT)


def _shown(words: list[str]) -> str:
    return " ".join(words)[:80]
