"""The job `sync`: one run of a connection, and what its end means for the job."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from syncline.core.errors import NotHere, RunInProgress
from syncline.core.jobs import (
    ClaimedJob,
    Dead,
    Done,
    Handler,
    Outcome,
    Released,
    Retry,
    Snooze,
    retry_after,
)
from syncline.core.model import Json, Mode, RunState
from syncline.store.timetable import connection_by_id, note_attention
from syncline.store.workspaces import workspace_name
from syncline.sync.report import Report
from syncline.sync.run import RunRequest, Tools, run_connection
from syncline.telemetry.context import bound

__all__ = ["RECONCILE", "SYNC", "sync_handler"]

SYNC = "sync"
RECONCILE = "reconcile"
"""The same, of the other lane: it waits for no sync, and no sync for it."""
_VERSION = 1
_TAKEN_SECONDS = 30.0
_LIMITED_SECONDS = 60.0
# The quota or the breaker is asked again then, which costs the source nothing.
_LONGEST_SECONDS = 3600.0
_LATER = ("rate_limited", "breaker_open")
# What no further attempt can mend: a person has to.
_NEEDS_A_PERSON = ("unauthorized", "ConfigurationError")


def sync_handler(tools: Tools, on_report: Callable[[Report], None]) -> Handler:
    """What does jobs of these kinds. Payload: `mode`, as of `Mode`, and `force`."""

    async def handle(job: ClaimedJob, stop: asyncio.Event) -> Outcome:
        assert job.connection_id is not None
        if job.version > _VERSION:
            return Snooze(
                _TAKEN_SECONDS,
                {"code": "newer", "message": "A newer Syncline has made it, and has to do it."},
            )
        try:
            async with tools.database.connection() as db:
                row = await connection_by_id(db, job.workspace_id, job.connection_id)
                workspace = await workspace_name(db, job.workspace_id)
        except NotHere:
            return Done()  # it was removed meanwhile
        request = RunRequest(
            row,
            Mode(str(job.payload.get("mode", Mode.INCREMENTAL.value))),
            force=bool(job.payload.get("force", False)),
            stop=stop,
        )
        with bound(workspace=workspace, connection=row.name, job=job.id):
            try:
                report = await run_connection(tools, request)
            except RunInProgress as error:
                return Snooze(_TAKEN_SECONDS, {"code": "run_in_progress", "message": str(error)})
            on_report(report)
            return await _outcome(tools, job, report)

    return handle


async def _outcome(tools: Tools, job: ClaimedJob, report: Report) -> Outcome:
    if report.state is RunState.INTERRUPTED:
        return Released()
    error = report.error
    if report.state is not RunState.FAILED or error is None:
        return Done()
    code = str(error.get("code"))
    if code in _NEEDS_A_PERSON:
        assert job.connection_id is not None
        async with tools.database.connection() as db:
            await note_attention(db, job.workspace_id, job.connection_id, error)
        return Dead(error)
    if code in _LATER:
        return Snooze(_snooze_seconds(error.get("retry_after"), random.random()), error)  # noqa: S311
    return Retry(retry_after(job.attempts, chance=random.random()), error)  # noqa: S311


def _snooze_seconds(told: Json, chance: float) -> float:
    """As long as was told, a minute if nothing was, at most an hour; and up to a tenth more, so
    that those who were told the same do not come back at once."""
    seconds = float(told) if isinstance(told, int | float) else _LIMITED_SECONDS
    return min(max(seconds, 1.0), _LONGEST_SECONDS) * (1 + chance / 10)
