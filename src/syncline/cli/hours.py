"""`syncline hours`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from syncline.cli.options import AsJson, DataDir
from syncline.cli.running import Interruption, run
from syncline.cli.screen import counted, dim, print_json, say, shown
from syncline.store.workspaces import DEFAULT_WORKSPACE

if TYPE_CHECKING:
    from syncline.client import Syncline
    from syncline.sync.hours import Hour

app = typer.Typer(add_completion=False)
_WIDTH = 40
_NAMED = 4


@app.command()
def hours(as_json: AsJson = False, data_dir: DataDir = None) -> int:
    """Show how the workspaces spread over the hours of the day, in UTC.

    Each active workspace has an hour, which follows from its number; connections whose
    schedule is `spread` are synced in it.
    """

    async def command(client: Syncline, interruption: Interruption) -> list[Hour]:
        return await client.hours()

    found = run(command, workspace=DEFAULT_WORKSPACE, data_dir=data_dir)
    if as_json:
        print_json({"hours": [hour.as_json() for hour in found]})
        return 0
    most = max(1, *(len(hour.workspaces) for hour in found))
    for hour in found:
        count = len(hour.workspaces)
        bar = "█" * round(_WIDTH * count / most)
        names = ", ".join(map(shown, hour.workspaces[:_NAMED])) + (" …" if count > _NAMED else "")
        runs = f", {hour.runs} runs" if hour.runs else ""
        line = f"{hour.hour:02d}:00  {count:5}{runs:12} {bar:{min(_WIDTH, most)}}  {dim(names)}"
        say(line.rstrip())
    total = sum(len(hour.workspaces) for hour in found)
    spread = sum(hour.runs for hour in found)
    say(f"{counted(total, 'active workspace')}, {counted(spread, 'run')} spread by hour.")
    return 0
