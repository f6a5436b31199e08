"""`syncline version`."""

from __future__ import annotations

import typer

import syncline
from syncline.cli.screen import say

app = typer.Typer(add_completion=False)


@app.command()
def version() -> int:
    """Show the version."""
    say(f"syncline {syncline.__version__}")
    return 0
