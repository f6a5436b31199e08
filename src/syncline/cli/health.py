"""`syncline health`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from syncline.cli.options import AsJson, DataDir
from syncline.cli.running import Interruption, run
from syncline.cli.screen import bold, complain, print_json, say, shown
from syncline.core.durations import duration_in_words
from syncline.core.errors import DatabaseUnavailable
from syncline.core.health import HealthState

if TYPE_CHECKING:
    from syncline.client import Syncline
    from syncline.sync.health import Finding, Health

app = typer.Typer(add_completion=False)


@app.command()
def health(
    workspace: Annotated[
        str | None,
        typer.Option("--workspace", help="Only this workspace; by default all there are."),
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> int:
    """Tell whether everything is in step, and what is not.

    Exit code 0: healthy; 1: degraded; 2: unhealthy, or the database cannot be reached. Looked at
    are how far connections are behind their schedules or freshness targets, the part of runs that
    failed lately, and stuck jobs.
    """

    async def command(client: Syncline, interruption: Interruption) -> Health:
        return await client.health(everywhere=workspace is None)

    try:
        found = run(command, workspace=workspace or "default", data_dir=data_dir)
    except DatabaseUnavailable as error:
        complain(error.message, error.hint)
        return HealthState.UNHEALTHY.exit_code
    if as_json:
        print_json(found.as_json())
    else:
        _print(found)
    return found.state.exit_code


def _print(found: Health) -> None:
    say(
        f"{bold(found.state.value.capitalize())}: "
        f"greatest lag {duration_in_words(found.lag)}, "
        f"{found.failed} of {found.runs} runs failed in the last "
        f"{duration_in_words(found.window)}, "
        f"{found.stuck} {'job' if found.stuck == 1 else 'jobs'} stuck."
    )
    for each in found.findings:
        say(f"  {each.state.value}: {shown(each.message, most=300)}{_where(each)}")
        say(f"    {shown(each.advice, most=400)}")


def _where(each: Finding) -> str:
    return "" if each.workspace in (None, "default") else f" (workspace {shown(each.workspace)})"
