"""`syncline runs [ID]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from syncline.cli.options import AsJson, DataDir, OneConnection, Workspace
from syncline.cli.running import Interruption, run
from syncline.cli.screen import bold, dim, local_time, print_json, say, shown, span, table
from syncline.core.status import status_of
from syncline.sync.progress import progress_of

if TYPE_CHECKING:
    from syncline.client import Syncline
    from syncline.store.runs_read import RunRow
    from syncline.sync.history import RunReport, RunSummary

app = typer.Typer(add_completion=False)
_WORDS = {"created": "+", "updated": "~", "deleted": "-"}


@app.command()
def runs(
    run_id: Annotated[
        int | None, typer.Argument(metavar="[ID]", help="The run whose report is wanted.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(help="Of one run: only these lines, such as failed or filtered."),
    ] = None,
    connection: OneConnection = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="How many runs; or, of one run, how many lines of each kind."),
    ] = None,
    offset: Annotated[int, typer.Option(min=0, help="Of one run: skip so many lines.")] = 0,
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """List the runs there were, or show one run's report with the reasons of its entries."""

    async def one(client: Syncline, interruption: Interruption) -> RunReport:
        assert run_id is not None
        return await client.run(run_id, kind=kind, limit=limit or 20, offset=offset)

    async def several(client: Syncline, interruption: Interruption) -> list[RunSummary]:
        return await client.runs(connection=connection, limit=limit or 20)

    if run_id is not None:
        report = run(one, workspace=workspace, data_dir=data_dir)
        if as_json:
            print_json(report.as_json())
        else:
            _print_run(report, offset)
        return 0
    found = run(several, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json({"runs": [each.as_json() for each in found]})
    else:
        _print_runs(found)
    return 0


def _print_runs(found: list[RunSummary]) -> None:
    if not found:
        say("There were no runs yet. Begin with: syncline sync ./docs")
        return
    table(
        ("run", "connection", "mode", "status", "began", "took", "listed", "changes", "failed"),
        [
            (
                str(each.row.id),
                shown(each.row.connection, most=40),
                each.row.mode,
                _status(each),
                local_time(each.row.started_at),
                _took(each.row),
                str(each.row.counts.get("listed", "")),
                " ".join(
                    f"{sign}{each.row.counts[name]}"
                    for name, sign in _WORDS.items()
                    if each.row.counts.get(name)
                ),
                str(each.row.counts.get("failed") or ""),
            )
            for each in found
        ],
        right="rlllllrlr",
    )


def _status(summary: RunSummary) -> str:
    progress = summary.progress
    if progress is None or progress.percentage is None:
        return status_of(summary.row.state)
    return f"running {progress.percentage:.0f} %"


def _took(row: RunRow) -> str:
    if row.ended_at is None:
        return ""
    return span((row.ended_at - row.started_at).total_seconds())


def _print_run(report: RunReport, offset: int) -> None:
    row = report.row
    took = _took(row)
    say(
        f"{bold(f'Run {row.id}')} of {shown(row.connection)}: {row.mode}, {status_of(row.state)}, "
        f"began {local_time(row.started_at)}" + (f", took {took}" if took else "")
    )
    if row.error:
        say(f"  {shown(row.error.get('message', ''), most=500)}")
        if row.error.get("hint"):
            say(f"  {shown(row.error['hint'], most=500)}")
    progress = progress_of(row.progress) if row.state == "running" else None
    if progress is not None:
        say(f"  {shown(progress.in_words(), most=300)}")
    counts = {name: count for name, count in row.counts.items() if count}
    say("  " + (", ".join(f"{name} {count}" for name, count in counts.items()) or "no counts"))
    for kind, total in report.totals.items():
        lines = report.lines.get(kind)
        if not lines:
            continue
        say()
        say(f"{bold(kind)} ({total})")
        for line in lines:
            entry = f"{shown(line.entry_id, most=200)}  " if line.entry_id else ""
            say(f"  {entry}{dim(shown(line.reason, most=500))}")
        more = total - offset - len(lines)
        if more > 0:
            nxt = offset + len(lines)
            say(f"  … and {more} more: syncline runs {row.id} --kind {kind} --offset {nxt}")
