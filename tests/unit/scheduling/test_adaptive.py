"""How long an adaptive schedule waits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from syncline.scheduling.adaptive import RunFact, interval_of
from syncline.scheduling.schedule import Adaptive

# A Monday, at nine.
NOW = datetime(2025, 6, 16, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def run(
    ago: timedelta = HOUR,
    *,
    changed: int = 1,
    failed: int = 0,
    listed: int = 1000,
    succeeded: bool = True,
) -> RunFact:
    return RunFact(NOW - ago, listed, changed, failed, succeeded)


def minutes(history: Sequence[RunFact], adaptive: Adaptive | None = None) -> float:
    return interval_of(adaptive or Adaptive(), history, NOW).total_seconds() / 60


def test_the_interval_begins_at_the_base() -> None:
    """Without a history, and with one that has a little of everything."""
    assert minutes([]) == 60
    assert minutes([run(changed=50, failed=50)]) == 60
    assert minutes([], Adaptive(1, 7, 9)) == 7


@pytest.mark.parametrize(
    ("changed", "waited"), [(0, 60), (100, 60), (101, 30), (300, 30), (301, 15), (1500, 15)]
)
def test_much_change_shortens_it(changed: int, waited: int) -> None:
    """Over 10 % halves it, over 30 % halves it again."""
    assert minutes([run(changed=changed)]) == waited


def test_change_of_an_empty_listing_is_much() -> None:
    """Everything that was listed is gone; nothing listed and nothing changed is no change."""
    assert minutes([run(listed=0, changed=5)]) == 15
    assert minutes([run(listed=0, changed=0)]) == 60


def test_change_counts_for_a_day() -> None:
    """All runs of the last 24 hours are taken together, and older ones are forgotten."""
    calm = [run(n * HOUR) for n in range(1, 5)]
    assert minutes([*calm, run(23 * HOUR, changed=900)]) == 30
    assert minutes([*calm, run(25 * HOUR, changed=900)]) == 60


def test_the_last_three_runs_count_however_old() -> None:
    """Where fewer than three are of the last day."""
    old = [run(n * DAY, changed=900) for n in (2, 3)]
    assert minutes([run(), *old]) == 15
    assert minutes([run(), run(2 * HOUR), run(2 * DAY), *old]) == 60


@pytest.mark.parametrize(
    ("quiet", "waited"), [(1, 60), (2, 60), (3, 90), (4, 135), (5, 202.5), (7, 360), (5000, 360)]
)
def test_runs_that_change_nothing_lengthen_it_step_by_step(quiet: int, waited: float) -> None:
    """By half for each after the second, up to the most."""
    assert minutes([run(n * HOUR, changed=0) for n in range(1, quiet + 1)]) == waited


def test_one_change_ends_the_quiet() -> None:
    """A failed run does not, and neither adds to it: it proves nothing."""
    quiet = [run(n * HOUR, changed=0) for n in range(2, 6)]
    assert minutes([run(changed=1), *quiet]) == 60
    assert minutes([run(changed=0, succeeded=False), *quiet]) == minutes(quiet)


@pytest.mark.parametrize(("failed", "waited"), [(100, 60), (101, 90), (1000, 90)])
def test_many_failed_entries_lengthen_it(failed: int, waited: int) -> None:
    """Over 10 % of those listed."""
    assert minutes([run(failed=failed)]) == waited


@pytest.mark.parametrize(
    ("failures", "waited"),
    [(1, 60), (3, 60), (4, 120), (5, 240), (6, 360), (5000, 360)],
)
def test_failed_runs_in_a_row_back_off(failures: int, waited: int) -> None:
    """After the third, twice as long for each, up to the most."""
    history = [run(n * HOUR, changed=0, succeeded=False) for n in range(1, failures + 1)]
    assert minutes(history) == waited


def test_a_run_that_succeeds_ends_the_back_off() -> None:
    """However many failed before it."""
    failures = [run(n * HOUR, changed=0, succeeded=False) for n in range(2, 12)]
    assert minutes([run(), *failures]) == 60


def test_failing_is_never_answered_by_coming_sooner() -> None:
    """A back-off shorter than what the quiet asked for does not replace it."""
    quiet = [run(n * HOUR, changed=0) for n in range(5, 25)]
    failures = [run(n * HOUR, changed=0, succeeded=False) for n in range(1, 5)]
    assert minutes(quiet) == minutes([*failures, *quiet]) == 360


def habit(*found: tuple[int, int, bool]) -> list[RunFact]:
    """Runs (days ago, hour of the day, whether there were changes), the newest first."""
    runs = [
        run(NOW - (NOW - days * DAY).replace(hour=hour), changed=int(changed))
        for days, hour, changed in found
    ]
    return sorted(runs, key=lambda each: each.started, reverse=True)


BUSY_AT_NOON = [(days, 12, True) for days in range(1, 7)]
BUSY_AT_TEN = [(days, 10, True) for days in range(1, 7)]


def test_hours_that_usually_have_changes_come_sooner() -> None:
    """Half of the runs of this hour is enough; of a smaller part nothing follows."""
    others = BUSY_AT_NOON + BUSY_AT_TEN
    half = [(1, 9, True), (2, 9, False), (3, 9, True), (4, 9, False)]
    fewer = [(1, 9, True), (2, 9, False), (3, 9, False), (4, 9, False)]
    assert minutes(habit(*others, *half)) == 30
    assert minutes(habit(*others, *fewer)) == 60


def test_hours_that_never_had_changes_come_later() -> None:
    """Once there was a look at them on two dates."""
    others = BUSY_AT_NOON + BUSY_AT_TEN
    assert minutes(habit(*others, (1, 9, False), (2, 9, False))) == 120
    assert minutes(habit(*others, (1, 9, False))) == 60
    assert minutes(habit(*others)) == 60


def test_weekdays_have_habits_too() -> None:
    """Mondays with changes and without, over three weeks."""
    others = BUSY_AT_NOON + BUSY_AT_TEN
    assert minutes(habit(*others, (7, 15, True), (14, 15, True))) == 30
    assert minutes(habit(*others, (7, 15, False), (14, 15, False))) == 120


def test_a_day_without_changes_outweighs_a_busy_hour() -> None:
    """At nine there usually are changes, but never on a Monday."""
    busy_at_nine = [(days, 9, True) for days in range(1, 7)]
    history = habit(*BUSY_AT_NOON, *busy_at_nine, (7, 9, False), (14, 9, False))
    assert minutes(history) == 120


def test_a_habit_needs_eight_runs_with_changes_on_three_dates() -> None:
    """Less is chance."""
    quiet_now = [(1, 9, False), (2, 9, False)]
    eight = [(days, hour, True) for days in (1, 2, 3, 4) for hour in (10, 12)]
    two_dates = [(days, hour, True) for days in (1, 2) for hour in (10, 11, 12, 13)]
    assert minutes(habit(*quiet_now, *eight)) == 120
    assert minutes(habit(*quiet_now, *eight[1:])) == 60
    assert minutes(habit(*quiet_now, *two_dates)) == 60


def test_times_without_a_zone_are_refused() -> None:
    """They would mean another hour on every machine."""
    with pytest.raises(ValueError, match="time zone"):
        interval_of(Adaptive(), [], NOW.replace(tzinfo=None))


adaptives = st.lists(st.integers(1, 10_080), min_size=3, max_size=3).map(
    lambda three: Adaptive(*sorted(three))
)


@st.composite
def histories(draw: st.DrawFn, hours: int = 400) -> list[RunFact]:
    """Runs of the past `hours`, the newest first."""
    numbers = st.integers(0, 100)
    runs = st.builds(
        run, st.integers(0, hours).map(lambda n: n * HOUR), changed=numbers, failed=numbers,
        listed=numbers, succeeded=st.booleans(),
    )  # fmt: skip
    return sorted(draw(st.lists(runs, max_size=30)), key=lambda each: each.started, reverse=True)


@given(adaptives, histories())
@settings(max_examples=60, deadline=None)
def test_it_stays_between_the_least_and_the_most(
    adaptive: Adaptive, history: list[RunFact]
) -> None:
    """Whatever the history."""
    assert adaptive.least_minutes <= minutes(history, adaptive) <= adaptive.most_minutes


@given(adaptives, histories(), st.data())
@settings(max_examples=60, deadline=None)
def test_more_change_never_makes_it_longer(
    adaptive: Adaptive, history: list[RunFact], data: st.DataObject
) -> None:
    """In runs that had some."""
    more = [
        replace(each, changed=each.changed + data.draw(st.integers(0, 100)))
        if each.changed
        else each
        for each in history
    ]
    assert minutes(more, adaptive) <= minutes(history, adaptive)


@given(adaptives, histories(hours=23), st.data())
@settings(max_examples=60, deadline=None)
def test_any_change_never_makes_it_longer_before_there_is_a_habit(
    adaptive: Adaptive, history: list[RunFact], data: st.DataObject
) -> None:
    """Also the first change of a run that had none."""
    more = [
        replace(each, changed=each.changed + data.draw(st.integers(0, 100))) for each in history
    ]
    assert minutes(more, adaptive) <= minutes(history, adaptive)


@given(adaptives, histories(), st.data())
@settings(max_examples=60, deadline=None)
def test_more_failed_entries_never_make_it_shorter(
    adaptive: Adaptive, history: list[RunFact], data: st.DataObject
) -> None:
    """A source in trouble is not asked more often."""
    more = [replace(each, failed=each.failed + data.draw(st.integers(0, 100))) for each in history]
    assert minutes(more, adaptive) >= minutes(history, adaptive)
