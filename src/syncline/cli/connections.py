"""`syncline connections [list|remove]`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syncline.cli.completion import connection_names
from syncline.cli.lazy import ListByDefault
from syncline.cli.options import AsJson, DataDir, Workspace
from syncline.cli.running import Interruption, run
from syncline.cli.screen import is_terminal, local_time, note, print_json, say, shown, table
from syncline.core.urls import shown_url

if TYPE_CHECKING:
    from syncline.client import Syncline
    from syncline.store.connections import ConnectionRow

app = typer.Typer(
    cls=ListByDefault, help="List the connections, or remove one.", add_completion=False
)


@app.command("list")
def list_connections(
    as_json: AsJson = False, workspace: Workspace = "default", data_dir: DataDir = None
) -> int:
    """List the connections with their sources, options and filters."""

    async def command(client: Syncline, interruption: Interruption) -> list[ConnectionRow]:
        return await client.connections.list()

    found = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json({"connections": [_as_json(row) for row in found]})
    elif not found:
        say("There are no connections yet. Make one with: syncline sync ./docs")
    else:
        table(
            ("id", "connection", "kind", "made", "filter", "source"),
            [
                (
                    str(row.id),
                    shown(row.name, most=40),
                    row.kind,
                    local_time(row.created_at),
                    shown(_in_words(row), most=60),
                    shown(shown_url(row.source)),
                )
                for row in found
            ],
            right="r",
        )
    return 0


@app.command()
def remove(
    name: Annotated[
        str,
        typer.Argument(
            help="The connection's name, source or id.", autocompletion=connection_names
        ),
    ],
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
        "options": dict(row.options),
        "filter": dict(row.filter),
        "keep_deleted": row.keep_deleted,
        "guard_fraction": round(row.guard_fraction, 6),
        "guard_minimum": row.guard_minimum,
        "recheck_seconds": row.recheck_seconds,
        "created_at": row.created_at.isoformat(),
    }
