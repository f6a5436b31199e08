"""Following a run that others do: how far it is, and at its end the report that they have."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress

from msgspec import Struct

from syncline.core.errors import NotHere, SynclineError
from syncline.core.model import Json, Lane, Mode, RunId, RunState, WorkspaceId
from syncline.store.connections import ConnectionRow
from syncline.store.database import Connection
from syncline.store.jobs_read import JobRow, find_job
from syncline.store.runs_read import RunRow, list_runs, read_lines
from syncline.store.sync_queue import candidates, make_sync_jobs, take_back, workers_alive
from syncline.store.timetable import times_of
from syncline.sync.progress import progress_of
from syncline.sync.report import Progress, Report

__all__ = ["Joined", "join"]

_LOOK_SECONDS = 0.25
_MOST_WARNINGS = 101
_LAST_RUNS = 5
_PATIENCE_SECONDS = 3.0
"""After which a job that no worker has begun is taken back."""


class Joined(Struct, frozen=True):
    """What is followed: a run that was under way, or a job that a service was asked for."""

    run: int | None = None
    owner: str = ""
    job: int | None = None


async def join(
    db: Connection,
    row: ConnectionRow,
    *,
    ask: bool,
    on_joined: Callable[[Joined], None],
    on_progress: Callable[[Progress], None],
    stop: asyncio.Event,
) -> Report | None:
    """Follow the incremental run of a connection that others do; None where nobody does.

    `ask` the workers that there are for it, if none is under way.
    """
    runs = await list_runs(db, row.workspace_id, connection=row.id, limit=1)
    running = await _under_way(db, row)
    if running is not None:
        if running.mode != Mode.INCREMENTAL:
            return None
        on_joined(Joined(run=running.id, owner=running.owner))
        times = (await times_of(db, row.workspace_id))[row.id]
        return await _follow(db, row, times.job_id, running.id - 1, on_progress, stop, given=False)
    if not ask or not await workers_alive(db):
        return None
    found = await candidates(db, row.workspace_id, row.id)
    if not found or found[0].resting is not None:
        return None
    (job,) = await make_sync_jobs(db, found, {})
    on_joined(Joined(job=job))
    return await _follow(db, row, job, runs[0].id if runs else 0, on_progress, stop, given=True)


async def _under_way(db: Connection, row: ConnectionRow) -> RunRow | None:
    for run in await list_runs(db, row.workspace_id, connection=row.id, limit=_LAST_RUNS):
        if run.state == RunState.RUNNING and run.lane == Lane.CHANGES:
            return run
    return None


async def _follow(
    db: Connection,
    row: ConnectionRow,
    job: int | None,
    after: int,
    on_progress: Callable[[Progress], None],
    stop: asyncio.Event,
    *,
    given: bool,
) -> Report | None:
    """Wait for the end of the first run after the run `after`, or of the one that the job leads to
    where that one's holder dies. None where neither a run nor a job is left.

    A job that was `given` to workers is taken back if none of them has a hand free for it.
    """
    give_up = time.monotonic() + _PATIENCE_SECONDS
    latest: RunRow | None = None
    while True:
        work = None if job is None else await _job(db, row.workspace_id, job)
        runs = await list_runs(db, row.workspace_id, connection=row.id, limit=_LAST_RUNS)
        latest = next((run for run in runs if run.id > after and run.lane == Lane.CHANGES), latest)
        if latest is not None:
            state = RunState(latest.state)
            if state in (RunState.DONE, RunState.FAILED):
                return await _report(db, row, latest)
            if state is RunState.RUNNING:
                on_progress(_shown(latest.progress))
        if latest is None or latest.state != RunState.RUNNING:
            if work is None or (
                given and time.monotonic() > give_up and await take_back(db, work.id)
            ):
                return None
            _raise_if_over(work)
            on_progress(_waiting(work))
        if stop.is_set():
            return (
                Report(row.name, "incremental", row.kind)
                if latest is None
                else await _report(db, row, latest)
            )
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _LOOK_SECONDS)


async def _job(db: Connection, workspace: WorkspaceId, job: int) -> JobRow | None:
    try:
        return await find_job(db, workspace, job)
    except NotHere:
        return None  # it is done


def _raise_if_over(job: JobRow) -> None:
    if job.state in ("dead", "cancelled"):
        message = (job.error or {}).get("message")
        raise SynclineError(
            f"Job {job.id} is {job.state}" + (f": {message}" if message else "."),
            hint=f"`syncline jobs show {job.id}` has the details.",
        )


def _shown(noted: Mapping[str, Json] | None) -> Progress:
    found = progress_of(noted)
    if found is None:
        return Progress(message="begun")
    return Progress(found.listed, found.current, found.changed, found.written, found.message)


def _waiting(job: JobRow) -> Progress:
    message = (job.error or {}).get("message") if job.state == "waiting" else None
    return Progress(message=f"waiting: {message}" if message else "waiting for a worker")


async def _report(db: Connection, row: ConnectionRow, run: RunRow) -> Report:
    """As the one who did it would have it."""
    lines = await read_lines(db, row.workspace_id, RunId(run.id), "warning", limit=_MOST_WARNINGS)
    ended = run.ended_at or run.started_at
    counts = {name: int(value) for name, value in run.counts.items() if name != "gone"}
    return Report(
        row.name,
        run.mode,
        row.kind,
        run=run.id,
        state=RunState(run.state),
        seconds=(ended - run.started_at).total_seconds(),
        tally=Counter(counts),
        error=run.error,
        warnings=[line.reason for line in lines],
    )
