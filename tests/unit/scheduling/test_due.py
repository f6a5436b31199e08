"""When a connection is next due."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import UTC, datetime, time, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from syncline.scheduling.adaptive import RunFact
from syncline.scheduling.due import Facts, hour_of_workspace, next_due
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

NOW = datetime(2025, 6, 15, 12, 7, 30, tzinfo=UTC)
FACTS = Facts(workspace_id=7, connection_id=42)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

schedules: st.SearchStrategy[Schedule] = st.sampled_from(
    (
        Daily(time(2, 30), "Europe/Berlin"),
        Weekly(6, time(1, 45), "Australia/Lord_Howe"),
        Hourly(),
        Hourly(20),
        Every(15),
        Every(7),
        Spread(),
        Cron("30 2 * * *", "Europe/Berlin"),
        Cron("*/20 1-3 * * *", "Australia/Sydney"),
        Adaptive(),
    )
)
moments = st.timedeltas(timedelta(days=-500), timedelta(days=500)).map(lambda ago: NOW - ago)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def due(schedule: Schedule, facts: Facts = FACTS, now: datetime = NOW) -> datetime:
    slot = next_due(schedule, facts, now=now)
    assert slot is not None
    return slot


def stable(number: int) -> int:
    """The number's MD5, as a little-endian integer, by way of hexadecimal."""
    digest = hashlib.md5(str(number).encode("ascii")).hexdigest()
    return sum(int(digest[2 * n : 2 * n + 2], 16) << (8 * n) for n in range(16))


def test_a_manual_connection_is_never_due() -> None:
    """Neither before its first run nor after."""
    assert next_due(Manual(), FACTS, now=NOW) is None
    assert next_due(Manual(), replace(FACTS, last_slot=NOW - HOUR), now=NOW) is None


@pytest.mark.parametrize("schedule", [Every(15), Hourly(), Hourly(20), Adaptive()])
def test_a_connection_that_never_ran_is_due_at_once(schedule: Schedule) -> None:
    """With the schedules that come several times a day."""
    assert due(schedule) == NOW


@pytest.mark.parametrize(
    ("schedule", "slot"),
    [
        (Daily(time(2)), "2025-06-16T02:00"),
        (Daily(time(23)), "2025-06-15T23:00"),
        (Daily(time(2), "Australia/Sydney"), "2025-06-15T16:00"),
        (Weekly(0, time(2)), "2025-06-16T02:00"),
        (Weekly(6, time(2)), "2025-06-22T02:00"),
        (Weekly(6, time(14, 30), "Europe/Berlin"), "2025-06-15T12:30"),
        (Cron("0 3 * * 1-5", "Europe/Berlin"), "2025-06-16T01:00"),
        (Cron("*/20 * * * *"), "2025-06-15T12:20"),
    ],
)
def test_a_connection_that_never_ran_waits_for_its_time(schedule: Schedule, slot: str) -> None:
    """With the schedules that name one; the answer is in UTC."""
    assert due(schedule) == utc(slot)
    assert due(schedule).tzinfo is UTC


def test_a_time_in_another_zone_is_the_same_moment() -> None:
    """What is handed in need not be in UTC; without a zone it means nothing."""
    elsewhere = NOW.astimezone(timezone(timedelta(hours=9, minutes=30)))
    facts = replace(FACTS, last_slot=elsewhere)
    assert due(Every(15), facts, elsewhere) == due(Every(15), replace(FACTS, last_slot=NOW), NOW)
    assert due(Hourly(), FACTS, elsewhere).tzinfo is UTC
    with pytest.raises(ValueError, match="time zone"):
        next_due(Daily(), FACTS, now=NOW.replace(tzinfo=None))
    with pytest.raises(ValueError, match="time zone"):
        next_due(Daily(), replace(FACTS, last_slot=NOW.replace(tzinfo=None)), now=NOW)


def test_intervals_begin_at_the_same_times_on_every_machine() -> None:
    """Multiples of the interval since the epoch, not since the first run; at the connection's own
    second of it."""
    facts = replace(FACTS, last_slot=NOW)
    assert due(Every(15), facts) == utc("2025-06-15T12:13:49")
    assert due(Every(120), facts) == utc("2025-06-15T12:28:49")
    assert due(Hourly(20), facts) == utc("2025-06-15T12:20")
    assert due(Hourly(5), facts) == utc("2025-06-15T13:05")


def test_kinds_of_sources_take_turns() -> None:
    """Three kinds every 15 minutes: in the first, second and third five minutes of the quarter."""
    slots = [
        due(
            Every(15), Facts(7, 42, kind_rank=rank, kinds=3, last_slot=NOW), utc("2025-06-15T12:14")
        )
        for rank in range(3)
    ]
    assert slots == [
        utc("2025-06-15T12:18:49"),
        utc("2025-06-15T12:23:49"),
        utc("2025-06-15T12:28:49"),
    ]
    with pytest.raises(ValueError, match="no kind 3 among 3"):
        Facts(7, 42, kind_rank=3, kinds=3)


def test_connections_of_one_kind_do_not_come_at_once() -> None:
    """A thousand of them every hour: never more than a few in one second."""
    slots = Counter(due(Every(60), Facts(7, id_, last_slot=NOW), NOW) for id_ in range(1000))
    assert max(slots.values()) <= 5


