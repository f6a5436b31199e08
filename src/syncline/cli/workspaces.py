"""`syncline workspaces [list|add|pause|resume]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from syncline.cli.lazy import ListByDefault
from syncline.cli.options import AsJson, DataDir
from syncline.cli.running import Interruption, run
from syncline.cli.screen import print_json, say, shown, table
from syncline.store.workspaces import DEFAULT_WORKSPACE

if TYPE_CHECKING:
    from syncline.client import Syncline
    from syncline.store.hours_read import WorkspaceHours

app = typer.Typer(
    cls=ListByDefault,
    help="List the workspaces; make one, let one rest, or run again.",
    add_completion=False,
)
Name = Annotated[str, typer.Argument(help="The workspace's name.")]


@app.command("list")
def list_workspaces(as_json: AsJson = False, data_dir: DataDir = None) -> int:
    """List all workspaces with their connections, and the hour of the day that is theirs."""

    async def command(client: Syncline, interruption: Interruption) -> list[WorkspaceHours]:
        return await client.workspaces.list()

    found = run(command, workspace=DEFAULT_WORKSPACE, data_dir=data_dir)
    if as_json:
        print_json(
            {
                "workspaces": [
                    {
                        "id": each.id,
                        "name": each.name,
                        "active": each.active,
                        "connections": each.connections,
                    }
                    for each in found
                ]
            }
        )
    elif not found:
        say("There are no workspaces yet; the first sync makes one.")
    else:
        table(
            ("id", "workspace", "active", "connections"),
            [
                (
                    str(each.id),
                    shown(each.name, most=60),
                    "yes" if each.active else "no",
                    str(each.connections),
                )
                for each in found
            ],
            right="r",
        )
    return 0


@app.command()
def add(name: Name, as_json: AsJson = False, data_dir: DataDir = None) -> int:
    """Make a workspace. Adding a connection to one makes it too."""
    return _do(name, "add", f"The workspace {shown(name)} is there.", as_json, data_dir)


@app.command()
def pause(name: Name, as_json: AsJson = False, data_dir: DataDir = None) -> int:
    """Let nothing of a workspace run by itself. What it holds can still be searched."""
    return _do(name, "pause", f"{shown(name)} is not active any more.", as_json, data_dir)


@app.command()
def resume(name: Name, as_json: AsJson = False, data_dir: DataDir = None) -> int:
    """Let a workspace's connections run by themselves again."""
    return _do(name, "resume", f"{shown(name)} is active.", as_json, data_dir)


def _do(name: str, what: str, told: str, as_json: bool, data_dir: DataDir) -> int:
    async def command(client: Syncline, interruption: Interruption) -> None:
        await getattr(client.workspaces, what)(name)

    run(command, workspace=DEFAULT_WORKSPACE, data_dir=data_dir)
    if as_json:
        print_json({"workspace": name, "active": what != "pause"})
    else:
        say(told)
    return 0
