"""`syncline connections [list|add|schedule|freshness|pause|resume|remove]`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syncline.cli.completion import connection_names
from syncline.cli.lazy import ListByDefault
from syncline.cli.options import (
    AsJson,
    ConnectorOption,
    DataDir,
    Name,
    Source,
    Workspace,
    options_of,
    seconds_of,
)
from syncline.cli.running import Interruption, run
from syncline.cli.screen import is_terminal, local_time, note, print_json, say, shown, table
from syncline.core.durations import duration_in_words
from syncline.core.errors import UsageError
from syncline.core.redaction import redact_values
from syncline.core.urls import shown_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syncline.client import Syncline
    from syncline.core.model import ConnectionId
    from syncline.parts import Wished
    from syncline.store.connections import ConnectionRow
    from syncline.store.timetable import Times

app = typer.Typer(
    cls=ListByDefault,
    help="List the connections, add or remove one, say when it runs by itself.",
    add_completion=False,
)
Known = Annotated[
    str,
    typer.Argument(help="The connection's name, source or id.", autocompletion=connection_names),
]
When = Annotated[
    str | None,
    typer.Option(
        "--schedule",
        help="When `syncline up` syncs it: 'every 15m', hourly, 'daily 02:00 Europe/Berlin', "
        "'weekly mon 02:00', spread, adaptive, 'cron 0 3 * * 1-5', manual.",
    ),
]


@app.command("list")
def list_connections(
    as_json: AsJson = False, workspace: Workspace = "default", data_dir: DataDir = None
) -> int:
    """List the connections with their sources, options and filters."""

    async def command(
        client: Syncline, interruption: Interruption
    ) -> tuple[list[ConnectionRow], Mapping[ConnectionId, Times]]:
        return await client.connections.list(), await client.connections.times()

    found, times = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json(
            {"connections": [_as_json(row) | _times_as_json(times.get(row.id)) for row in found]}
        )
    elif not found:
        say("There are no connections yet. Make one with: syncline sync ./docs")
    else:
        table(
            ("id", "connection", "kind", "schedule", "next", "filter", "source"),
            [
                (
                    str(row.id),
                    shown(row.name, most=40),
                    row.kind,
                    *_when(times.get(row.id)),
                    shown(_in_words(row), most=60),
                    shown(shown_url(row.source)),
                )
                for row in found
            ],
            right="r",
        )
    return 0


@app.command()
def add(
    source: Source,
    name: Name = None,
    schedule: When = None,
    option: ConnectorOption = None,
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """Make a connection without syncing it; `syncline up` does, when it is due."""
    wishes: Wished = {"name": name, "options": options_of(option)}

    async def command(client: Syncline, interruption: Interruption) -> ConnectionRow:
        _checked(schedule)
        row = await client.connections.add(source, **wishes)
        if schedule is not None:
            await client.connections.schedule(row.name, schedule)
        return row

    row = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json(_as_json(row))
    else:
        say(f"{shown(row.name)} reads {shown(shown_url(row.source))}.")
    return 0


@app.command()
def schedule(
    name: Known,
    when: Annotated[
        str,
        typer.Argument(
            help="'every 15m', hourly, 'daily 02:00 Europe/Berlin', 'weekly mon 02:00', spread, "
            "adaptive, 'cron 0 3 * * 1-5', manual; or default: as the settings say."
        ),
    ],
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """Say when `syncline up` syncs a connection."""
    wanted = None if when.strip().lower() == "default" else when

    async def command(client: Syncline, interruption: Interruption) -> str | None:
        return await client.connections.schedule(name, wanted)

    stored = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json({"connection": name, "schedule": stored})
    else:
        say(f"{shown(name)}: {stored or 'as the settings say'}.")
    return 0


@app.command()
def freshness(
    name: Known,
    target: Annotated[
        str,
        typer.Argument(help="How old it may become, such as 2h or 1d; or default: no target."),
    ],
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """Say how old a connection may become before `syncline health` and the alerts tell."""
    wanted = None if target.strip().lower() == "default" else seconds_of(target, "freshness")
    if wanted == 0:
        raise UsageError("Nothing is 0 seconds old.", hint="Write 90m, 2h or 1d, or default.")

    async def command(client: Syncline, interruption: Interruption) -> str:
        return (await client.connections.freshness(name, wanted)).name

    changed = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json({"connection": changed, "freshness_seconds": wanted})
    elif wanted is None:
        say(f"{shown(changed)} may be as old as its schedule lets it.")
    else:
        say(f"{shown(changed)} may be {duration_in_words(wanted)} old.")
    return 0


@app.command()
def pause(
    name: Known, as_json: AsJson = False, workspace: Workspace = "default", data_dir: DataDir = None
) -> int:
    """Let a connection not run by itself, until it is resumed."""

    async def command(client: Syncline, interruption: Interruption) -> str:
        return (await client.connections.pause(name)).name

    paused = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json({"paused": paused})
    else:
        say(f"{shown(paused)} is paused. `syncline connections resume {shown(paused)}` ends that.")
    return 0


@app.command()
def resume(
    name: Known, as_json: AsJson = False, workspace: Workspace = "default", data_dir: DataDir = None
) -> int:
    """Let a connection run by itself again."""

    async def command(client: Syncline, interruption: Interruption) -> str:
        return (await client.connections.resume(name)).name

    resumed = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json({"resumed": resumed})
    else:
        say(f"{shown(resumed)} runs by itself again.")
    return 0


@app.command()
def remove(
    name: Known,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """Remove a connection with its documents and runs, for good.

    On a terminal it asks first.
    """

    async def command(client: Syncline, interruption: Interruption) -> tuple[str, int]:
        row = await client.connections.find(name)
        if not yes and not as_json and is_terminal(sys.stdin) and is_terminal(sys.stderr):
            page = await client.documents.list(connection=row.name, state="all", limit=1)
            note(f"{shown(row.name)} reads {shown(shown_url(row.source))}.")
            typer.confirm(f"Remove it with {page.total} documents?", abort=True, err=True)
        return row.name, await client.connections.remove(row.name)

    removed, documents = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json({"removed": removed, "documents": documents})
    else:
        say(f"Removed {shown(removed)} with {documents} documents.")
    return 0


def _checked(schedule: str | None) -> None:
    """Nothing is made where the schedule does not say anything. Raises `UsageError`."""
    if schedule is not None:
        from syncline.scheduling.text import parse

        parse(schedule)


def _when(times: Times | None) -> tuple[str, str]:
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


def _times_as_json(times: Times | None) -> dict[str, Any]:
    if times is None:
        return {}
    return {
        "schedule": times.schedule,
        "paused": times.paused,
        "attention": dict(times.attention) if times.attention else None,
        "next_due": times.next_due.isoformat() if times.next_due else None,
        "job": times.job,
        "freshness_seconds": times.freshness_seconds,
    }


def _in_words(row: ConnectionRow) -> str:
    words = []
    for name, value in row.filter.items():
        if value:
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            words.append(f"{name.replace('_', ' ')} {text}")
    if row.keep_deleted:
        words.append("keeps deleted")
    return "; ".join(words)


def _as_json(row: ConnectionRow) -> dict[str, Any]:
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
