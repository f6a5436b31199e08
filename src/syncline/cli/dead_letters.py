"""`syncline dead-letters [list|show|retry|discard]`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syncline.cli.completion import connection_names
from syncline.cli.lazy import ListByDefault
from syncline.cli.options import AllWorkspaces, AsJson, DataDir, OneConnection, Workspace
from syncline.cli.running import Interruption, run
from syncline.cli.screen import counted, local_time, note, print_json, say, shown, table
from syncline.core.errors import NotHere, UsageError

if TYPE_CHECKING:
    from syncline.client import Syncline
    from syncline.parts.dead_letters import SentAgain
    from syncline.store.dead_letters import Cause, DeadLetter

app = typer.Typer(
    cls=ListByDefault,
    help="List what failed for good, with its cause; try it again, or discard it.",
    add_completion=False,
)
_MANY = {"entry": "entries", "job": "jobs"}
What = Annotated[
    list[str] | None,
    typer.Argument(help="Entries, by their ids, and jobs, as job:12.", metavar="[ENTRY|job:N]..."),
]
CauseOption = Annotated[
    str | None, typer.Option("--cause", help="Only this cause, such as bad_content.")
]
All = Annotated[bool, typer.Option("--all", help="All of them.")]
OfConnection = Annotated[
    str | None,
    typer.Option(
        "--connection", "-c", help="All of this connection.", autocompletion=connection_names
    ),
]


@app.command("list")
def list_dead_letters(
    connection: OneConnection = None,
    cause: CauseOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="How many to pass over.")] = 0,
    everywhere: AllWorkspaces = False,
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """List entries and jobs that failed three times, the latest first."""
    if everywhere and connection is not None:
        raise UsageError("A connection is one workspace's: --all-workspaces does not go with it.")

    async def command(
        client: Syncline, interruption: Interruption
    ) -> tuple[Sequence[Cause], Sequence[DeadLetter]]:
        asked: Any = {"connection": connection, "cause": cause, "everywhere": everywhere}
        found = await client.dead_letters.list(limit=limit, offset=offset, **asked)
        return await client.dead_letters.causes(**asked), found

    causes, found = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json(
            {
                "causes": [
                    {
                        "kind": each.kind,
                        "code": each.code,
                        "count": each.count,
                        "connections": each.connections,
                    }
                    for each in causes
                ],
                "dead_letters": [_as_json(each) for each in found],
            }
        )
        return 0
    if not found:
        say("There are no dead letters.")
        return 0
    table(
        (
            *("what", *(["workspace"] if everywhere else [])),
            *("connection", "cause", "tries", "last tried", "message"),
        ),
        [
            (
                shown(_name(each), most=60),
                *([shown(each.workspace, most=30)] if everywhere else []),
                shown(each.connection or "", most=30),
                each.code,
                str(each.tries),
                local_time(each.at),
                shown(each.message, most=160),
            )
            for each in found
        ],
    )
    total = sum(each.count for each in causes)
    if total > len(found):
        note(f"{len(found)} of {total}; --offset {offset + len(found)} shows the next.")
    say()
    for each in causes:
        say(
            f"{counted(each.count, each.kind, _MANY[each.kind])}: {each.code},"
            f" in {counted(each.connections, 'connection')}"
        )
    say("`syncline dead-letters retry --cause CODE` tries those of one cause again.")
    return 0


@app.command()
def show(
    what: Annotated[str, typer.Argument(help="An entry's id, or job:12.", metavar="ENTRY|job:N")],
    connection: OneConnection = None,
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """Show one with all of its cause."""

    async def command(client: Syncline, interruption: Interruption) -> Sequence[DeadLetter]:
        return await client.dead_letters.list(what, connection=connection)

    found = run(command, workspace=workspace, data_dir=data_dir)
    if not found:
        raise NotHere(
            f"{what!r} is no dead letter in this workspace.",
            hint="`syncline dead-letters` lists them; `syncline documents why` tells where it is.",
        )
    if as_json:
        print_json({"dead_letters": [_as_json(each) for each in found]})
        return 0
    for each in found:
        of = f" of {shown(each.connection)}" if each.connection else ""
        say(f"{shown(_name(each))}{of}: {each.code}")
        say(f"  {shown(each.message)}")
        say(f"  tried {each.tries} times, last {local_time(each.at)}")
    return 0


@app.command()
def retry(
    what: What = None,
    connection: OfConnection = None,
    cause: CauseOption = None,
    everything: All = False,
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """Try dead letters again: those named, all of a cause, of a connection, or all."""
    _chosen(what, connection, cause, everything)

    async def command(client: Syncline, interruption: Interruption) -> SentAgain:
        return await client.dead_letters.retry(*(what or ()), connection=connection, cause=cause)

    done = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json({"entries": done.entries, "jobs": done.jobs, "queued": done.queued})
    elif not done.entries and not done.jobs:
        say("Nothing fits; `syncline dead-letters` lists what there is.")
    else:
        say(
            f"To be tried again: {counted(done.entries, 'entry', 'entries')},"
            f" {counted(done.jobs, 'job')}."
        )
        if done.queued and not done.workers:
            say("No worker runs: `syncline sync --all` does it now, or `syncline up`.")
    return 0


@app.command()
def discard(
    what: What = None,
    connection: OfConnection = None,
    cause: CauseOption = None,
    everything: All = False,
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """Have done with dead letters: an entry is left out until it changes, a job is forgotten.

    What is stored of an entry stays.
    """
    _chosen(what, connection, cause, everything)

    async def command(client: Syncline, interruption: Interruption) -> tuple[int, int]:
        return await client.dead_letters.discard(*(what or ()), connection=connection, cause=cause)

    entries, jobs = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json({"entries": entries, "jobs": jobs})
    elif not entries and not jobs:
        say("Nothing fits; `syncline dead-letters` lists what there is.")
    else:
        say(
            f"Left out until they change: {counted(entries, 'entry', 'entries')};"
            f" forgotten: {counted(jobs, 'job')}."
        )
    return 0


def _chosen(
    what: Sequence[str] | None, connection: str | None, cause: str | None, everything: bool
) -> None:
    """Nothing is done to all of them by mistake. Raises `UsageError`."""
    if not (what or connection or cause or everything):
        raise UsageError(
            "Say which: entries, --cause, --connection or --all.",
            hint="`syncline dead-letters` lists them.",
        )


def _name(letter: DeadLetter) -> str:
    return f"job:{letter.id}" if letter.kind == "job" else letter.id


def _as_json(letter: DeadLetter) -> dict[str, Any]:
    return {
        "kind": letter.kind,
        "id": letter.id,
        "workspace": letter.workspace,
        "connection": letter.connection,
        "code": letter.code,
        "message": letter.message,
        "tries": letter.tries,
        "at": letter.at.isoformat(),
    }
