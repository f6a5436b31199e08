"""What a service tells while it runs: a line for each thing that happened."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from syncline.cli.screen import shown

if TYPE_CHECKING:
    from syncline.core.jobs import ClaimedJob, Outcome
    from syncline.settings import Settings
    from syncline.sync.report import Report

__all__ = ["open_service_log", "service_log", "tell", "tell_ready"]

_log = logging.getLogger("syncline.service")


def open_service_log(settings: Settings) -> None:
    """Log to standard error from now on: for a person on a terminal, for machines elsewhere."""
    from syncline.telemetry.logs import open_log

    style = settings.log
    if style == "auto":
        style = "text" if sys.stderr.isatty() else "json"
    open_log(sys.stderr, style=style, level=settings.log_level)


def service_log() -> dict[str, Any]:
    """The hooks of a `Service`, which log."""
    return {"on_report": _report, "on_ended": _ended, "on_trouble": _trouble}


def tell(message: str) -> None:
    """Log what the service itself does."""
    _log.info("%s", message)


def tell_ready(message: str, where: str | None) -> None:
    """Log that work begins, and where the service is watched."""
    watched = {} if where is None else {"metrics": f"{where}/metrics"}
    also = f" Metrics are at {where}/metrics." if where else ""
    _log.info("%s%s", message, also, extra=watched)


def _report(report: Report) -> None:
    counts = report.counts
    more = {
        "run": report.run,
        "state": report.state.value,
        "seconds": round(report.seconds, 3),
        "counts": {name: count for name, count in counts.items() if count},
    }
    took = f"({report.seconds:.1f} s)"
    if report.error is not None:  # the job's line says why
        more["error"] = dict(report.error)
        _log.warning("%s: %s %s", shown(report.connection), report.state, took, extra=more)
        return
    changes = " ".join(
        f"{sign}{counts[name]}"
        for sign, name in (("+", "created"), ("~", "updated"), ("-", "deleted"))
        if counts.get(name)
    )
    others = [f"{counts[name]} {name}" for name in ("failed", "held") if counts.get(name)]
    words = ", ".join([changes or "nothing changed", f"{counts.get('listed', 0)} listed", *others])
    _log.info("%s: %s: %s %s", shown(report.connection), report.state, words, took, extra=more)


def _ended(job: ClaimedJob, outcome: Outcome, state: str) -> None:
    error = getattr(outcome, "error", None) or getattr(outcome, "reason", None)
    if error is None:
        return
    then = {
        "waiting": "it is tried again",
        "dead": f"given up; see `syncline jobs show {job.id}`",
        "cancelled": "it was cancelled",
    }.get(state, state)
    _log.warning(
        "Job %s: %s: %s",
        job.id,
        then,
        shown(error.get("message", ""), most=300),
        extra={"job": job.id, "job_state": state, "error": dict(error)},
    )


def _trouble(message: str) -> None:
    _log.warning("%s", shown(message, most=500))
