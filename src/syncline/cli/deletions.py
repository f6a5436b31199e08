"""`syncline deletions [list|approve|reject]`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from syncline.cli.completion import connection_names
from syncline.cli.lazy import ListByDefault
from syncline.cli.options import AsJson, DataDir, OneConnection, Workspace
from syncline.cli.running import Interruption, run
from syncline.cli.screen import bold, dim, local_time, note, print_json, say, shown

if TYPE_CHECKING:
    from syncline.client import Syncline
    from syncline.sync.deletions import Decided, HeldGroup

app = typer.Typer(
    cls=ListByDefault,
    help="List what the guard holds, and approve or reject it.",
    add_completion=False,
)
What = Annotated[
    list[str],
    typer.Argument(
        metavar="CONNECTION|ID...",
        help="All of a connection's, or some documents by their ids.",
        autocompletion=connection_names,
    ),
]


@app.command("list")
def list_held(
    connection: OneConnection = None,
    limit: Annotated[int, typer.Option(min=1, help="How many documents to show of each.")] = 20,
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """List the documents that are gone at their source, but so many that a person is asked."""

    async def command(client: Syncline, interruption: Interruption) -> Sequence[HeldGroup]:
        return await client.deletions.list(connection)

    groups = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json({"held": [group.as_json() for group in groups]})
        return 0
    if not groups:
        say("Nothing is held.")
    for group in groups:
        _print_group(group, limit)
    return 0


def _print_group(group: HeldGroup, limit: int) -> None:
    name = shown(group.connection)
    say(f"{bold(name)}: {len(group.documents)} held since {local_time(group.since)}")
    for reason, count in group.reasons.items():
        say(f"  {count} {shown(reason, most=200)}")
    for held in group.documents[:limit]:
        title = f"  {dim(shown(held.title, most=80))}" if held.title else ""
        say(f"    {held.document:>6}  {shown(held.entry_id, most=120)}{title}")
    if len(group.documents) > limit:
        say(f"            … and {len(group.documents) - limit} more; --limit shows more")
    say(f"  Delete them: syncline deletions approve {name}   (or some, by their ids)")
    say(f"  Keep them:   syncline deletions reject {name}")


@app.command()
def approve(
    what: What,
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """Delete what is held. `syncline documents restore ID` brings a document back."""

    async def command(client: Syncline, interruption: Interruption) -> Decided:
        return await client.deletions.approve(*what)

    return _told(run(command, workspace=workspace, data_dir=data_dir), "Deleted", as_json=as_json)


@app.command()
def reject(
    what: What,
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """Keep what is held; it is not held again unless the source lists it and loses it anew."""

    async def command(client: Syncline, interruption: Interruption) -> Decided:
        return await client.deletions.reject(*what)

    return _told(run(command, workspace=workspace, data_dir=data_dir), "Kept", as_json=as_json)


def _told(decided: Decided, done: str, *, as_json: bool) -> int:
    if as_json:
        print_json(decided.as_json())
        return 0
    say(f"{done} {decided.decided} {'document' if decided.decided == 1 else 'documents'}.")
    if decided.not_held:
        note(f"{decided.not_held} of what was named is not held (any more), and stays as it is.")
    elif not decided.decided:
        note("Nothing of what was named is held; `syncline deletions` lists what is.")
    return 0
