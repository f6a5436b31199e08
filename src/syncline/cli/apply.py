"""`syncline apply FILE`: workspaces and connections as code."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from syncline.cli.options import AsJson, DataDir
from syncline.cli.running import Interruption, run
from syncline.cli.screen import bold, counted, is_terminal, note, print_json, say, shown
from syncline.core.errors import UsageError
from syncline.store.workspaces import DEFAULT_WORKSPACE

if TYPE_CHECKING:
    from syncline.client import Syncline
    from syncline.sync.apply import ApplyPlan, Change, Step

app = typer.Typer(add_completion=False)
_SIGNS = {"create": "+", "change": "~", "remove": "-"}


@app.command()
def apply(
    file: Annotated[
        Path, typer.Argument(help="The file that describes them.", metavar="FILE")
    ] = Path("syncline.yaml"),
    prune: Annotated[
        bool,
        typer.Option(
            "--prune",
            help="Remove connections, with their documents, that the file described once and "
            "does not any more.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the plan.")] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> int:
    """Make workspaces and connections what a file says: shows a plan, asks, then makes it so.

    Applying it again changes nothing. What the file does not name is left alone.
    """

    async def command(client: Syncline, interruption: Interruption) -> tuple[ApplyPlan, bool]:
        plan = await client.config.plan(file, prune=prune)
        if not as_json:
            _print(plan)
        if dry_run or not plan.todo:
            return plan, False
        if not yes:
            _ask(plan)
        await client.config.apply(plan)
        return plan, True

    plan, applied = run(command, workspace=DEFAULT_WORKSPACE, data_dir=data_dir)
    if as_json:
        print_json({**plan.as_json(), "applied": applied})
    elif applied:
        say("Done. `syncline up` syncs what is due; `syncline sync --all` does at once.")
    return 0


def _ask(plan: ApplyPlan) -> None:
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        raise UsageError(
            "There is no terminal to ask at; nothing was done.",
            hint="Give --yes to apply without being asked, or --dry-run to see the plan only.",
        )
    count = len(plan.todo)
    documents = sum(step.documents for step in plan.todo)
    lost = f", and remove {counted(documents, 'document')}" if documents else ""
    typer.confirm(
        f"Make {'this change' if count == 1 else f'these {count} changes'}{lost}?",
        abort=True,
        err=True,
    )


def _print(plan: ApplyPlan) -> None:
    for step in plan.todo:
        say(f"{_SIGNS[step.action]} {bold(_name(step))}{_note(step)}")
        for change in step.changes:
            say(f"    {_in_words(change)}")
    kept = len(plan.steps) - len(plan.todo)
    if not plan.todo:
        say(f"Nothing to do: {counted(kept, 'connection')}, as {plan.declaration.path.name} says.")
    elif kept:
        say(f"= {kept} as they are")
    if plan.left:
        few = ", ".join(map(shown, plan.left[:5])) + (" …" if len(plan.left) > 5 else "")
        note(f"No longer in the file, and left alone: {few}. --prune removes them.")


def _name(step: Step) -> str:
    if step.connection is None:
        return f"workspace {shown(step.workspace)}"
    return f"{shown(step.workspace)}/{shown(step.connection)}"


def _note(step: Step) -> str:
    return f", with {counted(step.documents, 'document')}" if step.action == "remove" else ""


def _in_words(change: Change) -> str:
    if change.before is None:
        return f"{change.what}: {_value(change.after)}"
    return f"{change.what}: {_value(change.before)} → {_value(change.after)}"


def _value(value: object) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shown(text, most=100)
