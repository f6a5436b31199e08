"""What an event says to a person, and what to do then."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from syncline.core.durations import duration_in_words
from syncline.core.events import Event, EventKind
from syncline.core.hints import command
from syncline.core.model import Json

__all__ = ["in_words", "message_of"]


def in_words(event: Event) -> tuple[str, str]:
    """One line, and what to do next (perhaps nothing)."""
    words = _WORDS.get(event.kind)
    if words is None:  # written by a newer version
        return f"{_who(event)}: {event.kind}", ""
    return words(event)


def message_of(event: Event) -> dict[str, Json]:
    """What a webhook is sent, and what is mailed; documented in docs/howto/operate.md."""
    text, hint = in_words(event)
    return {
        "id": f"event-{event.id}",
        "kind": event.kind,
        "workspace": event.workspace,
        "connection": event.connection,
        "text": text,
        "hint": hint,
        "at": event.created_at.isoformat(),
        "details": dict(event.payload),
    }


def _who(event: Event) -> str:
    if event.connection_id is None:
        return f"Workspace {event.workspace}"
    return event.connection or f"Connection {event.connection_id} (removed)"


def _do(event: Event, *words: str) -> str:
    return command(event.workspace, *words, event.connection or event.connection_id)


def _cause(payload: Mapping[str, Json]) -> str:
    error = payload.get("error")
    message = error.get("message") if isinstance(error, dict) else None
    return str(message or "no cause was kept")


def _run_failing(event: Event) -> tuple[str, str]:
    return (
        f"{_who(event)}: three runs in a row have failed: {_cause(event.payload)}",
        f"{_do(event, 'runs', '--connection')} has their reports.",
    )


def _authentication_failed(event: Event) -> tuple[str, str]:
    return (
        f"{_who(event)}: the source refuses the credentials: {_cause(event.payload)}",
        f"It stands still until they are mended and {_do(event, 'connections', 'resume')}.",
    )


def _needs_attention(event: Event) -> tuple[str, str]:
    return (
        f"{_who(event)} needs attention: {_cause(event.payload)}",
        f"It is tried again at its times; {_do(event, 'connections', 'check')} tells what it lacks."
        if event.payload.get("runs_on")
        else f"It stands still until that is mended and {_do(event, 'connections', 'resume')}.",
    )


def _deletions_held(event: Event) -> tuple[str, str]:
    held = event.payload.get("held")
    what = "deletion is" if held == 1 else "deletions are"
    return (
        f"{_who(event)}: {held} {what} held for a person to decide",
        f"{command(event.workspace, 'deletions')} shows them.",
    )


def _freshness_missed(event: Event) -> tuple[str, str]:
    lag, target = event.payload.get("lag_seconds"), event.payload.get("target_seconds")
    behind = duration_in_words(float(lag)) if isinstance(lag, int | float) else "too far"
    what = (
        f"its freshness target of {duration_in_words(float(target))}"
        if isinstance(target, int | float)
        else "its schedule"
    )
    return (
        f"{_who(event)} is {behind} behind {what}",
        f"{command(event.workspace, 'health')} tells why.",
    )


def _job_dead(event: Event) -> tuple[str, str]:
    job, kind = event.payload.get("job"), event.payload.get("kind")
    return (
        f"{_who(event)}: job {job} ({kind}) has failed for good: {_cause(event.payload)}",
        f"{command(event.workspace, 'jobs', 'retry', job)} sends it again.",
    )


def _breaker_open(event: Event) -> tuple[str, str]:
    host = event.payload.get("host") or "its host"
    until = f" until {event.payload['until']}" if event.payload.get("until") else ""
    return (
        f"{_who(event)}: {host} is not asked any more{until}: {_cause(event.payload)}",
        "It is tried again by itself.",
    )


def _recovered(event: Event) -> tuple[str, str]:
    over = _OVER.get(str(event.payload.get("kind")), str(event.payload.get("kind")))
    return f"{_who(event)} has recovered: {over}", ""


_WORDS: Mapping[str, Callable[[Event], tuple[str, str]]] = {
    EventKind.RUN_FAILING: _run_failing,
    EventKind.AUTHENTICATION_FAILED: _authentication_failed,
    EventKind.NEEDS_ATTENTION: _needs_attention,
    EventKind.DELETIONS_HELD: _deletions_held,
    EventKind.FRESHNESS_MISSED: _freshness_missed,
    EventKind.JOB_DEAD: _job_dead,
    EventKind.BREAKER_OPEN: _breaker_open,
    EventKind.RECOVERED: _recovered,
}
_OVER = {
    "run_failing": "its runs are done again",
    "authentication_failed": "its credentials are accepted",
    "needs_attention": "it runs again",
    "deletions_held": "no deletion is held any more",
    "freshness_missed": "it is fresh",
    "job_dead": "its jobs are done again",
    "breaker_open": "its host answers",
}
