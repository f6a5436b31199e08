"""What the shell offers besides commands and options: the names of the connections there are."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path

import typer

__all__ = ["connection_names"]

_SECONDS = 3.0


def connection_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names that begin like this; none where they cannot be had quickly.

    A shell that is offered nothing completes paths, which is right for what looks like one.
    """
    if incomplete.startswith((".", "/", "~")) or "://" in incomplete:
        return _paths(incomplete)
    with suppress(Exception):  # a Tab key has no place for errors
        names = asyncio.run(_names(ctx.params.get("workspace"), ctx.params.get("data_dir")))
        found = [name for name in names if name.startswith(incomplete)]
        if found:
            return found
    return _paths(incomplete)


async def _names(workspace: str | None, data_dir: Path | None) -> list[str]:
    from syncline.client import open  # noqa: A004 - `syncline.open()`

    client = open(
        data_dir=data_dir,
        workspace=workspace or os.environ.get("SYNCLINE_WORKSPACE") or "default",
    )
    bundled = client.settings.database_url is None
    if bundled and not (client.settings.data_dir / "postgres").exists():
        return []  # nothing was ever synced: no reason to make a database
    async with asyncio.timeout(_SECONDS), client:
        return [row.name for row in await client.connections.list()]


def _paths(incomplete: str) -> list[str]:
    """Paths, for fish: the other shells complete them by themselves where there is nothing else."""
    if os.environ.get("_SYNCLINE_COMPLETE") != "complete_fish" or "://" in incomplete:
        return []
    folder, _, start = incomplete.rpartition("/")
    here = Path(folder or ("/" if incomplete.startswith("/") else ".")).expanduser()
    before = f"{folder}/" if "/" in incomplete else ""
    with suppress(OSError):
        return sorted(
            f"{before}{each.name}{'/' if each.is_dir() else ''}"
            for each in here.iterdir()
            if each.name.startswith(start) and (start or not each.name.startswith("."))
        )
    return []
