"""The data path: one pass over a connection, from its listing to a closed report.

Read `execute` from top to bottom; what it calls is beside it: `intake.py` decides what a listed
entry needs, `dispatch.py` fetches and sends batches to the workers, `finish.py` decides what is
gone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

import psycopg

from syncline.core.capabilities import Absence, Changes
from syncline.core.errors import (
    Fenced,
    SynclineError,
    UsageError,
)
from syncline.core.failpoints import Failpoint, hit
from syncline.core.model import Cursor, Lane, Mode, Partition, RunState
from syncline.core.ports import Connector, EmbedderInfo
from syncline.pipeline.chunk import Chunking
from syncline.pipeline.filter import Filter
from syncline.pipeline.fingerprint import pipeline_fingerprint, window_fingerprint
from syncline.security.vault import Vault
from syncline.store.batches import write_items
from syncline.store.connections import ConnectionRow
from syncline.store.cursors import read_cursors
from syncline.store.database import Connection, Database, moment
from syncline.store.manifest import failing, note_pipeline, pipeline_is, refresh_statistics
from syncline.store.models import announce_model
from syncline.store.results import MOST_FAILURES, Item
from syncline.store.runs import RunRef, close_run, session_name
from syncline.sync.aliases import settle_aliases
from syncline.sync.dispatch import Dispatcher
from syncline.sync.finish import finish, would_finish
from syncline.sync.intake import Intake
from syncline.sync.lane import taken_lane, told, until_fenced
from syncline.sync.opening import ConnectorOpener, Scope
from syncline.sync.pool import WorkerPool
from syncline.sync.report import Progress, Report
from syncline.sync.resemblance import compare_new
from syncline.sync.secrets import Credentials, secrets_for
from syncline.sync.tokens import StoredTokens
from syncline.sync.triage import Rules
from syncline.sync.work import RunContext

__all__ = ["RunRequest", "Tools", "execute", "run_connection"]

_log = logging.getLogger(__name__)
_context_ids = count(1)


@dataclass(frozen=True, slots=True)
class Tools:
    """What a run works with. Built by `bootstrap`."""

    database: Database
    opener: ConnectorOpener
    pool: WorkerPool
    embedder: EmbedderInfo
    vault: Vault
    started: float = field(default_factory=time.monotonic)
    """When the process was set up: of two, the younger one's embedder is wanted."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """Which pass is wanted."""

    connection: ConnectionRow
    mode: Mode = Mode.INCREMENTAL
    secrets: Credentials | None = None
    """In place of those that are stored: of a plan for a connection that is not there yet."""
    partitions: Sequence[str] = ()
    """Of a backfill: only these; all where none is named."""
    since: datetime | None = None
    """Of a backfill: only what was updated then or later."""
    wait: bool = False
    """Wait for another run of the lane to end, instead of being refused."""
    force: bool = False
    """End another run of the lane, and start."""
    on_progress: Callable[[Progress], None] = field(default=lambda progress: None)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    """Set to end early: what is written stays, and the next run goes on from there."""


async def run_connection(tools: Tools, request: RunRequest) -> Report:
    """Run once. The report says how it ended; only refusals are raised.

    Raises `RunInProgress`, `ConfigurationError`, or `DatabaseUnavailable` before the run is open.
    """
    connection = request.connection
    report = Report(connection.name, request.mode.value, connection.kind)
    started = time.monotonic()
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
        try:
            async with await tools.database.connect(application=session_name(run)) as db:
                _log.debug("Run %s of %s begins.", run.id, connection.name, extra={"run": run.id})
                progress = Progress()
                work = execute(tools, request, run, db, report, progress)
                await until_fenced(work, session, run, progress, started)
            report.state = RunState.INTERRUPTED if request.stop.is_set() else report.state
            if report.state is RunState.RUNNING:
                report.state = RunState.DONE
        except asyncio.CancelledError:
            report.state = RunState.INTERRUPTED
            await asyncio.shield(_close(session, run, report, started))
            raise
        except (SynclineError, psycopg.Error) as error:
            report.state = RunState.FAILED
            report.error = told(error)
        hit(Failpoint.RUN_BEFORE_CLOSE)
        await _close(session, run, report, started)
    hit(Failpoint.RUN_CLOSED)
    return report


