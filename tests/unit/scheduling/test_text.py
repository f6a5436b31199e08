"""Schedules as people write them."""

from __future__ import annotations

from datetime import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from syncline.core.errors import ConfigurationError, UsageError
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
from syncline.scheduling.text import describe, from_environment, parse

ZONES = ("UTC", "Australia/Sydney", "Europe/Berlin", "America/New_York", "Etc/GMT+5")
times = st.builds(time, st.integers(0, 23), st.integers(0, 59))
zones = st.sampled_from(ZONES)
minutes = st.integers(1, 10_080)
crons = st.sampled_from(
    (
        "0 3 * * 1-5",
        "*/15 * * * *",
        "5,35 2-4 1 jan,jul *",
        "0 0 l * *",
        "0 9 * * mon#1",
        "0 0 * * 7l",
    )
)
schedules: st.SearchStrategy[Schedule] = st.one_of(
    st.just(Manual()),
    st.builds(Daily, times, zones),
    st.builds(Weekly, st.integers(0, 6), times, zones),
    st.builds(Hourly, st.none() | st.integers(0, 59)),
    st.builds(Every, minutes),
    st.just(Spread()),
    st.builds(Cron, crons, zones),
    st.lists(minutes, min_size=3, max_size=3).map(lambda three: Adaptive(*sorted(three))),
)


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("manual", Manual()),
        ("hourly", Hourly()),
        ("hourly at :20", Hourly(20)),
        ("Hourly :05", Hourly(5)),
        ("every 15m", Every(15)),
        ("every", Every(15)),
        ("every 2h", Every(120)),
        ("every 1h30m", Every(90)),
        ("EVERY 1 h 30 M", Every(90)),
        ("every 7d", Every(10_080)),
        ("daily", Daily(time(2), "UTC")),
        ("daily 02:00", Daily(time(2), "UTC")),
        ("daily at 7:05", Daily(time(7, 5), "UTC")),
        ("daily 02:00 Australia/Sydney", Daily(time(2), "Australia/Sydney")),
        ("  DAILY   23:59  europe/berlin ", Daily(time(23, 59), "Europe/Berlin")),
        ("daily America/New York", Daily(time(2), "America/New_York")),
        ("weekly", Weekly(0, time(2), "UTC")),
        ("weekly mon 02:00 Europe/Berlin", Weekly(0, time(2), "Europe/Berlin")),
        ("weekly Sunday at 10:30", Weekly(6, time(10, 30), "UTC")),
        ("spread", Spread()),
        ("cron 0 3 * * 1-5", Cron("0 3 * * 1-5", "UTC")),
        ("cron  0 3 * * Mon-Fri  asia/kolkata", Cron("0 3 * * mon-fri", "Asia/Kolkata")),
        ("cron 0 3 * * mon/2", Cron("0 3 * * mon/2", "UTC")),
        ("adaptive", Adaptive(15, 60, 360)),
        ("adaptive 15m 1h 6h", Adaptive(15, 60, 360)),
        ("adaptive 5m 10m 1d", Adaptive(5, 10, 1440)),
    ],
)
def test_schedules_are_read_in_any_case_and_with_any_spaces(text: str, schedule: Schedule) -> None:
    """Each form that is documented, and what is left out takes its default."""
    assert parse(text) == schedule


def test_the_zone_that_is_not_written_is_the_one_given() -> None:
    """And one that is written wins."""
    assert parse("daily", zone="Asia/Kolkata") == Daily(time(2), "Asia/Kolkata")
    assert parse("weekly tue", zone="Asia/Kolkata") == Weekly(1, time(2), "Asia/Kolkata")
    assert parse("cron 0 3 * * *", zone="Asia/Kolkata") == Cron("0 3 * * *", "Asia/Kolkata")
    assert parse("daily 02:00 UTC", zone="Asia/Kolkata") == Daily(time(2), "UTC")


