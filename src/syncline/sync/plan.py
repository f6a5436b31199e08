"""A plan: what a sync would do. The data path of a run, in which nothing is written.

The tables that a run notes its progress in are shadowed by temporary ones of the same name, so
that the same statements serve; they go with the session.
"""

from __future__ import annotations

import time

import psycopg

from syncline.core.errors import SynclineError
from syncline.core.model import Mode, RunId, RunState
from syncline.store.runs import RunRef
from syncline.sync.lane import told
from syncline.sync.report import Progress, Report
from syncline.sync.run import RunRequest, Tools, execute

__all__ = ["plan_connection"]

_SHADOWS = (
    "CREATE TEMPORARY TABLE run_seen (LIKE syncline.run_seen INCLUDING INDEXES)",
    (
        "CREATE TEMPORARY TABLE runs (workspace_id bigint, id bigint, started_at timestamptz,"
        " epoch integer, state text)"
    ),
)


async def plan_connection(tools: Tools, request: RunRequest) -> Report:
    """Read the source and decide everything, but write nothing. Needs no lane.

    `request.mode` must be `PLAN`; its connection need not be stored. Raises as a run does
    before it is open; afterwards the report says how it ended.
    """
    assert request.mode is Mode.PLAN
    row = request.connection
    report = Report(row.name, request.mode.value)
    started = time.monotonic()
    async with await tools.database.connect(application="syncline plan") as db:
        for statement in _SHADOWS:
            await db.execute(statement)
        found = await db.execute(
            "INSERT INTO runs VALUES (%s, 9223372036854775807, clock_timestamp(), 1, 'running')"
            " RETURNING id, epoch",
            (row.workspace_id,),
        )
        made = await found.fetchone()
        assert made is not None
        run = RunRef(row.workspace_id, row.id, RunId(made[0]), made[1])
        try:
            await execute(tools, request, run, db, report, Progress())
            stopped = request.stop.is_set()
            report.state = RunState.INTERRUPTED if stopped else RunState.DONE
        except (SynclineError, psycopg.Error) as error:
            report.state = RunState.FAILED
            report.error = told(error)
    report.seconds = time.monotonic() - started
    return report