async def execute(
    tools: Tools,
    request: RunRequest,
    run: RunRef,
    db: Connection,
    report: Report,
    progress: Progress,
) -> None:
    """The pass itself."""
    row = request.connection
    rules, context = await _rules(tools, request, run, db)
    await _announce(tools, context, db)

    def say(message: str) -> None:
        progress.message = message
        request.on_progress(progress)

    secrets = request.secrets or await secrets_for(
        db, tools.vault, tools.opener.spec(row.kind), row.workspace_id, row.id
    )
    async with tools.opener.open(
        row.kind,
        row.options,
        row.options_version,
        secrets.values,
        scope=_scope(tools, row, report, secrets.credential),
        tokens=_tokens(tools, row),
        progress=say,
        warn=report.warnings.append,
    ) as connector:
        # 1. Is the source there, and does it let us in? Nothing is gone because it does not.
        say("asking the source")
        await connector.check()
        partitions = _asked_for(await connector.partitions(), request.partitions)
        cursors = await _cursors(db, row, rules)
        dispatcher = Dispatcher(
            tools.pool,
            next(_context_ids),
            context,
            connector,
            rules.capabilities.local,
            report,
            progress,
            request.on_progress,
            db,
            request.stop,
        )
        async with dispatcher:
            intake = Intake(dispatcher, db, run, rules, request.stop)
            # 2. What failed before is tried again, where the listing may not name it.
            await _retry(intake, run, db, rules)
            say("reading the listing")
            # 3. Read what each partition lists; unchanged entries end here.
            for partition in partitions:
                if dispatcher.ended is None:
                    cursor = cursors.get(partition.id)
                    await intake.read(partition, _stream(connector, partition, cursor, rules.mode))
            # 4. The workers prepare and store what is left; the cursors follow.
            say("storing the rest")
            await dispatcher.drain()
            hit(Failpoint.LISTING_ENDED)
            if request.stop.is_set() or dispatcher.ended is not None:
                dispatcher.leave_aliases()
            else:
                await settle_aliases(dispatcher, db, run, rules.fingerprint)
            if rules.mode is not Mode.BACKFILL:
                await intake.store_cursors()
            if request.stop.is_set():
                return
            if dispatcher.ended is not None:
                raise dispatcher.ended
            if len(intake.errors) == len(partitions):
                raise intake.errors[0]
            # 5. What a complete enumeration did not name is gone; moves, guard, tombstones.
            say("looking for what is gone")
            if not context.plan:
                await refresh_statistics(db, written=progress.written)
            decide = would_finish if context.plan else finish
            await decide(
                db,
                run,
                row,
                connector,
                rules.capabilities.absence,
                dispatcher,
                enumerated=intake.complete and _enumerates(rules, request.mode),
                fingerprint=rules.fingerprint,
            )
    if not context.plan:
        # 6. What is new is compared with what is like it.
        say("comparing what is new")
        await compare_new(db, run.workspace_id, request.stop)
        if rules.mode is not Mode.BACKFILL:  # which has read a part only
            await note_pipeline(db, run, rules.window_fingerprint)
        await _end_of_report(db, run, report)


async def _rules(
    tools: Tools, request: RunRequest, run: RunRef, db: Connection
) -> tuple[Rules, RunContext]:
    """What decides about entries, here and in the workers."""
    row = request.connection
    wanted = Filter.model_validate(dict(row.filter))
    now = None
    if wanted.updated_within is not None:
        now = await moment(db)
        wanted = wanted.at(now)
    if request.since is not None:
        since = max(request.since, wanted.updated_since or request.since)
        wanted = wanted.model_copy(update={"updated_since": since})
    fingerprint = pipeline_fingerprint(wanted, Chunking())
    rules = Rules(
        capabilities=tools.opener.spec(row.kind).capabilities,
        filter=wanted,
        mode=request.mode,
        fingerprint=fingerprint,
        window_fingerprint=window_fingerprint(fingerprint, wanted),
        recheck=row.recheck_seconds,
    )
    context = RunContext(
        run=run,
        database=tools.database.parameters,
        kind=row.kind,
        options=row.options,
        options_version=row.options_version,
        filter=wanted.model_dump(mode="json", exclude_unset=True),
        now=now,
        plan=request.mode is Mode.PLAN,
    )
    return rules, context


def _tokens(tools: Tools, row: ConnectionRow) -> StoredTokens | None:
    """Where a stored connection's OAuth tokens are renewed."""
    if not row.id:
        return None
    return StoredTokens(tools.database.connection, tools.vault, row.workspace_id, row.id)


async def _announce(tools: Tools, context: RunContext, db: Connection) -> None:
    """The workers are about to embed with this model; a plan only imagines it."""
    if not context.plan:
        age = time.monotonic() - tools.started
        await announce_model(db, context.run.workspace_id, tools.embedder, age=age)


def _scope(
    tools: Tools, row: ConnectionRow, report: Report, credential: str | None
) -> Scope | None:
    """For whom the source is asked; None for a connection that a plan only imagines."""
    if not row.id:
        return None
    return Scope(
        row.workspace_id,
        row.id,
        tools.database.connection,
        count=lambda name: report.add({name: 1}),
        warn=report.warnings.append,
        credential=credential,
    )


async def _retry(intake: Intake, run: RunRef, db: Connection, rules: Rules) -> None:
    """A feed does not name again what failed, nor what another pipeline has read."""
    if rules.capabilities.changes is not Changes.FEED or rules.mode is Mode.BACKFILL:
        return
    await intake.retry(await failing(db, run, most=MOST_FAILURES))
    if not await pipeline_is(db, run, rules.window_fingerprint):
        await intake.reread()


async def _cursors(db: Connection, row: ConnectionRow, rules: Rules) -> Mapping[str, Cursor]:
    """Where each partition's feed was read up to; none where all is to be read again."""
    if rules.mode in (Mode.FULL, Mode.BACKFILL):
        return {}
    return await read_cursors(db, row.workspace_id, row.id)


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


def _enumerates(rules: Rules, mode: Mode) -> bool:
    """Whether this run, if complete, names every live entry."""
    if rules.capabilities.absence is Absence.NOTHING or mode is Mode.BACKFILL:
        return False
    return rules.capabilities.changes is Changes.LISTING or mode is Mode.RECONCILE


async def _end_of_report(session: Connection, run: RunRef, report: Report) -> None:
    if report.warnings:
        shown = report.warnings[:100]
        if len(report.warnings) > len(shown):
            shown.append(f"… and {len(report.warnings) - len(shown)} more warnings")
        await write_items(session, run, [Item("warning", None, text) for text in shown])


async def _close(session: Connection, run: RunRef, report: Report, started: float) -> None:
    report.seconds = time.monotonic() - started
    try:
        await close_run(session, run, report.state, report.counts, report.error)
    except Fenced as error:
        report.state, report.error = RunState.FAILED, told(error)
    except psycopg.Error as error:
        # The row stays `running`; the next run sees that our session is gone.
        report.state = RunState.FAILED
        report.error = report.error or told(error)
