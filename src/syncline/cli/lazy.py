"""Typer groups that import a command's module when it is used, and no other's."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter
    from typer._click.shell_completion import CompletionItem

__all__ = ["COMMANDS", "LazyGroup", "ListByDefault"]

COMMANDS = {
    "sync": "Bring the knowledge base in step with a folder or a website.",
    "plan": "Show what a sync would do; nothing is written.",
    "search": "Find the passages that answer a question.",
    "status": "Show how fresh and how large the knowledge base is.",
    "runs": "List the runs there were, or show one's report.",
    "documents": "List documents, show one, tell why one is there or not, bring one back.",
    "deletions": "List what the guard holds, and approve or reject it.",
    "duplicates": "List documents that are much alike, and say whether they are the same.",
    "embeddings": "Show which models the passages are embedded with; change to another now.",
    "apply": "Make workspaces and connections what a file says.",
    "connections": "List, show, add, change, check or remove connections, say when they run.",
    "connectors": "List the kinds of sources, or show what one reads, needs and costs.",
    "jobs": "List what waits, runs or has failed; cancel a job, or try it again.",
    "dead-letters": "List what failed for good, with its cause; try it again, or discard it.",
    "hours": "Show how the workspaces spread over the hours of the day.",
    "workspaces": "List the workspaces; make one, let one rest, or run again.",
    "health": "Tell whether everything is in step, and what is not: exit code 0, 1 or 2.",
    "events": "List what has happened that a person may want to know.",
    "alerts": "List what is wrong now; send a test to where alerts go.",
    "up": "Keep everything in step: the bundled database, a scheduler and a worker.",
    "worker": "Run jobs; as many workers as there are machines for.",
    "scheduler": "Make jobs of what is due; as many as one likes.",
    "down": "Stop what `syncline up` has started.",
    "keys": "List the keys that secrets are sealed with, and change them.",
    "db": "Look at the database; back it up, restore, move or upgrade it.",
    "doctor": "Check this installation.",
    "version": "Show the version.",
}
"""Every command with its line in `syncline --help`; its module has the same name (`_` for `-`)."""


class _Commands(MutableMapping[str, Any]):
    """The commands by name, each made from its module when it is asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Command] = {}

    def __getitem__(self, name: str) -> Command:
        if name not in COMMANDS:
            raise KeyError(name)
        if name not in self._made:
            command = typer.main.get_command(
                import_module(f"syncline.cli.{name.replace('-', '_')}").app
            )
            command.name = name
            self._made[name] = command
        return self._made[name]

    def __setitem__(self, name: str, command: Command) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class LazyGroup(TyperGroup):
    """`syncline` itself."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands()
        self._listing = False

    def list_commands(self, ctx: Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        if self._listing and cmd_name in COMMANDS:
            return TyperCommand(cmd_name, help=COMMANDS[cmd_name])
        return super().get_command(ctx, cmd_name)

    def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
        self._listing = True  # a line for each is all that is shown of the commands
        super().format_help(ctx, formatter)
        self._listing = False

    def shell_complete(self, ctx: Context, incomplete: str) -> list[CompletionItem]:
        from typer._click import Command
        from typer._click.shell_completion import CompletionItem

        names = [
            CompletionItem(name, help=text)
            for name, text in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*names, *Command.shell_complete(self, ctx, incomplete)]


class ListByDefault(TyperGroup):
    """A group whose command is `list` where none is given: `syncline documents --json`."""

    default = "list"

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        options_only = not args or (args[0].startswith("-") and args[0] not in ("--help", "-h"))
        if options_only and not ctx.resilient_parsing:  # which is how completion looks around
            args = [self.default, *args]
        return super().parse_args(ctx, args)
