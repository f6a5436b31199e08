"""`syncline jobs [list|show|cancel|retry]`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syncline.cli.lazy import ListByDefault
from syncline.cli.options import AllWorkspaces, AsJson, DataDir, Workspace
from syncline.cli.running import Interruption, run
from syncline.cli.screen import local_time, print_json, say, shown, table
from syncline.core.errors import UsageError
from syncline.core.status import status_of
from syncline.sync.progress import progress_of

if TYPE_CHECKING:
    from syncline.client import Syncline
    from syncline.store.jobs_read import JobRow

app = typer.Typer(
    cls=ListByDefault,
    help="List what waits, runs or has failed; cancel a job, or try it again.",
    add_completion=False,
)
_STATES = {
    "pending": ("waiting", "ready"),
    "running": ("running",),
    "failed": ("dead",),
    "cancelled": ("cancelled",),
    "waiting": ("waiting",),
    "ready": ("ready",),
    "dead": ("dead",),
}

Job = Annotated[int, typer.Argument(help="The job's number, as `syncline jobs` shows it.")]


@app.command("list")
def list_jobs(
    state: Annotated[
        list[str] | None, typer.Option(help=f"Only these (repeatable): {', '.join(_STATES)}.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 50,
    everywhere: AllWorkspaces = False,
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """List the jobs, the newest first. One that is done is not here but in `syncline runs`."""
    for each in state or ():
        if each not in _STATES:
            raise UsageError(f"There is no state {each!r}.", hint=f"Choose: {', '.join(_STATES)}.")

    states = [stored for each in state or () for stored in _STATES[each]]

    async def command(client: Syncline, interruption: Interruption) -> list[JobRow]:
        return await client.jobs.list(states=states, limit=limit, everywhere=everywhere)

    found = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json({"jobs": [_as_json(row) for row in found]})
    elif not found:
        say("No job waits, runs or has failed. `syncline up` makes them when connections are due.")
    else:
        table(
            (
                *("id", *(["workspace"] if everywhere else [])),
                *("kind", "connection", "status", "attempts", "when", "cause"),
            ),
            [
                (
                    str(row.id),
                    *([shown(row.workspace, most=30)] if everywhere else []),
                    row.kind,
                    shown(row.connection or "", most=40),
                    status_of(row.state),
                    str(row.attempts),
                    local_time(_when(row)),
                    shown((row.error or {}).get("message", ""), most=80),
                )
                for row in found
            ],
            right="r",
        )
    return 0


@app.command()
def show(
    job: Job, as_json: AsJson = False, workspace: Workspace = "default", data_dir: DataDir = None
) -> int:
    """Show one job with its cause."""

    async def command(client: Syncline, interruption: Interruption) -> JobRow:
        return await client.jobs.show(job)

    row = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json(_as_json(row))
        return 0
    status = status_of(row.state)
    more = {"waiting": ", waits for its time", "ready": ", waits for a worker"}.get(row.state, "")
    say(f"Job {row.id}: {row.kind} of {shown(row.connection or 'the workspace')}, {status}{more}.")
    say(f"  made {local_time(row.created_at)}, due {local_time(row.run_at)}")
    say(f"  attempts {row.attempts}, priority {row.priority}")
    if row.owner is not None and row.lease_until is not None:
        say(f"  held by {shown(row.owner)} until {local_time(row.lease_until)}")
    progress = progress_of(row.progress)
    if progress is not None:
        say(f"  run {row.run}: {shown(progress.in_words(), most=300)}")
    if row.error:
        say(f"  {shown(row.error.get('code', ''))}: {shown(row.error.get('message', ''))}")
    return 0


@app.command()
def cancel(
    job: Job, as_json: AsJson = False, workspace: Workspace = "default", data_dir: DataDir = None
) -> int:
    """Cancel a job; one that runs is asked to stop. What it has written stays."""

    async def command(client: Syncline, interruption: Interruption) -> str:
        return await client.jobs.cancel(job)

    state = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json({"job": job, "state": state})
    else:
        say(f"Job {job} is asked to stop." if state == "running" else f"Job {job} is cancelled.")
    return 0


@app.command()
def retry(
    job: Job, as_json: AsJson = False, workspace: Workspace = "default", data_dir: DataDir = None
) -> int:
    """Try a dead, cancelled or waiting job again, now."""

    async def command(client: Syncline, interruption: Interruption) -> None:
        await client.jobs.retry(job)

    run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json({"job": job, "state": "ready"})
    else:
        say(f"Job {job} is ready; a worker of `syncline up` takes it.")
    return 0


def _when(row: JobRow) -> datetime:
    """What a person looks for: when it began, ended, or is tried."""
    match row.state:
        case "running":
            return row.started_at or row.run_at
        case "dead" | "cancelled":
            return row.ended_at or row.run_at
    return row.run_at


def _as_json(row: JobRow) -> dict[str, Any]:
    progress = progress_of(row.progress)
    return {
        "id": row.id,
        "workspace": row.workspace,
        "kind": row.kind,
        "connection": row.connection,
        "state": row.state,
        "status": status_of(row.state).value,
        "priority": row.priority,
        "attempts": row.attempts,
        "run_at": row.run_at.isoformat(),
        "created_at": row.created_at.isoformat(),
        "started_at": row.started_at.isoformat() if row.started_at else None,
        "ended_at": row.ended_at.isoformat() if row.ended_at else None,
        "owner": row.owner,
        "lease_until": row.lease_until.isoformat() if row.lease_until else None,
        "payload": dict(row.payload),
        "error": dict(row.error) if row.error else None,
        "run": row.run,
        "progress": progress.as_json() if progress else None,
    }
