"""Schedules where clocks change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from syncline.scheduling.due import Facts, next_due
from syncline.scheduling.schedule import Cron, Daily, Schedule, Weekly

ZONES = (
    "Australia/Sydney",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
)
# Two years in which all but India changed their clocks.
BEGIN, END = date(2017, 1, 1), date(2018, 12, 31)
DAYS = 730


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def slots(schedule: Schedule, begin: datetime, end: datetime) -> Iterator[datetime]:
    """Every slot after `begin` and before `end`, each found from the one before."""
    facts, now = Facts(1, 1), begin
    while True:
        slot = next_due(schedule, facts, now=now)
        assert slot is not None
        assert slot > now
        if slot >= end:
            return
        yield slot
        facts, now = replace(facts, last_slot=slot), slot


def of_two_years(schedule: Schedule, zone: str) -> list[datetime]:
    """The slots of these years, as clocks in the zone show them."""
    place = ZoneInfo(zone)
    begin = datetime.combine(BEGIN, time.min, place) - timedelta(microseconds=1)
    end = datetime.combine(END + timedelta(days=1), time.min, place)
    found = list(slots(schedule, begin.astimezone(UTC), end.astimezone(UTC)))
    assert found == sorted(set(found))
    return [slot.astimezone(place) for slot in found]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("at", [time(0, 0), time(0, 30), time(1, 45), time(2, 15), time(23, 30)])
def test_a_daily_schedule_comes_once_on_each_local_date(zone: str, at: time) -> None:
    """Also when clocks change, and at the time that is written wherever that exists."""
    shown = of_two_years(Daily(at, zone), zone)
    assert [slot.date() for slot in shown] == [BEGIN + timedelta(days=n) for n in range(DAYS)]
    moved = [slot for slot in shown if slot.time() != at]
    assert len(moved) <= 2
    assert all(slot.time() > at and slot.fold == 0 for slot in moved)


@pytest.mark.parametrize("zone", ZONES)
def test_a_weekly_schedule_comes_once_each_week(zone: str) -> None:
    """On its weekday, Sunday, when clocks usually change."""
    shown = of_two_years(Weekly(6, time(2, 15), zone), zone)
    assert [slot.date() for slot in shown] == [BEGIN + timedelta(weeks=n) for n in range(105)]


@pytest.mark.parametrize("zone", ZONES)
def test_a_cron_expression_with_a_time_comes_once_on_each_local_date(zone: str) -> None:
    """As a daily schedule does."""
    shown = of_two_years(Cron("15 2 * * *", zone), zone)
    assert [slot.date() for slot in shown] == [BEGIN + timedelta(days=n) for n in range(DAYS)]


@given(
    st.sampled_from(ZONES),
    st.builds(time, st.integers(0, 23), st.integers(0, 59)),
    st.timedeltas(timedelta(0), timedelta(days=DAYS)).map(lambda age: utc("2017-01-01") + age),
)
@settings(deadline=None)
def test_daily_slots_are_a_day_apart_give_or_take_the_change(
    zone: str, at: time, now: datetime
) -> None:
    """From any moment: between 23 and 25 hours, and no slot is passed over."""
    first, second, third = list(slots(Daily(at, zone), now, now + timedelta(days=4)))[:3]
    hour = timedelta(hours=1)
    assert first - now <= 25 * hour
    assert 23 * hour <= second - first <= 25 * hour
    assert 23 * hour <= third - second <= 25 * hour


@pytest.mark.parametrize(
    ("zone", "at", "asked", "slot"),
    [
        # 02:00 becomes 03:00 on 31 March at 01:00 UTC.
        ("Europe/Berlin", time(2, 30), "2024-03-30T12:00", "2024-03-31T01:00"),
        ("Europe/Berlin", time(2, 0), "2024-03-30T12:00", "2024-03-31T01:00"),
        ("Europe/Berlin", time(3, 0), "2024-03-30T12:00", "2024-03-31T01:00"),
        ("Europe/Berlin", time(1, 59), "2024-03-30T12:00", "2024-03-31T00:59"),
        # 02:00 becomes 03:00 on 6 October at 16:00 UTC of the day before.
        ("Australia/Sydney", time(2, 30), "2024-10-05T12:00", "2024-10-05T16:00"),
        # Midnight becomes 01:00 on 4 November at 03:00 UTC.
        ("America/Sao_Paulo", time(0, 30), "2018-11-03T12:00", "2018-11-04T03:00"),
        ("America/Sao_Paulo", time(0, 0), "2018-11-03T12:00", "2018-11-04T03:00"),
        # 02:00 becomes 02:30 on 6 October at 15:30 UTC of the day before.
        ("Australia/Lord_Howe", time(2, 15), "2024-10-05T12:00", "2024-10-05T15:30"),
    ],
)
def test_a_time_that_is_skipped_is_the_first_moment_after_the_gap(
    zone: str, at: time, asked: str, slot: str
) -> None:
    """Neither an hour later nor on another day; a cron expression agrees."""
    assert next_due(Daily(at, zone), Facts(1, 1), now=utc(asked)) == utc(slot)
    cron = Cron(f"{at.minute} {at.hour} * * *", zone)
    assert next_due(cron, Facts(1, 1), now=utc(asked)) == utc(slot)


@pytest.mark.parametrize(
    ("zone", "at", "asked", "first", "following"),
    [
        # 03:00 becomes 02:00 on 27 October at 01:00 UTC.
        ("Europe/Berlin", time(2, 30), "2024-10-26T12:00", "2024-10-27T00:30", "2024-10-28T01:30"),
        # 03:00 becomes 02:00 on 7 April at 16:00 UTC of the day before.
        (
            "Australia/Sydney",
            time(2, 0),
            "2024-04-06T12:00",
            "2024-04-06T15:00",
            "2024-04-07T16:00",
        ),
        # Midnight becomes 23:00 of 17 February, at 02:00 UTC of the 18th.
        (
            "America/Sao_Paulo",
            time(23, 30),
            "2018-02-17T12:00",
            "2018-02-18T01:30",
            "2018-02-19T02:30",
        ),
        # 02:00 becomes 01:30 on 7 April at 15:00 UTC of the day before.
        (
            "Australia/Lord_Howe",
            time(1, 45),
            "2024-04-06T12:00",
            "2024-04-06T14:45",
            "2024-04-07T15:15",
        ),
    ],
)
def test_a_time_that_comes_twice_is_the_first_of_both(
    zone: str, at: time, asked: str, first: str, following: str
) -> None:
    """And the second is passed over, also when asked between the two."""
    cron = Cron(f"{at.minute} {at.hour} * * *", zone)
    for schedule in (Daily(at, zone), cron):
        assert next_due(schedule, Facts(1, 1), now=utc(asked)) == utc(first)
        for minutes in (0, 1, 20, 59, 90):
            later = utc(first) + timedelta(minutes=minutes)
            assert next_due(schedule, Facts(1, 1), now=later) == utc(following)


def test_a_date_that_a_zone_left_out_has_no_slot() -> None:
    """Samoa went from 29 to 31 December 2011: the 31st comes once, at its own time."""
    found = list(
        slots(Daily(time(2), "Pacific/Apia"), utc("2011-12-28T12:00"), utc("2012-01-01T00:00"))
    )
    shown = [slot.astimezone(ZoneInfo("Pacific/Apia")) for slot in found]
    assert [(slot.day, slot.hour) for slot in shown] == [(29, 2), (31, 2), (1, 2)]


def test_a_date_whose_end_is_skipped_keeps_its_slot() -> None:
    """Greenland's 30 March 2024 ended at 23:00: what was due at 23:30 comes then."""
    schedule = Daily(time(23, 30), "America/Nuuk")
    found = list(slots(schedule, utc("2024-03-30T12:00"), utc("2024-04-01T12:00")))
    assert found == [utc("2024-03-31T01:00"), utc("2024-04-01T00:30")]


def test_a_cron_expression_with_stars_follows_the_clock() -> None:
    """Every half hour goes on through the hour that comes twice."""
    found = list(
        slots(
            Cron("*/30 * * * *", "Europe/Berlin"), utc("2024-10-26T23:45"), utc("2024-10-27T02:45")
        )
    )
    assert found == [utc("2024-10-27T00:00") + n * timedelta(minutes=30) for n in range(6)]
