"""The data path: one pass over a connection, from its listing to a closed report.

Read `execute` from top to bottom; what it calls is beside it: `intake.py` decides what a listed
entry needs, `dispatch.py` fetches and sends batches to the workers, `finish.py` decides what is
gone. Where there are workers, a run of several partitions is read by all of them: `execute` opens
it, a `read_partition` reads each, the last one's end calls for `close_shared` (`shared.py`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

import psycopg

from syncline.core.capabilities import Absence, Changes
from syncline.core.errors import DatabaseUnavailable, Fenced, SynclineError, UsageError
from syncline.core.failpoints import Failpoint, hit
from syncline.core.model import Cursor, Lane, Mode, Partition, RunState
from syncline.core.ports import Connector
from syncline.store.batches import write_items
from syncline.store.cursors import read_cursors
from syncline.store.database import Connection, Database
from syncline.store.manifest import failing, note_pipeline, pipeline_is, refresh_statistics
from syncline.store.results import MOST_FAILURES, Item
from syncline.store.runs import RunRef, close_run, hold
from syncline.sync.aliases import settle_aliases
from syncline.sync.finish import finish, would_finish
from syncline.sync.lane import taken_lane, told, until_fenced
from syncline.sync.report import Progress, Report
from syncline.sync.request import RunRequest, Tools
from syncline.sync.resemblance import compare_new
from syncline.sync.stage import Stage, opened

__all__ = [
    "RunRequest",
    "Tools",
    "close_shared",
    "ending",
    "execute",
    "read_partition",
    "run_connection",
    "write_warnings",
]

_log = logging.getLogger(__name__)


async def run_connection(tools: Tools, request: RunRequest) -> Report:
    """Run once. The report says how it ended; only refusals are raised.

    One whose partitions were shared out is `running` still. Raises `RunInProgress`,
    `ConfigurationError`, or `DatabaseUnavailable` before the run is open.
    """
    connection = request.connection
    report = Report(connection.name, request.mode.value, connection.kind)
    async with taken_lane(
        tools.database,
        connection,
        request.mode,
        force=request.force,
        wait=request.wait,
        stop=request.stop,
    ) as (session, run):
        report.run = run.id
        hit(Failpoint.RUN_OPENED)
        _log.debug("Run %s of %s begins.", run.id, connection.name, extra={"run": run.id})
        async with ending(tools.database, session, run, report, request.stop) as started:
            progress = Progress()
            work = execute(tools, request, run, session, report, progress)
            await until_fenced(work, tools.database, run, progress, started)
    return report


@asynccontextmanager
async def ending(
    database: Database,
    session: Connection,
    run: RunRef,
    report: Report,
    stop: asyncio.Event,
    *,
    ago: float = 0.0,
) -> AsyncIterator[float]:
    """Close the run that is worked at within, whatever comes of it; unless it was shared out.

    Gives the monotonic time that it began at, which was some seconds `ago`. Its session is not used
    any more where it failed: nobody knows what it was at.
    """
    started = time.monotonic() - ago
    closing: AbstractAsyncContextManager[Connection] = nullcontext(session)
    try:
        yield started
        if report.shared:
            return
        report.state = RunState.INTERRUPTED if stop.is_set() else RunState.DONE
    except asyncio.CancelledError:
        report.state = RunState.INTERRUPTED
        await asyncio.shield(_close(database.brief_connection(), run, report, started))
        raise
    except (SynclineError, psycopg.Error) as error:
        report.state = RunState.FAILED
        report.error = told(error)
        closing = database.brief_connection()
    hit(Failpoint.RUN_BEFORE_CLOSE)
    await _close(closing, run, report, started)
    if report.state is RunState.FAILED:
        await session.close()
    hit(Failpoint.RUN_CLOSED)


async def execute(
    tools: Tools,
    request: RunRequest,
    run: RunRef,
    db: Connection,
    report: Report,
    progress: Progress,
) -> None:
    """The pass itself."""
    async with opened(tools, request, run, db, report, progress) as stage:
        # 1. Is the source there, and does it let us in? Nothing is gone because it does not.
        stage.say("asking the source")
        await stage.connector.check()
        partitions = _asked_for(await stage.connector.partitions(), request.partitions)
        async with stage.dispatcher:
            # 2. What failed before is tried again, where the listing may not name it.
            await _retry(stage)
            # 3. Where there are several workers, several partitions are theirs.
            if request.share_out is not None and len(partitions) > 1 and stage.asks_on:
                await stage.dispatcher.drain()
                if stage.asks_on:
                    await request.share_out(stage, partitions)
                    report.shared = True
                    return
            # 4. Read what each partition lists; unchanged entries end here.
            stage.say("reading the listing")
            cursors = await _cursors(stage)
            for partition in partitions:
                if stage.asks_on:
                    await _read(stage, partition, cursors)
            # 5. The workers prepare and store what is left; the cursors follow.
            await _store_the_rest(stage)
            await _settle_aliases(stage)
            if request.mode is not Mode.BACKFILL:
                await stage.intake.store_cursors()
            if stage.stopped:
                return
            if stage.dispatcher.ended is not None:
                raise stage.dispatcher.ended
            if len(stage.intake.errors) == len(partitions):
                raise stage.intake.errors[0]
            # 6. What a complete enumeration did not name is gone; moves, guard, tombstones.
            await _find_gone(stage, complete=stage.intake.complete)
    if not stage.plan:
        # 7. What is new is compared with what is like it.
        await _compare(stage)
        if request.mode is not Mode.BACKFILL:  # which has read a part only
            await note_pipeline(db, run, stage.rules.window_fingerprint)
        await write_warnings(db, run, report)


async def read_partition(stage: Stage, partition: Partition) -> None:
    """One partition of a run that many share: steps 4 and 5, but for what all must be read for.

    What refers to another's document stays in `stage.dispatcher.aliases`. Raises what ended it.
    """
    async with stage.dispatcher:
        stage.say(f"reading {partition.title or partition.id}")
        await _read(stage, partition, await _cursors(stage))
        await _store_the_rest(stage)
        await stage.intake.store_cursors()
        if stage.dispatcher.ended is not None:
            raise stage.dispatcher.ended
        if stage.intake.errors:
            raise stage.intake.errors[0]


async def close_shared(stage: Stage, *, complete: bool, pipeline: bytes) -> None:
    """The end of a run that many have shared: steps 5 to 7, when all partitions are read.

    `complete`: whether each of them was, with nothing left out; `pipeline` is what they were to be
    read by. `stage.intake` and `stage.dispatcher` have what they left to be decided.
    """
    async with stage.dispatcher:
        await _settle_aliases(stage)
        await stage.intake.store_cursors()
        if stage.stopped:
            return
        if stage.dispatcher.ended is not None:
            raise stage.dispatcher.ended
        await _find_gone(stage, complete=complete)
    await _compare(stage)
    await note_pipeline(stage.db, stage.run, pipeline)
    await write_warnings(stage.db, stage.run, stage.report)


# --- the steps -----------------------------------------------------------------------------------


async def _retry(stage: Stage) -> None:
    """A feed does not name again what failed, nor what another pipeline has read."""
    rules = stage.rules
    if rules.capabilities.changes is not Changes.FEED or rules.mode is Mode.BACKFILL:
        return
    await stage.intake.retry(await failing(stage.db, stage.run, most=MOST_FAILURES))
    if not await pipeline_is(stage.db, stage.run, rules.window_fingerprint):
        await stage.intake.reread()


async def _cursors(stage: Stage) -> Mapping[str, Cursor]:
    """Where each partition's feed was read up to; none where all is to be read again."""
    if stage.rules.mode in (Mode.FULL, Mode.BACKFILL):
        return {}
    return await read_cursors(stage.db, stage.run.workspace_id, stage.run.connection_id)


