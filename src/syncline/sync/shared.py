"""A run that many workers share: how it is shared out, and the jobs that it then consists of."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

import psycopg
from msgspec import convert, to_builtins

from syncline.core.errors import ConfigurationError, Fenced, NotHere, SynclineError, source_error
from syncline.core.failpoints import Failpoint, hit
from syncline.core.jobs import ClaimedJob, Done, Handler, Outcome
from syncline.core.model import Cursor, Json, Partition, RunState
from syncline.store import parts
from syncline.store.connections import ConnectionRow
from syncline.store.database import Connection
from syncline.store.parts import Part, SharedRun
from syncline.store.runs import SESSION, RunRef, name_session, resume_run
from syncline.store.timetable import connection_by_id
from syncline.store.workspaces import workspace_name
from syncline.sync.job_outcome import NEEDS_A_PERSON, outcome_of
from syncline.sync.lane import holding, told, until_fenced
from syncline.sync.report import Progress, Report
from syncline.sync.request import RunRequest, ShareOut, Tools
from syncline.sync.run import close_shared, ending, read_partition, write_warnings
from syncline.sync.stage import Stage, opened
from syncline.sync.work import WorkItem
from syncline.telemetry.context import bound

__all__ = ["close_run_of", "partition_handler", "sharing"]


def sharing(job: ClaimedJob) -> ShareOut:
    """Makes the partitions of the run that this job has opened jobs of their own."""

    async def share_out(stage: Stage, partitions: Sequence[Partition]) -> None:
        await write_warnings(stage.db, stage.run, stage.report)
        await parts.share_out(
            stage.db,
            stage.run,
            job,
            partitions,
            counts=stage.report.tally,
            pipeline=stage.rules.window_fingerprint,
        )

    return share_out


# --- a partition ---------------------------------------------------------------------------------


def partition_handler(tools: Tools) -> Handler:
    """What does jobs of this kind. Payload: `run` and `epoch`, the `part`, and the `job` that waits
    for its end."""

    async def handle(job: ClaimedJob, stop: asyncio.Event) -> Outcome:
        assert job.connection_id is not None
        try:
            async with tools.database.brief_connection() as db:
                row = await connection_by_id(db, job.workspace_id, job.connection_id)
                workspace = await workspace_name(db, job.workspace_id)
                shared = await parts.find_shared(db, job)
        except NotHere:
            return Done()  # it was removed meanwhile
        if shared is None:
            return Done()  # the run is over, or another's
        report = Report(row.name, shared.mode.value, row.kind, run=shared.ref.id)
        with bound(workspace=workspace, connection=row.name, job=job.id):
            try:
                await _read_part(tools, job, shared, row, report, stop)
            except Fenced:
                return Done()  # so is this
            except (SynclineError, psycopg.Error) as error:
                report.state, report.error = RunState.FAILED, told(error)
            return await outcome_of(tools, job, report, whole=False)

    return handle


async def _read_part(
    tools: Tools,
    job: ClaimedJob,
    shared: SharedRun,
    row: ConnectionRow,
    report: Report,
    stop: asyncio.Event,
) -> None:
    async with tools.database.connection(application=SESSION) as session:
        begun = await parts.begin_part(session, shared.ref, int(job.payload["part"]), job.epoch)
        if begun is not None:
            run, partition, report.tally = begun
            assert partition is not None
            hit(Failpoint.PART_BEGUN)
            await name_session(session, run)
            request = RunRequest(row, shared.mode, began=shared.started_at, stop=stop)
            progress = Progress()
            work = _read(tools, request, run, session, partition, report, progress)
            await until_fenced(work, tools.database, run, progress, time.monotonic())
        if report.state is not RunState.INTERRUPTED:
            await parts.call_closer(session, shared.ref, int(job.payload["job"]))


async def _read(
    tools: Tools,
    request: RunRequest,
    run: RunRef,
    db: Connection,
    partition: Partition,
    report: Report,
    progress: Progress,
) -> None:
    async with opened(tools, request, run, db, report, progress) as stage:
        await read_partition(stage, partition)
        if stage.stopped:
            report.state = RunState.INTERRUPTED
            return
        cursor, aliases = stage.intake.set_aside(partition.id)
        await write_warnings(db, run, report)
        await parts.end_part(
            db,
            run,
            counts=report.tally,
            progress=progress.as_noted(None, 0),
            cursor=cursor,
            aliases=to_builtins(aliases) if aliases else None,
        )


# --- the closing ---------------------------------------------------------------------------------


async def close_run_of(
    tools: Tools, job: ClaimedJob, shared: SharedRun, row: ConnectionRow, stop: asyncio.Event
) -> Report:
    """Decide what all partitions had to be read for, and close the run.

    Stopped early, the run stays open, for the next who claims the job. Raises `RunInProgress`.
    """
    report = Report(row.name, shared.mode.value, row.kind, run=shared.ref.id)
    async with holding(tools.database) as session:
        try:
            await resume_run(session, shared.ref, shared.mode.lane)
            begun = await parts.begin_part(session, shared.ref, shared.parts + 1, job.epoch)
        except Fenced:
            begun = None
        if begun is None:  # the job is cancelled with the run, or begins another one
            report.state = RunState.INTERRUPTED
            return report
        run, _, report.tally = begun
        await name_session(session, run)
        hit(Failpoint.CLOSING_BEGUN)
        request = RunRequest(row, shared.mode, began=shared.started_at, stop=stop)
        ended = ending(tools.database, session, shared.ref, report, stop, ago=shared.seconds)
        async with ended as started:
            progress = Progress()
            pipeline = bytes.fromhex(str(job.payload["pipeline"]))
            work = _close(tools, request, run, session, pipeline, report, progress)
            await until_fenced(work, tools.database, run, progress, started)
    return report


async def _close(
    tools: Tools,
    request: RunRequest,
    run: RunRef,
    db: Connection,
    pipeline: bytes,
    report: Report,
    progress: Progress,
) -> None:
    found = await parts.read_parts(db, run)
    for part in found:
        if part.part != run.part:
            report.add(part.counts)
    complete = _complete(found, report)
    async with opened(tools, request, run, db, report, progress) as stage:
        for part in found:
            if part.partition is not None and part.aliases:
                cursor = None if part.cursor is None else Cursor(**part.cursor)
                aliases = convert(part.aliases, list[tuple[WorkItem, str]])
                stage.intake.take_up(part.partition, cursor, aliases)
        await close_shared(stage, complete=complete, pipeline=pipeline)
        report.shared = stage.stopped


def _complete(found: Sequence[Part], report: Report) -> bool:
    """Whether every partition was read with nothing left out; tells which were not.

    Raises what ended the run: a refused credential, or whatever each of them died of.
    """
    partitions = [part for part in found if part.partition is not None]
    died = [part for part in partitions if not part.over]
    errors = [dict(part.error or {"code": "cancelled", "message": "cancelled"}) for part in died]
    for error in errors:
        if error.get("code") in NEEDS_A_PERSON or len(died) == len(partitions):
            raise _as_raised(error)
    for part, error in zip(died, errors, strict=True):
        name = part.title or part.partition or "a partition"
        report.leave_out(f"{name}: {error.get('message')}", error.get("hint"))
    if report.tally["incomplete"]:
        report.tally["incomplete"] = 1
    return not report.tally["incomplete"]


def _as_raised(error: Mapping[str, Json]) -> SynclineError:
    """The error that a job has died of."""
    code, message = str(error.get("code")), str(error.get("message"))
    raised: SynclineError = source_error(code, message)
    if code == ConfigurationError.__name__:
        raised = ConfigurationError(message)
    raised.hint = error.get("hint")
    return raised
