"""What the end of a run, or of one partition, means for the job that asked for it."""

from __future__ import annotations

import random

from syncline.core.errors import DatabaseLost, DatabaseUnavailable, Fenced
from syncline.core.jobs import (
    ATTEMPTS,
    ClaimedJob,
    Dead,
    Done,
    Lost,
    Outcome,
    Released,
    Retry,
    Snooze,
    retry_after,
)
from syncline.core.model import Json, RunState
from syncline.store.runs import was_done_since
from syncline.store.timetable import REFUSED, note_attention, note_refused
from syncline.sync.report import Report
from syncline.sync.request import Tools

__all__ = ["NEEDS_A_PERSON", "TAKEN_SECONDS", "outcome_of"]

_LIMITED_SECONDS = 60.0
# The quota or the breaker is asked again then, which costs the source nothing.
_LONGEST_SECONDS = 3600.0
_DATABASE_SECONDS = 30.0
_LATER = ("rate_limited", "breaker_open")
TAKEN_SECONDS = 30.0
"""For which a job waits whose connection somebody else syncs at the moment."""
NEEDS_A_PERSON = ("unauthorized", "ConfigurationError")
"""Codes of what no further attempt can mend."""


async def outcome_of(
    tools: Tools, job: ClaimedJob, report: Report, *, whole: bool = True
) -> Outcome:
    """What becomes of the job. Notes it at the connection if a person has to do something.

    `whole`: it was a run, and not one partition of it.
    """
    if report.state is RunState.INTERRUPTED:
        return Released()
    error = report.error
    if report.state is not RunState.FAILED or error is None:
        return Done()
    code = str(error.get("code"))
    if code in NEEDS_A_PERSON:
        assert job.connection_id is not None
        of = (job.workspace_id, job.connection_id)
        async with tools.database.brief_connection() as db, db.transaction():
            if report.run is None or not await was_done_since(db, *of, report.run):
                await note_attention(db, *of, error)
        return Dead(error)
    if code in _LATER:
        return Snooze(_snooze_seconds(error.get("retry_after"), random.random()), error)  # noqa: S311
    if code == Fenced.__name__:  # with `--force`, or because we were not heard of
        return Snooze(_snooze_seconds(TAKEN_SECONDS, random.random()), error)  # noqa: S311
    if code == DatabaseLost.__name__:
        return Lost(_snooze_seconds(_DATABASE_SECONDS, random.random()), error)  # noqa: S311
    if code == DatabaseUnavailable.__name__:  # not the job's fault: no attempt is counted
        return Snooze(_snooze_seconds(_DATABASE_SECONDS, random.random()), error)  # noqa: S311
    if whole and code in REFUSED and job.attempts >= ATTEMPTS:
        assert job.connection_id is not None
        async with tools.database.brief_connection() as db:
            await note_refused(db, job.workspace_id, job.connection_id, error)
    return Retry(retry_after(job.attempts, chance=random.random()), error)  # noqa: S311


def _snooze_seconds(told: Json, chance: float) -> float:
    """As long as was told, a minute if nothing was, at most an hour; and up to a tenth more, so
    that those who were told the same do not come back at once."""
    seconds = float(told) if isinstance(told, int | float) else _LIMITED_SECONDS
    return min(max(seconds, 1.0), _LONGEST_SECONDS) * (1 + chance / 10)
