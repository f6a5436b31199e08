"""Commands as they stand in advice: ready to be typed."""

from __future__ import annotations

import shlex

__all__ = ["command"]


def command(workspace: str | None, *words: object) -> str:
    """`syncline …` in code marks, with the workspace where it is not the default one."""
    asked = [] if workspace in (None, "default") else ["--workspace", str(workspace)]
    return f"`{shlex.join(['syncline', *map(str, words), *asked])}`"
