"""How a connection is shown, in words and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from syncline.cli.screen import age, bold, local_time, say, shown, span
from syncline.core.errors import ConfigurationError
from syncline.core.redaction import redact_values
from syncline.core.urls import shown_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from syncline.client import Syncline
    from syncline.store.connections import ConnectionRow
    from syncline.store.status_read import ConnectionState
    from syncline.store.timetable import Times

__all__ = [
    "ConnectionView",
    "as_json_object",
    "connection_as_json",
    "in_words",
    "look",
    "print_view",
    "times_as_json",
    "when",
]


class ConnectionView(Struct, frozen=True):
    """One connection and everything about it."""

    row: ConnectionRow
    times: Times | None
    state: ConnectionState
    secrets: Sequence[str]
    secrets_trouble: str | None
    """Why the secrets cannot be opened here."""


def when(times: Times | None) -> tuple[str, str]:
    """The schedule, and the next slot or why there is none."""
    if times is None:
        return "", ""
    schedule = times.schedule or "default"
    if times.paused:
        return schedule, "paused"
    if times.attention:
        return schedule, "needs attention"
    if times.job:
        return schedule, "running" if times.job == "running" else "queued"
    return schedule, local_time(times.next_due) if times.next_due else "–"


def times_as_json(times: Times | None) -> dict[str, Any]:
    if times is None:
        return {}
    return {
        "schedule": times.schedule,
        "paused": times.paused,
        "attention": dict(times.attention) if times.attention else None,
        "stands_still": times.stands_still,
        "next_due": times.next_due.isoformat() if times.next_due else None,
        "job": times.job,
        "freshness_seconds": times.freshness_seconds,
    }


def in_words(row: ConnectionRow) -> str:
    words = []
    for name, value in row.filter.items():
        if value:
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            words.append(f"{name.replace('_', ' ')} {text}")
    if row.keep_deleted:
        words.append("keeps deleted")
    return "; ".join(words)


def connection_as_json(row: ConnectionRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "kind": row.kind,
        "source": shown_url(row.source),
        "options": redact_values(row.options),
        "filter": dict(row.filter),
        "keep_deleted": row.keep_deleted,
        "guard_fraction": round(row.guard_fraction, 6),
        "guard_minimum": row.guard_minimum,
        "recheck_seconds": row.recheck_seconds,
        "created_at": row.created_at.isoformat(),
    }


async def look(client: Syncline, name: str) -> ConnectionView:
    """Everything about the connection of this name, source or id. Raises `NotHere`."""
    row = await client.connections.find(name)
    secrets: Sequence[str] = ()
    trouble = None
    try:
        secrets = await client.connections.secrets(row.name)
    except ConfigurationError as error:
        trouble = error.message
    times = await client.connections.times()
    states = (await client.status()).connections
    state = next(each for each in states if each.id == row.id)
    return ConnectionView(row, times.get(row.id), state, secrets, trouble)


def as_json_object(view: ConnectionView) -> dict[str, Any]:
    """The documented fields."""
    state = view.state
    return {
        **connection_as_json(view.row),
        **times_as_json(view.times),
        "secrets": list(view.secrets),
        "secrets_trouble": view.secrets_trouble,
        "documents": state.documents,
        "chunks": state.chunks,
        "failing": state.failing,
        "dead_letters": state.dead_letters,
        "held": state.held,
        "age_seconds": None if state.freshness is None else round(state.freshness, 1),
        "last_run": state.run,
    }


def print_view(view: ConnectionView) -> None:
    """A few lines for a person."""
    row, state = view.row, view.state
    say(f"{bold(shown(row.name))}, connection {row.id}: {row.kind}, {shown(shown_url(row.source))}")
    times = view.times
    if times is not None and not times.stands_still:
        times = replace(times, attention=None)
    schedule, due = when(times)
    says = {"paused": "paused", "needs attention": "stands still", "–": "no next run yet"}
    say(f"  runs       {schedule}; {says.get(due, due if due in _STATES else f'next {due}')}")
    if view.times and view.times.attention:
        attention = view.times.attention
        say(f"  attention  {shown(attention.get('message', ''))}")
        if attention.get("hint"):
            say(f"             {shown(attention['hint'])}")
    for name, value in redact_values(row.options).items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        say(f"  option     {name} = {shown(shown_url(text))}")
    if view.secrets or view.secrets_trouble:
        say(f"  secrets    {view.secrets_trouble or ', '.join(view.secrets)}")
    if words := in_words(row):
        say(f"  filter     {shown(words)}")
    say(
        f"  guard      {row.guard_fraction:.0%} and at least {row.guard_minimum};"
        f" hints are believed for {span(row.recheck_seconds)}"
    )
    say(
        f"  holds      {state.documents} documents, {state.chunks} chunks;"
        f" fresh {age(state.freshness)}"
    )
    if state.run is not None:
        say(f"  last run   {state.run} {state.run_state}, {age(state.run_age)}")
    if state.failing or state.held:
        say(
            f"  troubles   {state.failing} entries fail, {state.dead_letters} of them given up;"
            f" {state.held} deletions held"
        )


_STATES = ("running", "queued")
