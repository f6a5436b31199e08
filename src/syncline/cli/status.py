"""`syncline status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from syncline.cli.hosts import print_breakers
from syncline.cli.options import AsJson, DataDir, Workspace
from syncline.cli.running import Interruption, run
from syncline.cli.screen import age, bold, print_json, say, shown, size, table
from syncline.core.status import status_of
from syncline.core.urls import shown_url
from syncline.sync.progress import progress_of

if TYPE_CHECKING:
    from syncline.client import Syncline
    from syncline.store.status_read import ConnectionState
    from syncline.sync.models import ModelsView
    from syncline.sync.status import Status

app = typer.Typer(add_completion=False)


@app.command()
def status(
    as_json: AsJson = False, workspace: Workspace = "default", data_dir: DataDir = None
) -> int:
    """Show how fresh and how large the knowledge base is, connection by connection."""

    async def command(client: Syncline, interruption: Interruption) -> Status:
        return await client.status()

    found = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json(found.as_json())
        return 0
    if not found.connections:
        say("Nothing is synced yet. Begin with: syncline sync ./docs")
        return 0
    table(
        ("connection", "documents", "chunks", "fresh", "last run", "source"),
        [
            (
                shown(each.name, most=40),
                str(each.documents),
                str(each.chunks),
                age(each.freshness),
                _last_run(each),
                shown(shown_url(each.source), most=80),
            )
            for each in found.connections
        ],
        right="lrr",
    )
    say()
    say(
        f"{bold(str(found.documents))} documents, {found.chunks} chunks; "
        f"the database takes {size(found.database_bytes)}."
    )
    if found.near.clusters:
        say(
            f"{found.near.documents} of them nearly repeat one another, in {found.near.clusters} "
            f"{'cluster' if found.near.clusters == 1 else 'clusters'}: syncline duplicates clusters"
        )
    if found.near.open:
        say(f"{found.near.open} pairs that are much alike wait for your word: syncline duplicates")
    _print_models(found.models)
    for each in found.connections:
        _print_troubles(each)
        print_breakers(each.name, found.breakers.get(each.id, ()))
    return 0


def _print_models(models: ModelsView) -> None:
    changing = models.changing
    if changing is None:
        return
    others = ", ".join(shown(each.name) for each in models.models if not each.wanted)
    say(
        f"{changing.passages} of {models.passages} passages are embedded with "
        f"{shown(changing.name)}; the others are found with {others}."
    )
    if changing.trouble:
        say(f"  It does not get on: {shown(changing.trouble, most=300)}")
    else:
        say("  `syncline up` does the rest, or at once: syncline embeddings update")


def _last_run(state: ConnectionState) -> str:
    if state.run is None:
        return "none"
    word = status_of(state.run_state or "done")
    if word == "running":
        progress = progress_of(state.run_progress)
        how = "" if progress is None else f": {shown(progress.in_words(), most=60)}"
        return f"{state.run} running{how}"
    counts = state.run_counts or {}
    changes = "".join(
        f" {sign}{counts[name]}"
        for sign, name in (("+", "created"), ("~", "updated"), ("-", "deleted"))
        if counts.get(name)
    )
    return f"{state.run} {word}{changes}, {age(state.run_age)}"


def _print_troubles(state: ConnectionState) -> None:
    name = shown(state.name)
    if state.run_state == "failed" and state.run_error:
        message = shown(state.run_error.get("message", ""), most=300)
        say(f"  {name}: the last run failed: {message}")
    trying = state.failing - state.dead_letters
    if trying:
        say(f"  {name}: {trying} failed, and will be tried again: syncline runs {state.run}")
    if state.dead_letters:
        say(f"  {name}: {state.dead_letters} given up until they change: syncline runs {state.run}")
    if state.held:
        say(f"  {name}: {state.held} deletions wait for your word: syncline deletions")
