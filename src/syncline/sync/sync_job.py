"""The job `sync`: one run of a connection, and what its end means for the job.

A run of several partitions is shared out: the job waits while each of them is a job of its own, and
closes the run when they have ended (`shared.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from syncline.core.errors import NotHere, RunInProgress
from syncline.core.jobs import ClaimedJob, Done, HandedOn, Handler, Outcome, Snooze
from syncline.core.model import Mode
from syncline.store.parts import find_shared, rest
from syncline.store.timetable import connection_by_id
from syncline.store.workspaces import workspace_name
from syncline.sync.job_outcome import TAKEN_SECONDS, outcome_of
from syncline.sync.report import Report
from syncline.sync.run import RunRequest, Tools, run_connection
from syncline.sync.shared import close_run_of, sharing
from syncline.telemetry.context import bound

__all__ = ["RECONCILE", "SYNC", "sync_handler"]

SYNC = "sync"
RECONCILE = "reconcile"
"""The same, of the other lane: it waits for no sync, and no sync for it."""
_VERSION = 1


def sync_handler(tools: Tools, on_report: Callable[[Report], None]) -> Handler:
    """What does jobs of these kinds. Payload: `mode`, as of `Mode`, and `force`; of a run that it
    has shared out `run`, `epoch` and `pipeline`."""

    async def handle(job: ClaimedJob, stop: asyncio.Event) -> Outcome:
        assert job.connection_id is not None
        if job.version > _VERSION:
            return Snooze(
                TAKEN_SECONDS,
                {"code": "newer", "message": "A newer Syncline has made it, and has to do it."},
            )
        force = bool(job.payload.get("force", False))
        try:
            async with tools.database.brief_connection() as db:
                row = await connection_by_id(db, job.workspace_id, job.connection_id)
                workspace = await workspace_name(db, job.workspace_id)
                shared = None if force else await find_shared(db, job)
                if shared is not None and await rest(db, shared.ref, job):
                    return HandedOn()
        except NotHere:
            return Done()  # it was removed meanwhile
        with bound(workspace=workspace, connection=row.name, job=job.id):
            try:
                if shared is not None:
                    report = await close_run_of(tools, job, shared, row, stop)
                else:
                    request = RunRequest(
                        row,
                        Mode(str(job.payload.get("mode", Mode.INCREMENTAL.value))),
                        force=force,
                        share_out=sharing(job),
                        stop=stop,
                    )
                    report = await run_connection(tools, request)
            except RunInProgress as error:
                return Snooze(TAKEN_SECONDS, {"code": "run_in_progress", "message": str(error)})
            if report.shared:
                return HandedOn()
            on_report(report)
            return await outcome_of(tools, job, report)

    return handle
