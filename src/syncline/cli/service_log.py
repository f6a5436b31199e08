"""What a service tells while it runs: a line for each thing that happened, with its time."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from syncline.cli.screen import note, shown

if TYPE_CHECKING:
    from syncline.core.jobs import ClaimedJob, Outcome
    from syncline.sync.report import Report

__all__ = ["service_log"]


def service_log() -> dict[str, Any]:
    """The hooks of a `Service`, which write to standard error."""
    return {"on_report": _report, "on_ended": _ended, "on_trouble": _trouble}


def _say(text: str) -> None:
    note(f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S} {text}")


def _report(report: Report) -> None:
    counts = report.counts
    if report.error is not None:  # the job's line says why
        _say(f"{shown(report.connection)}: {report.state} ({report.seconds:.1f} s)")
        return
    changes = " ".join(
        f"{sign}{counts[name]}"
        for sign, name in (("+", "created"), ("~", "updated"), ("-", "deleted"))
        if counts.get(name)
    )
    others = [f"{counts[name]} {name}" for name in ("failed", "held") if counts.get(name)]
    words = ", ".join([changes or "nothing changed", f"{counts.get('listed', 0)} listed", *others])
    _say(f"{shown(report.connection)}: {report.state}: {words} ({report.seconds:.1f} s)")


def _ended(job: ClaimedJob, outcome: Outcome, state: str) -> None:
    error = getattr(outcome, "error", None) or getattr(outcome, "reason", None)
    if error is None:
        return
    then = {
        "waiting": "it is tried again",
        "dead": f"given up; see `syncline jobs show {job.id}`",
        "cancelled": "it was cancelled",
    }.get(state, state)
    _say(f"Job {job.id}: {then}: {shown(error.get('message', ''), most=300)}")


def _trouble(message: str) -> None:
    _say(shown(message, most=500))