@given(st.integers(1, 10_080), st.integers(1, 60), st.integers(0, 59), moments)
@settings(deadline=None)
def test_each_kind_keeps_its_place_in_the_interval(
    minutes: int, kinds: int, rank: int, now: datetime
) -> None:
    """Slots are one interval apart, and within the kind's share of it."""
    rank %= kinds
    facts = Facts(7, 42, kind_rank=rank, kinds=kinds, last_slot=now)
    first = due(Every(minutes), facts, now)
    second = due(Every(minutes), replace(facts, last_slot=first), first)
    assert second - first == minutes * MINUTE
    seconds = minutes * 60
    begins, ends = seconds * rank // kinds, seconds * (rank + 1) // kinds
    assert begins <= int(first.timestamp()) % seconds < ends
    assert now < first <= now + minutes * MINUTE


@given(st.integers(0, 2**63))
@settings(deadline=None)
def test_a_workspace_has_its_hour_and_a_connection_its_minute(number: int) -> None:
    """By MD5, so that they are the same on every machine and after every restart."""
    assert hour_of_workspace(number) == stable(number) % 24
    facts = Facts(workspace_id=number, connection_id=number + 1, last_slot=NOW)
    slot = due(Spread(), facts)
    assert (slot.hour, slot.minute, slot.second) == (
        stable(number) % 24,
        stable(number + 1) % 60,
        0,
    )
    assert NOW < slot <= NOW + 24 * HOUR
    assert due(Hourly(), facts).minute == stable(number + 1) % 60


def test_workspaces_and_connections_are_spread_over_the_day() -> None:
    """All 24 hours and all 60 minutes are used, and none by far more than its part."""
    hours = [hour_of_workspace(number) for number in range(2400)]
    assert all(60 <= hours.count(hour) <= 150 for hour in range(24))
    slots = [due(Spread(), Facts(1, number)).minute for number in range(1200)]
    assert len(set(slots)) == 60


@pytest.mark.parametrize(
    ("schedule", "slot"),
    [
        (Every(15), "2025-06-15T12:13:49"),
        (Hourly(30), "2025-06-15T12:30"),
        (Cron("*/10 * * * *"), "2025-06-15T12:10"),
        (Adaptive(), "2025-06-15T12:28:49"),
    ],
)
def test_an_outage_of_two_hours_costs_one_late_run(schedule: Schedule, slot: str) -> None:
    """The slot that was waiting is run late; the next lies in the future, none in between."""
    facts = replace(FACTS, last_slot=utc("2025-06-15T10:00"))
    assert due(schedule, facts, NOW) == utc(slot)


@given(schedules, moments, moments)
@settings(deadline=None)
def test_slots_lie_after_now_and_after_the_last_one(
    schedule: Schedule, now: datetime, last: datetime
) -> None:
    """And asking again, as after a restart, gives the same."""
    facts = replace(FACTS, last_slot=last)
    slot = due(schedule, facts, now)
    assert slot > now
    assert slot > last
    assert due(schedule, facts, now) == slot


@given(
    schedules,
    st.lists(st.timedeltas(timedelta(days=-9), timedelta(days=9)), min_size=1, max_size=12),
)
@settings(max_examples=75, deadline=None)
def test_no_slot_comes_twice_when_the_clock_jumps(
    schedule: Schedule, jumps: list[timedelta]
) -> None:
    """Forward or back, between any two slots."""
    facts, now = FACTS, NOW
    slots: list[datetime] = []
    for jump in jumps:
        slot = due(schedule, facts, now)
        slots.append(slot)
        facts, now = replace(facts, last_slot=slot), max(now, slot) + jump
    assert slots == sorted(set(slots))


def test_a_clock_that_is_put_back_does_not_repeat_a_slot() -> None:
    """Daily at 02:00, planned for today; the clock goes back to yesterday."""
    facts = replace(FACTS, last_slot=utc("2025-06-15T02:00"))
    assert due(Daily(), facts, utc("2025-06-14T20:00")) == utc("2025-06-16T02:00")
    assert due(Every(15), facts, utc("2025-06-14T20:00")) == utc("2025-06-15T02:13:49")


BUSY = RunFact(utc("2025-06-15T12:00"), listed=10, changed=9, failed=0, succeeded=True)


@pytest.mark.parametrize(
    ("adaptive", "history", "interval"),
    [(Adaptive(), [], 60), (Adaptive(5, 20, 60), [], 20), (Adaptive(), [BUSY], 15)],
)
def test_adaptive_slots_follow_the_last_one(
    adaptive: Adaptive, history: list[RunFact], interval: int
) -> None:
    """By the interval that the history asks for, an hour if none; the first by about as much."""
    facts = replace(FACTS, last_slot=NOW, history=history)
    for number in range(200):
        first = due(adaptive, replace(facts, connection_id=number))
        assert interval * MINUTE / 2 < first - NOW <= interval * MINUTE * 3 / 2
    first = due(adaptive, facts)
    second = due(adaptive, replace(facts, last_slot=first), first)
    assert second == first + interval * MINUTE


def test_adaptive_connections_that_were_made_together_take_turns() -> None:
    """From their second run on."""
    facts = [replace(FACTS, connection_id=number, last_slot=NOW) for number in range(1200)]
    minutes = [(due(Adaptive(), each) - NOW) // MINUTE for each in facts]
    assert len(set(minutes)) > 15
    assert max(minutes.count(minute) for minute in set(minutes)) < 120


def test_a_cron_expression_with_a_leap_day_waits_for_it() -> None:
    """However many years that takes."""
    assert due(Cron("0 0 29 2 *")) == utc("2028-02-29T00:00")
