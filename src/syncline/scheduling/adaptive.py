"""How long an adaptive schedule waits: a few rules over the latest runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from msgspec import Struct

from syncline.scheduling.schedule import Adaptive
from syncline.scheduling.zones import in_utc

__all__ = ["RunFact", "interval_of"]

_DAY = timedelta(hours=24)
_AT_LEAST_RUNS = 3
_MUCH_PERCENT = 10
_VERY_MUCH_PERCENT = 30
_QUIET_RUNS = 2
_FAILED_RUNS = 3
_HABIT_RUNS = 8
_HABIT_DATES = 3
_SEEN_DATES = 2
# The longest interval is 10,080 times the shortest: beyond these powers all is clamped.
_MOST_STEPS = 30


class RunFact(Struct, frozen=True):
    """What a run found. Numbers are of entries; `started` has a time zone."""

    started: datetime
    listed: int
    changed: int
    """Added, updated or deleted; may be more than `listed`."""
    failed: int
    succeeded: bool
    """Whether the run as a whole came to its end."""


def interval_of(adaptive: Adaptive, history: Sequence[RunFact], now: datetime) -> timedelta:
    """How long to wait from one slot to the next, in whole seconds.

    `history` has the newest run first. The interval begins at the base (1 h), and each
    rule's result is kept between the least (15 min) and the most (6 h):

    - *Change.* Of the entries listed in the last 24 hours, or in the last 3 runs if there
      were fewer, more than 10 % changed: × 0.5. More than 30 %: × 0.25.
    - *Quiet.* Runs in a row that changed nothing: × 1.5 for each after the second. Failed
      runs that changed nothing are passed over, since they prove nothing.
    - *Errors.* Of the same entries as for change, more than 10 % failed: × 1.5.
    - *Habit.* Once the history has 8 runs with changes, on 3 dates or more: × 2 if this hour
      of the day or this weekday never had any; otherwise × 0.5 if at least half of the runs of
      this hour or of this weekday had some. An hour or weekday counts when its runs that
      succeeded or changed something are of two dates or more. Hours and dates are UTC's.
    - *Back-off.* After n > 3 failed runs in a row, at least base × 2^(n-3).

    More change in a run that had some never makes the interval longer; nor does the first
    change in a run, unless a habit begins to show by it.
    """
    now = in_utc(now)
    recent = _recent(history, now)
    least, most = adaptive.least_minutes, adaptive.most_minutes
    minutes = float(adaptive.base_minutes)
    for factor in (
        _change_factor(recent),
        _quiet_factor(history),
        _error_factor(recent),
        _habit_factor(history, now),
    ):
        minutes = min(max(minutes * factor, least), most)
    minutes = min(max(minutes, adaptive.base_minutes * _back_off(history)), most)
    return timedelta(seconds=round(minutes * 60))


def _recent(history: Sequence[RunFact], now: datetime) -> Sequence[RunFact]:
    of_a_day = sum(1 for _ in takewhile(lambda run: now - run.started < _DAY, history))
    return history[: max(of_a_day, _AT_LEAST_RUNS)]


def _change_factor(recent: Sequence[RunFact]) -> float:
    listed, changed = sum(run.listed for run in recent), sum(run.changed for run in recent)
    if _exceeds(changed, listed, _VERY_MUCH_PERCENT):
        return 0.25
    return 0.5 if _exceeds(changed, listed, _MUCH_PERCENT) else 1


def _quiet_factor(history: Sequence[RunFact]) -> float:
    quiet = sum(1 for _ in takewhile(lambda run: not run.changed, _telling(history)))
    return float(1.5 ** min(max(quiet - _QUIET_RUNS, 0), _MOST_STEPS))


def _error_factor(recent: Sequence[RunFact]) -> float:
    listed, failed = sum(run.listed for run in recent), sum(run.failed for run in recent)
    return 1.5 if _exceeds(failed, listed, _MUCH_PERCENT) else 1


def _habit_factor(history: Sequence[RunFact], now: datetime) -> float:
    telling = [(in_utc(run.started), run.changed > 0) for run in _telling(history)]
    dates = [started.date() for started, changed in telling if changed]
    if len(dates) < _HABIT_RUNS or len(set(dates)) < _HABIT_DATES:
        return 1
    shares = (
        _share([(at, changed) for at, changed in telling if at.hour == now.hour]),
        _share([(at, changed) for at, changed in telling if at.weekday() == now.weekday()]),
    )
    if 0 in shares:
        return 2
    return 0.5 if any(share is not None and share >= 0.5 for share in shares) else 1


def _telling(history: Sequence[RunFact]) -> Iterator[RunFact]:
    """The runs that say whether anything changed: a failed one without changes does not."""
    return (run for run in history if run.succeeded or run.changed)


def _share(runs: list[tuple[datetime, bool]]) -> float | None:
    """Which part of these runs had changes; None if they are too few to tell."""
    if len({started.date() for started, _ in runs}) < _SEEN_DATES:
        return None
    return sum(changed for _, changed in runs) / len(runs)


def _back_off(history: Sequence[RunFact]) -> int:
    failed = sum(1 for _ in takewhile(lambda run: not run.succeeded, history))
    return 1 << min(max(failed - _FAILED_RUNS, 0), _MOST_STEPS) if failed > _FAILED_RUNS else 0


def _exceeds(part: int, whole: int, percent: int) -> bool:
    return part * 100 > whole * percent
