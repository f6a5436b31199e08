"""Where a secret comes from: never the command line itself, which others see and a shell keeps."""

from __future__ import annotations

import sys

import typer

from syncline.cli.screen import is_terminal
from syncline.core.errors import UsageError
from syncline.sync.places import read_place

__all__ = ["secret_named"]


def secret_named(text: str) -> tuple[str, str | None]:
    """The name and the value of `NAME`, `NAME=env:VARIABLE`, `NAME=file:PATH` or `NAME=none`.

    Raises `UsageError`, without the value.
    """
    name, equals, place = text.partition("=")
    name = name.strip()
    if not name:
        raise UsageError("--secret: it has no name.", hint="Write it as --secret token.")
    if not equals:
        return name, _asked(name)
    if place == "none":
        return name, None
    return name, read_place(place, name, called="--secret")


def _asked(name: str) -> str:
    if not is_terminal(sys.stdin):
        raise UsageError(
            f"--secret {name}: there is no terminal to ask at.",
            hint=f"Write --secret {name}=env:VARIABLE or --secret {name}=file:PATH.",
        )
    value: str = typer.prompt(name, hide_input=True, err=True)
    return value
