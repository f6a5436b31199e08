"""`syncline connections [list|show|add|edit|check|schedule|freshness|pause|resume|remove]`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from syncline.cli.check_view import check_as_json, print_check
from syncline.cli.completion import connection_names
from syncline.cli.connection_view import connection_as_json, in_words, times_as_json, when
from syncline.cli.hosts import print_breakers
from syncline.cli.lazy import ListByDefault
from syncline.cli.options import AsJson, DataDir, Source, Workspace, seconds_of
from syncline.cli.running import Interruption, run
from syncline.cli.screen import is_terminal, note, print_json, say, shown, table
from syncline.cli.wishes import takes_wishes
from syncline.core.durations import duration_in_words
from syncline.core.errors import SourceError, UsageError
from syncline.core.urls import shown_url
from syncline.parts.wished import Wished

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from syncline.cli.connection_view import ConnectionView
    from syncline.client import Syncline
    from syncline.core.model import ConnectionId
    from syncline.store.breakers import OpenBreaker
    from syncline.store.connections import ConnectionRow
    from syncline.store.timetable import Times
    from syncline.sync.checking import Checked

app = typer.Typer(
    cls=ListByDefault,
    help="List, show, add, change, check or remove connections, say when they run by themselves.",
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
    ) -> tuple[
        list[ConnectionRow],
        Mapping[ConnectionId, Times],
        Mapping[ConnectionId, Sequence[OpenBreaker]],
    ]:
        parts = client.connections
        return await parts.list(), await parts.times(), await parts.breakers()

    found, times, breakers = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        rows = [
            connection_as_json(row)
            | times_as_json(times.get(row.id))
            | {"breakers": [each.as_json() for each in breakers.get(row.id, ())]}
            for row in found
        ]
        print_json({"connections": rows})
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
                    *when(times.get(row.id)),
                    shown(in_words(row), most=60),
                    shown(shown_url(row.source)),
                )
                for row in found
            ],
            right="r",
        )
        for row in found:
            print_breakers(row.name, breakers.get(row.id, ()))
    return 0


@app.command()
@takes_wishes
def add(
    source: Source,
    wishes: Wished,
    schedule: When = None,
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """Make a connection without syncing it; `syncline up` does, when it is due."""

    async def command(client: Syncline, interruption: Interruption) -> ConnectionRow:
        _checked(schedule)
        row = await client.connections.add(source, **wishes)
        if schedule is not None:
            await client.connections.schedule(row.name, schedule)
        return row

    row = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json(connection_as_json(row))
    else:
        say(f"{shown(row.name)} reads {shown(shown_url(row.source))}.")
    return 0


@app.command()
def show(
    name: Known, as_json: AsJson = False, workspace: Workspace = "default", data_dir: DataDir = None
) -> int:
    """Show one connection: what it reads, how, when, and how it last went."""
    from syncline.cli.connection_view import as_json_object, look, print_view

    async def command(client: Syncline, interruption: Interruption) -> ConnectionView:
        return await look(client, name)

    view = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json(as_json_object(view))
    else:
        print_view(view)
    return 0


@app.command()
@takes_wishes
def edit(
    connection: Known,
    wishes: Wished,
    name: Annotated[str | None, typer.Option("--name", help="Another name for it.")] = None,
    schedule: When = None,
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """Change a connection's options, filters, secrets or name; its documents stay.

    What a changed filter leaves out goes with the next sync.
    """

    async def command(client: Syncline, interruption: Interruption) -> ConnectionRow:
        _checked(schedule)
        wishes["name"] = name
        row = await client.connections.edit(connection, **wishes)
        if schedule is not None:
            await client.connections.schedule(row.name, schedule)
        return row

    row = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json(connection_as_json(row))
    else:
        say(f"{shown(row.name)} is changed. `syncline connections show {shown(row.name)}` has it.")
    return 0


@app.command()
def check(
    name: Known, as_json: AsJson = False, workspace: Workspace = "default", data_dir: DataDir = None
) -> int:
    """Ask a connection's source whether it is there, and lets us read what the connection reads.

    Of each kind of thing one is asked for. The exit code is 1 if something is lacking.
    """

    async def command(client: Syncline, interruption: Interruption) -> Checked | SourceError:
        try:
            return await client.connections.check(name)
        except SourceError as error:
            return error

    found = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json({"connection": name} | check_as_json(found))
    elif isinstance(found, SourceError):
        raise found
    else:
        print_check(name, found)
    return 1 if isinstance(found, SourceError) or found.lacking else 0


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
    """Let a connection run by itself again, and ask hosts again that were left alone."""

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
