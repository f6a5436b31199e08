"""Whether everything is in step, and what is not: lag, failed runs, stuck jobs."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from syncline.core.durations import duration_in_words
from syncline.core.health import HealthState
from syncline.core.hints import command
from syncline.core.model import Json, WorkspaceId
from syncline.settings import Settings
from syncline.store.database import Connection
from syncline.store.health_read import (
    Behind,
    Failing,
    Stuck,
    Unknown,
    failing_runs,
    lagging,
    stuck_jobs,
    unknown_jobs,
)
from syncline.store.models import troubled_models

__all__ = ["Finding", "Health", "read_health"]

_MOST = 20
_UNHEARD_SECONDS = 60.0
"""Schedulers rescue within seconds: a lease that lapsed so long ago is nobody's concern."""


class Finding(Struct, frozen=True):
    """One thing that is not well."""

    state: HealthState
    what: str
    """`lag`, `errors`, `stuck`, `unknown` or `embeddings`."""
    message: str
    advice: str
    workspace: str | None = None
    connection: str | None = None


class Health(Struct, frozen=True):
    """How a workspace, or all of them, are doing."""

    findings: Sequence[Finding]
    """The worst first; each kind names at most twenty."""
    lag: float
    """Seconds: the greatest of all connections."""
    runs: int
    failed: int
    window: float
    """Of the runs that ended in so many seconds."""
    stuck: int

    @property
    def state(self) -> HealthState:
        """That of the worst finding."""
        return self.findings[0].state if self.findings else HealthState.HEALTHY

    @property
    def error_rate(self) -> float:
        """The part of the runs that failed."""
        return self.failed / self.runs if self.runs else 0.0

    def as_json(self) -> dict[str, Json]:
        """The documented fields."""
        return {
            "state": self.state.value,
            "lag_seconds": round(self.lag, 1),
            "runs": self.runs,
            "failed": self.failed,
            "error_rate": round(self.error_rate, 4),
            "window_seconds": self.window,
            "stuck": self.stuck,
            "findings": [
                {
                    "state": each.state.value,
                    "what": each.what,
                    "workspace": each.workspace,
                    "connection": each.connection,
                    "message": each.message,
                    "advice": each.advice,
                }
                for each in self.findings
            ],
        }


async def read_health(
    db: Connection, settings: Settings, workspace: WorkspaceId | None, *, with_default: bool
) -> Health:
    """The health of a workspace, or of the whole database where none is given.

    `with_default`: connections without a schedule of their own run by themselves too.
    """
    behind = await lagging(db, workspace, with_default=with_default, most=_MOST)
    runs, failed, failing = await failing_runs(
        db, workspace, seconds=settings.health_window, most=_MOST
    )
    stuck = await stuck_jobs(
        db,
        workspace,
        unheard=_UNHEARD_SECONDS,
        longest=settings.health_longest_run,
        most=_MOST,
    )
    findings = [_of_stuck(each) for each in stuck]
    findings += [found for each in behind if (found := _of_lag(each, settings)) is not None]
    findings += _of_errors(runs, failed, failing, settings)
    findings += [_of_unknown(each) for each in await unknown_jobs(db, workspace)]
    findings += [_of_model(*each) for each in await troubled_models(db, workspace)]
    findings.sort(key=lambda each: -each.state.exit_code)
    lag = behind[0].lag if behind else 0.0
    return Health(findings, lag, runs, failed, settings.health_window, len(stuck))


def _of_stuck(job: Stuck) -> Finding:
    whose = f" of {job.connection}" if job.connection else ""
    if job.lapsed > 0:
        message = (
            f"Job {job.job}{whose} is held by {job.owner}, which was not heard of for "
            f"{duration_in_words(job.lapsed)} after its lease."
        )
        advice = "Start `syncline up` or `syncline scheduler`: it gives the job to another worker."
    else:
        message = f"Job {job.job}{whose} has been running for {duration_in_words(job.running)}."
        advice = (
            f"{command(job.workspace, 'jobs', 'show', job.job)} tells more, "
            f"{command(job.workspace, 'jobs', 'cancel', job.job)} stops it."
        )
    return Finding(HealthState.UNHEALTHY, "stuck", message, advice, job.workspace, job.connection)


def _of_lag(row: Behind, settings: Settings) -> Finding | None:
    state = _lag_state(row, settings)
    if state is HealthState.HEALTHY:
        return None
    lag, age = duration_in_words(row.lag), duration_in_words(row.age)
    message = (
        f"{row.connection} is {lag} behind its schedule."
        if row.target is None
        else f"{row.connection} is {age} old; it may be {duration_in_words(row.target)}."
    )
    return Finding(state, "lag", message, _advice(row), row.workspace, row.connection)


def _lag_state(row: Behind, settings: Settings) -> HealthState:
    """A target is missed as soon as it is; twice as old as it may be is as bad as it gets."""
    if row.lag > settings.health_unhealthy_lag:
        return HealthState.UNHEALTHY
    if row.target is not None:
        return HealthState.UNHEALTHY if row.lag > row.target else HealthState.DEGRADED
    if row.lag > settings.health_degraded_lag:
        return HealthState.DEGRADED
    return HealthState.HEALTHY


def _advice(row: Behind) -> str:
    if row.attention is not None:
        return (
            f"It needs attention: {row.attention.rstrip('.')}. Mend that, then "
            f"{command(row.workspace, 'connections', 'resume', row.connection)}."
        )
    match row.job_state:
        case "running":
            return f"It is being synced: {command(row.workspace, 'jobs', 'show', row.job)}."
        case "ready":
            return "Its job waits for a worker: start more with `syncline worker`."
        case "waiting":
            show = command(row.workspace, "jobs", "show", row.job)
            return f"Its job waits for another attempt: {show}."
    return (
        f"{command(row.workspace, 'runs', '--connection', row.connection)} tells how it went; "
        "`syncline up` or `syncline scheduler` must be running."
    )


def _of_unknown(jobs: Unknown) -> Finding:
    return Finding(
        HealthState.DEGRADED,
        "unknown",
        f"No worker that runs knows jobs of kind {jobs.kind!r}, and {jobs.count} wait.",
        "A newer Syncline has made them: upgrade the machines that run workers, or start "
        "`syncline worker` where the newer one is.",
        jobs.workspace,
    )


def _of_model(workspace: str, model: str, trouble: str) -> Finding:
    return Finding(
        HealthState.DEGRADED,
        "embeddings",
        f"The change to {model} does not get on: {trouble}",
        f"{command(workspace, 'embeddings')} tells how far it is, `syncline doctor` what is wrong.",
        workspace,
    )


def _of_errors(
    runs: int, failed: int, failing: Sequence[Failing], settings: Settings
) -> list[Finding]:
    rate = failed / runs if runs else 0.0
    if rate > settings.health_unhealthy_errors:
        state = HealthState.UNHEALTHY
    elif rate > settings.health_degraded_errors:
        state = HealthState.DEGRADED
    else:
        return []
    window = duration_in_words(settings.health_window)
    return [
        Finding(
            state,
            "errors",
            f"{each.failed} of {each.runs} runs of {each.connection} failed in the last {window} "
            f"({100 * rate:.0f} % of all runs): {each.message or 'no cause was kept'}",
            f"{command(each.workspace, 'runs', '--connection', each.connection)} has the reports.",
            each.workspace,
            each.connection,
        )
        for each in failing
    ]
