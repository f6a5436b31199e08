"""`syncline sync SOURCE`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from syncline.cli.options import AsJson, DataDir, OptionalSource, Quiet, Workspace, parse_date
from syncline.cli.running import Interrupted, Interruption, end_threads, run
from syncline.cli.screen import note, shown
from syncline.cli.wishes import takes_wishes
from syncline.core.errors import UsageError
from syncline.parts.wished import Wished, any_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from syncline.client import Syncline
    from syncline.sync.follow import Joined
    from syncline.sync.report import Report

app = typer.Typer(add_completion=False)


_EXIT_CODES = (
    "Exit codes: 0 all good, 1 failed, 2 usage, 3 finished with failed entries, "
    "4 finished with held deletions, 130 interrupted."
)


@app.command(epilog=_EXIT_CODES)
@takes_wishes
def sync(
    context: typer.Context,
    wishes: Wished,
    source: OptionalSource = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Every connection, of all workspaces, or of the one that -w names; as jobs, "
            "which a running service does, or else this command.",
        ),
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Trust no version: read every entry again.")
    ] = False,
    reconcile: Annotated[
        bool,
        typer.Option("--reconcile", help="Compare with the source's complete list of entries."),
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="Read again what was updated since, whatever is known of it: 2025-01-31, 7d. "
            "Deletes nothing.",
        ),
    ] = None,
    partition: Annotated[
        list[str] | None,
        typer.Option(
            "--partition", metavar="NAME", help="Read this part again (again for more), as --since."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be done, as `plan` does.")
    ] = False,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait",
            help="Wait for another run of this connection to end, and run then; with --all, wait "
            "for all syncs.",
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="End another run of this connection, and start.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """Bring the knowledge base in step with a folder or a website. The source becomes a
    connection the first time, and is known by it after. A run of it that is under way is followed;
    where a service is up, it does it.
    """
    given = getattr(context.get_parameter_source("workspace"), "name", "DEFAULT")
    named = given != "DEFAULT"
    if everything or (source is None and given == "COMMANDLINE"):
        parts = {"reconcile": reconcile, "dry-run": dry_run, "since": since, "partition": partition}
        _refuse_with_all(source, wishes, [name for name, given in parts.items() if given])
        from syncline.cli.sync_all import sync_all_and_print

        return sync_all_and_print(
            workspace=workspace if named else None,
            full=full,
            force=force,
            wait=wait,
            as_json=as_json,
            quiet=quiet,
            data_dir=data_dir,
        )
    if source is None:
        raise UsageError(
            "Say what to sync.", hint="A folder, a URL, a connection's name; or --all of them."
        )
    if dry_run:
        from syncline.cli.plan import plan_and_print

        return plan_and_print(
            source, wishes, as_json=as_json, quiet=quiet, workspace=workspace, data_dir=data_dir
        )

    async def command(client: Syncline, interruption: Interruption) -> int:
        from syncline.cli.progress import Meter

        client.load_tools().pool.have_process(end_threads)
        row = await client.connections.add(source, **wishes)
        total = await client.connections.last_listed(row)
        with Meter(row.name, total=total, quiet=quiet or as_json) as meter:
            interruption.told = meter.tell
            interruption.graceful = True
            if interruption.stop.is_set():
                raise Interrupted
            report = None
            if not (full or reconcile or since or partition or wait or force or any_of(wishes)):
                report = await client.joined(
                    row,
                    on_joined=lambda joined: _tell_joined(row.name, joined, quiet or as_json),
                    on_progress=meter.update or (lambda progress: None),
                    stop=interruption.stop,
                )
            if report is None:
                report = await client.sync(
                    row,
                    full=full,
                    reconcile=reconcile,
                    since=parse_date(since, "--since") if since else None,
                    partitions=partition or (),
                    wait=wait,
                    force=force,
                    on_progress=meter.update,
                    stop=interruption.stop,
                )
        interruption.graceful = False
        await _print(client, report, first=total is None, as_json=as_json, quiet=quiet)
        return report.exit_code

    return run(
        command,
        workspace=workspace,
        data_dir=data_dir,
        meanwhile=lambda client: client.load_tools(),
    )


def _tell_joined(name: str, joined: Joined, quiet: bool) -> None:
    """What this command does is to follow what others do."""
    if quiet:
        return
    if joined.run is None:
        note(f"{shown(name)}: the running service does it (job {joined.job}).")
        return
    note(
        f"Run {joined.run} of {shown(name)} is under way (held by {joined.owner}): following it."
        " (--wait: run once more after it; --force: end it, and start anew.)"
    )


def _refuse_with_all(source: str | None, wishes: Wished, others: Sequence[str]) -> None:
    """What is about one connection. Raises `UsageError`."""
    if source is not None:
        raise UsageError(f"Give either {source} or --all.")
    if any_of(wishes):
        raise UsageError(
            "Filters, options and secrets belong to one connection.",
            hint="`syncline connections edit NAME …` changes them.",
        )
    if others:
        raise UsageError(f"--{others[0]} is for one connection.")


async def _print(
    client: Syncline, report: Report, *, first: bool, as_json: bool, quiet: bool
) -> None:
    if as_json:
        from syncline.cli.screen import print_json

        print_json(report.as_json())
        return
    from syncline.cli.reporting import print_report

    failed = []
    if report.counts["failed"] and report.run is not None and report.state != "failed":
        found = await client.run(report.run, limit=5)
        failed = [(line.entry_id or "", line.reason) for line in found.lines.get("failed", ())]
    print_report(report, failed=failed, first=first, quiet=quiet)