@given(schedules, zones)
@settings(deadline=None)
def test_what_is_described_is_read_back_as_the_same(schedule: Schedule, zone: str) -> None:
    """Whatever zone is the default where it is read."""
    assert parse(describe(schedule), zone=zone) == schedule


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        (Hourly(5), "hourly at :05"),
        (Every(90), "every 1h30m"),
        (Daily(time(2), "Australia/Sydney"), "daily 02:00 Australia/Sydney"),
        (Weekly(4, time(9, 30)), "weekly fri 09:30 UTC"),
        (Cron("0  3 * * mon", "Europe/Berlin"), "cron 0 3 * * MON Europe/Berlin"),
        (Adaptive(), "adaptive 15m 1h 6h"),
    ],
)
def test_descriptions_are_short_and_complete(schedule: Schedule, text: str) -> None:
    """They name the zone, since what is stored must not depend on a setting."""
    assert describe(schedule) == text


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "the schedule is empty", "every 15m"),
        ("   ", "the schedule is empty", "every 15m"),
        ("sometimes", '"sometimes" is not a schedule', "daily 02:00 Australia/Sydney"),
        ("dayly 02:00", "did you mean daily?", "every 15m"),
        ("manual now", '"now" means nothing after "manual"', "manual"),
        ("spread 02:00", '"02:00" means nothing after "spread"', "spread"),
        ("hourly at 20", '"at 20" is not a minute of the hour', "hourly at :20"),
        ("hourly :60", "no minute 60", "hourly at :20"),
        ("every 15", '"15" is not an interval', "every 15m"),
        ("every fortnight", '"fortnight" is not an interval', "every 15m"),
        ("every 0m", "an interval of 0 minutes is too short", "every 15m"),
        ("every 7d1m", "an interval of 10081 minutes is too long", "7d"),
        ("daily 24:00", '"24:00" is not a time of day', "23:59"),
        ("daily 2:60", '"2:60" is not a time of day', "23:59"),
        ("daily 02:00:00", '"02:00:00" is not a time of day', "23:59"),
        ("daily 2", '"2" means nothing after "daily"', "daily 02:00"),
        ("daily 02:00 Mars/Base", 'unknown time zone "Mars/Base"', "Europe/Berlin"),
        (
            "daily 02:00 Europe/Berln",
            'unknown time zone "Europe/Berln"',
            "Did you mean Europe/Berlin?",
        ),
        ("daily 02:00 Sydney", 'unknown time zone "Sydney"', "Did you mean Australia/Sydney?"),
        ("daily 02:00 UTC tomorrow", 'unknown time zone "UTC tomorrow"', "UTC"),
        ("daily 02:00 localtime", 'unknown time zone "localtime"', "Europe/Berlin"),
        ("daily 02:00 Australia", 'unknown time zone "Australia"', "Australia"),
        ("weekly moon 02:00", '"moon 02:00" means nothing after "weekly"', "weekly mon 02:00"),
        ("cron", "it has 0 fields, not five", "0 3 * * 1-5"),
        ("cron 0 3 * *", "it has 4 fields, not five", "0 3 * * 1-5"),
        ("cron 0 3 * * Europe/Berlin", "it has 4 fields, not five", "0 3 * * 1-5"),
        ("cron 0 0 3 * * 1", "it has 6 fields, not five", "0 3 * * 1-5"),
        ("cron 0 25 * * *", "bad hour", "0 3 * * 1-5"),
        ("cron 0 3 * * funday", "bad day-of-week", "0 3 * * 1-5"),
        ("cron 0 3 31 2 *", "bad day-of-month", "0 3 * * 1-5"),
        ("cron 0 3 LW * */40", "never comes", "0 3 * * 1-5"),
        (f"cron {'9' * 5000} * * * *", "a number is too long", "0 3 * * 1-5"),
        ("cron 0 3 * * * Nowhere/City", 'unknown time zone "Nowhere/City"', "Europe/Berlin"),
        ("adaptive 15m", "three intervals, or none", "adaptive 15m 1h 6h"),
        ("adaptive 1h 15m 6h", "not in order", "adaptive 15m 1h 6h"),
        ("adaptive 15m often 6h", '"often" is not an interval', "every 15m"),
    ],
)
def test_what_cannot_be_read_says_what_is_wrong_and_how_it_is_written(
    text: str, message: str, hint: str
) -> None:
    """The message names the part, the hint has examples."""
    with pytest.raises(UsageError) as raised:
        parse(text)
    assert message in raised.value.message
    assert raised.value.hint is not None
    assert hint in raised.value.hint


@given(
    st.text(max_size=30)
    | st.builds(
        lambda kind, rest: f"{kind} {' '.join(rest)}",
        st.sampled_from(("daily", "weekly", "hourly", "every", "cron", "adaptive", "manual")),
        st.lists(
            st.text("0123456789*/-,#:lLwW mh", min_size=1, max_size=4) | st.text(max_size=4),
            max_size=7,
        ),
    )
)
@example("daily 02:00 \x00")
@example("daily ../../etc/passwd")
@example("daily posix/Europe/Berlin")
@settings(max_examples=60, deadline=None)
def test_any_text_is_either_a_schedule_or_a_usage_error(text: str) -> None:
    """No other exception, whatever is typed."""
    try:
        schedule = parse(text)
    except UsageError:
        return
    assert parse(describe(schedule)) == schedule


def test_schedules_that_cannot_be_kept_cannot_be_made() -> None:
    """Not only by text."""
    for make in (
        lambda: Daily(time(2, 0, 30)),
        lambda: Daily(time(2), "Mars/Base"),
        lambda: Weekly(7),
        lambda: Hourly(60),
        lambda: Every(0),
        lambda: Cron("0 3 * *"),
        lambda: Adaptive(least_minutes=90),
    ):
        with pytest.raises(UsageError):
            make()


@pytest.mark.parametrize(
    ("frequency", "at", "schedule"),
    [
        ("daily", "02:00", Daily(time(2), "Europe/Berlin")),
        (" Daily ", " 4:30 ", Daily(time(4, 30), "Europe/Berlin")),
        ("weekly", "23:00", Weekly(0, time(23), "Europe/Berlin")),
        ("hourly", "02:00", Hourly()),
        ("", "", Daily(time(2), "Europe/Berlin")),
    ],
)
def test_settings_give_a_schedule(frequency: str, at: str, schedule: Schedule) -> None:
    """SYNC_FREQUENCY and SYNC_TIME, in the zone that is set; blank ones are the defaults."""
    assert from_environment(frequency, at, "Europe/Berlin") == schedule


@pytest.mark.parametrize(
    ("frequency", "at", "zone", "message", "hint"),
    [
        ("yearly", "02:00", "UTC", 'SYNC_FREQUENCY is "yearly"', "daily, hourly or weekly"),
        ("every 5m", "02:00", "UTC", 'SYNC_FREQUENCY is "every 5m"', "daily, hourly or weekly"),
        ("daily", "2am", "UTC", 'SYNC_TIME is "2am"', "02:00"),
        ("hourly", "25:00", "UTC", 'SYNC_TIME is "25:00"', "02:00"),
        ("daily", "02:00", "Europe/Berln", "unknown time zone", "Did you mean Europe/Berlin?"),
    ],
)
def test_settings_that_make_no_schedule_are_named(
    frequency: str, at: str, zone: str, message: str, hint: str
) -> None:
    """With what they can be set to."""
    with pytest.raises(ConfigurationError) as raised:
        from_environment(frequency, at, zone)
    assert message in raised.value.message
    assert hint in (raised.value.hint or "")
