"""`syncline events [--follow]`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syncline.cli.options import AsJson, DataDir, OneConnection, Workspace
from syncline.cli.running import Interruption, run
from syncline.cli.screen import local_time, print_json, say, shown
from syncline.core.errors import UsageError
from syncline.core.events import EventKind

if TYPE_CHECKING:
    from syncline.client import Syncline
    from syncline.core.events import Event

app = typer.Typer(add_completion=False)
_KINDS = ", ".join(kind.value for kind in EventKind)


@app.command()
def events(
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on, and show what happens as it does.")
    ] = False,
    kind: Annotated[
        list[str] | None, typer.Option(help=f"Only this kind (repeatable): {_KINDS}.")
    ] = None,
    connection: OneConnection = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 50,
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """List what has happened that a person may want to know, the newest last.

    With --follow and --json each event is an object on a line of its own.
    """
    for each in kind or ():
        if each not in frozenset(EventKind):
            raise UsageError(f"There is no kind {each!r}.", hint=f"Choose: {_KINDS}.")

    async def command(client: Syncline, interruption: Interruption) -> list[Event]:
        found = await client.events.list(kinds=kind or (), connection=connection, limit=limit)
        if follow:
            for event in found:
                _print(event, as_json)
            only = None if connection is None else (await client.connections.find(connection)).id
            async for event in client.events.follow():
                if (not kind or event.kind in kind) and only in (None, event.connection_id):
                    _print(event, as_json)
        return found

    found = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json({"events": [_as_json(event) for event in found]})
    elif not found:
        say("Nothing has happened that would be worth telling.")
    else:
        for event in found:
            _print(event, as_json=False)
    return 0


def _print(event: Event, as_json: bool) -> None:
    if as_json:
        print(json.dumps(_as_json(event), ensure_ascii=False), flush=True)
        return
    from syncline.sync.event_words import in_words

    text, hint = in_words(event)
    print(f"{local_time(event.created_at)}  {shown(f'{text} {hint}', most=500)}", flush=True)


def _as_json(event: Event) -> dict[str, Any]:
    from syncline.sync.event_words import in_words

    text, hint = in_words(event)
    return {
        "id": event.id,
        "kind": event.kind,
        "connection": event.connection,
        "at": event.created_at.isoformat(),
        "text": text,
        "hint": hint,
        "details": dict(event.payload),
    }
