"""What each stage of a run works with: its source, opened, and what decides about entries."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count

from msgspec import Struct

from syncline.core.model import Mode
from syncline.core.ports import Connector
from syncline.pipeline.chunk import Chunking
from syncline.pipeline.filter import Filter
from syncline.pipeline.fingerprint import pipeline_fingerprint, window_fingerprint
from syncline.store.connections import ConnectionRow
from syncline.store.database import Connection, moment
from syncline.store.models import announce_model
from syncline.store.runs import RunRef
from syncline.store.status_read import fresh_at
from syncline.sync.dispatch import Dispatcher
from syncline.sync.intake import Intake
from syncline.sync.opening import Scope
from syncline.sync.report import Progress, Report
from syncline.sync.request import RunRequest, Tools
from syncline.sync.secrets import secrets_for
from syncline.sync.tokens import StoredTokens
from syncline.sync.triage import Rules
from syncline.sync.work import RunContext

__all__ = ["Stage", "opened"]

_context_ids = count(1)
_OVERLAP = timedelta(hours=1)
"""The source's clock may be behind ours."""


class Stage(Struct, frozen=True):
    """One process's share of a run, from the opening of the source to its closing."""

    request: RunRequest
    run: RunRef
    db: Connection
    rules: Rules
    connector: Connector
    dispatcher: Dispatcher
    intake: Intake
    report: Report
    progress: Progress

    @property
    def plan(self) -> bool:
        """Whether nothing is to be written."""
        return self.dispatcher.plan

    @property
    def stopped(self) -> bool:
        """Whether to end early: what is written stays."""
        return self.request.stop.is_set()

    @property
    def asks_on(self) -> bool:
        """Whether the source is still to be asked."""
        return not self.stopped and self.dispatcher.ended is None

    def say(self, message: str) -> None:
        """Tell a person what it is at."""
        self.progress.message = message
        self.request.on_progress(self.progress)


@asynccontextmanager
async def opened(
    tools: Tools,
    request: RunRequest,
    run: RunRef,
    db: Connection,
    report: Report,
    progress: Progress,
) -> AsyncIterator[Stage]:
    """The source of a connection, and what reads it. `stage.dispatcher` is to be entered."""
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
        since=rules.since,
    ) as connector:
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
        intake = Intake(dispatcher, db, run, rules, request.stop, row.filter)
        yield Stage(request, run, db, rules, connector, dispatcher, intake, report, progress)


async def _rules(
    tools: Tools, request: RunRequest, run: RunRef, db: Connection
) -> tuple[Rules, RunContext]:
    """What decides about entries, here and in the workers."""
    row = request.connection
    wanted = Filter.model_validate(dict(row.filter))
    now = None
    if wanted.updated_within is not None:
        now = request.began or await moment(db)
        fresh = await fresh_at(db, row.workspace_id, row.id)
        if fresh is not None:
            # Days that failed are not left out: it begins no later than the last run that read all.
            now = min(now, fresh - _OVERLAP + wanted.updated_within)
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


async def _announce(tools: Tools, context: RunContext, db: Connection) -> None:
    """The workers are about to embed with this model; a plan only imagines it."""
    if not context.plan:
        age = time.monotonic() - tools.started
        await announce_model(db, context.run.workspace_id, tools.embedder, age=age)


def _tokens(tools: Tools, row: ConnectionRow) -> StoredTokens | None:
    """Where a stored connection's OAuth tokens are renewed."""
    if not row.id:
        return None
    return StoredTokens(tools.database.connection, tools.vault, row.workspace_id, row.id)


def _scope(
    tools: Tools, row: ConnectionRow, report: Report, credential: str | None
) -> Scope | None:
    """For whom the source is asked; None for a connection that a plan only imagines."""
    if not row.id:
        return None
    return Scope(
        row.workspace_id,
        row.id,
        tools.database.brief_connection,
        count=lambda name, more: report.add({name: more}),
        warn=report.warnings.append,
        credential=credential,
    )
