"""When a connection is next due. Whatever the clock does, no slot comes twice.

A slot is a moment at which a schedule wants a run. Slots that passed while nothing could
run are not made up for: the late run takes the place of all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from hashlib import md5
from itertools import count
from typing import assert_never

from msgspec import Struct

from syncline.scheduling.adaptive import RunFact, interval_of
from syncline.scheduling.cron import next_cron_time
from syncline.scheduling.schedule import (
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
from syncline.scheduling.zones import first_instant, in_utc, zone_called

__all__ = ["Facts", "hour_of_workspace", "minute_of_connection", "next_due"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


class Facts(Struct, frozen=True):
    """What a connection's next slot depends on, besides its schedule and the time."""

    workspace_id: int
    connection_id: int
    kind_rank: int = 0
    """Which of the `kinds` kinds of sources it is, counted from 0."""
    kinds: int = 1
    last_slot: datetime | None = None
    """The slot that was planned last, with a time zone; None if none ever was."""
    history: Sequence[RunFact] = ()
    """The latest runs, the newest first; only adaptive schedules look at them."""

    def __post_init__(self) -> None:
        if not 0 <= self.kind_rank < self.kinds:
            raise ValueError(f"there is no kind {self.kind_rank} among {self.kinds}")


def next_due(schedule: Schedule, facts: Facts, *, now: datetime) -> datetime | None:
    """The first slot later than `now` and than the last slot, in UTC; None: only on demand.

    The same question always has the same answer. A connection that was never planned is due
    now if its schedule is hourly, every so many minutes or adaptive, and at its next slot
    otherwise. Raises `ValueError` for times without a time zone.
    """
    now = in_utc(now)
    last = None if facts.last_slot is None else in_utc(facts.last_slot)
    if last is None and isinstance(schedule, Hourly | Every | Adaptive):
        return now
    after = now if last is None else max(now, last)
    match schedule:
        case Manual():
            return None
        case Daily(at, zone):
            return _next_on_dates(after, at, zone, weekday=None)
        case Weekly(day, at, zone):
            return _next_on_dates(after, at, zone, weekday=day)
        case Hourly(minute):
            chosen = minute_of_connection(facts.connection_id) if minute is None else minute
            return _next_on_grid(after, _HOUR, chosen * _MINUTE)
        case Every(minutes):
            interval = minutes * _MINUTE
            return _next_on_grid(after, interval, _turn(interval, facts))
        case Spread():
            hour = hour_of_workspace(facts.workspace_id)
            minute = minute_of_connection(facts.connection_id)
            return _next_on_grid(after, _DAY, hour * _HOUR + minute * _MINUTE)
        case Cron(expression, zone):
            return next_cron_time(expression, zone, after)
        case Adaptive():
            interval = interval_of(schedule, facts.history, now)
            # Those that were made together take turns from their second run on. Where the interval
            # has changed, its grid has: then this slot comes after a half to one and a half of it.
            soonest = max(after, (last or now) + interval / 2)
            return _next_on_grid(soonest, interval, _turn(interval, facts))
    assert_never(schedule)


def hour_of_workspace(workspace_id: int) -> int:
    """The hour of the day, in UTC, at which this workspace's spread schedules come."""
    return _stable_number(workspace_id) % 24


def minute_of_connection(connection_id: int) -> int:
    """The minute of the hour that is this connection's own."""
    return _stable_number(connection_id) % 60


def _stable_number(id_: int) -> int:
    digest = md5(str(id_).encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest, "little")


def _turn(interval: timedelta, facts: Facts) -> timedelta:
    """How much later than the interval begins this connection comes, in whole seconds.

    Each kind of source has a share of the interval, over which its connections are spread.
    """
    whole = int(interval.total_seconds())
    begins, ends = (whole * rank // facts.kinds for rank in (facts.kind_rank, facts.kind_rank + 1))
    own = _stable_number(facts.connection_id) % max(1, ends - begins)
    return timedelta(seconds=begins + own)


def _next_on_grid(after: datetime, interval: timedelta, offset: timedelta) -> datetime:
    """The first moment later than `after` that is whole intervals from the epoch + `offset`."""
    start = _EPOCH + offset
    return start + ((after - start) // interval + 1) * interval


def _next_on_dates(after: datetime, at: time, zone: str, *, weekday: int | None) -> datetime:
    """The first slot later than `after` of the dates in `zone`: all, or those of a weekday."""
    today = after.astimezone(zone_called(zone)).date()
    return next(
        slot
        for day in _dates_from(today)
        if weekday is None or day.weekday() == weekday
        if (slot := first_instant(day, at, zone)) is not None and slot > after
    )


def _dates_from(first: date) -> Iterator[date]:
    return (first + n * _DAY for n in count())
