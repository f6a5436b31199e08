"""`syncline plan SOURCE`: what a sync would do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from syncline.cli.options import AsJson, DataDir, Quiet, Source, Workspace
from syncline.cli.running import Interruption, run
from syncline.cli.wishes import takes_wishes
from syncline.parts.wished import Wished

if TYPE_CHECKING:
    from syncline.client import Syncline

app = typer.Typer(add_completion=False)


@app.command(epilog="The exit code is the one that the sync would end with.")
@takes_wishes
def plan(
    source: Source,
    wishes: Wished,
    as_json: AsJson = False,
    quiet: Quiet = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """Show what a sync would do; nothing is written, not even the connection."""
    return plan_and_print(
        source, wishes, as_json=as_json, quiet=quiet, workspace=workspace, data_dir=data_dir
    )


def plan_and_print(
    source: str,
    wishes: Wished,
    *,
    as_json: bool,
    quiet: bool,
    workspace: str,
    data_dir: Path | None,
) -> int:
    """Plan, print, and answer the exit code."""

    async def command(client: Syncline, interruption: Interruption) -> int:
        from syncline.cli.progress import Meter
        from syncline.cli.reporting import print_plan
        from syncline.cli.screen import print_json

        with Meter(source, total=None, quiet=quiet or as_json) as meter:
            interruption.told = meter.tell
            report = await client.plan(source, on_progress=meter.update, **wishes)
        if as_json:
            print_json(report.as_json() | {"samples": report.samples})
        else:
            print_plan(report, samples=report.samples, quiet=quiet)
        return report.exit_code

    return run(
        command,
        workspace=workspace,
        data_dir=data_dir,
        meanwhile=lambda client: client.load_tools(),
    )