async def _read(stage: Stage, partition: Partition, cursors: Mapping[str, Cursor]) -> None:
    cursor = cursors.get(partition.id)
    stream = _stream(stage.connector, partition, cursor, stage.rules.mode)
    await stage.intake.read(partition, stream)


async def _store_the_rest(stage: Stage) -> None:
    stage.say("storing the rest")
    await stage.dispatcher.drain()
    hit(Failpoint.LISTING_ENDED)


async def _settle_aliases(stage: Stage) -> None:
    """Who is whose document, if the source can still be asked."""
    if not stage.asks_on:
        stage.dispatcher.leave_aliases()
    else:
        await settle_aliases(stage.dispatcher, stage.db, stage.run, stage.rules.fingerprint)


async def _find_gone(stage: Stage, *, complete: bool) -> None:
    stage.say("looking for what is gone")
    if not stage.plan:
        await refresh_statistics(stage.db, written=stage.progress.written)
    decide = would_finish if stage.plan else finish
    await decide(
        stage.db,
        stage.run,
        stage.request.connection,
        stage.connector,
        stage.rules.capabilities.absence,
        stage.dispatcher,
        enumerated=complete and _enumerates(stage),
        fingerprint=stage.rules.fingerprint,
    )


async def _compare(stage: Stage) -> None:
    stage.say("comparing what is new")
    await compare_new(stage.db, stage.run.workspace_id, stage.request.stop)


def _asked_for(there: Sequence[Partition], names: Sequence[str]) -> Sequence[Partition]:
    """The partitions of these ids or titles; all where none is named. Raises `UsageError`."""
    chosen = [each for each in there if not names or each.id in names or each.title in names]
    known = {name for each in there for name in (each.id, each.title)}
    missing = [name for name in names if name not in known]
    if missing:
        few = ", ".join(each.id for each in there[:20]) + (" …" if len(there) > 20 else "")
        raise UsageError(f"There is no partition {missing[0]!r}.", hint=f"There are: {few}.")
    return chosen


def _stream(
    connector: Connector, partition: Partition, cursor: Any, mode: Mode
) -> AsyncIterator[Any]:
    if mode.lane is Lane.RECONCILE:
        return connector.enumerate(partition)
    return connector.changes(partition, cursor)


def _enumerates(stage: Stage) -> bool:
    """Whether this run, if complete, names every live entry."""
    capabilities, mode = stage.rules.capabilities, stage.rules.mode
    if capabilities.absence is Absence.NOTHING or mode is Mode.BACKFILL:
        return False
    return capabilities.changes is Changes.LISTING or mode is Mode.RECONCILE


async def write_warnings(db: Connection, run: RunRef, report: Report) -> None:
    """Put what there is to warn of into the run's report. Raises `Fenced`."""
    if report.warnings:
        shown = report.warnings[:100]
        if len(report.warnings) > len(shown):
            shown.append(f"… and {len(report.warnings) - len(shown)} more warnings")
        async with db.transaction():
            await hold(db, run)
            await write_items(db, run, [Item("warning", None, text) for text in shown])


async def _close(
    closing: AbstractAsyncContextManager[Connection], run: RunRef, report: Report, started: float
) -> None:
    report.seconds = time.monotonic() - started
    try:
        async with closing as db:
            await close_run(db, run, report.state, report.counts, report.error)
    except Fenced as error:
        report.state, report.error = RunState.FAILED, told(error)
    except (psycopg.Error, DatabaseUnavailable) as error:
        # The row stays `running`; the next run sees that our session is gone.
        report.state = RunState.FAILED
        report.error = report.error or told(error)
