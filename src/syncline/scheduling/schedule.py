"""The schedules a connection can have. Making one that cannot be kept raises `UsageError`."""

from __future__ import annotations

from datetime import time

from msgspec import Struct
from msgspec.structs import force_setattr

from syncline.core.errors import UsageError
from syncline.scheduling.cron import normal_expression
from syncline.scheduling.zones import zone_name

__all__ = [
    "LONGEST_MINUTES",
    "Adaptive",
    "Cron",
    "Daily",
    "Every",
    "Hourly",
    "Manual",
    "Schedule",
    "Spread",
    "Weekly",
]

LONGEST_MINUTES = 7 * 24 * 60
"""No interval is longer than a week."""


class Manual(Struct, frozen=True):
    """Only when somebody asks for it."""


class Daily(Struct, frozen=True):
    """Once on each date, when clocks in `zone` show `at` (whole minutes, no time zone)."""

    at: time = time(2)
    zone: str = "UTC"

    def __post_init__(self) -> None:
        _check_time(self.at)
        force_setattr(self, "zone", zone_name(self.zone))


class Weekly(Struct, frozen=True):
    """Once a week, on `day` (0 is Monday, 6 Sunday), when clocks in `zone` show `at`."""

    day: int = 0
    at: time = time(2)
    zone: str = "UTC"

    def __post_init__(self) -> None:
        if not 0 <= self.day <= 6:
            raise UsageError(f"there is no weekday {self.day}", hint="0 is Monday, 6 is Sunday.")
        _check_time(self.at)
        force_setattr(self, "zone", zone_name(self.zone))


class Hourly(Struct, frozen=True):
    """Each hour at this minute, or (None) at one that differs between connections."""

    minute: int | None = None

    def __post_init__(self) -> None:
        if self.minute is not None and not 0 <= self.minute <= 59:
            raise UsageError(
                f"there is no minute {self.minute} in an hour",
                hint="Minutes go from :00 to :59, as in `hourly at :20`.",
            )


class Every(Struct, frozen=True):
    """Each time so many minutes have passed; sources of different kinds take turns."""

    minutes: int = 15

    def __post_init__(self) -> None:
        _check_minutes(self.minutes)


class Spread(Struct, frozen=True):
    """Once a day, at an hour of the workspace's own, so that workspaces take turns."""


class Cron(Struct, frozen=True):
    """When clocks in `zone` match a cron expression of five fields."""

    expression: str
    zone: str = "UTC"

    def __post_init__(self) -> None:
        force_setattr(self, "expression", normal_expression(self.expression))
        force_setattr(self, "zone", zone_name(self.zone))


class Adaptive(Struct, frozen=True):
    """More often while much changes, less often while nothing does (see `interval_of`)."""

    least_minutes: int = 15
    base_minutes: int = 60
    most_minutes: int = 360

    def __post_init__(self) -> None:
        for minutes in (self.least_minutes, self.base_minutes, self.most_minutes):
            _check_minutes(minutes)
        if not self.least_minutes <= self.base_minutes <= self.most_minutes:
            raise UsageError(
                "the three intervals of an adaptive schedule are not in order",
                hint="Give the least, the usual and the most, as in `adaptive 15m 1h 6h`.",
            )


Schedule = Manual | Daily | Weekly | Hourly | Every | Spread | Cron | Adaptive


def _check_time(at: time) -> None:
    if at.second or at.microsecond or at.tzinfo is not None:
        raise UsageError(
            f"{at} is not a time of day in whole minutes",
            hint="The time zone is given apart, as in `daily 02:00 Australia/Sydney`.",
        )


def _check_minutes(minutes: int) -> None:
    if not 1 <= minutes <= LONGEST_MINUTES:
        raise UsageError(
            f"an interval of {minutes} minutes is too {'short' if minutes < 1 else 'long'}",
            hint="Intervals go from 1m to 7d, as in `every 15m`.",
        )
